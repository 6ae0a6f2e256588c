"""What the rules say of raters, in the words of researchers: for pages, commands and tables alike."""

from collections.abc import Iterable, Sequence
from typing import Any

from collection.design.alarms import LEAST_VALID, Alarm, LevelAlarm
from collection.design.rules import HAND_MS, RaterJudgment

REASONS = {
    "screened_out": "ended by a screening",
    "too_few_answers": "unfinished session",
    "too_fast": "too many fast answers",
    "median_too_fast": "fast median response",
    "impossible_times": "impossible response times",
    "inconsistent": "inconsistent checks",
    "one_sided": "one-sided answers",
    "color_vision": "colour-vision plates misread",
    "levels": "black or white levels not told apart",
    "practice": "practice not passed",
}
PAY_REASONS = {
    "screened_out": "ended by a screening",
    "too_few_answers": "did not finish",
    "faster_than_a_hand": f"more than half of the answers took less than {HAND_MS} ms, faster than a hand can follow an eye",
}


def reason_words(name: str) -> str:
    """A failed rule; one that only another version knows is shown by its name."""
    return REASONS.get(name, name.replace("_", " "))


def reason_with_figures(name: str, found: dict[str, Any]) -> str:
    """A failed rule with what it looked at, as `inconsistent checks: 6 of 10 agree (26 to 88 %), at least 70 %`."""
    figures = _figures(name, found)
    return f"{reason_words(name)}: {figures}" if figures else reason_words(name)


def alarm_words(alarm: Alarm) -> str:
    """What has fallen, by how much, and how likely it is by chance."""
    p = f"p = {alarm.p:.3f}" if alarm.p >= 0.001 else "p < 0.001"
    test = f"({p}, Fisher's exact test, one-sided)"
    if not alarm.rule:
        before = percent(alarm.passed_before / alarm.n_before)
        return f"{alarm.passed} of the last {alarm.n} raters who finished pass all rules; of the {alarm.n_before} before, {before} did {test}"
    before = percent(1 - alarm.passed_before / alarm.n_before)
    return f"{alarm.n - alarm.passed} of the last {alarm.n} are left out for “{reason_words(alarm.rule)}”; of the {alarm.n_before} before, {before} were {test}"


def level_alarm_words(alarm: LevelAlarm) -> str:
    """Which share is too low, with its interval."""
    interval = f"95 % interval {percents(alarm.interval)}"
    if alarm.what == "valid":
        return f"{alarm.k} of the {alarm.n} judged raters whose session ended pass all rules ({interval}): below {percent(LEAST_VALID)}"
    return f"{alarm.k} of {alarm.n} checks agree with the first answer ({interval}): no more than random answers would"


def pay_words(reasons: Iterable[str]) -> str:
    """Why somebody should not be paid; empty where they should."""
    return "; ".join(PAY_REASONS.get(name, name.replace("_", " ")) for name in reasons)


def judgment_words(found: RaterJudgment) -> str:
    """What a rule set says of a rater, with the reasons and their figures."""
    reasons = "; ".join(reason_with_figures(name, found.evidence[name]) for name in found.reasons)
    use = f"left out: {reasons}" if reasons else "used"
    unpaid = pay_words(found.evidence["pay"]["reasons"])
    return f"{use}. Not paid: {unpaid}" if unpaid else use


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def percents(interval: Sequence[float]) -> str:
    """An interval of a share, as `44 to 98 %`."""
    return f"{100 * interval[0]:.0f} to {100 * interval[1]:.0f} %"


def _figures(name: str, found: dict[str, Any]) -> str:
    """Empty for a screening, and for a verdict without its evidence."""
    match name if len(found) > 1 else "":
        case "too_few_answers":
            return f"{found['main_answers']} main answers"
        case "too_fast":
            return (
                f"{found['fast']} of {found['known_times']} below {found['limit_ms']} ms, "
                f"at most {percent(found['limit_share'])}"
            )
        case "median_too_fast":
            return f"{found['median_ms']:.0f} ms, at least {found['limit_ms']} ms"
        case "impossible_times":
            return (
                f"{found['impossible']} of {found['known_times']} beyond the server's, "
                f"at most {percent(found['limit_share'])}"
            )
        case "inconsistent":
            return (
                f"{found['agreed']} of {found['answered']} agree ({percents(found['interval'])}), "
                f"at least {percent(found['limit_share'])}"
            )
        case "one_sided":
            return f"{found['left']} of {found['answered']} left, at most {percent(found['limit_share'])} on a side"
    return ""
