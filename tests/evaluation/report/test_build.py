"""Reports end to end on a small simulated dataset, with small real systems."""

import copy
import json
import re

import pytest
import torch

from evaluation.comparison import compare_reports
from evaluation.metrics.metric import METRICS
from evaluation.protocol import EvaluationProtocol
from evaluation.report.__main__ import main
from evaluation.report.build import write_report
from evaluation.report.contenders import CONTROLS
from evaluation.report.evaluation import NothingToEvaluate, evaluate
from evaluation.report.page import page_html
from evaluation.report_tables import ORACLE_RESTS
from evaluation.simulation.dataset import write_simulated_dataset
from learning.data.dataset import PreferenceDataset
from tests.evaluation.conftest import colourful_photos
from tests.evaluation.doubles import DoesNothing, MeanColourScored
from tests.learning.factories import make_dataset

SMALL = EvaluationProtocol(references=16, evaluations=6, edit_size=64, metric_size=48)
FIGURES = ("d_pp", "d_pn", "d_np", "d_nn", "d_p", "d_n", "bfs", "cmr", "cqs")


@pytest.fixture(autouse=True)
def _no_alexnet(monkeypatch, tmp_path):
    """The same on machines that have fetched LPIPS's backbone."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "nothing"))


@pytest.fixture(scope="module")
def report(simulated_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "report"
    patch = pytest.MonkeyPatch()
    patch.setattr(torch.hub, "get_dir", lambda: str(out))
    with patch.context():
        write_report(
            PreferenceDataset.load(simulated_folder),
            {"first": MeanColourScored(), "second": DoesNothing()},
            out=out,
            protocol=SMALL,
            pictures=2,
        )
    patch.undo()
    return out


@pytest.fixture
def data(report):
    return json.loads((report / "report.json").read_text())


@pytest.fixture
def page(report):
    return (report / "report.html").read_text()


def rows(data, name, *, run=None, metric="delta_e"):
    return [r for r in data["rows"] if (r["name"], r["run"], r["metric"]) == (name, run, metric)]


def test_the_json_has_every_name_that_stays(data):
    assert {"simulated", "dataset", "protocol", "rows", "gains", "missing", "verdict"} <= data.keys()
    assert data["simulated"] is True
    assert data["protocol"] == {
        "references": 16, "evaluations": 6, "edit_size": 64, "metric_size": 48, "seed": 0,
    }  # fmt: skip
    wanted = {
        "run", "name", "metric", "scenes", *FIGURES, "cqs_interval", "alignment", "n_judgments", "n_raters",
    }  # fmt: skip
    assert all(wanted <= row.keys() for row in data["rows"])
    assert all(
        {"run", "against", "metric", "scenes", "cqs_difference", "interval"} <= g.keys()
        for g in data["gains"]
    )


def test_every_row_is_there_for_both_kinds_of_scenes(data):
    names = {"double", "average_preference", *CONTROLS}
    for scenes in ("new", "known"):
        found = {(r["run"], r["name"]) for r in data["rows"] if r["scenes"] == scenes}
        expected = {(run, name) for run in ("first", "second") for name in names}
        assert found == expected | {(None, "identity"), (None, "oracle")}


def test_doing_nothing_is_the_identity_row(data):
    nothing, identity = rows(data, "double", run="second"), rows(data, "identity")
    for ours, floor in zip(nothing, identity, strict=True):
        assert [ours[name] for name in FIGURES] == [floor[name] for name in FIGURES]
        assert (floor["d_pp"], floor["cmr"]) == pytest.approx((0, 0), abs=1e-6)
        assert floor["alignment"] == 0.5
        assert floor["cqs"] == pytest.approx(2 / floor["d_np"])


def test_doing_nothing_passes_no_control(data):
    gains = [g for g in data["gains"] if g["run"] == "second" and g["against"].startswith("control")]
    assert gains
    assert not any(g["passed"] for g in gains)
    assert [g["cqs_difference"] for g in gains] == pytest.approx([0] * len(gains), abs=1e-6)


def test_a_learner_of_directions_is_worse_with_reversed_pairs(data):
    for row in rows(data, "double", run="first"):
        reversed_row = next(
            r for r in rows(data, "control:reversed_pairs", run="first") if r["scenes"] == row["scenes"]
        )
        assert row["alignment"] > reversed_row["alignment"]
        assert row["cqs"] > reversed_row["cqs"]


def test_the_same_edit_for_every_photo_has_no_query_to_read(data):
    for row, other in zip(
        rows(data, "double", run="first"), rows(data, "control:wrong_query", run="first"), strict=True
    ):
        assert row["cqs"] == pytest.approx(other["cqs"])


def test_the_oracle_is_above_the_floor_and_everybody_else(data):
    for oracle in rows(data, "oracle"):
        others = [r for r in data["rows"] if (r["scenes"], r["metric"]) == (oracle["scenes"], "delta_e")]
        assert oracle["cqs"] == max(r["cqs"] for r in others)
        assert data["oracle"]["ratio"][oracle["scenes"]] > 1.2


def test_the_page_says_beside_the_row_where_the_oracle_does_nothing(data, page):
    floors = {(r["scenes"], r["metric"]): r for r in data["rows"] if r["name"] == "identity"}
    resting = [
        {**floors[r["scenes"], r["metric"]], "name": "oracle"} if r["name"] == "oracle" else r
        for r in data["rows"]
    ]
    assert page_html({**data, "rows": resting}, []).count(ORACLE_RESTS) == 2  # new and known scenes
    assert ORACLE_RESTS not in page


def test_the_metric_that_is_missing_says_why_and_how_to_get_it(data, page):
    assert [m["metric"] for m in data["missing"]] == ["lpips"]
    assert "python -m learning.fetch lpips_alex" in data["missing"][0]["fix"]
    assert {r["metric"] for r in data["rows"]} == set(METRICS) - {"lpips"}
    assert "LPIPS is missing." in page


def test_the_runs_are_compared_on_the_same_judgments(data):
    gain = next(
        g
        for g in data["gains"]
        if (g["run"], g["against"], g["metric"]) == ("first", "run:second", "delta_e")
    )
    mine, theirs = rows(data, "double", run="first")[0], rows(data, "double", run="second")[0]
    assert gain["cqs_difference"] == pytest.approx(mine["cqs"] - theirs["cqs"])


def test_the_page_needs_no_other_file(page):
    # Everything that a browser would fetch: addresses in attributes, style sheets, scripts.
    addresses = re.findall(r'(?:src|href|action|poster|data|srcset)\s*=\s*"([^"]*)"', page)
    assert addresses
    # Links to the pages of pictures beside it are not fetched.
    assert all(address.startswith(("data:", "#", "pictures-")) for address in addresses)
    assert not re.search(r"@import|url\((?!#)|https?://|<link", page)


def test_the_first_line_says_that_the_raters_are_simulated(page):
    body = re.sub(r"<[^>]+>", "", page[page.index("<body>") :]).strip()
    assert body.startswith("SIMULATED raters")
    assert "<title>SIMULATED" in page


def test_the_verdict_stands_at_the_top(data, page):
    assert data["verdict"].startswith("first: Does")
    assert (
        "second: Does not show that it reads its references: 0 of 5 controls on 3 metrics (LPIPS missing); "
        "no better than doing nothing" in data["verdict"]
    )
    assert [v["run"] for v in data["verdicts"]] == ["first", "second"]
    assert page.index('class="verdicts"') < page.index("<table")


def test_pictures_stand_in_the_promised_order_with_their_labels(page):
    shown = re.findall(r"<figcaption><strong>(\w+)</strong>", page)
    assert shown[:4] == ["Input", "Output", "Preferred", "Other"]
    assert len(shown) % 4 == 0
    labels = re.findall(r"<h3>(Best|Median|Worst|Random)", page)
    assert labels == ["Best", "Median", "Worst", "Random", "Random"] * 2


def test_preferences_are_predicted_by_those_who_score(data, page):
    predictions = {(p["run"], p["name"], p["scenes"]): p for p in data["predictions"]}
    names = {(run, name) for run, name, _ in predictions}
    scored = {("first", n) for n in ("double", "average_preference", "control:mean_profile")}
    assert names == scored | {(None, "oracle")}
    for p in predictions.values():
        assert p["share"] == pytest.approx(p["right"] / p["n_judgments"])
        assert p["interval"][0] <= p["share"] <= p["interval"][1]
    # The simulated raters of the clear level hardly ever slip, and their taste is told.
    assert predictions[None, "oracle", "new"]["share"] > 0.8
    assert data["not_scored"] == [{"run": "second", "why": "it does not score images"}]
    assert "second: no preference prediction, it does not score images." in page


def test_costs_are_measured(data):
    first, second = data["costs"]
    assert (first["bytes_per_rater"], second["bytes_per_rater"]) == (12, 4)
    assert first["adapt_seconds"] > 0
    assert first["render_seconds"] > 0
    assert first["train_seconds"] is None  # it has no run folder


def test_the_mean_of_the_raters_own_cqs_has_its_interval(data):
    (row, _) = rows(data, "double", run="first")
    own = [
        one["cqs"]
        for one in data["per_rater"]
        if (one["run"], one["name"], one["metric"], one["scenes"])
        == ("first", "double", "delta_e", row["scenes"])
    ]
    assert row["cqs_per_rater"] == pytest.approx(sum(own) / len(own))
    assert row["cqs_per_rater_interval"][0] < row["cqs_per_rater"] < row["cqs_per_rater_interval"][1]


def test_pages_of_pictures_are_sorted_and_small(report, data):
    files = [page["file"] for page in data["pictures"] if page["run"] == "first"]
    kinds = [file.removeprefix("pictures-1-").removesuffix(".html") for file in files]
    assert kinds == ["best", "worst", "random", "raters-1"]
    shown = {}
    for kind, file in zip(kinds, files, strict=True):
        text = (report / file).read_text()
        assert len(text) < 2_000_000
        assert not re.search(r'src="(?!data:)', text)
        found = re.findall(r"(Nearer|Farther) by ΔE00 ([\d.]+)", text)
        shown[kind] = [float(value) * (1 if word == "Nearer" else -1) for word, value in found]
    assert shown["best"] == sorted(shown["best"], reverse=True)
    assert shown["worst"] == sorted(shown["worst"])
    assert shown["best"][0] == max(max(values) for values in shown.values())
    assert len(shown["raters-1"]) == 2 * data["episodes"]["new"]["raters"]


def test_a_report_made_again_is_paired_with_the_first(data):
    found = compare_reports(data, data)
    assert found.why_apart == ""
    cells = {
        line.name: line.difference for title, lines in found.tables for line in lines if "ΔE00, new" in title
    }
    assert cells["double (first)"] == "0.000 (0.000 to 0.000)"
    other = copy.deepcopy(data)
    other["episodes"]["new"]["queries_sha256"] = "0"
    assert compare_reports(data, other).why_apart == "on new scenes they measured other judgments"


def test_every_chart_has_its_numbers_as_a_table(page):
    assert page.count("<svg") > 10
    assert page.count("<details>") >= 6


def test_the_numbers_hang_on_nothing_but_the_seed(simulated, data):
    again = evaluate(simulated, {"first": MeanColourScored(), "second": DoesNothing()}, SMALL).data
    measured = ("costs", "machine", "pictures")
    assert (
        json.loads(json.dumps(again)).items() >= {k: v for k, v in data.items() if k not in measured}.items()
    )


def test_progress_is_reported_and_may_cancel(simulated):
    class Stop(Exception):
        pass

    def report(done, total, stage):
        assert 0 <= done <= total
        if done:
            raise Stop

    with pytest.raises(Stop):
        evaluate(simulated, {"first": DoesNothing()}, SMALL, report)


def test_more_references_than_anybody_has_are_an_error_that_says_how_many_there_are(simulated):
    with pytest.raises(NothingToEvaluate, match=r"none of the . validation raters .* has 200 references"):
        evaluate(simulated, {}, EvaluationProtocol(references=200))


def test_a_dataset_without_validation_raters_is_an_error(tmp_path):
    write_simulated_dataset(
        tmp_path / "study",
        colourful_photos(3),
        n_raters=3,
        n_main=10,
        n_checks=2,
        long_side=64,
        validation_raters=0,
    )
    with pytest.raises(NothingToEvaluate, match="no valid rater of the split `validation`"):
        evaluate(PreferenceDataset.load(tmp_path / "study"), {}, SMALL)


def test_one_scene_alone_is_an_error_that_says_why(tmp_path):
    folder = make_dataset(tmp_path / "data", n_scenes=1, validation_scenes=0)
    with pytest.raises(NothingToEvaluate, match="data answered about one scene; references and evaluated"):
        evaluate(PreferenceDataset.load(folder), {}, SMALL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "nowhere", "--dataset", "nowhere"], "nowhere is not a folder"),
        (["--run", "a", "--dataset", "b", "--metric-size", "900"], "metric_size"),
        (["--run", "a", "--run", "a", "--dataset", "b"], "named twice"),
    ],
)
def test_the_command_ends_with_2_and_one_line_for_bad_input(arguments, message, tmp_path, capsys):
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_bad_input(simulated_folder, tmp_path, capsys):
    folder = ["--run", str(tmp_path), "--dataset", str(simulated_folder), "--out", str(tmp_path / "out")]
    assert main(folder) == 2
    assert "is not a run folder" in capsys.readouterr().err
