import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from collection.api import views
from collection.design.protocol import PHASES, Protocol
from collection.design.recruiting import Recruiting
from collection.models import Person, PhaseRecord, Question, Rater, Session, StudyPair, Verdict
from collection.services.people import device_for, person_for, rater_for
from collection.services.questions import questions_upcoming
from collection.services.sessions import session_start
from collection.throttling import Limit, seconds_to_wait
from evaluation.browsers import raters_simulate_through_http
from evaluation.services import raters_simulate
from evaluation.simulation.raters import CROWDS, Crowd, SimulatedRater
from tests.evaluation.factories import make_study

QUESTIONS = 1 + 12 + 3
RECORDED = [phase for phase in PHASES if phase not in ("consent", "main")]


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


def through_http(study, address, n_raters=2, crowd=CROWDS["clear"]):
    return raters_simulate_through_http(study, n_raters, address=address, concurrency=1, crowd=crowd)


def straight(study, address, n_raters=2, crowd=CROWDS["clear"]):
    return raters_simulate(study, n_raters, crowd=crowd)


ways = pytest.mark.parametrize("way", [straight, through_http])
"""The live server of the tests has the database to itself: one rater at a time."""


@pytest.mark.django_db(transaction=True)
@ways
def test_every_phase_is_gone_through_in_order(live_server, way):
    study = make_study(phases=PHASES)
    assert way(study, live_server.url).answers == 2 * QUESTIONS
    for session in Session.objects.all():
        records = session.phases.values_list("phase", "outcome")
        assert list(records) == [(phase, "passed") for phase in RECORDED]
        assert session.phases.get(phase="questionnaire").answers["device"] == "monitor"
        assert (session.language, session.displays.get().platform) == ("en", "simulated")
        assert session.consent_version == Protocol.from_json(study.protocol).consent_version
        assert session.questions.get(kind="practice").instructed_side
    # The times that they say were not waited for, which is nobody's fault.
    assert not any("impossible_times" in verdict.reasons for verdict in Verdict.objects.all())


@pytest.mark.django_db(transaction=True)
@ways
def test_phases_that_a_study_leaves_out_are_left_out(live_server, way):
    assert way(make_study(phases=("main",)), live_server.url).answers == 2 * 15
    assert not PhaseRecord.objects.exists()
    assert not Session.objects.exclude(consent_version="").exists()


@pytest.mark.django_db(transaction=True)
@ways
def test_who_fails_a_screening_is_turned_away_where_the_study_says_so(live_server, way):
    study = make_study(phases=PHASES, turn_away=("color_vision",))
    crowd = Crowd(color_blind=1.0)
    found = way(study, live_server.url, crowd=crowd)
    assert (found.made, found.screened_out, found.answers) == (2, 2, 0)
    assert not Session.objects.filter(screened_out_at=None).exists()
    assert not StudyPair.objects.exclude(exposures=0).exists()
    again = way(study, live_server.url, crowd=crowd)
    assert (again.made, again.found) == (0, 2)


@pytest.mark.django_db
def test_ties_are_answered_where_the_study_allows_them():
    raters_simulate(make_study(n_recipes=10, n_main=30, allow_tie=True), 6)
    assert set(Question.objects.values_list("chosen_side", flat=True)) == {"left", "right", "tie"}


@pytest.mark.django_db(transaction=True)
def test_raters_come_in_whomever_the_study_recruits(live_server):
    study = make_study(n_main=4, n_checks=1)
    study.recruiting = Recruiting(access="invited", panel="prolific", completion_code="C1").to_json()
    study.save()
    assert through_http(study, live_server.url, n_raters=1).made == 1


@pytest.mark.django_db(transaction=True)
def test_a_rater_who_is_too_quick_waits_as_long_as_told(live_server, monkeypatch):
    waits = []

    def count(limit, client):
        waits.append(seconds_to_wait(Limit(name=f"slow-{limit.name}", requests=12, seconds=1), client))
        return waits[-1]

    monkeypatch.setattr(views, "seconds_to_wait", count)
    study = make_study()
    assert through_http(study, live_server.url, n_raters=1).answers == QUESTIONS
    assert any(waits)
    assert not Question.objects.filter(answered_at=None).exists()


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
