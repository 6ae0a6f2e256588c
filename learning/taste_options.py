"""The options of commands that name a taste, and the system and the profile that they mean."""

import argparse
import hashlib
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from learning import cli
from learning.data.dataset import PreferenceDataset
from learning.data.masks import SUFFIXES as MASK_SUFFIXES
from learning.data.masks import Labels, masks_by_photo, read_mask
from learning.systems import HAVE_MODES, MODES, PHOTO_READERS, TAKE_MASKS, UNTRAINED, system_module
from learning.systems.concepts import SLIDERS
from learning.systems.interface import (
    ConceptEditor,
    LongReader,
    Mixer,
    ModeEditor,
    PhotoReader,
    Pixels,
    Profile,
    System,
    WordReader,
)
from learning.systems.load import load_run
from learning.tastes import references_of, taste_of_photos
from learning.training.run_folder import read_profile
from variants.progress import Report
from variants.sources.manifest import SUFFIXES
from variants.tone.images import ImageError, fit_long_side, read_photo

READING = "reading the liked photos"


@dataclass(frozen=True, kw_only=True, slots=True)
class Taste:
    system: System
    profile: Profile
    title: str
    references: list[Pixels] = field(default_factory=list)
    """The liked photos that it was read from, where there were any."""
    skipped: tuple[str, ...] = ()
    """What could not be read: liked photos, each with its reason; or answers that a rater does not have."""


def add_taste_options(parser: argparse.ArgumentParser) -> None:
    by = parser.add_mutually_exclusive_group()
    by.add_argument("--run", type=Path, metavar="RUN", help="run folder of a training")
    by.add_argument(
        "--system",
        choices=UNTRAINED,
        help=f"one that needs no training, for --like ({UNTRAINED[0]}, where no --run is named)",
    )
    parser.add_argument("--rater", metavar="ID", help="taste of a rater_id in raters.parquet")
    parser.add_argument("--dataset", type=Path, metavar="DIR", help="folder with the rater's answers")
    parser.add_argument(
        "--references", type=cli.positive, default=16, metavar="N", help="read the first N answers (16)"
    )
    parser.add_argument(
        "--like",
        type=Path,
        action="append",
        metavar="PATH",
        help="taste of a liked photo, or of a folder of them; again for a second taste, to be mixed with it",
    )
    parser.add_argument(
        "--shares", metavar="A,B", help="of each --like in the mix, such as 2,1 (the same of each)"
    )
    parser.add_argument(
        "--preset", type=Path, metavar="FILE", help="taste of a preset that --save-preset has written"
    )
    parser.add_argument(
        "--word",
        action="append",
        metavar="CONCEPT=WORD",
        help="taste in words, such as exposure=dark; again for another concept (pif)",
    )
    parser.add_argument(
        "--concept",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"set a concept of the taste by hand ({', '.join(SLIDERS)}); a wrong name lists them all",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help=f"metric leaves a photo alone that is to taste already, taste edits every one (metric; {', '.join(HAVE_MODES)})",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help=f"a mask for each photo, IN and liked, with its name and one colour for each segment ({', '.join(TAKE_MASKS)})",
    )


def read_taste(options: Namespace, report: Report) -> Taste:
    """The taste that the options name.

    Raises:
        ValueError: they name none or more than one, or one that the system cannot read.
    """
    named = [name for name in ("rater", "like", "preset", "word") if getattr(options, name)]
    if len(named) != 1:
        those = f"--{' and --'.join(named)} are" if named else "none is"
        raise ValueError(f"name one taste by --rater, --like, --preset or --word; {those} there")
    if options.shares and len(options.like or ()) < 2:
        raise ValueError("--shares are of a mix; name --like twice or more")
    for path in options.like or ():
        photos_in(path)
    if options.like is None:
        if options.run is None:
            raise ValueError(f"--{named[0]} needs the --run that reads it; only --like does without")
        system = load_run(options.run)
    elif options.run:
        system = load_run(options.run)
    else:
        system = system_module(options.system or UNTRAINED[0]).untrained()
    if options.masks and system.name not in TAKE_MASKS:
        raise ValueError(f"{system.name} has no segments; {', '.join(TAKE_MASKS)} takes --masks")
    taste = {"rater": _of_rater, "like": _of_liked, "preset": _of_preset, "word": _of_words}[named[0]](
        system, options, report
    )
    if options.mode:
        if not isinstance(system, ModeEditor):
            raise ValueError(
                f"{system.name} has one mode only; {', '.join(HAVE_MODES)} has {' and '.join(MODES)}"
            )
        taste = replace(taste, profile=system.with_mode(taste.profile, options.mode))
    return _with_concepts(taste, options.concept)


def masks_of(options: Namespace, photos: Sequence[Path]) -> list[Labels | None]:
    """The mask of each photo in --masks; ValueError for one that is missing for some of them only."""
    if not options.masks:
        return [None] * len(photos)
    if not options.masks.is_dir():
        raise ValueError(f"{options.masks} is not a folder; name one with a mask for each photo")
    there = [p.name for p in sorted(options.masks.iterdir()) if p.suffix.lower() in MASK_SUFFIXES]
    stems = {photo.stem for photo in photos}
    found = masks_by_photo([n for n in there if Path(n).stem in stems], [photo.name for photo in photos])
    return [read_mask(options.masks / found[p.name]) if p.name in found else None for p in photos]


