"""What participants' pages and the API read."""

from dataclasses import dataclass

from django.db.models import Count, Q

from collection.models import Question, Rater, Session, Study, StudyPair
from variants.models import Rendition


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    answered: int
    total: int
    practice: int
    practice_answered: int

    @property
    def main(self) -> int:
        """Questions that count, checks among them."""
        return self.total - self.practice

    @property
    def main_answered(self) -> int:
        return self.answered - self.practice_answered


def study_at(address: str) -> Study | None:
    """A study by its slug or its public ID, as they stand in links."""
    return Study.objects.filter(Q(slug=address) | Q(public_id=address)).first()


def study_pairs_askable(study: Study) -> list[tuple[int, int, int, int, int]]:
    """(pair, scene, image_a, image_b, exposures) of the pairs whose two images can be shown."""
    shown = Rendition.State.RENDERED
    return list(
        StudyPair.objects.filter(study=study, pair__image_a__state=shown, pair__image_b__state=shown)
        .order_by("pair_id")
        .values_list("pair_id", "pair__scene_id", "pair__image_a_id", "pair__image_b_id", "exposures")
    )


def session_of(rater: Rater) -> Session | None:
    """The rater's session under way, or the finished one."""
    return rater.sessions.select_related("study").order_by("-pk").first()


def session_with(token: str) -> Session | None:
    return Session.objects.select_related("study", "rater").filter(token=token).first()


def session_progress(session: Session) -> Progress:
    practice, answered = Q(kind=Question.Kind.PRACTICE), Q(answered_at__isnull=False)
    return Progress(
        **session.questions.aggregate(
            total=Count("pk"),
            answered=Count("pk", filter=answered),
            practice=Count("pk", filter=practice),
            practice_answered=Count("pk", filter=practice & answered),
        )
    )


def session_phase(session: Session, progress: Progress) -> str:
    """What the page shows next: closed, finished, display, practice or main."""
    if session.finished_at:
        return "finished"
    if session.study.status == Study.Status.CLOSED:
        return "closed"
    if not session.displays.exists():
        return "display"
    return "practice" if progress.practice_answered < progress.practice else "main"
