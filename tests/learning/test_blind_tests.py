import dataclasses

import pytest
from django.urls import reverse

from collection.design.preflight import preflight
from collection.design.protocol import Protocol
from collection.models import Membership, Person, Question, Role, StudyScene
from collection.models.studies import Split
from collection.services.audit import acting
from collection.services.people import device_for, person_for, rater_for
from collection.services.studies import study_open
from evaluation.services import raters_simulate
from evaluation.services.simulations import Visitor
from evaluation.simulation.raters import CROWDS, SimulatedRater, simulate_rater
from learning.blind_testing import short_protocol
from learning.models import BlindTest, Output
from learning.selectors import taste_results
from learning.services import BlindTestRefused, blind_test_create
from learning.tasks import blind_test_task
from learning.wins import win_rate
from tests.factories import make_export, make_rater, make_researcher, make_run, make_session, make_study
from tests.learning.test_photos import upload
from variants.jobs import Job
from variants.models import Scene
from variants.services import scene_take

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(trained):
    dataset, folder = trained
    protocol = dataclasses.replace(Protocol(), long_side=64, title="Taste study")
    study = make_study(n_scenes=0, protocol=protocol, recruiting={"access": "panel", "panel": "prolific", "completion_code": "C1"})  # fmt: skip
    for i in range(5):
        scene = scene_take(upload(size=(48 + i, 32)).read(), name=f"photo {i}", file_name="x.png").scene
        StudyScene.objects.create(study=study, scene=scene, split=Split.VALIDATION if i else Split.TRAIN)
    return make_run(make_export(study, folder=dataset), folder=folder)


@pytest.fixture
def alice():
    return make_researcher("alice", is_superuser=False)


def made(run, *raters, against="average", n_scenes=4, actor=None, **fields):
    with acting(actor or "worker"):
        test = blind_test_create(run, against=against, raters=raters, n_scenes=n_scenes, **fields)
    blind_test_task(test.pk)
    test.refresh_from_db()
    assert (test.state, test.error) == (Job.State.DONE, "")
    return test


def test_each_taste_gets_a_draft_study_of_held_out_scenes(run, alice, monkeypatch):
    monkeypatch.setattr("learning.blind_testing.MIN_DELTA_E", 0.0)
    vera = make_researcher("vera", is_superuser=False)
    Membership.objects.create(study=run.export.study, user=vera, role=Role.VIEWER)
    test = made(run, "rater0", "rater1", actor=alice)
    for taste in test.tastes.all():
        study = taste.study
        assert study.status == "draft"
        assert study.pairs.count() == 4
        assert {scene.name for scene in study.scenes.all()} == {f"photo {i}" for i in range(1, 5)}
        assert [(m.user, m.role) for m in study.memberships.all()] == [(alice, "owner"), (vera, "viewer")]
        protocol = Protocol.from_json(study.protocol)
        assert (protocol.n_main, protocol.n_checks, protocol.title) == (4, 0, "")
        assert study.recruiting["panel"] == "prolific"
        assert study.recruiting["completion_code"] == ""
        study_open(study)


def test_outputs_are_in_no_other_study_and_their_addresses_say_nothing(run, monkeypatch):
    monkeypatch.setattr("learning.blind_testing.MIN_DELTA_E", 0.0)
    (taste,) = made(run, "rater0").tastes.all()
    assert not taste.study.scenes.filter(studies=run.export.study).exists()
    for output in Output.objects.select_related("rendition"):
        assert output.rendition.image.name == f"renditions/{output.rendition.public_id}.webp"
        assert (output.rendition.width, output.rendition.height) == (output.rendition.scene.width, 32)
    assert taste.study.slug.startswith("photos-")
    pairs = [(p.image_a.output.is_ours, p.image_b.output.is_ours) for p in taste.study.pairs.all()]
    assert all(a != b for a, b in pairs)


def test_checks_are_asked_where_one_slip_leaves_nobody_out():
    found = [preflight(short_protocol(Protocol(), n), {"D": n}) for n in (2, 19, 20, 60)]
    assert [short_protocol(Protocol(), n).n_checks for n in (2, 19, 20, 60)] == [0, 0, 4, 12]
    assert not any(w.leaves_out_everybody for f in found for w in f.warnings)
    assert min(f.honest_passes for f in found) > 0.9


def test_outputs_that_look_the_same_are_not_asked_about(run, monkeypatch):
    monkeypatch.setattr("learning.blind_testing.MIN_DELTA_E", 1000.0)
    test = blind_test_create(run, against="untouched", raters=["rater0"], n_scenes=4)
    blind_test_task(test.pk)
    test.refresh_from_db()
    assert test.state == Job.State.FAILED
    assert "there is nothing to ask about" in test.error
    assert test.tastes.get().study is None


def test_a_taste_that_looks_the_same_is_left_out_and_the_others_go_on(run, client, monkeypatch):
    monkeypatch.setattr("learning.blind_testing.MIN_DELTA_E", 1.0)
    # Of the first taste one scene can be told apart, which is too few; of the second two.
    seen = iter([9, 0, 0, 0, 9, 0, 9, 0])
    monkeypatch.setattr("learning.blind_testing._delta_e", lambda *_: next(seen))
    test = made(run, "rater0", "rater1", n_scenes=60)
    left_out, kept = test.tastes.all()
    assert (left_out.study, left_out.n_alike, left_out.is_left_out) == (None, 3, True)
    assert (kept.study.pairs.count(), kept.n_alike, kept.is_left_out) == (2, 2, False)
    client.force_login(make_researcher("root"))
    page = client.get(reverse("learning:blind-test", args=[test.public_id])).content.decode()
    assert "left out: the two outputs look the same in 3 of 4 scenes" in page
    assert "Open the study" in client.get(kept.study.get_absolute_url()).content.decode()
    assert Scene.objects.filter(ingest__has_key="outputs_of").count() == 2