def photos_in(path: Path) -> list[Path]:
    """The photos of a folder, by name, or the one that is named; ValueError where there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"{path} is not there; name a photo or a folder of photos")
    found = [p for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    if not found:
        raise ValueError(f"{path} has no photos; their names end in {', '.join(sorted(SUFFIXES))}")
    return found


def _of_rater(system: System, options: Namespace, report: Report) -> Taste:
    title = f"taste of {options.rater[:12]}"
    if options.dataset is None:
        profile = read_profile(options.run, options.rater, system=system.name)
        return Taste(system=system, profile=profile, title=title)
    dataset = PreferenceDataset.load(options.dataset)
    profile, n = cli.read_rater(system, dataset, options.rater, n=options.references, quiet=options.quiet)
    said = (f"{title}: read from {n} answers, there are no more",) if n < options.references else ()
    if not options.attention:
        return Taste(system=system, profile=profile, title=title, skipped=said)
    pairs = references_of(dataset, options.rater, n=options.references, long_side=system.reference_size)
    liked = [pair.preferred for pair in pairs]
    return Taste(system=system, profile=profile, title=title, references=liked, skipped=said)


def _of_liked(system: System, options: Namespace, report: Report) -> Taste:
    if not isinstance(system, PhotoReader):
        raise ValueError(f"{system.name} reads answers; of liked photos read: {', '.join(PHOTO_READERS)}")
    if len(options.like) > 1 and not isinstance(system, Mixer):
        raise ValueError(f"{system.name} cannot mix tastes; name one --like")
    shares = _shares(options)
    tastes = [_of_folder(system, path, options, report) for path in options.like]
    if len(tastes) == 1:
        return tastes[0]
    assert isinstance(system, Mixer)
    return Taste(
        system=system,
        profile=system.mixed([taste.profile for taste in tastes], shares),
        title=" and ".join(taste.title for taste in tastes),
        skipped=tuple(reason for taste in tastes for reason in taste.skipped),
    )


def _shares(options: Namespace) -> list[float]:
    if not options.shares:
        return [1.0] * len(options.like)
    try:
        return [float(share) for share in options.shares.split(",")]
    except ValueError:
        raise ValueError(
            f"--shares is {options.shares!r}; it must be numbers with commas, such as 2,1"
        ) from None


def _of_folder(system: System, path: Path, options: Namespace, report: Report) -> Taste:
    photos, skipped, kept = [], [], []
    paths = photos_in(path)
    for done, photo in enumerate(paths):
        report(done, len(paths), READING)
        try:
            photos.append(fit_long_side(read_photo(photo).pixels, system.reference_size))
            kept.append(photo)
        except ImageError as error:
            skipped.append(str(error))
    report(len(paths), len(paths), READING)
    if not photos:
        raise ValueError(
            f"none of the {len(paths)} liked photos of {path} could be read; the first: {skipped[0]}"
        )
    masks = [mask for mask in masks_of(options, kept) if mask is not None]
    if options.masks and len(masks) != len(photos):
        raise ValueError(
            f"{len(masks)} of the {len(photos)} liked photos of {path} have a mask in {options.masks}; each needs one"
        )
    profile = _read(system, photos, kept, masks, options.run, report)
    title = f"like {path.stem}"
    return Taste(system=system, profile=profile, title=title, references=photos, skipped=tuple(skipped))


def _read(
    system: System,
    photos: list[Pixels],
    paths: list[Path],
    masks: list[Labels],
    run: Path | None,
    report: Report,
) -> Profile:
    if not isinstance(system, LongReader):
        return taste_of_photos(system, photos, masks)
    assert run is not None
    # What took hours is kept, and goes on where it was stopped.
    each = sorted(hashlib.sha256(path.read_bytes()).digest() for path in paths)
    folder = run / "tastes" / hashlib.sha256(b"".join(each)).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return taste_of_photos(system, photos, folder=folder, report=report)


def _of_preset(system: System, options: Namespace, report: Report) -> Taste:
    from learning.systems.neural_preset import NeuralPreset, read_preset

    if not isinstance(system, NeuralPreset):
        raise ValueError(f"{system.name} has no presets; neural_preset has")
    preset = read_preset(options.preset)
    return Taste(system=system, profile=system.profile_of(preset), title=preset.name)


def _of_words(system: System, options: Namespace, report: Report) -> Taste:
    if not isinstance(system, WordReader):
        raise ValueError(f"{system.name} knows no words; pif does")
    words = dict(_named(text, "--word") for text in options.word)
    title = ", ".join(f"{word} {concept}" for concept, word in words.items())
    return Taste(system=system, profile=system.adapt_to_words(words), title=title)


def _with_concepts(taste: Taste, given: Sequence[str]) -> Taste:
    if not given:
        return taste
    system = taste.system
    if not isinstance(system, ConceptEditor):
        raise ValueError(f"{system.name} has no concepts to set; {', '.join(SLIDERS)} have")
    strengths = {}
    for name, value in (_named(text, "--concept") for text in given):
        try:
            strengths[name] = float(value)
        except ValueError:
            raise ValueError(f"--concept {name}={value}: {value!r} is not a number") from None
    return replace(taste, profile=system.with_strengths(taste.profile, strengths))


def _named(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise ValueError(f"{option} {text}: it must be NAME=VALUE")
    return name.strip(), value.strip()
