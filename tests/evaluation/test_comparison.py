import csv
import io
import json

import pytest
from django.urls import reverse

from collection.models import Membership, Role
from evaluation.access import reports_of
from evaluation.comparison import compare_reports, report_rows, settings_that_differ
from evaluation.report.__main__ import main
from tests.factories import make_export, make_report, make_researcher, make_run, make_study

ROW = {"run": "r", "name": "upe", "metric": "delta_e", "scenes": "new", "cqs": 0.25, "cqs_interval": [0.2, 0.3]}  # fmt: skip


def data(cqs=0.25, raters=(), sha256="x", **more):
    row = {**ROW, "cqs": cqs}
    per_rater = [{**ROW, "rater_id": f"rater{i}", "cqs": value} for i, value in enumerate(raters)]
    facts = {"simulated": True, "dataset": {"sha256": sha256}, "protocol": {"seed": 0}}
    return {**facts, "rows": [row], "per_rater": per_rater, **more}


def test_only_settings_that_differ_are_shown():
    lines = settings_that_differ([{"seed": 1, "steps": 9}, {"seed": 2, "steps": 9, "width": 4}])
    assert [(line.name, line.cells) for line in lines] == [("seed", ("1", "2")), ("width", ("–", "4"))]


def test_two_reports_of_the_same_judgments_are_held_against_each_other():
    found = compare_reports(data(0.25, raters=(1, 1, 1, "inf")), data(0.40, raters=(2, 2, 1, 3)))
    ((title, (line,)),) = found.tables
    assert title == "CQS by ΔE00, new scenes"
    assert (line.difference, found.why_apart) == ("+0.150", "")
    # Of four raters one has the same CQS in both; two of the other three gain.
    assert line.raters.startswith("2 of 3, ")


@pytest.mark.parametrize("other", [{"sha256": "y"}, {"protocol": {"seed": 1}}])
def test_reports_of_other_judgments_stand_side_by_side_without_a_difference(other):
    found = compare_reports(data(), data(0.9, **other))
    ((_, (line,)),) = found.tables
    assert found.why_apart
    assert (line.difference, line.raters) == ("–", "–")
    assert line.second == "0.900 (0.200 to 0.300)"


def test_rows_say_whether_raters_were_simulated():
    columns, (cells,) = report_rows(data())
    row = dict(zip(columns, cells, strict=True))
    assert (row["cqs"], row["cqs_low"], row["cqs_high"], row["d_p"]) == ("0.25", "0.2", "0.3", "")
    assert row["simulated"] == "simulated"


def whole_report(folder, *runs, **fields):
    folder.mkdir()
    rows = [{**ROW, "run": run.public_id[:8], "n_judgments": 4} for run in runs]
    (folder / "report.json").write_text(json.dumps({**data(), "rows": rows}))
    return make_report(*runs, folder=folder, is_simulated=True, **fields)


@pytest.fixture
def export(tmp_path):
    (tmp_path / "dataset").mkdir()
    return make_export(make_study(), folder=tmp_path / "dataset")


@pytest.mark.django_db
def test_a_report_is_seen_by_who_sees_all_of_its_runs(export):
    vera, maker = (make_researcher(name, is_superuser=False) for name in ("vera", "maker"))
    Membership.objects.create(study=export.study, user=vera, role=Role.VIEWER)
    seen = make_report(make_run(export), started_by=maker)
    mixed = make_report(make_run(export), make_run())
    assert list(reports_of(vera)) == [seen]
    assert list(reports_of(maker)) == [seen]
    assert set(reports_of(make_researcher("root"))) == {seen, mixed}


@pytest.mark.django_db
def test_a_viewer_reads_and_downloads_and_makes_no_report(client, export, tmp_path):
    vera = make_researcher("vera", is_superuser=False)
    Membership.objects.create(study=export.study, user=vera, role=Role.VIEWER)
    client.force_login(vera)
    run = make_run(export, folder=tmp_path)
    report = whole_report(tmp_path / "report", run)
    reply = client.get(reverse("evaluation:report-csv", args=[report.public_id]))
    (line,) = csv.DictReader(io.StringIO(reply.content.decode()))
    assert (line["run"], line["n_judgments"]) == (run.public_id[:8], "4")
    assert client.post(reverse("evaluation:report-create"), {"run": run.public_id}).status_code == 403
    assert client.post(reverse("evaluation:report-cancel", args=[report.public_id])).status_code == 403
    hidden = make_report(make_run())
    for name in ("detail", "json", "csv", "html"):
        assert client.get(reverse(f"evaluation:report-{name}", args=[hidden.public_id])).status_code == 404


@pytest.mark.django_db
def test_runs_side_by_side_show_what_differs_and_their_cqs(client, export, tmp_path):
    client.force_login(make_researcher())
    runs = [make_run(export, folder=tmp_path, seed=seed, is_simulated=True) for seed in (3, 5)]
    whole_report(tmp_path / "report", *runs)
    page = client.get(reverse("evaluation:run-compare"), {"run": [run.public_id for run in runs]})
    text = page.content.decode()
    for part in ("<td class=\"hash\">3</td>", "<td class=\"hash\">5</td>", "0.250 (0.200 to 0.300)", "simulated"):  # fmt: skip
        assert part in text, part
    assert "Make one report of them" in text
    one = client.get(reverse("evaluation:run-compare"), {"run": runs[0].public_id}, follow=True)
    assert "Choose 2 to 7 runs" in one.content.decode()


@pytest.mark.django_db
def test_two_reports_side_by_side(client, export, tmp_path):
    client.force_login(make_researcher())
    reports = [whole_report(tmp_path / f"report{i}", make_run(export)) for i in range(2)]
    address = reverse("evaluation:report-compare")
    page = client.get(address, {"report": [report.public_id for report in reports]}).content.decode()
    assert "Two reports side by side" in page
    assert "0.250 (0.200 to 0.300)" in page
    assert "Choose two reports" in client.get(address, follow=True).content.decode()


def test_the_command_replaces_no_report_unasked(tmp_path, capsys):
    (tmp_path / "report.json").write_text("{}")
    asked = ["--run", str(tmp_path), "--dataset", str(tmp_path / "none"), "--out", str(tmp_path)]
    assert main(asked) == 2
    assert "replace it with --force" in capsys.readouterr().err
    assert main([*asked, "--force"]) == 2
    assert "none is not a folder" in capsys.readouterr().err
