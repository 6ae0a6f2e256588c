"""The commands about studies and datasets, as they are typed."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.utils import timezone
from PIL import Image

from collection.design.protocol import Protocol
from collection.management.commands.create_study import settings_help
from collection.models import Export, Question, Rater, Session, Study, StudyPair, Verdict
from collection.services.answers import answer_record
from collection.tasks import export_task
from tests.collection import factories
from variants import jobs
from variants.models import RenderJob, Rendition, Scene

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    settings.TONALIST_DATA = tmp_path / "data"
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "media")},
        }
    }


@pytest.fixture
def photos(tmp_path) -> Path:
    """Three small photos: gradients with some texture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(3):
        rng = np.random.default_rng(n)
        ramp = np.linspace(30, 220, 96)[None, :, None] * rng.uniform(0.5, 1, 3) + rng.normal(
            0, 8, (64, 96, 3)
        )
        Image.fromarray(np.clip(ramp, 0, 255).astype(np.uint8)).save(folder / f"photo-{n}.png")
    return folder


def run(name, *args, **options):
    """(what it wrote, the JSON object of its last line)."""
    out = io.StringIO()
    call_command(name, *map(str, args), "--json", "--quiet", stdout=out, stderr=out, **options)
    text = out.getvalue()
    return text, json.loads(text.splitlines()[-1])


def refused(name, *args) -> str:
    """The message of a command that ends with exit code 2."""
    with pytest.raises(CommandError) as caught:
        call_command(name, *map(str, args), stdout=io.StringIO(), stderr=io.StringIO())
    assert caught.value.returncode == 2
    return str(caught.value)


def answered_study(**protocol):
    study = factories.make_study(files=True, n_main=8, n_checks=3, n_practice=1, check_lag=2, **protocol)
    for rendition in Rendition.objects.all():
        import hashlib

        with rendition.image.open("rb") as file:
            rendition.sha256 = hashlib.sha256(file.read()).hexdigest()
        rendition.save()
    session = factories.make_session(study)
    answer_by_key(session)
    return study


def answer_by_key(session):
    for question in session.questions.all():
        side = "left" if question.left_id < question.right_id else "right"
        answer_record(session.token, question.token, side, 900, {}, timezone.now())


def test_from_photos_to_a_dataset_and_back(photos, tmp_path):
    call_command("import_scenes", str(photos), "--quiet", stdout=io.StringIO())
    settings = ["--set", "n_main=10", "--set", "n_checks=3", "--set", "long_side=96", "--seed", "5"]
    text, made = run("create_study", "Grey days", *settings)
    assert "study grey-days with 3 scenes; next: manage.py generate_variants grey-days" in text
    assert (made["protocol"]["n_main"], made["protocol"]["seed"]) == (10, 5)

    _, filled = run("generate_variants", "grey-days", "--wait", "--recipes", "8")
    assert (filled["state"], filled["renditions"]) == ("done", 24)
    assert filled["pairs"] == StudyPair.objects.count() >= 10
    _, again = run("generate_variants", "grey-days", "--wait", "--recipes", "8")
    assert (again["renditions"], again["pairs"]) == (0, filled["pairs"])

    text, opened = run("open_study", "grey-days")
    assert "/s/grey-days/" in text
    study = Study.objects.get(status=opened["status"])
    for name in ("alice", "bob"):
        answer_by_key(factories.make_session(study, name))

    text, exported = run("export_ppsd", "Grey days", tmp_path / "out")
    assert "26 judgments by 2 raters (2 valid)" in text
    assert (exported["judgments"], exported["simulated"], exported["state"]) == (26, False, "done")

    for model in (Verdict, Question, Session, Rater, Export, Study):
        model.objects.all().delete()
    text, imported = run("import_ppsd", tmp_path / "out")
    assert (imported["study"], imported["raters"], imported["scenes"]) == ("grey-days", 2, 3)
    assert Question.objects.count() == 26


