import datetime as dt

import pytest
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.models import Question, Session, Study, StudyPair
from collection.selectors.sessions import (
    session_phase,
    session_progress,
    session_with,
    study_at,
    study_pairs_askable,
)
from collection.services.fields import FieldError
from collection.services.people import device_for, person_for, rater_for, rater_mark_simulated
from collection.services.sessions import (
    MAX_DISPLAY_RECORDS,
    SessionRefused,
    display_record_store,
    questions_upcoming,
    session_start,
)
from tests.collection.factories import answer_all, make_rater, make_session, make_study
from variants.models import Rendition

pytestmark = pytest.mark.django_db
SMALL = {"n_practice": 2, "n_main": 10, "n_checks": 3, "check_lag": 4}


@pytest.fixture
def study():
    return make_study(**SMALL)


def start(study, rater, **changes):
    consent = Protocol.from_json(study.protocol).consent_version
    return session_start(study, rater, **{"consent_version": consent, "now": timezone.now(), **changes})


def test_a_session_has_all_its_questions_at_once(study):
    questions = list(make_session(study).questions.all())
    assert [q.index for q in questions] == list(range(15))
    assert [q.kind for q in questions].count("check") == 3
    assert all(q.chosen_side == "" and q.served_at is None for q in questions)


def test_a_check_repeats_its_pair_mirrored(study):
    for check in make_session(study).questions.filter(kind="check"):
        first = check.repeats
        assert (first.kind, first.pair, first.left, first.right) == (
            "main",
            check.pair,
            check.right,
            check.left,
        )
        assert check.index - first.index >= 4


def test_what_was_agreed_to_is_stored(study):
    now = timezone.now()
    session = make_session(study, now=now)
    protocol = Protocol.from_json(study.protocol)
    assert session.consent_version == protocol.consent_version
    assert session.protocol_hash == protocol.sha256
    assert session.consented_at == session.started_at == now


def test_the_seed_makes_the_plan_again(study):
    def plan(session):
        return list(session.questions.values_list("index", "kind", "pair", "left", "right"))

    first = make_session(study, "alice", seed=5)
    StudyPair.objects.update(exposures=0)
    assert plan(first) == plan(make_session(study, "bob", seed=5))


def test_main_questions_count_as_exposures(study):
    session = make_session(study)
    exposed = StudyPair.objects.filter(study=study, exposures=1).values_list("pair", flat=True)
    assert set(exposed) == set(session.questions.filter(kind="main").values_list("pair", flat=True))
    assert StudyPair.objects.filter(study=study).exclude(exposures__in=(0, 1)).count() == 0


def test_the_next_session_asks_what_was_asked_least(study):
    """32 pairs, 10 a session: the first three sessions share none."""
    sessions = [make_session(study, name) for name in ("alice", "bob", "carol")]
    pairs = [set(s.questions.filter(kind="main").values_list("pair", flat=True)) for s in sessions]
    assert len(set.union(*pairs)) == 30


def test_beginning_again_goes_on_with_the_session_under_way(study):
    assert make_session(study) == make_session(study)
    assert Session.objects.count() == 1


def test_a_paused_study_lets_a_session_under_way_go_on(study):
    session = make_session(study)
    Study.objects.update(status="paused")
    study.refresh_from_db()
    assert make_session(study) == session


def test_the_same_person_on_another_device_is_another_rater(study):
    first, second = make_session(study, device="laptop"), make_session(study, device="phone")
    assert first.rater != second.rater
    assert first.rater.person == second.rater.person


def test_two_people_on_one_device_are_two_raters(study):
    alice, bob = make_rater(study, "alice"), make_rater(study, "bob")
    assert alice.device == bob.device
    assert alice != bob


def test_a_panel_id_comes_before_a_cookie():
    person = person_for(panel="pid", panel_id="P1", token="a cookie")
    assert person_for(panel="pid", panel_id="P1", token="another cookie") == person
    assert person_for(panel="pid", panel_id="P2", token="a cookie") != person
    assert person_for(panel="prolific", panel_id="P1") != person


def test_nobody_is_known_by_nothing():
    with pytest.raises(ValueError, match="panel_id or a token"):
        person_for()
    with pytest.raises(ValueError, match="device needs a token"):
        device_for("")


def test_tokens_are_stored_as_hashes_only():
    person, device = person_for(token="secret"), device_for("secret")
    assert "secret" not in (person.cookie_sha256 + device.cookie_sha256)


def test_a_simulated_rater_carries_its_taste(study):
    taste = {"exposure": 0.3}
    person = person_for(panel="simulation", panel_id="1", is_simulated=True)
    assert rater_for(study, person, device_for("x"), simulation=taste).simulation == taste
    through_the_door = make_rater(study, "program")
    rater_mark_simulated(through_the_door, taste)
    through_the_door.person.refresh_from_db()
    assert through_the_door.simulation == taste
    assert through_the_door.person.is_simulated


