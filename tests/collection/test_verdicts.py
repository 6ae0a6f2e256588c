import dataclasses
from random import Random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from collection.design.protocol import RuleSet
from collection.design.rules import RaterAnswer, measure
from collection.models import PhaseRecord, Question, Rater, Verdict
from collection.selectors.measures import raters_records
from collection.selectors.rules import rules_in_force, rules_kept
from collection.services.answers import answer_record
from collection.services.studies import StudyError
from collection.services.verdicts import rules_use, verdicts_compute
from tests.collection import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return factories.make_study(n_scenes=3, per_scene=8, n_main=20, n_checks=10, n_practice=2, check_lag=5)


def answer(session, choose, response_ms=900):
    for question in session.questions.all():
        answer_record(session.token, question.token, choose(question), response_ms, {}, timezone.now())


def truly(question):
    """The image with the smaller key, on whichever side it is."""
    return "left" if question.left_id < question.right_id else "right"


def record(session, phase, outcome, attempt=1):
    PhaseRecord.objects.create(session=session, phase=phase, outcome=outcome, attempt=attempt)


def only_verdict(study, **kwargs):
    verdicts_compute(study, **kwargs)
    return Verdict.objects.get()


def test_who_agrees_with_himself_may_be_used(study):
    answer(factories.make_session(study), truly)
    verdict = only_verdict(study)
    assert verdict.may_be_used
    assert verdict.should_be_paid
    assert (verdict.checks_agreed, verdict.checks_answered, verdict.n_answers) == (10, 10, 30)
    assert (verdict.median_response_ms, verdict.rule_set) == (900, RuleSet().name)


def test_always_left_disagrees_on_every_flipped_check(study):
    answer(factories.make_session(study), lambda question: "left")
    verdict = only_verdict(study)
    assert verdict.reasons == ["inconsistent", "one_sided"]
    assert (verdict.checks_agreed, verdict.consistency) == (0, 0)
    assert verdict.should_be_paid


def test_three_flips_that_disagree_are_seven_of_ten(study):
    session = factories.make_session(study)
    wavering = set(session.questions.filter(kind="check").values_list("pk", flat=True)[:3])
    other = {"left": "right", "right": "left"}
    answer(session, lambda q: other[truly(q)] if q.pk in wavering else truly(q))
    verdict = only_verdict(study)
    assert (verdict.checks_agreed, verdict.may_be_used) == (7, True)
    assert verdict.evidence["inconsistent"]["outcome"] == "passed"


def test_a_tie_agrees_and_disagrees_with_nothing():
    """Six checks are ties, and two others repeat a pair whose first answer was one: two of ten are left."""
    study = factories.make_study(
        n_scenes=3, per_scene=8, n_main=20, n_checks=10, check_lag=5, n_practice=0, allow_tie=True
    )
    session = factories.make_session(study)
    repeated = list(session.questions.filter(kind="check").values_list("pk", "repeats"))
    ties = {pk for pk, _ in repeated[:6]} | {first for _, first in repeated[6:8]}
    answer(session, lambda question: "tie" if question.pk in ties else truly(question))
    verdict = only_verdict(study)
    assert (verdict.checks_agreed, verdict.checks_answered, verdict.n_answers) == (2, 2, 30)
    assert verdict.evidence["one_sided"]["answered"] == 18
    assert verdict.may_be_used


def test_times_that_the_server_did_not_see_pass_cost_the_use_alone(study):
    session = factories.make_session(study)
    answer(session, truly)
    claimed = session.questions.filter(kind="main").values_list("pk", flat=True)[:2]
    session.questions.update(elapsed_ms=1000)
    session.questions.filter(pk__in=list(claimed)).update(elapsed_ms=100)
    verdict = only_verdict(study)
    assert verdict.reasons == ["impossible_times"]
    assert verdict.evidence["impossible_times"]["impossible"] == 2
    assert verdict.should_be_paid


