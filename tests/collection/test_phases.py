"""From phase to phase: what is recorded, what it comes to, and when a session ends early."""

import pytest
from django.db.models import Sum
from django.utils import timezone

from collection.design.protocol import PHASES
from collection.design.screening import color_vision_plates, levels_plates
from collection.models import Study, StudyPair
from collection.selectors.sessions import session_phase, session_state
from collection.services.answers import answer_record
from collection.services.fields import FieldError
from collection.services.phases import PhaseRefused, phase_record
from collection.services.sessions import session_places_return
from tests.collection.factories import answer_all, make_session, make_study

pytestmark = pytest.mark.django_db
SMALL = {"n_practice": 2, "practice_tries": 2, "n_main": 4, "n_checks": 1, "check_lag": 2}


def begin(**protocol):
    return make_session(make_study(**SMALL | {"phases": PHASES} | protocol))


def record(session, phase, **data):
    phase_record(session, phase, data, timezone.now())
    session.refresh_from_db()


def practise(session, *, follow=True, response_ms=900):
    """One try."""
    attempt = session_state(session).progress.attempt
    for question in session.questions.filter(index__in=((attempt - 1) * 2, attempt * 2 - 1)):
        asked_for = question.instructed_side or "left"
        side = asked_for if follow else {"left": "right", "right": "left"}[asked_for]
        answer_record(session.token, question.token, side, response_ms, {}, timezone.now())
    session.refresh_from_db()


def truths(plates):
    return [plate.truth for plate in plates]


def test_a_session_goes_through_all_phases_in_their_order():
    session = begin()
    seen = []
    for phase, data in (
        ("display", {}),
        ("color_vision", {"answers": truths(color_vision_plates(session.seed))}),
        ("levels", {"answers": truths(levels_plates(session.seed))}),
        ("instructions", {}),
    ):
        seen.append(session_phase(session))
        record(session, phase, **data)
    seen.append(session_phase(session))
    practise(session)
    seen.append(session_phase(session))
    answer_all(session)
    seen.append(session_phase(session))
    record(session, "questionnaire", night_mode="no", comments="Nice.\nThanks ☺")
    assert (*seen, session_phase(session)) == (*PHASES[1:], "finished")
    outcomes = dict(session.phases.values_list("phase", "outcome"))
    assert outcomes == dict.fromkeys(
        ("display", "color_vision", "levels", "instructions", "practice", "questionnaire"), "passed"
    )


@pytest.mark.parametrize("left_out", [{name} for name in PHASES if name != "main"] + [set(PHASES) - {"main"}])
def test_phases_that_a_study_leaves_out_are_passed_over(left_out):
    """Each by itself, and all at once."""
    phases = [name for name in PHASES if name not in left_out]
    session = begin(phases=tuple(phases))
    seen = []
    while (phase := session_phase(session)) != "finished":
        seen.append(phase)
        if phase == "practice":
            practise(session)
        elif phase == "main":
            answer_all(session)
        else:
            record(session, phase, unknown="not tried")
    assert seen == [name for name in phases if name != "consent"]


def test_the_first_record_stands():
    session = begin(phases=("levels", "main"))
    right = truths(levels_plates(session.seed))
    record(session, "levels", answers=right)
    record(session, "levels", answers=["", ""])
    kept = session.phases.get()
    assert (kept.outcome, kept.answers) == ("passed", {"answers": right})


def test_another_phases_turn_is_refused():
    session = begin()
    with pytest.raises(PhaseRefused, match="display"):
        record(session, "levels", answers=["", ""])
    assert not session.phases.exists()


def test_a_failed_screening_is_data():
    session = begin(phases=("color_vision", "main"))
    demonstration, *others = truths(color_vision_plates(session.seed))
    record(session, "color_vision", answers=[demonstration, *("" for _ in others)])
    assert session.phases.get().outcome == "failed"
    assert session_phase(session) == "main"


def test_a_study_may_turn_away_who_fails():
    session = begin(phases=("color_vision", "main"), turn_away=("color_vision",))
    demonstration, *others = truths(color_vision_plates(session.seed))
    record(session, "color_vision", answers=[demonstration, *("" for _ in others)])
    assert session_phase(session) == "screened_out"
    assert (session.screened_out_at, session.places_returned_at) != (None, None)
    assert StudyPair.objects.aggregate(n=Sum("exposures"))["n"] == 0


def test_a_check_that_could_not_run_is_unknown_and_turns_nobody_away():
    session = begin(phases=("levels", "main"), turn_away=("levels",))
    record(session, "levels", unknown="no canvas")
    kept = session.phases.get()
    assert (kept.outcome, kept.answers) == ("unknown", {"unknown": "no canvas"})
    assert session_phase(session) == "main"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"answers": None},
        {"answers": "12"},
        {"answers": ["12"]},
        {"answers": ["12", 12]},
        {"answers": ["12", "x" * 21]},
        {"answers": ["12", "1\0"]},
        {"answers": [["12"], "12"]},
        {"unknown": 7},
        {"unknown": "x" * 201},
    ],
)
def test_answers_to_plates_must_be_texts_one_for_each(data):
    session = begin(phases=("levels", "main"))
    with pytest.raises(FieldError, match="must be"):
        record(session, "levels", **data)
    assert not session.phases.exists()


