import pytest
from django.utils import timezone

from collection.design.protocol import CONSENT, Protocol, consent_version
from collection.models import Question, Session, Study, StudyPair
from collection.selectors.pairs import study_pairs_askable
from collection.selectors.sessions import session_with, study_at
from collection.services.people import device_for, person_for, rater_for, rater_mark_simulated
from collection.services.sessions import SessionRefused, session_start
from collection.services.texts import consent_version_in
from tests.collection.factories import answer_all, make_rater, make_session, make_study
from variants.models import Pair, Rendition

pytestmark = pytest.mark.django_db
SMALL = {"n_practice": 2, "n_main": 10, "n_checks": 3, "check_lag": 4}


@pytest.fixture
def study():
    return make_study(**SMALL)


def start(study, rater, **changes):
    consent = consent_version_in(Protocol.from_json(study.protocol), changes.get("language", "en"))
    return session_start(study, rater, **{"consent_version": consent, "now": timezone.now(), **changes})


def test_a_session_has_all_its_questions_at_once(study):
    questions = list(make_session(study).questions.all())
    assert [q.index for q in questions] == list(range(15))
    assert [q.kind for q in questions].count("check") == 3
    assert all(q.chosen_side == "" and q.served_at is None for q in questions)


def test_each_question_keeps_its_policy_and_its_probability(study):
    """Ten main questions of 32 pairs that nobody has been asked: each is chosen with 10 / 32."""
    stored = set(make_session(study).questions.values_list("kind", "policy", "propensity"))
    assert stored == {
        ("practice", "random_practice", None),
        ("check", "mirrored_repeat", None),
        ("main", "fewest_exposures", 10 / 32),
    }


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


def test_the_language_and_what_the_panel_calls_the_visit_are_stored():
    study = make_study(**SMALL, translations={"de": {"question": "Welches?", "consent": "Ich bin dabei."}})
    session = make_session(study, language="de", recruitment={"SESSION_ID": "s1"})
    assert (session.language, session.recruitment) == ("de", {"SESSION_ID": "s1"})
    assert session.consent_version == consent_version("Ich bin dabei.")


def test_what_was_agreed_to_is_the_text_in_its_language():
    study = make_study(**SMALL, translations={"de": {"question": "Welches?", "consent": "Ich bin dabei."}})
    with pytest.raises(SessionRefused) as refused:
        start(study, make_rater(study), language="de", consent_version=consent_version(CONSENT))
    assert refused.value.code == "consent_changed"


def test_without_a_consent_phase_nothing_is_agreed_to():
    study = make_study(**SMALL, phases=("main",))
    session = start(study, make_rater(study), consent_version="whatever a client sends")
    assert (session.consent_version, session.consented_at) == ("", None)


def test_all_tries_at_the_practice_are_planned_ahead():
    study = make_study(**SMALL | {"practice_tries": 3})
    questions = list(make_session(study).questions.all())
    assert [q.kind for q in questions[:7]] == ["practice"] * 6 + ["main"]
    assert [bool(q.instructed_side) for q in questions[:7]] == [False, True] * 3 + [False]


def test_each_source_type_has_its_part():
    """Four questions of ten are of source type A, though only one pair of four is."""
    study = make_study(**SMALL, source_quotas={"A": 0.4, "D": 0.6})
    Pair.objects.filter(scene=study.scenes.first()).update(source_type="A")
    main = make_session(study).questions.filter(kind="main")
    assert (main.filter(pair__source_type="A").count(), main.filter(pair__source_type="D").count()) == (4, 6)


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


def test_too_few_pairs_of_a_source_type_begin_nothing():
    study = make_study(**SMALL, source_quotas={"A": 0.4, "D": 0.6})
    with pytest.raises(SessionRefused, match=r"4 different pairs of source type A .* has 0") as refused:
        start(study, make_rater(study))
    assert refused.value.code == "too_few_pairs"


def test_pairs_with_an_image_thrown_out_are_not_asked(study):
    rejected = Rendition.objects.first()
    Rendition.objects.filter(pk=rejected.pk).update(state="rejected")
    pairs = study_pairs_askable(study)
    assert 0 < len(pairs) < 32
    assert rejected.pk not in {*pairs["image_a"], *pairs["image_b"]}


def test_a_study_is_found_by_both_its_names(study):
    assert study_at(study.slug) == study_at(study.public_id) == study
    assert study_at("elsewhere") is None


def test_an_unknown_token_is_no_session(study):
    assert session_with("0" * 32) is None
