"""Texts and colours that depend on a study."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from markdown_it import MarkdownIt

from collection.design.protocol import Protocol

SECONDS_A_QUESTION = 8
MARKDOWN = MarkdownIt("commonmark", {"html": False})


def consent_html(protocol: Protocol) -> str:
    """HTML of the text that people agree to; tags in it are shown, not obeyed."""
    return str(MARKDOWN.render(protocol.consent))


def duration(n_questions: int) -> str:
    minutes = max(1, round(n_questions * SECONDS_A_QUESTION / 60))
    return ngettext("about {n} minute", "about {n} minutes", minutes).format(n=minutes)


def text_on(surround: str) -> str:
    """Black or white, whichever stands out more from a grey; always at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    luminance = _luminance(int(surround.removeprefix("#")[:2], 16))
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"


def _luminance(grey: int) -> float:
    """Relative luminance, 0 to 1, of an sRGB grey of 0 to 255."""
    value = grey / 255
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def notice(kind: str) -> tuple[str, str]:
    """Heading and text of a page that is no question."""
    return {
        "draft": (_("This study has not begun"), _("Please come back later with the same link.")),
        "paused": (
            _("This study is taking a break"),
            _("Please come back later with the same link. What you have answered is kept."),
        ),
        "closed": (_("This study is over"), _("It takes no more answers. Thank you for your interest.")),
        "simulated": (
            _("Programs answer this study"),
            _("Its raters are simulated, and people's answers are never mixed with theirs."),
        ),
        "finished": (
            _("You have answered this study"),
            _("Thank you. All your answers are stored; there is nothing more to do."),
        ),
        "not_found": (
            _("There is no study here"),
            _("The link may be incomplete. Please open it again from where you were given it."),
        ),
        "bad_link": (
            _("This link is not right"),
            _("The ID in it cannot be one. Please open it again from where you were given it."),
        ),
    }[kind]
