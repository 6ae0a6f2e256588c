import dataclasses
import hashlib
import json

import pytest
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.export.check import check_folder
from collection.export.write import dataset_export
from collection.models import ProtocolVersion, Session
from collection.selectors.protocols import protocol_versions, session_protocol
from collection.selectors.sessions import session_state, session_with
from collection.services.answers import answer_record
from collection.services.audit import acting
from collection.services.people import device_for
from collection.services.phases import phase_record
from collection.services.protocols import FROZEN, ProtocolChanged, ProtocolError, study_set_protocol
from collection.services.sessions import session_start_again
from tests.collection import factories
from tests.factories import make_researcher
from variants.models import Rendition

pytestmark = pytest.mark.django_db


def protocol_of(study, **changes):
    study.refresh_from_db()
    return dataclasses.replace(Protocol.from_json(study.protocol), **changes)


def test_before_the_first_session_a_change_makes_no_version():
    study = factories.make_study(n_main=8, n_checks=2)
    study_set_protocol(study, protocol_of(study, n_main=9, long_side=640, seed=7))
    study.refresh_from_db()
    assert (study.protocol["n_main"], study.edition) == (9, 2)
    assert not ProtocolVersion.objects.exists()


def test_a_change_after_the_first_session_is_a_version_for_those_who_begin_then():
    study = factories.make_study(n_main=8, n_checks=2, block_size=4, allow_tie=False)
    old = factories.make_session(study, "alice")
    with acting(make_researcher("rita")):
        study_set_protocol(study, protocol_of(study, n_main=6, n_checks=1, block_size=3, allow_tie=True))
    study.refresh_from_db()
    new = factories.make_session(study, "bob")

    assert old.questions.exclude(kind="practice").count() == 10
    assert new.questions.exclude(kind="practice").count() == 7
    second, first = protocol_versions(study)
    assert (first.number, first.n_sessions, first.made_by, first.in_force) == (1, 1, "", False)
    assert (second.number, second.n_sessions, second.made_by, second.in_force) == (2, 1, "rita", True)
    assert (first.sha256, second.sha256) == (old.protocol_hash, new.protocol_hash)


def test_a_session_goes_on_by_the_protocol_that_it_was_planned_by():
    study = factories.make_study(
        n_main=8, n_checks=2, n_practice=2, block_size=4, phases=("practice", "main")
    )
    old = factories.make_session(study, "alice")
    study_set_protocol(
        study, protocol_of(study, n_main=6, n_checks=1, n_practice=3, block_size=3, phases=("main",))
    )
    session = session_with(old.token)
    assert session_protocol(session).n_main == 8
    state = session_state(session)
    assert (state.phase, state.progress.practice_total, state.breaks) == ("practice", 2, [4, 8])
    for question in old.questions.order_by("index"):
        answer_record(old.token, question.token, "left", 900, {}, timezone.now())
    old.refresh_from_db()
    assert old.finished_at
    assert old.phases.get(phase="practice").outcome == "passed"


def test_ties_are_allowed_to_those_who_were_offered_them(study_with_ties):
    study, old = study_with_ties
    study_set_protocol(study, protocol_of(study, allow_tie=False))
    new = factories.make_session(study, "bob")
    question = old.questions.filter(kind="main").first()
    assert answer_record(old.token, question.token, "tie", 900, {}, timezone.now()).status == "stored"
    with pytest.raises(ValueError, match="does not allow"):
        answer_record(
            new.token, new.questions.filter(kind="main").first().token, "tie", 900, {}, timezone.now()
        )


@pytest.fixture
def study_with_ties():
    study = factories.make_study(n_main=8, n_checks=2, allow_tie=True, phases=("main",))
    return study, factories.make_session(study, "alice")


