"""The participants' texts and their catalogues in locale/: `python -m tests.catalogues --update`.

The compiled catalogues are committed, so that nobody needs GNU gettext to run the site.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from collection.design.protocol import LANGUAGES

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
TRANSLATIONS = LANGUAGES[1:]
"""All but English, in which the texts are written."""
ADVICE = (
    "GNU gettext reads the texts and is not here: `apt-get install gettext` (Debian, Ubuntu), "
    "`brew install gettext` (macOS)."
)
PLACES = ("collection", "templates")
COLLECT = """\
import django
from django.conf import settings
settings.configure()
django.setup()
from django.core.management import call_command
call_command("makemessages", locale=["de"], no_location=True, verbosity=0)
"""


def has_gettext() -> bool:
    return shutil.which("xgettext") is not None


def path_of(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def catalogue_read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, ignore_obsolete=True)


def texts_collect() -> Catalog:
    """Every text that is marked for translation, as Django's own makemessages finds them.

    It does so on a copy, since it writes beside what it reads.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place in PLACES:
            shutil.copytree(ROOT / place, folder / place, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "locale").mkdir()
        subprocess.run([sys.executable, "-c", COLLECT], cwd=folder, check=True)
        return catalogue_read(folder / path_of("de").relative_to(ROOT))


def compiled(catalogue: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def is_translated(text: Message) -> bool:
    return all(forms(text.string))


def forms(text: str | Iterable[str] | None) -> tuple[str, ...]:
    """One, or those by number."""
    return (text or "",) if isinstance(text, str | None) else tuple(text)


def update() -> None:
    """Add what is new to each catalogue, take out what is gone, compile."""
    texts = texts_collect()
    for language in TRANSLATIONS:
        path = path_of(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        old = catalogue_read(path) if path.exists() else Catalog()
        new = Catalog(
            locale=language,
            header_comment="# The participants' texts. `make messages` brings in new ones and compiles.",
            project="Tonalist",
            version="participants",
            msgid_bugs_address="Tonalist",
            last_translator="Tonalist",
            language_team="Tonalist",
            fuzzy=False,
            creation_date=old.creation_date,
            revision_date=old.creation_date,
        )
        for text in texts:
            if text.id:
                known = old.get(text.id, text.context)
                new.add(
                    text.id,
                    known.string if known else None,
                    flags=text.flags,
                    context=text.context,
                    auto_comments=text.auto_comments,
                )
        with path.open("wb") as file:
            write_po(file, new, width=0, omit_header=False)
        path.with_suffix(".mo").write_bytes(compiled(catalogue_read(path)))
        missing = sum(not is_translated(text) for text in new if text.id)
        sys.stdout.write(f"{language}: {len(new)} texts, {missing} without a translation\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        raise SystemExit(__doc__)
    if not has_gettext():
        raise SystemExit(ADVICE)
    update()
