"""What a panel is told of the people it sent: who came how far, and who should be paid.

Whose answers may be used is nobody's business there, and no reason for or against pay.
"""

from collections import defaultdict
from dataclasses import dataclass

from collection.design.csv_text import csv_text
from collection.design.protocol import RuleSet
from collection.design.wording import pay_words
from collection.models import Rater, Session, Study
from collection.selectors.measures import raters_records
from collection.selectors.research import session_state_name

COLUMNS = ("panel_id", "completion", "should_be_paid", "reason")
PAID = {True: "yes", False: "no", None: "not yet"}
COMPLETION = ("finished", "screened_out", "under_way", "abandoned", "not_begun")
"""From the most to the least that a person's sessions came to."""
UNDECIDED = ("under_way",)


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelPerson:
    panel_id: str
    completion: str
    """One of COMPLETION."""
    should_be_paid: bool | None
    """None while it is not decided: the session is under way."""
    reasons: tuple[str, ...] = ()
    """Why not, as the rules name it."""

    @property
    def row(self) -> tuple[str, str, str, str]:
        completion = self.completion.replace("_", " ")
        return self.panel_id, completion, PAID[self.should_be_paid], pay_words(self.reasons)


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelReport:
    people: list[PanelPerson]
    """By panel ID."""
    n_without_id: int
    """People who came without a panel's ID: left out, like those who withdrew, whose ID is erased."""
    n_withdrawn: int

    @property
    def csv(self) -> str:
        return csv_text(COLUMNS, (person.row for person in self.people))

    @property
    def left_out(self) -> str:
        """Who is not in the table, in words; empty where everybody is."""
        parts = {"without a panel ID": self.n_without_id, "withdrew": self.n_withdrawn}
        words = [f"{n} {what}" for what, n in parts.items() if n]
        return f"left out: {', '.join(words)}" if words else ""


def panel_report(study: Study, rules: RuleSet) -> PanelReport:
    """From the raw answers as they are now. A person on two devices is one, paid once."""
    raters = Rater.objects.filter(study=study, withdrawn_at=None).order_by("pk")
    rows = raters.values_list("pk", "person_id", "person__panel_id")
    people = {pk: (person, panel_id) for pk, person, panel_id in rows}
    states = _states(study)
    seen: defaultdict[int, list[PanelPerson]] = defaultdict(list)
    for record in raters_records(raters, simulated=study.is_simulated, remembered=True):
        person, panel_id = people[record.rater]
        state = states.get(record.rater, "not_begun")
        pay = record.judged_by(rules).evidence["pay"]
        decided = state not in UNDECIDED
        seen[person].append(
            PanelPerson(
                panel_id=panel_id,
                completion=state,
                should_be_paid=pay["outcome"] == "passed" if decided else None,
                reasons=tuple(pay["reasons"]) if decided else (),
            )
        )
    withdrawn = Rater.objects.filter(study=study).exclude(withdrawn_at=None)
    furthest = [min(of_devices, key=_order) for of_devices in seen.values()]
    return PanelReport(
        people=sorted((each for each in furthest if each.panel_id), key=lambda each: each.panel_id),
        n_without_id=sum(not each.panel_id for each in furthest),
        n_withdrawn=withdrawn.values("person").distinct().count(),
    )


def _states(study: Study) -> dict[int, str]:
    """Rater → how far the furthest of their sessions came."""
    states: dict[int, str] = {}
    for session in Session.objects.filter(study=study).order_by("pk"):
        state = session_state_name(session)
        states[session.rater_id] = min(states.get(session.rater_id, state), state, key=COMPLETION.index)
    return states


def _order(person: PanelPerson) -> tuple[bool, int]:
    """Whoever should be paid for one of two devices is paid."""
    return not person.should_be_paid, COMPLETION.index(person.completion)
