"""Withdrawal: what somebody gave is gone, and nothing knows them again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from collection.models import (
    ConflictingAnswer,
    Device,
    DisplayRecord,
    Person,
    PhaseRecord,
    Question,
    Rater,
    Session,
    StudyPair,
    Verdict,
)
from collection.services.answers import answer_record
from collection.services.people import person_for, rater_mark_simulated
from collection.services.verdicts import verdicts_compute
from collection.services.withdrawal import rater_withdraw
from tests.collection.factories import answer_all, make_session, make_study

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def study():
    return make_study(n_practice=1, n_main=6, n_checks=2, check_lag=1)


def exposures(study):
    return sum(StudyPair.objects.filter(study=study).values_list("exposures", flat=True))


def begun(study, name="alice", device="laptop"):
    """A session with one of everything that hangs on it."""
    session = make_session(study, name, device)
    answer_all(session)
    answer_record(session.token, session.questions.first().token, "right", 700, {}, NOW)
    DisplayRecord.objects.create(session=session)
    PhaseRecord.objects.create(session=session, phase="levels")
    verdicts_compute(study)
    return session


def test_everything_that_was_given_is_gone(study):
    rater_withdraw(begun(study), NOW)
    for model in (Session, Question, ConflictingAnswer, DisplayRecord, PhaseRecord, Verdict):
        assert not model.objects.exists()


def test_the_rater_stays_without_a_name(study):
    session = begun(study)
    rater_withdraw(session, NOW)
    rater = Rater.objects.get()
    assert (rater.public_id, rater.withdrawn_at) == (session.rater.public_id, NOW)
    assert (rater.person.cookie_sha256, rater.device.cookie_sha256) == ("", "")


def test_a_panels_id_is_erased(study):
    session = begun(study)
    Person.objects.update(panel="prolific", panel_id="P1", cookie_sha256="")
    rater_withdraw(session, NOW)
    person = Person.objects.get()
    assert (person.panel, person.panel_id) == ("", "")


def test_it_holds_for_all_devices_of_the_person(study):
    begun(study, device="laptop")
    rater_withdraw(make_session(study, device="phone"), NOW)
    assert not Session.objects.exists()
    assert [rater.withdrawn_at for rater in Rater.objects.all()] == [NOW, NOW]
    assert set(Device.objects.values_list("cookie_sha256", flat=True)) == {""}


def test_others_keep_what_they_gave(study):
    alice, bob = begun(study), begun(study, "bob")
    rater_withdraw(alice, NOW)
    assert list(Session.objects.all()) == [bob]
    assert bob.questions.filter(answered_at__isnull=False).count() == 9
    assert Verdict.objects.get().rater == bob.rater
    bob.rater.refresh_from_db()
    assert bob.rater.withdrawn_at is None
    # Bob is still known on the device that both used.
    assert Person.objects.exclude(cookie_sha256="").get() == bob.rater.person
    assert Device.objects.get().cookie_sha256


def test_another_study_keeps_what_it_was_given(study):
    other = begun(make_study(n_practice=0, n_main=2, n_checks=0))
    rater_withdraw(begun(study), NOW)
    assert Session.objects.get() == other
    assert Person.objects.get().cookie_sha256
    rater_withdraw(other, NOW)
    assert Person.objects.get().cookie_sha256 == Device.objects.get().cookie_sha256 == ""


def test_its_exposures_are_given_back(study):
    bob = make_session(study, "bob")
    finished, begun_only = begun(study), make_session(study, device="phone")
    assert exposures(study) == 3 * 6
    rater_withdraw(finished, NOW)
    assert exposures(study) == 6
    asked = bob.questions.filter(kind="main").values("pair_id")
    assert sum(StudyPair.objects.filter(pair__in=asked).values_list("exposures", flat=True)) == 6
    assert not Session.objects.filter(pk=begun_only.pk).exists()


def test_places_that_were_given_back_are_not_given_back_twice(study):
    session = make_session(study)
    first, *others = session.questions.filter(kind="main")
    answer_record(session.token, first.token, "left", 900, {}, NOW)
    StudyPair.objects.filter(pair__in=[question.pair_id for question in others]).update(exposures=0)
    Session.objects.update(places_returned_at=NOW + timedelta(hours=1))
    bob = make_session(study, "bob")
    rater_withdraw(Session.objects.get(pk=session.pk), NOW)
    assert exposures(study) == bob.questions.filter(kind="main").count() == 6


def test_a_second_time_changes_nothing(study):
    bob = make_session(study, "bob")
    session = begun(study)
    same_session = Session.objects.get(pk=session.pk)  # of a request that came at the same time
    rater_withdraw(session, NOW)
    rater_withdraw(same_session, timezone.now())
    assert Rater.objects.get(withdrawn_at__isnull=False).withdrawn_at == NOW
    assert exposures(study) == 6
    assert list(Session.objects.all()) == [bob]


def test_an_answer_that_comes_later_finds_nothing(study):
    session = make_session(study)
    token = session.questions.first().token
    rater_withdraw(session, NOW)
    assert answer_record(session.token, token, "left", 900, {}, NOW).refusal == "not_found"


def test_simulated_raters_withdraw_too():
    study = make_study(n_practice=0, n_main=2, n_checks=0, is_simulated=True)
    person_for(token="robot's random token", is_simulated=True)
    session = make_session(study, "robot")
    rater_mark_simulated(session.rater, {"taste": 1})
    rater_withdraw(session, NOW)
    rater = Rater.objects.get()
    assert (rater.withdrawn_at, rater.simulation) == (NOW, {"taste": 1})
    assert not Session.objects.exists()
