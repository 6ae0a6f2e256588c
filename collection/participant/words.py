"""Texts and colours that depend on a study."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from collection.design.plan import session_minutes
from collection.design.protocol import Protocol


def duration(protocol: Protocol) -> str:
    minutes = session_minutes(protocol)
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
            _("Thank you. Your answers are stored; there is nothing more to do."),
        ),
        "declined": (
            _("You do not take part"),
            _("Nothing was stored. If you change your mind, open the link again."),
        ),
        "withdrawn": (
            _("Your answers are deleted"),
            _("Nothing that you gave to this study is kept. Its links no longer lead to you."),
        ),
        "withdrawn_before": (
            _("You have withdrawn from this study"),
            _("Your answers were deleted, and this link cannot be used to answer again."),
        ),
        "no_study": (
            _("There is no study here"),
            _("The link may be incomplete. Please open it again from where you were given it."),
        ),
        "no_session": (
            _("Nothing is stored under this link"),
            _("What belonged to it was withdrawn or deleted with its study, or the link is incomplete."),
        ),
        "bad_link": (
            _("This link is not right"),
            _("The ID in it cannot be one. Please open it again from where you were given it."),
        ),
        "panel_only": (
            _("Your ID is missing from the link"),
            _("Please open this study from the page where you found it. Your ID is then in the link."),
        ),
        "invited_only": (
            _("This study is by invitation"),
            _("Please open the link in your invitation: it is yours alone and lets you in."),
        ),
        "invitation_unknown": (
            _("This invitation is not known"),
            _("The link may be incomplete. Please copy the whole of it from your invitation."),
        ),
        "invitation_revoked": (
            _("This invitation has been taken back"),
            _("If you think that this is a mistake, please ask whoever invited you."),
        ),
        "no_cookies": (
            _("Cookies are off"),
            _(
                "This site keeps two random numbers in cookies, to know you again when you come back, and "
                "nothing else. Please allow cookies for this site, then open the link again."
            ),
        ),
        "too_old": (
            _("This page was open for too long"),
            _("Nothing was changed. Please open the link again."),
        ),
        "too_many": (
            _("Too many visits at once"),
            _(
                "Your network has asked for too many pages. Please open the link again in a minute; nothing is lost."
            ),
        ),
    }[kind]