def test_who_moves_to_another_device_keeps_the_version_and_the_consent():
    study = factories.make_study(n_main=8, n_checks=2, consent="The old text.")
    old = factories.make_session(study, "alice")
    study_set_protocol(study, protocol_of(study, n_main=6, consent="A new text."))
    again = session_start_again(
        Session.objects.select_related("study", "rater").get(pk=old.pk),
        device_for("a phone's random token"),
        timezone.now(),
    )
    assert (again.protocol_hash, again.consent_version) == (old.protocol_hash, old.consent_version)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("long_side", 640),
        ("encoding", "png"),
        ("validation_scenes", 0.1),
        ("validation_raters", 0.1),
        ("seed", 3),
    ],
)
def test_what_would_break_a_dataset_stays_and_says_why(name, value):
    study = factories.make_study(n_main=8, n_checks=2)
    factories.make_session(study)
    with pytest.raises(ProtocolError, match="Clone the study") as refused:
        study_set_protocol(study, protocol_of(study, **{name: value, "title": "Photos"}))
    assert refused.value.fields == {name: FROZEN[name]}
    study.refresh_from_db()
    assert study.protocol["title"] == ""


def test_of_two_researchers_the_second_is_told_and_nothing_is_stored():
    study = factories.make_study(n_main=8, n_checks=2)
    study_set_protocol(study, protocol_of(study, n_main=9), edition=1)
    with pytest.raises(ProtocolChanged) as changed:
        study_set_protocol(study, protocol_of(study, n_main=16), edition=1)
    assert (changed.value.present.n_main, changed.value.edition) == (9, 2)
    study.refresh_from_db()
    assert study.protocol["n_main"] == 9


def test_going_back_is_the_first_version_again():
    study = factories.make_study(n_main=8, n_checks=2)
    first = protocol_of(study)
    factories.make_session(study)
    study_set_protocol(study, protocol_of(study, n_main=6))
    study_set_protocol(study, first)
    study.refresh_from_db()
    assert [(v.number, v.in_force) for v in protocol_versions(study)] == [(2, False), (1, True)]


def test_an_open_study_keeps_enough_pairs():
    study = factories.make_study(n_main=8, n_checks=2, n_scenes=2, per_scene=8)
    with pytest.raises(ProtocolError, match="the study has 16") as refused:
        study_set_protocol(study, protocol_of(study, n_main=17))
    assert "n_main" in refused.value.fields


def test_phases_of_the_old_version_are_recorded():
    study = factories.make_study(n_main=8, n_checks=2, phases=("display", "questionnaire", "main"))
    old = factories.make_session(study)
    study_set_protocol(study, protocol_of(study, phases=("main",)))
    phase_record(session_with(old.token), "display", {}, timezone.now())
    assert session_state(session_with(old.token)).phase == "main"


def test_a_dataset_says_which_rater_was_asked_by_which_version(tmp_path):
    study = factories.make_study(n_main=8, n_checks=2, files=True, phases=("main",))
    old = factories.make_session(study, "alice")
    study_set_protocol(study, protocol_of(study, n_main=6))
    study.refresh_from_db()
    new = factories.make_session(study, "bob")
    for session in (old, new):
        factories.answer_all(session)
    for rendition in Rendition.objects.all():
        with rendition.image.open("rb") as file:
            rendition.sha256 = hashlib.sha256(file.read()).hexdigest()
        rendition.save()
    dataset_export(study, tmp_path / "dataset")
    document = json.loads((tmp_path / "dataset" / "protocol.json").read_text())
    assert [
        (v["number"], v["sha256"], v["raters"], v["protocol"]["n_main"])
        for v in document["protocol_versions"]
    ] == [
        (1, old.protocol_hash, [old.rater.public_id], 8),
        (2, new.protocol_hash, [new.rater.public_id], 6),
    ]
    assert document["protocol"]["n_main"] == 6
    assert "had 2 versions" in (tmp_path / "dataset" / "README.md").read_text()
    assert list(check_folder(tmp_path / "dataset")) == []