@pytest.mark.parametrize("status", ["draft", "paused", "closed"])
def test_only_an_open_study_begins_sessions(study, status):
    Study.objects.update(status=status)
    with pytest.raises(SessionRefused, match=status) as refused:
        start(study, make_rater(study))
    assert refused.value.code == "not_open"
    assert Session.objects.count() == Question.objects.count() == 0


def test_a_finished_session_is_not_begun_again(study):
    session = make_session(study)
    answer_all(session)
    with pytest.raises(SessionRefused) as refused:
        make_session(study)
    assert refused.value.code == "finished"


def test_consent_to_another_text_begins_nothing(study):
    with pytest.raises(SessionRefused) as refused:
        start(study, make_rater(study), consent_version="the old text")
    assert refused.value.code == "consent_changed"


def test_too_few_pairs_to_ask_begin_nothing(study):
    Rendition.objects.update(state="rejected")
    with pytest.raises(SessionRefused, match=r"10 different pairs .* has 0") as refused:
        start(study, make_rater(study))
    assert refused.value.code == "too_few_pairs"
    assert StudyPair.objects.filter(exposures__gt=0).count() == 0


def test_pairs_with_an_image_thrown_out_are_not_asked(study):
    rejected = Rendition.objects.first()
    Rendition.objects.filter(pk=rejected.pk).update(state="rejected")
    pairs = study_pairs_askable(study)
    assert 0 < len(pairs) < 32
    assert all(rejected.pk not in pair for pair in ((a, b) for _, _, a, b, _ in pairs))


def test_questions_are_handed_out_in_order_with_the_time_of_the_first_time(study):
    session, first, later = make_session(study), timezone.now(), timezone.now() + dt.timedelta(hours=1)
    assert [q.index for q in questions_upcoming(session, 3, now=first)] == [0, 1, 2]
    assert [q.index for q in questions_upcoming(session, 3, now=later, after=1)] == [2, 3, 4]
    served = session.questions.order_by("index").values_list("served_at", flat=True)
    assert list(served[:6]) == [first, first, first, later, later, None]


def test_answered_questions_are_not_handed_out_again(study):
    session = make_session(study)
    session.questions.filter(index__in=(0, 2)).update(chosen_side="left", answered_at=timezone.now())
    assert [q.index for q in questions_upcoming(session, 2, now=timezone.now())] == [1, 3]


def test_the_phase_follows_what_is_done(study):
    session = make_session(study)

    def phase():
        return session_phase(session, session_progress(session))

    assert phase() == "display"
    display_record_store(session, {"screen_width": 1440})
    assert phase() == "practice"
    session.questions.filter(kind="practice").update(chosen_side="left", answered_at=timezone.now())
    assert phase() == "main"
    session.study.status = "closed"
    assert phase() == "closed"
    session.study.status = "open"
    answer_all(session)
    assert phase() == "finished"


def test_a_display_record_keeps_what_can_be_true(study):
    record = display_record_store(
        make_session(study),
        {
            "screen_width": 2560,
            "screen_height": -4,
            "pixel_ratio": 1.5,
            "color_depth": True,
            "color_gamut": "p3",
            "dynamic_range": "enormous",
            "platform": None,
            "refresh_hz": float("nan"),
            "viewport_width": 1200,
            "x\0y": 1,
        },
    )
    assert (record.screen_width, record.screen_height, record.pixel_ratio) == (2560, None, 1.5)
    assert (record.color_depth, record.color_gamut, record.dynamic_range) == (None, "p3", "")
    assert record.details == {
        "viewport_width": 1200,
        "dropped": ["'x\\x00y'", "color_depth", "dynamic_range", "refresh_hz", "screen_height"],
    }


def test_a_display_is_recorded_again_only_when_it_changes(study):
    session = make_session(study)
    assert display_record_store(session, {"screen_width": 1440})
    assert display_record_store(session, {"screen_width": 1440}) is None
    assert display_record_store(session, {"screen_width": 2560})


def test_display_records_are_bounded(study):
    session = make_session(study)
    for width in range(MAX_DISPLAY_RECORDS + 5):
        display_record_store(session, {"screen_width": 100 + width})
    assert session.displays.count() == MAX_DISPLAY_RECORDS


def test_a_display_record_must_be_an_object(study):
    with pytest.raises(FieldError, match="display record is list"):
        display_record_store(make_session(study), [])


def test_a_study_is_found_by_both_its_names(study):
    assert study_at(study.slug) == study_at(study.public_id) == study
    assert study_at("elsewhere") is None


def test_an_unknown_token_is_no_session(study):
    assert session_with("0" * 32) is None