def test_a_failed_screening_counts_where_the_rules_require_it(study):
    session = factories.make_session(study)
    record(session, "color_vision", "failed")
    record(session, "levels", "unknown")
    answer(session, truly)
    assert only_verdict(study).may_be_used
    required = RuleSet(require_color_vision=True, require_levels=True)
    verdicts_compute(study, rules=required)
    verdict = Verdict.objects.get(rule_set=required.name)
    assert (verdict.reasons, verdict.should_be_paid) == (["color_vision"], True)
    assert verdict.evidence["levels"] == {"outcome": "unknown", "required": True}


@pytest.mark.parametrize(("second", "reasons"), [("passed", []), ("failed", ["practice"])])
def test_the_last_try_at_the_practice_counts(study, second, reasons):
    session = factories.make_session(study)
    record(session, "practice", second, attempt=2)
    record(session, "practice", "failed", attempt=1)
    answer(session, truly)
    assert only_verdict(study, rules=RuleSet(require_practice=True)).reasons == reasons


def test_whom_a_screening_ended_is_told_from_whoever_left(study):
    alice, bob = factories.make_session(study, "alice"), factories.make_session(study, "bob")
    alice.screened_out_at = timezone.now()
    alice.save()
    record(alice, "levels", "failed")
    verdicts_compute(study)
    reasons = {verdict.rater_id: verdict.reasons for verdict in Verdict.objects.all()}
    assert reasons == {alice.rater_id: ["screened_out"], bob.rater_id: ["too_few_answers"]}
    assert not Verdict.objects.filter(should_be_paid=True).exists()


def test_practice_counts_for_nothing(study):
    session = factories.make_session(study)
    answer(session, truly)
    session.questions.filter(kind="practice").update(response_ms=1)
    verdict = only_verdict(study)
    assert verdict.n_answers == 30
    assert verdict.may_be_used


def test_who_has_not_finished_is_neither_used_nor_paid(study):
    session = factories.make_session(study)
    for question in session.questions.all()[:12]:
        answer_record(session.token, question.token, truly(question), 900, {}, timezone.now())
    verdict = only_verdict(study)
    assert verdict.reasons == ["too_few_answers"]
    assert not verdict.should_be_paid
    assert verdict.n_answers == 10


def test_computing_again_writes_the_same_row_anew(study):
    session = factories.make_session(study)
    answer(session, truly)
    first = only_verdict(study)
    Question.objects.update(response_ms=100)
    again = only_verdict(study)
    assert again.pk == first.pk
    assert again.reasons == ["too_fast", "median_too_fast"]
    assert not again.should_be_paid
    assert again.computed_at > first.computed_at


def test_other_rules_stand_beside(study):
    answer(factories.make_session(study), lambda question: "left")
    strict, lenient = RuleSet(), RuleSet(version="lenient", min_consistency=0, max_one_side_share=1)
    verdicts_compute(study)
    verdicts_compute(study, rules=lenient)
    assert not Verdict.objects.get(rule_set=strict.name).may_be_used
    assert Verdict.objects.get(rule_set=lenient.name).may_be_used


def test_only_stale_leaves_verdicts_that_have_seen_all_answers(study):
    answer(factories.make_session(study, "alice"), truly)
    bob = factories.make_session(study, "bob")
    assert verdicts_compute(study, only_stale=True) == 2
    assert verdicts_compute(study, only_stale=True) == 0
    answer(bob, truly)
    assert verdicts_compute(study, only_stale=True) == 1
    assert Verdict.objects.get(rater=bob.rater).may_be_used
    assert verdicts_compute(study) == 2


def test_only_stale_sees_a_screening_that_came_after_the_verdict(study):
    session = factories.make_session(study)
    record(session, "color_vision", "passed")
    assert verdicts_compute(study, only_stale=True) == 1
    assert verdicts_compute(study, only_stale=True) == 0
    record(session, "display", "passed")
    assert verdicts_compute(study, only_stale=True) == 0
    record(session, "levels", "failed")
    assert verdicts_compute(study, only_stale=True) == 1
    assert Verdict.objects.get().evidence["levels"]["outcome"] == "failed"


def test_one_rater_alone_can_be_judged(study):
    alice, bob = factories.make_session(study, "alice"), factories.make_session(study, "bob")
    answer(alice, truly)
    assert verdicts_compute(study, bob.rater) == 1
    assert Verdict.objects.get().rater == bob.rater


