import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Person, Question, Rater, Session, Verdict
from collection.services.people import device_for, person_for, rater_for
from collection.services.sessions import questions_upcoming, session_start
from evaluation.simulation.raters import SimulatedRater
from tests.evaluation.factories import make_study

QUESTIONS = 1 + 12 + 3


def simulate(study, *arguments, capsys):
    call_command("simulate_raters", study.slug, "--quiet", "--json", *arguments)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.django_db
def test_every_rater_answers_a_whole_session(capsys):
    study = make_study()
    told = simulate(study, "--raters", "4", capsys=capsys)
    assert (told["made"], told["answers"], told["simulated"]) == (4, 4 * QUESTIONS, True)
    assert Session.objects.filter(study=study, finished_at__isnull=False).count() == 4
    assert not Question.objects.filter(answered_at=None).exists()
    assert Verdict.objects.filter(rater__study=study).count() == 4


@pytest.mark.django_db
def test_everything_is_marked_as_simulated(capsys):
    study = make_study()
    simulate(study, "--raters", "2", capsys=capsys)
    study.refresh_from_db()
    assert study.is_simulated
    assert not Person.objects.filter(is_simulated=False).exists()
    for rater in Rater.objects.filter(study=study):
        assert SimulatedRater.from_json(rater.simulation).kind == "attentive"


@pytest.mark.django_db
def test_answers_lie_in_the_past_and_in_order(capsys):
    simulate(make_study(), "--raters", "1", capsys=capsys)
    times = list(Question.objects.order_by("index").values_list("answered_at", flat=True))
    assert times == sorted(times)
    assert times[-1] < timezone.now()
    assert all(question.elapsed_ms >= question.response_ms for question in Question.objects.all())


@pytest.mark.django_db
def test_a_second_run_goes_on_and_makes_nobody_twice(capsys):
    study = make_study()
    simulate(study, "--raters", "2", capsys=capsys)
    before = list(Question.objects.order_by("pk").values_list("pk", "chosen_side", "response_ms"))
    told = simulate(study, "--raters", "3", capsys=capsys)
    assert (told["made"], told["found"]) == (1, 2)
    assert Rater.objects.count() == 3
    after = list(Question.objects.order_by("pk").values_list("pk", "chosen_side", "response_ms"))
    assert after[: len(before)] == before


@pytest.mark.django_db
def test_a_session_that_was_broken_off_is_finished_alike(capsys):
    whole, broken = make_study("whole"), make_study("broken")
    simulate(broken, "--raters", "1", capsys=capsys)
    told = Question.objects.filter(session__study=broken)
    sides = dict(told.values_list("index", "chosen_side"))
    told.filter(index__gte=7).update(
        chosen_side="", answered_at=None, response_ms=None, elapsed_ms=None, served_at=None
    )
    Session.objects.filter(study=broken).update(finished_at=None)
    again = simulate(broken, "--raters", "1", capsys=capsys)
    assert again["answers"] == QUESTIONS - 7
    assert dict(told.values_list("index", "chosen_side")) == sides
    assert not Session.objects.filter(study=whole).exists()


@pytest.mark.django_db
def test_a_study_that_a_person_has_begun_is_refused():
    study = make_study()
    alice = rater_for(study, person_for(token="alice's random token"), device_for("alice's laptop's token"))
    session_start(
        study, alice, consent_version=Protocol.from_json(study.protocol).consent_version, now=timezone.now()
    )
    with pytest.raises(CommandError, match=r"a person has begun .* never mixed") as caught:
        call_command("simulate_raters", study.slug, "--raters", "2", "--quiet")
    assert caught.value.returncode == 2
    study.refresh_from_db()
    assert not study.is_simulated
    assert Rater.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--raters", "0"], "--raters is 0"),
        (["--raters", "2", "--seed", "-1"], "--seed is -1"),
        (["--raters", "2", "--careless", "2"], "--careless: careless is 2"),
    ],
)
def test_wrong_use_ends_with_2_and_names_the_option(arguments, message):
    with pytest.raises(CommandError, match=message) as caught:
        call_command("simulate_raters", make_study().slug, *arguments)
    assert caught.value.returncode == 2


@pytest.mark.django_db
def test_a_closed_study_is_refused_with_what_to_do():
    study = make_study()
    study.status = study.Status.PAUSED
    study.save()
    with pytest.raises(CommandError, match="is paused; open it first"):
        call_command("simulate_raters", study.slug, "--raters", "2", "--quiet")


@pytest.mark.django_db(transaction=True)
def test_through_http_the_same_raters_give_the_same_answers(live_server, capsys):
    """The plan's seed is the server's own there, so answers are compared question by question."""
    study = make_study()
    told = simulate(
        study, "--raters", "2", "--through-http", live_server.url, "--concurrency", "1", capsys=capsys
    )
    assert (told["made"], told["answers"]) == (2, 2 * QUESTIONS)
    assert told["answers_per_second"] > 0
    assert not Question.objects.filter(answered_at=None).exists()
    assert not Person.objects.filter(is_simulated=False).exists()
    assert all(rater.simulation for rater in Rater.objects.all())
    again = simulate(study, "--raters", "2", capsys=capsys)
    assert (again["made"], again["found"]) == (0, 2)


@pytest.mark.django_db(transaction=True)
def test_a_site_that_does_not_answer_is_a_failure():
    with pytest.raises(CommandError, match="does not answer") as caught:
        call_command(
            "simulate_raters",
            make_study().slug,
            "--raters",
            "1",
            "--quiet",
            "--through-http",
            "http://127.0.0.1:9",
        )
    assert caught.value.returncode == 1


@pytest.mark.django_db
def test_handed_out_questions_are_stamped(capsys):
    study = make_study()
    simulate(study, "--raters", "1", capsys=capsys)
    session = Session.objects.get()
    assert questions_upcoming(session, 5, now=timezone.now()) == []
    assert not session.questions.filter(served_at=None).exists()