def test_a_study_may_be_of_one_category():
    for category in ("food", "people"):
        Scene.objects.create(name=category, category=category, width=9, height=9, original=f"{category}.jpg")
    _, made = run("create_study", "S", "--category", "food")
    assert made["scenes"] == 1
    assert "there are food, people" in refused("create_study", "T", "--category", "cars")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--set", "n_mian=3"], "did you mean 'n_main'"),
        (["--set", "n_main=0"], "n_main is 0; it must be a whole number"),
        (["--set", "n_main"], "NAME=VALUE"),
        (["--slug", "Bad slug"], "slug is 'Bad slug'; it must be at most 50 of a-z"),
        (["--set", "phases=main"], "phases is 'main'; it must be a list of some of consent, display"),
        (["--set", 'phases=["consent"]'], "it must be a list with main"),
        (["--set", 'turn_away=["color_vision"]'], "it must be a list of some of levels, practice"),
        (["--set", "consent=" + "line\n" * 9000], "it must be a text"),
        (["--set", 'translations={"de": "Ja"}'], "translations is {'de': 'Ja'}; it must be language →"),
    ],
)
def test_wrong_settings_are_named_and_no_study_is_made(args, message):
    Scene.objects.create(name="photo", width=9, height=9, original="x.jpg")
    told = refused("create_study", "S", *args)
    assert message in told
    assert "\n" not in told
    assert len(told) < 400
    assert not Study.objects.exists()


def test_the_help_lists_every_setting_as_it_can_be_set():
    """Read back, all of them together make the default protocol."""
    lines = [line.strip() for line in settings_help().splitlines() if line.startswith("  ")]
    data = Protocol().to_json()
    names = {*data, *(f"rules.{name}" for name in data["rules"])} - {"rules"}
    assert {line.partition("=")[0] for line in lines} == names
    whole = [line for line in lines if not line.endswith("…")]
    assert len(lines) - len(whole) == 1  # the consent text
    changed = Protocol(phases=("main",), n_main=7, n_checks=2, block_size=0)
    assert changed.with_settings(whole) == Protocol()
    parser = load_command_class("collection", "create_study").create_parser("manage.py", "create_study")
    assert settings_help() in parser.format_help()


def test_lists_and_objects_are_set_as_json():
    Scene.objects.create(name="photo", width=9, height=9, original="x.jpg")
    texts = {"de": {"question": "Welches?", "consent": "Ja."}}
    settings = ['phases=["main", "display"]', 'source_quotas={"A": 0.25, "D": 0.75}']
    settings.append(f"translations={json.dumps(texts)}")
    _, made = run("create_study", "S", *(word for setting in settings for word in ("--set", setting)))
    assert made["protocol"]["phases"] == ["display", "main"]
    assert made["protocol"]["source_quotas"] == {"A": 0.25, "D": 0.75}
    assert made["protocol"]["translations"] == texts


def test_a_json_file_where_the_name_belongs_is_a_slip():
    assert "a study is written as YAML" in refused("create_study", "my.json")


def test_without_scenes_there_is_no_study():
    assert "import_scenes" in refused("create_study", "S")


@pytest.mark.parametrize("command", ["generate_variants", "open_study", "export_ppsd"])
def test_an_unknown_study_is_answered_with_near_names(command, tmp_path):
    Study.objects.create(slug="spring", name="Spring")
    more = [tmp_path / "x"] if command == "export_ppsd" else []
    assert "did you mean spring?" in refused(command, "sprnig", *more)


def test_what_cannot_be_opened_says_why():
    study = factories.make_study(n_scenes=1, per_scene=3, status="draft", n_main=8, n_checks=2)
    assert "the study has 3" in refused("open_study", study.slug)


@pytest.mark.parametrize(
    ("args", "slug", "is_made_up"),
    [
        (["日本"], "study", True),
        (["日本", "--slug", "japan"], "japan", False),
        (["Grey days"], "grey-days", False),
    ],
)
def test_a_slug_that_the_name_does_not_give_is_said(args, slug, is_made_up):
    Scene.objects.create(name="photo", width=9, height=9, original="originals/photo.jpg")
    text, made = run("create_study", *args)
    assert made["study"] == slug
    assert (f"{slug!r} was made up; --slug" in text) is is_made_up