def test_too_few_scenes_are_said_when_the_test_is_ordered(run):
    StudyScene.objects.filter(
        study=run.export.study, scene__name__in=["photo 2", "photo 3", "photo 4"]
    ).delete()
    with pytest.raises(BlindTestRefused, match=r"has 1 scene with a photo and held out .* needs 2 or more"):
        blind_test_create(run, against="untouched", raters=["rater0"], n_scenes=4)


def test_simulated_raters_answer_each_by_the_taste_that_they_have(run, client, monkeypatch):
    """First the one whose taste is shown, who is another seed's and crowd's here; then the seed's own."""
    monkeypatch.setattr("learning.blind_testing.MIN_DELTA_E", 0.0)
    source, owner = run.export.study, Visitor(7, 3)
    source.is_simulated = run.is_simulated = True
    source.save()
    run.save()
    person = person_for(panel="pid", panel_id=owner.panel_id, is_simulated=True)
    taste = simulate_rater(3, seed=7, crowd=CROWDS["demo"])
    rater_for(source, person, device_for(owner.device_token), simulation=taste.to_json(), public_id="rater0")
    test = made(run, "rater0", against="untouched")
    study = test.tastes.get().study
    study_open(study)
    assert (raters_simulate(study, 2).made, raters_simulate(study, 3).made) == (2, 1)
    people = study.raters.order_by("pk").values_list("person__panel_id", "simulation")
    others = [(Visitor(0, i).panel_id, simulate_rater(i, seed=0)) for i in range(2)]
    found = [(panel_id, SimulatedRater.from_json(simulation)) for panel_id, simulation in people]
    assert found == [(owner.panel_id, taste), *others]
    (result,) = taste_results(test.tastes.all())
    assert [sum(a.is_own is is_own for a in result.answers) for is_own in (True, False)] == [4, 8]
    client.force_login(make_researcher("root"))
    page = client.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()
    assert "of 12 answers" in page
    assert 'class="badge simulated"' in page


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"raters": ["rater9"]}, "no rater 'rater9'"),
        ({"raters": []}, "choose 1 to 20 raters"),
        ({"against": "everybody"}, "must be one of untouched, average, run"),
        ({"against": "run"}, "name the other run"),
        ({"n_scenes": 1}, "n_scenes is 1"),
    ],
)
def test_an_impossible_test_is_refused_and_leaves_no_row(run, fields, message):
    with pytest.raises(BlindTestRefused, match=message):
        blind_test_create(run, **{"against": "untouched", "raters": ["rater0"], "n_scenes": 4, **fields})
    assert not BlindTest.objects.exists()


def answered(study, person, choices):
    """Somebody's answers: True where they choose ours; ours stands on the left wherever image_a is ours."""
    rater = make_rater(study)
    rater.person = person
    rater.save()
    session = make_session(rater, [("main", "left", 900)] * len(choices))
    for question, ours in zip(session.questions.select_related("left__output"), choices, strict=True):
        side = "left" if question.left.output.is_ours == ours else "right"
        Question.objects.filter(pk=question.pk).update(chosen_side=side)
    return rater


def test_the_taste_of_the_viewer_is_told_from_that_of_others(run, client, monkeypatch):
    monkeypatch.setattr("learning.blind_testing.MIN_DELTA_E", 0.0)
    own, other = Person.objects.create(), Person.objects.create()
    source = make_rater(run.export.study)
    source.public_id, source.person = "rater0", own
    source.save()
    test = made(run, "rater0")
    taste = test.tastes.get()
    answered(taste.study, own, [True, True, True, False])
    answered(taste.study, other, [False, False, True, False])
    gone = answered(taste.study, Person.objects.create(), [True] * 4)
    gone.withdrawn_at = test.created_at
    gone.save()
    (result,) = taste_results([taste])
    assert result.is_owner_known
    rates = [win_rate([a for a in result.answers if a.is_own is is_own]) for is_own in (True, False)]
    assert [(rate.wins, rate.losses) for rate in rates] == [(3, 1), (1, 3)]

    client.force_login(make_researcher("root"))
    page = client.get(reverse("learning:blind-test", args=[test.public_id])).content.decode()
    assert "4 of 8" in page
    assert "3 of 4" in page
    assert "4 of 8" in client.get(taste.study.get_absolute_url()).content.decode()
    assert "4 of 8" in client.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()


def test_the_form_makes_a_test_of_an_editor(run, client):
    editor, viewer = (make_researcher(name, is_superuser=False) for name in ("eva", "vera"))
    for user, role in ((editor, Role.EDITOR), (viewer, Role.VIEWER)):
        Membership.objects.create(study=run.export.study, user=user, role=role)
    address = reverse("learning:blind-test-create", args=[run.public_id])
    fields = {"against": "untouched", "raters": ["rater0", "rater1"], "n_scenes": 3, "seed": 0}
    client.force_login(viewer)
    assert client.post(address, fields).status_code == 403
    client.force_login(editor)
    assert "4 with a photo were held out" in client.get(address).content.decode()
    assert client.post(address, {**fields, "raters": []}).status_code == 422
    reply = client.post(address, fields)
    test = BlindTest.objects.get()
    assert reply.headers["Location"] == reverse("learning:blind-test", args=[test.public_id])
    assert (test.started_by, test.tastes.count()) == (editor, 2)
    assert "Nobody has answered yet" in client.get(reply.headers["Location"]).content.decode()
