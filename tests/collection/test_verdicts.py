import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from collection.design.protocol import RuleSet
from collection.models import Question, Verdict
from collection.services.answers import answer_record
from collection.services.verdicts import verdicts_compute
from tests.collection import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return factories.make_study(n_scenes=3, per_scene=8, n_main=20, n_checks=10, n_practice=2, check_lag=5)


def answer(session, choose, response_ms=900):
    for question in session.questions.all():
        answer_record(session, question.token, choose(question), response_ms, {}, timezone.now())


def truly(question):
    """The image with the smaller key, on whichever side it is."""
    return "left" if question.left_id < question.right_id else "right"


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
        answer_record(session, question.token, truly(question), 900, {}, timezone.now())
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


def test_one_rater_alone_can_be_judged(study):
    alice, bob = factories.make_session(study, "alice"), factories.make_session(study, "bob")
    answer(alice, truly)
    assert verdicts_compute(study, bob.rater) == 1
    assert Verdict.objects.get().rater == bob.rater


def test_nobody_who_withdrew_is_judged(study):
    session = factories.make_session(study)
    session.rater.person.withdrawn_at = timezone.now()
    session.rater.person.save()
    assert verdicts_compute(study) == 0


def test_other_studies_are_left_alone(study):
    other = factories.make_study(n_main=8, n_checks=2)
    factories.make_session(other)
    assert verdicts_compute(study) == 0
    assert not Verdict.objects.exists()


def test_queries_do_not_grow_with_raters(study):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            verdicts_compute(study)
        return len(captured)

    factories.make_session(study, "alice")
    few = queries()
    for n in range(12):
        factories.make_session(study, f"rater {n}")
    assert queries() <= few + 1  # the database takes only so many new rows at a time