def test_a_try_that_passes_ends_the_practice():
    session = begin(phases=("practice", "main"))
    practise(session)
    kept = session.phases.get()
    assert (kept.attempt, kept.outcome, kept.evidence["followed"]) == (1, "passed", 1)
    assert session.questions.filter(kind="practice").count() == 2
    progress = session_state(session).progress
    assert (progress.attempt, progress.practice_answered, progress.practice_total) == (1, 2, 2)


def test_a_try_that_fails_is_followed_by_the_next():
    session = begin(phases=("practice", "main"))
    practise(session, follow=False)
    progress = session_state(session).progress
    assert session_phase(session) == "practice"
    assert (progress.attempt, progress.attempts, progress.practice_answered) == (2, 2, 0)
    practise(session)
    assert session_phase(session) == "main"
    assert list(session.phases.values_list("attempt", "outcome")) == [(1, "failed"), (2, "passed")]


def test_clicking_through_fails_a_try_too():
    session = begin(phases=("practice", "main"))
    practise(session, response_ms=120)
    assert session.phases.get().outcome == "failed"


def test_after_the_last_try_it_goes_on_unless_the_study_turns_away():
    session = begin(phases=("practice", "main"))
    practise(session, follow=False)
    practise(session, follow=False)
    assert session_phase(session) == "main"

    strict = begin(phases=("practice", "main"), turn_away=("practice",))
    practise(strict, follow=False)
    assert session_phase(strict) == "practice"
    practise(strict, follow=False)
    assert session_phase(strict) == "screened_out"
    assert strict.places_returned_at is not None


def test_a_practice_that_could_not_run_is_left_out():
    session = begin(phases=("practice", "main"))
    record(session, "practice", unknown="no photo could be had")
    assert session.phases.get().outcome == "unknown"
    assert session_phase(session) == "main"
    assert not session.questions.filter(kind="practice").exists()
    record(session, "practice", unknown="again")
    assert session.phases.count() == 1


def test_a_practice_is_not_passed_by_saying_so():
    session = begin(phases=("practice", "main"))
    with pytest.raises(FieldError, match="question by question"):
        record(session, "practice")


def test_a_study_without_practice_questions_has_no_practice():
    session = begin(phases=("practice", "main"), n_practice=0)
    assert session_phase(session) == "main"
    assert session_state(session).progress.practice_total == 0


def test_the_questionnaire_keeps_what_can_be_an_answer():
    session = begin(phases=("main", "questionnaire"))
    answer_all(session)
    record(session, "questionnaire", night_mode="perhaps", device="tablet", comments="x" * 2001, shoe_size=43)
    assert session.phases.get().answers == {
        "device": "tablet",
        "dropped": ["comments", "night_mode", "shoe_size"],
    }


@pytest.mark.parametrize("comments", ["zero \0", "half \ud83d"])
def test_comments_are_what_a_database_can_hold(comments):
    session = begin(phases=("main", "questionnaire"))
    answer_all(session)
    record(session, "questionnaire", comments=comments)
    assert session.phases.get().answers == {"dropped": ["comments"]}


def test_the_session_is_finished_before_the_questionnaire():
    session = begin(phases=("main", "questionnaire"))
    answer_all(session)
    assert session.finished_at is not None
    assert session_phase(session) == "questionnaire"


@pytest.mark.parametrize(
    ("finish_begun", "status", "phase"),
    [
        ("open", "paused", "paused"),
        ("open", "closed", "closed"),
        ("paused", "paused", "main"),
        ("paused", "closed", "closed"),
        ("closed", "closed", "main"),
    ],
)
def test_what_was_begun_can_be_finished_for_as_long_as_the_study_says(finish_begun, status, phase):
    session = begin(phases=("main",), finish_begun=finish_begun)
    Study.objects.update(status=status)
    session.study.refresh_from_db()
    assert session_phase(session) == phase


@pytest.mark.parametrize(
    ("block_size", "breaks"), [(0, []), (2, [2, 4]), (3, [3]), (5, []), (100, []), (1, [1, 2, 3, 4])]
)
def test_breaks_come_between_blocks_and_not_at_the_end(block_size, breaks):
    """Four main questions and a check."""
    assert session_state(begin(block_size=block_size)).breaks == breaks


def test_a_phase_takes_the_places_of_an_abandoned_session_again():
    session = begin()
    session_places_return(session, timezone.now())
    record(session, "display")
    assert session.places_returned_at is None
    assert StudyPair.objects.aggregate(n=Sum("exposures"))["n"] == 4
