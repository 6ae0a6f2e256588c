import json
from pathlib import Path

import pytest
from django.urls import reverse

from evaluation.models import Report
from evaluation.report_tables import ORACLE_RESTS, report_tables
from tests.factories import make_report, make_researcher, make_run
from variants.jobs import Job

pytestmark = pytest.mark.django_db

ROW = {
    "run": None,
    "metric": "delta_e",
    "scenes": "new",
    "d_p": 4.88,
    "d_n": 5.71,
    "cqs": 0.204,
    "cqs_interval": [0.19, 0.22],
    "alignment": 0.62,
    "n_judgments": 160,
    "n_raters": 10,
}
DATA = {
    "simulated": True,
    "rows": [{**ROW, "name": "upe"}, {**ROW, "name": "identity", "cqs": 0.18}],
    "missing": [{"metric": "lpips", "why": "its weights are not here", "fix": "run learning.fetch lpips"}],
}


@pytest.fixture
def alice(client):
    client.force_login(make_researcher())
    return client


@pytest.fixture
def report(tmp_path):
    (tmp_path / "report.html").write_text("<!doctype html><h1>CQS</h1>")
    (tmp_path / "report.json").write_text(json.dumps(DATA))
    return make_report(
        make_run(), folder=tmp_path, is_simulated=True, verdict="It learned what it was given."
    )


def address(name: str, report: Report) -> str:
    return reverse(f"evaluation:report-{name}", args=[report.public_id])


def test_every_page_sends_nobody_to_sign_in(client, report):
    addresses = [reverse("evaluation:report-list"), reverse("evaluation:report-create")]
    addresses += [address(name, report) for name in ("detail", "progress", "cancel", "html", "json")]
    for page in addresses:
        for method in (client.get, client.post):
            assert method(page).headers.get("Location") == f"{reverse('login')}?next={page}"


def test_no_reports_say_the_next_step(alice):
    assert "No report yet" in alice.get(reverse("evaluation:report-list")).content.decode()


def test_the_list_shows_verdict_and_run(alice, report):
    page = alice.get(reverse("evaluation:report-list")).content.decode()
    assert "It learned what it was given." in page
    assert reverse("learning:run-detail", args=[report.runs.get().public_id]) in page


def test_the_list_takes_the_same_few_queries_however_long(alice, django_assert_max_num_queries):
    for _ in range(10):
        make_report(make_run(), make_run())
    with django_assert_max_num_queries(6):
        alice.get(reverse("evaluation:report-list"))


def test_the_page_shows_verdict_figures_and_what_is_missing(alice, report):
    page = alice.get(address("detail", report)).content.decode()
    for text in (
        "It learned what it was given.",
        "0.190 to 0.220",
        "62.0 %",
        "160 of 10 raters",
        "identity: output = input",
        "its weights are not here. To get it, run learning.fetch lpips.",
        "The raters are simulated",
        address("html", report),
    ):
        assert text in page, text


def test_the_report_is_served_in_a_sandbox(alice, report):
    reply = alice.get(address("html", report))
    assert b"".join(reply.streaming_content) == b"<!doctype html><h1>CQS</h1>"
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "Content-Disposition" not in reply.headers or "inline" in reply.headers["Content-Disposition"]


def test_pages_of_pictures_are_served_in_the_same_sandbox_and_no_other_file_is(alice, report):
    (Path(report.folder) / "pictures-1-raters-2.html").write_text("<!doctype html><h1>Pictures</h1>")
    base = address("html", report).removesuffix("report.html")
    reply = alice.get(f"{base}pictures-1-raters-2.html")
    assert b"".join(reply.streaming_content) == b"<!doctype html><h1>Pictures</h1>"
    assert "sandbox allow-scripts" in reply.headers["Content-Security-Policy"]
    for name in ("pictures-1-best.html", "pictures-1-other.html", "pictures-1-raters-2.json"):
        assert alice.get(base + name).status_code == 404


def test_both_files_can_be_saved(alice, report):
    for name, ending in (("html", "report.html"), ("json", "report.json")):
        reply = alice.get(address(name, report), {"download": ""})
        assert "attachment" in reply.headers["Content-Disposition"]
        assert f"tonalist-{report.public_id[:8]}-{ending}" in reply.headers["Content-Disposition"]
        assert b"".join(reply.streaming_content)


def test_the_json_is_the_file(alice, report):
    assert json.loads(b"".join(alice.get(address("json", report)).streaming_content)) == DATA