def test_nobody_who_withdrew_is_judged(study):
    session = factories.make_session(study)
    session.rater.withdrawn_at = timezone.now()
    session.rater.save()
    assert verdicts_compute(study) == 0


def test_other_studies_are_left_alone(study):
    other = factories.make_study(n_main=8, n_checks=2)
    factories.make_session(other)
    assert verdicts_compute(study) == 0
    assert not Verdict.objects.exists()


def test_queries_do_not_grow_with_raters(study):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            verdicts_compute(study)
        return len(captured)

    factories.make_session(study, "alice")
    few = queries()
    for n in range(12):
        record(factories.make_session(study, f"rater {n}"), "levels", "passed")
    assert queries() <= few + 1  # the database takes only so many new rows at a time


def test_rules_in_use_judge_everybody_and_the_old_verdicts_stay(study):
    answer(factories.make_session(study), lambda question: "left")
    verdicts_compute(study)
    lenient = RuleSet(version="lenient", min_consistency=0, max_one_side_share=1)
    protocol = study.protocol
    rules_use(study, lenient)
    assert rules_in_force(study) == lenient
    assert Verdict.objects.get(rule_set=lenient.name).may_be_used
    assert not Verdict.objects.get(rule_set=RuleSet().name).may_be_used
    study.refresh_from_db()
    assert study.protocol == protocol
    kept = [(each.rules.name, each.n_judged, each.n_valid) for each in rules_kept(study)]
    assert kept == [(lenient.name, 1, 1), (RuleSet().name, 1, 0)]


def test_earlier_rules_can_be_used_again(study):
    lenient = RuleSet(version="lenient", min_consistency=0)
    rules_use(study, lenient)
    rules_use(study, RuleSet())
    assert rules_in_force(study) == RuleSet()
    assert [each.rules for each in rules_kept(study)] == [RuleSet(), lenient]
    with pytest.raises(StudyError, match="follows these rules already"):
        rules_use(study, RuleSet())


def test_a_session_that_ends_is_judged_by_the_rules_in_force(study, django_capture_on_commit_callbacks):
    lenient = RuleSet(version="lenient", min_consistency=0, max_one_side_share=1)
    rules_use(study, lenient)
    session = factories.make_session(study)
    with django_capture_on_commit_callbacks(execute=True):
        answer(session, lambda question: "left")
    assert Verdict.objects.get().rule_set == lenient.name


def test_the_database_measures_what_the_rules_measure_in_answers():
    """Random answers with ties, unknown times and impossible ones, judged one by one in Python."""
    study = factories.make_study(
        n_scenes=3, per_scene=8, n_main=20, n_checks=10, check_lag=5, n_practice=1, allow_tie=True
    )
    random = Random(5)
    for name in ("alice", "bob", "charlie"):
        session = factories.make_session(study, name)
        answer(session, lambda question: random.choice(["left", "right", "tie"]))
        for question in session.questions.all()[:25]:
            question.response_ms = random.choice([None, 100, 900, 1500])
            question.elapsed_ms = random.choice([None, 649, 650, 5000])
            question.save()
    raters = Rater.objects.filter(study=study).order_by("pk")
    for record in raters_records(raters, simulated=False):
        answers = [
            RaterAnswer(
                side=question.chosen_side,
                response_ms=question.response_ms,
                elapsed_ms=question.elapsed_ms,
                is_check=question.kind == "check",
                agrees=agrees(question),
            )
            for question in Question.objects.filter(session__rater=record.rater).exclude(kind="practice")
        ]
        expected = measure(answers)
        assert sorted(record.measures.times) == sorted(expected.times)
        assert dataclasses.replace(record.measures, times=()) == dataclasses.replace(expected, times=())
        timed = Question.objects.filter(session__rater=record.rater, kind="main", response_ms__isnull=False)
        found = sorted(zip(record.positions, record.measures.times, strict=True))
        assert found == sorted(timed.values_list("index", "response_ms"))


def agrees(question):
    if question.kind != "check" or not (question.preferred and question.repeats.preferred):
        return None
    return question.preferred == question.repeats.preferred
