import html
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.test import Client
from django.urls import reverse

from learning.models import Run
from learning.run_folder import MAX_POINTS, run_config, run_curves, run_log
from learning.systems import BACKBONES_OF, PRESETS, SYSTEMS, backbones_offered
from tests.collection.api.v1.visits import Program
from tests.factories import make_export, make_report, make_researcher, make_run, make_study
from variants.jobs import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    client.force_login(make_researcher())
    return client


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "autumn-1"
    folder.mkdir()
    return make_export(make_study(name="Autumn", is_simulated=True), folder=folder)


def write_curves(folder: Path, **columns: list[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "curves.parquet")
    return folder


def test_every_page_sends_nobody_to_sign_in(client):
    run = make_run()
    addresses = [reverse("learning:run-list"), reverse("learning:run-create")]
    addresses += [
        reverse(f"learning:run-{name}", args=[run.public_id]) for name in ("detail", "progress", "cancel")
    ]
    for address in addresses:
        for method in (client.get, client.post):
            assert method(address).headers.get("Location") == f"{reverse('login')}?next={address}"


def test_no_runs_say_the_next_step(alice):
    assert "No run yet" in alice.get(reverse("learning:run-list")).content.decode()


def test_the_list_shows_system_dataset_state_and_that_it_is_simulated(alice, export):
    make_run(export, is_simulated=True, state=Job.State.RUNNING)
    page = alice.get(reverse("learning:run-list")).content.decode()
    for text in ("upe", "tiny", "tone_statistics", "autumn-1", "Running", "simulated"):
        assert text in page, text


def test_the_list_takes_the_same_few_queries_however_long(alice, export, django_assert_max_num_queries):
    for _ in range(10):
        make_run(export)
    with django_assert_max_num_queries(5):
        alice.get(reverse("learning:run-list"))


def test_the_form_starts_a_run_on_the_chosen_export(alice, export):
    fields = {"export": export.public_id, "system": "upe", "preset": "tiny", "seed": 7, "steps": 30}
    reply = alice.post(reverse("learning:run-create"), fields)
    run = Run.objects.get()
    assert reply.headers["Location"] == reverse("learning:run-detail", args=[run.public_id])
    assert (run.export, run.seed, run.steps, run.is_simulated) == (export, 7, 30, True)
    assert run.state == Job.State.QUEUED


def test_the_form_comes_with_the_export_that_led_there(alice, export):
    make_export(export.study, folder="/elsewhere")
    page = alice.get(reverse("learning:run-create"), {"export": export.public_id}).content.decode()
    assert f'value="{export.public_id}" selected' in page


def test_without_a_dataset_there_is_nothing_to_start(alice):
    make_export(make_study(), state=Job.State.RUNNING)
    page = alice.get(reverse("learning:run-create")).content.decode()
    assert "No dataset to train on" in page
    assert "<select" not in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("system", "nonsense"),
        ("preset", "huge"),
        ("seed", "-1"),
        ("steps", "0"),
        ("export", "gone"),
        ("backbone", "x"),
        ("backbone", "torchvision:vgg19"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_started(alice, export, field, value):
    fields = {"export": export.public_id, "system": "upe", "preset": "tiny", "seed": 0, field: value}
    page = alice.post(reverse("learning:run-create"), fields)
    assert page.status_code == 422
    assert f'id="id_{field}_error"' in page.content.decode()
    assert not Run.objects.exists()


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_starts_from_the_form_as_it_offers_it(alice, export, system):
    for preset in PRESETS[system]:
        fields = {
            "export": export.public_id,
            "system": system,
            "preset": preset,
            "seed": 0,
            "elsewhere": "on",
        }
        offered = backbones_offered(system, preset)
        for backbone in ("", *offered[-1:]):
            assert (
                alice.post(reverse("learning:run-create"), {**fields, "backbone": backbone}).status_code
                == 302
            )
            run = Run.objects.first()
            assert (run.system, run.preset, run.backbone) == (system, preset, backbone)


@pytest.mark.parametrize(
    ("system", "preset", "backbone", "message"),
    [
        ("user_decoder", "tiny", "dinov2_small", "takes no backbone"),
        ("exemplar", "tiny", "torchvision:resnet18", "exemplar with the preset tiny takes no backbone"),
        ("msm", "paper", "tone_statistics", "takes one of torchvision:resnet18, timm:resnet18"),
        ("deep_photo", "full", "timm:resnet18", "takes one of torchvision:vgg19"),
    ],
)
def test_a_backbone_that_the_system_cannot_have_is_refused(alice, export, system, preset, backbone, message):
    fields = {"export": export.public_id, "system": system, "preset": preset, "seed": 0, "elsewhere": "on"}
    page = alice.post(reverse("learning:run-create"), {**fields, "backbone": backbone})
    assert (page.status_code, message in page.content.decode()) == (422, True)
    body = {"export": export.public_id, "system": system, "preset": preset, "backbone": backbone}
    told = Program(Client(), make_researcher("bob")).post("runs/", body)
    assert (told.status_code, message in told.json()["detail"]) == (422, True)
    assert not Run.objects.exists()


def test_the_form_tells_the_page_what_each_system_has(alice, export):
    page = alice.get(reverse("learning:run-create")).content.decode()
    offered = json.loads(html.unescape(re.search(r'data-offered="([^"]*)"', page)[1]))
    assert offered.keys() == SYSTEMS.keys()
    assert offered["neural_preset"] == {"tiny": [], "paper": [*BACKBONES_OF["neural_preset"]], "full": [*BACKBONES_OF["neural_preset"]]}  # fmt: skip
    assert offered["pif_lite"] == {"tiny": [], "paper": []}
    assert "tone_statistics" in offered["upe"]["tiny"]
    assert page.count("data-backbone") == 1


def test_an_export_whose_folder_is_gone_is_refused_with_the_reason(alice, export):
    gone = make_export(export.study, folder=f"{export.folder}-gone")
    fields = {"export": gone.public_id, "system": "upe", "preset": "tiny", "seed": 0}
    page = alice.post(reverse("learning:run-create"), fields)
    assert page.status_code == 422
    assert "is gone; export the study again" in page.content.decode()


def test_a_run_under_way_shows_progress_curve_and_log(alice, export, tmp_path):
    folder = write_curves(tmp_path / "run", step=[1, 2, 3], loss=[1.0, 0.5, 0.25])
    (folder / "log.txt").write_text("begins\nstep <3>\n")
    run = make_run(export, folder, state=Job.State.RUNNING, stage="training", done=3, total=12)
    page = alice.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()
    assert f'data-progress="{reverse("learning:run-progress", args=[run.public_id])}"' in page
    assert "3 of 12" in page
    assert "polyline" in page
    assert "step &lt;3&gt;" in page


def test_the_progress_carries_what_has_changed(alice, export, tmp_path):
    folder = write_curves(tmp_path / "run", step=[1, 2], loss=[1.0, 0.5])
    run = make_run(export, folder, state=Job.State.RUNNING, stage="training", done=2, total=8)
    data = alice.get(reverse("learning:run-progress", args=[run.public_id])).json()
    assert (data["state"], data["fraction"], data["is_over"]) == ("running", 0.25, False)
    assert "polyline" in data["parts"]["run-curve"]
    assert "Nothing written yet" in data["parts"]["run-log"]


def test_a_run_that_is_over_polls_no_more(alice, export):
    run = make_run(export, state=Job.State.DONE)
    page = alice.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()
    assert "data-progress" not in page
    assert "job.js" not in page


def test_a_failed_run_says_why(alice, export):
    run = make_run(
        export, state=Job.State.FAILED, error="python -m learning.fetch dinov2_small gets the weights"
    )
    page = alice.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()
    assert "learning.fetch dinov2_small" in page


def test_cancelling_asks_a_running_job_to_stop(alice, export):
    run = make_run(export, state=Job.State.RUNNING)
    page = alice.post(reverse("learning:run-cancel", args=[run.public_id]), follow=True).content.decode()
    run.refresh_from_db()
    assert run.cancel_requested
    assert run.state == Job.State.RUNNING
    assert "it ends at its next step" in page


def test_a_run_links_to_its_reports(alice, export):
    run = make_run(export)
    report = make_report(run, verdict="It learned.")
    page = alice.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()
    assert reverse("evaluation:report-detail", args=[report.public_id]) in page
    assert "It learned." in page


def test_the_page_holds_nothing_that_a_strict_policy_would_block(alice, export, tmp_path):
    folder = write_curves(tmp_path / "run", step=[1, 2], loss=[1.0, 0.5])
    run = make_run(export, folder, state=Job.State.RUNNING)
    page = alice.get(reverse("learning:run-detail", args=[run.public_id])).content.decode()
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)", page)


def test_curves_are_the_losses_the_total_first_and_no_copy_of_it(tmp_path):
    folder = write_curves(
        tmp_path / "run",
        step=[1, 2],
        loss=[2.0, 1.0],
        pairwise=[2.0, 1.0],
        gate=[0.5, None],
        learning_rate=[0.1, 0.1],
        seconds=[1.0, 2.0],
    )
    curves = run_curves(folder)
    assert [(c.name, c.points) for c in curves] == [("loss", [(1, 2.0), (2, 1.0)]), ("gate", [(1, 0.5)])]


def test_a_long_curve_is_thinned_and_keeps_its_ends(tmp_path):
    n = 10_000
    folder = write_curves(tmp_path / "run", step=list(range(n)), loss=[1.0] * n)
    (curve,) = run_curves(folder)
    assert len(curve.points) <= MAX_POINTS + 1
    assert (curve.points[0][0], curve.points[-1][0]) == (0, n - 1)


def test_what_is_not_written_yet_or_broken_is_nothing(tmp_path):
    assert (run_curves(tmp_path), run_log(tmp_path), run_config(tmp_path)) == ([], "", {})
    (tmp_path / "curves.parquet").write_bytes(b"PAR1 half a file")
    (tmp_path / "config.json").write_text('{"seed": ')
    assert (run_curves(tmp_path), run_config(tmp_path)) == ([], {})


def test_the_log_is_its_last_lines(tmp_path):
    (tmp_path / "log.txt").write_text("\n".join(f"line {i}" for i in range(5000)))
    lines = run_log(tmp_path).splitlines()
    assert lines[-1] == "line 4999"
    assert len(lines) == 60


def test_settings_in_settings_get_a_path(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"seed": 1, "settings": {"loop": {"steps": 9}}, "none": {}})
    )
    assert run_config(tmp_path) == {"seed": 1, "settings.loop.steps": 9, "none": {}}