@pytest.mark.django_db(transaction=True)
def test_generate_variants_leaves_it_to_a_worker_by_default(photos, monkeypatch):
    call_command("import_scenes", str(photos), "--quiet", stdout=io.StringIO())
    run("create_study", "S", "--set", "n_main=6", "--set", "n_checks=1", "--set", "long_side=96")
    sent = []
    monkeypatch.setattr(jobs.current_app, "send_task", lambda name, keys, queue: sent.append((name, keys)))
    text, result = run("generate_variants", "s", "--recipes", "6")
    assert "wait for a worker" in text
    assert (result["state"], result["pairs"]) == ("queued", 0)
    [(name, keys)] = sent
    jobs.current_app.tasks[name](*keys)  # what the worker does
    assert RenderJob.objects.get().state == "done"
    assert StudyPair.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_does_not_answer_is_exit_code_1(photos, monkeypatch):
    from kombu.exceptions import OperationalError

    call_command("import_scenes", str(photos), "--quiet", stdout=io.StringIO())
    run("create_study", "S")

    def fail(name, keys, queue):
        raise OperationalError("refused")

    monkeypatch.setattr(jobs.current_app, "send_task", fail)
    with pytest.raises(CommandError, match="use --wait") as caught:
        run("generate_variants", "s")
    assert caught.value.returncode == 1


def test_no_recipes_is_wrong_use(photos):
    call_command("import_scenes", str(photos), "--quiet", stdout=io.StringIO())
    run("create_study", "S")
    assert "n is 0" in refused("generate_variants", "s", "--recipes", "0")
    assert not RenderJob.objects.exists()


def test_photos_that_cannot_be_rendered_are_exit_code_1():
    Scene.objects.create(name="lost photo", width=9, height=9, original="originals/lost.jpg")
    run("create_study", "S")
    with pytest.raises(CommandError, match="lost photo") as caught:
        run("generate_variants", "s", "--wait")
    assert caught.value.returncode == 1


def test_an_export_never_overwrites(tmp_path):
    study = answered_study()
    assert "already there" in refused("export_ppsd", study.slug, tmp_path)
    assert not Export.objects.exists()


def test_an_export_that_fails_is_exit_code_1_and_leaves_nothing(tmp_path, caplog):
    study = answered_study()
    Rendition.objects.update(sha256="0" * 64)
    with pytest.raises(CommandError, match="Restore the file") as caught:
        run("export_ppsd", study.slug, tmp_path / "out" / "mine")
    assert caught.value.returncode == 1
    assert str(caught.value).startswith("export failed: ")
    assert "failed" not in caplog.text  # the command says it, once
    assert list((tmp_path / "out").iterdir()) == []
    assert Export.objects.get().state == "failed"


def test_a_worker_can_write_the_export(tmp_path, monkeypatch):
    study = answered_study()
    sent = []
    monkeypatch.setattr(Export, "enqueue", lambda export: sent.append(export.pk))
    text, result = run("export_ppsd", study.slug, tmp_path / "out", "--no-wait")
    assert "waits for a worker" in text
    assert result["state"] == "queued"
    export_task(*sent)
    assert (tmp_path / "out" / "README.md").exists()


def test_an_import_names_the_faults_and_ends_with_2(tmp_path):
    study = answered_study()
    run("export_ppsd", study.slug, tmp_path / "out")
    (tmp_path / "out" / "pairs.parquet").unlink()
    answer = refused("import_ppsd", tmp_path / "out")
    assert "nothing was imported" in answer
    assert "  pairs.parquet: is missing" in answer
    assert "is not a folder" in refused("import_ppsd", tmp_path / "nothing")


def test_an_import_without_a_protocol_says_so(tmp_path):
    from tests.collection.export import small

    folder = small.write_small(tmp_path / "small")
    (folder / "protocol.json").unlink()
    text, result = run("import_ppsd", folder, "--slug", "mine")
    assert "holds no protocol" in text
    assert result["study"] == "mine"


def test_the_published_layout_goes_out_and_comes_in(tmp_path):
    """One rater, 8 main answers about 4 scenes: as many as there are scenes can be said."""
    study = answered_study(validation_raters=0)
    text, exported = run("export_ppsd", study.slug, tmp_path / "view", "--layout", "published")
    n_scenes = Question.objects.filter(kind="main").values("pair__scene").distinct().count()
    assert f"Of these, {n_scenes} judgments by 1 raters are in the published layout" in text
    assert (exported["answers_in_layout"], exported["judgments"]) == (n_scenes, 11)
    _, imported = run("import_ppsd", tmp_path / "view", "--slug", "back")
    assert (imported["study"], imported["raters"], imported["pairs"]) == ("back", 1, n_scenes)
    (tmp_path / "view" / "responses" / "train" / "user_response_example1.json").write_text("{")
    answer = refused("import_ppsd", tmp_path / "view")
    assert "  responses/train/user_response_example1.json: is no JSON" in answer