def test_files_that_are_gone_are_said_so(alice, report):
    (Path(report.folder) / "report.html").unlink()
    page = alice.get(address("html", report))
    assert page.status_code == 404
    assert "There is no report.html" in page.content.decode()
    (Path(report.folder) / "report.json").unlink()
    assert "The report's files are gone" in alice.get(address("detail", report)).content.decode()


@pytest.mark.parametrize("path", ["../secret_key", "..%2fsecret_key", "config.json", "%2e%2e/report.json"])
def test_no_address_reaches_another_file(alice, report, path):
    (Path(report.folder) / "config.json").write_text("{}")
    assert alice.get(f"/research/reports/{report.public_id}/{path}").status_code == 404


def test_a_report_under_way_is_alive(alice):
    report = make_report(make_run(), state=Job.State.RUNNING, stage="metrics", done=1, total=4)
    page = alice.get(address("detail", report)).content.decode()
    assert f'data-progress="{address("progress", report)}"' in page
    assert alice.get(address("progress", report)).json()["fraction"] == 0.25


def test_a_failed_report_says_why(alice):
    report = make_report(make_run(), state=Job.State.FAILED, error="the run has no weights")
    assert "the run has no weights" in alice.get(address("detail", report)).content.decode()


def test_cancelling_a_report_that_waits(alice):
    report = make_report(make_run(), state=Job.State.QUEUED)
    alice.post(address("cancel", report))
    report.refresh_from_db()
    assert report.state == Job.State.CANCELLED


def test_a_report_of_no_run_is_not_made(alice):
    assert alice.post(reverse("evaluation:report-create"), {"run": "gone"}).status_code == 404
    assert not Report.objects.exists()


def test_a_report_of_a_run_is_made_and_waits_for_a_worker(alice, tmp_path):
    run = make_run(folder=tmp_path, is_simulated=True)
    run.dataset = str(tmp_path)
    run.save()
    reply = alice.post(reverse("evaluation:report-create"), {"run": run.public_id})
    report = Report.objects.get()
    assert reply.headers["Location"] == address("detail", report)
    assert (list(report.runs.all()), report.state, report.is_simulated) == ([run], Job.State.QUEUED, True)


def test_a_run_whose_folder_is_gone_is_refused_with_the_reason(alice):
    run = make_run(folder="/nowhere/at/all")
    page = alice.post(reverse("evaluation:report-create"), {"run": run.public_id}, follow=True)
    assert "is gone; train again" in page.content.decode()
    assert not Report.objects.exists()


def test_rows_of_several_runs_say_whose_they_are():
    rows = [{**ROW, "name": "upe", "run": "aaaa"}, {**ROW, "name": "control:wrong_rater", "run": "bbbb"}]
    (table,) = report_tables([*rows, {**ROW, "name": "identity"}])
    assert [line.name for line in table.lines] == [
        "upe (aaaa)",
        "control: another rater's references (bbbb)",
        "identity: output = input",
    ]


def test_tables_begin_with_new_scenes_by_colour_difference():
    rows = [
        {**ROW, "name": "upe", "scenes": scenes, "metric": metric}
        for scenes in ("known", "new")
        for metric in ("ssim", "delta_e")
    ]
    assert [table.title for table in report_tables(rows)] == [
        "CQS by ΔE00, new scenes",
        "CQS by SSIM, new scenes",
        "CQS by ΔE00, known scenes",
        "CQS by SSIM, known scenes",
    ]


def test_what_is_infinite_or_unknown_is_shown_as_it_is():
    row = {**ROW, "name": "upe", "cqs": float("inf"), "cqs_interval": None, "alignment": None, "d_p": "inf"}
    (table,) = report_tables([row])
    (line,) = table.lines
    assert (line.cqs, line.interval, line.alignment, line.d_p) == ("inf", "–", "–", "inf")


@pytest.mark.parametrize(("d_np", "note"), [(9.0, ORACLE_RESTS), (8.5, "")])
def test_an_oracle_that_does_nothing_is_said_to(d_np, note):
    identity = {**ROW, "name": "identity", "d_pp": 0.0, "d_pn": 9.0, "d_np": 9.0, "d_nn": 0.0}
    (table,) = report_tables([{**identity, "name": "oracle", "d_np": d_np}, identity])
    assert [line.note for line in table.lines] == [note, ""]
