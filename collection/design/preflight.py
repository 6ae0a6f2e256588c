"""What a protocol asks of whoever answers, of the study's pairs, and what its rules would do to honest raters.

By closed forms and counts, before anybody has answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.special import bdtr

from collection.design.plan import require_enough_pairs, session_minutes
from collection.design.protocol import SCREENINGS, Protocol
from collection.design.rules import MIN_ANSWERS_FOR_SIDES, chance_of_passing
from collection.design.wording import percent

HONEST = 0.9
"""Part of the checks in which an attentive rater agrees; the ceiling that it sets for a learner is 0.95."""
LEAST_HONEST = 0.5
"""Rules that fewer honest raters pass leave out most people."""
PRACTICALLY_NOBODY = 0.02
SLOW_MEDIAN_MS = 4000
"""A median that is asked for above it is longer than many people look at two photos."""
NOBODY_MS = 30_000
"""So long nobody looks at most pairs of a session."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caution:
    """Something that can be saved and is hardly meant; `leaves_out_everybody` stops a study from being of use."""

    fields: tuple[str, ...]
    text: str
    leaves_out_everybody: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Preflight:
    n_questions: int
    minutes: int
    """Of a session, by estimate."""
    n_pairs_needed: int
    n_pairs: int
    missing: str
    """Why the pairs cannot fill a session; empty where they can."""
    random_passes: float
    """Probability that a random clicker passes the checks."""
    honest_passes: float
    """That somebody does who agrees in HONEST of them."""
    warnings: tuple[Caution, ...]


def preflight(protocol: Protocol, n_pairs: Mapping[str, int]) -> Preflight:
    """Look a protocol over; `n_pairs` are the study's pairs by source type."""
    try:
        require_enough_pairs(n_pairs, protocol)
        missing = ""
    except ValueError as error:
        missing = str(error)
    return Preflight(
        n_questions=protocol.n_questions,
        minutes=session_minutes(protocol),
        n_pairs_needed=protocol.n_main,
        n_pairs=sum(n_pairs.values()),
        missing=missing,
        random_passes=chance_of_passing(protocol.n_checks, 0.5, protocol.rules),
        honest_passes=chance_of_passing(protocol.n_checks, HONEST, protocol.rules),
        warnings=tuple(_warnings(protocol)),
    )


def one_side_passes(n: int, share: float) -> float:
    """Probability that n answers without a preference for a side have at most `share` of them on one side."""
    most = int(share * n + 1e-9)
    if 2 * most < n:
        return 0.0
    return float(bdtr(most, n, 0.5) - (bdtr(n - most - 1, n, 0.5) if most < n else 0.0))


def _warnings(protocol: Protocol) -> list[Caution]:
    rules = protocol.rules
    found = []
    honest = chance_of_passing(protocol.n_checks, HONEST, rules)
    if honest < LEAST_HONEST:
        found.append(
            Caution(
                fields=("rules.min_consistency", "n_checks"),
                text=f"Of raters who agree with themselves in {percent(HONEST)} of the checks, {percent(honest, 1)} "
                f"would pass {protocol.n_checks} checks at {percent(rules.min_consistency)}: most honest people "
                "are left out.",
                leaves_out_everybody=honest < PRACTICALLY_NOBODY,
            )
        )
    if not protocol.n_checks and rules.min_consistency:
        found.append(
            Caution(
                fields=("n_checks",),
                text="Without checks nobody's consistency is known, and a random clicker passes that rule.",
            )
        )
    balanced = one_side_passes(protocol.n_main, rules.max_one_side_share)
    if protocol.n_main >= MIN_ANSWERS_FOR_SIDES and balanced < LEAST_HONEST:  # fewer are not judged by it
        found.append(
            Caution(
                fields=("rules.max_one_side_share", "n_main"),
                text=f"Of raters without a preference for a side, {percent(balanced, 1)} would have at most "
                f"{percent(rules.max_one_side_share)} of {protocol.n_main} answers on one side, by chance alone.",
                leaves_out_everybody=balanced < PRACTICALLY_NOBODY,
            )
        )
    if rules.max_fast_share < 1 and rules.min_response_ms >= SLOW_MEDIAN_MS:
        found.append(
            Caution(
                fields=("rules.min_response_ms",),
                text=f"All answers but {percent(rules.max_fast_share)} would have to take "
                f"{rules.min_response_ms / 1000:g} s or more: quick and careful people are left out. "
                "The default is 0.3 s.",
                leaves_out_everybody=rules.min_response_ms >= NOBODY_MS,
            )
        )
    if rules.min_median_response_ms >= SLOW_MEDIAN_MS:
        found.append(
            Caution(
                fields=("rules.min_median_response_ms",),
                text=f"Half of a rater's answers would have to take {rules.min_median_response_ms / 1000:g} s or "
                "more: quick and careful people are left out. The default is 0.5 s.",
                leaves_out_everybody=rules.min_median_response_ms >= NOBODY_MS,
            )
        )
    never = [name for name in SCREENINGS if getattr(rules, f"require_{name}") and name not in protocol.phases]
    found += [
        Caution(
            fields=(f"rules.require_{name}", "phases"),
            text=f"The rule about {name.replace('_', ' ')} never applies: that phase is left out.",
        )
        for name in never
    ]
    return found
