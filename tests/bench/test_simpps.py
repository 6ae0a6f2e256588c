"""The parts of `python -m bench.simpps` that take no training."""

import json

import numpy as np
import pytest
from PIL import Image

from bench.simpps import tables
from bench.simpps.__main__ import main
from bench.simpps.cells import Benchmark, CellError, beside, make_dataset, read_json
from bench.simpps.measure import bake_and_apply, bakes, median_seconds, profile_bytes
from evaluation.simulation import simpps
from learning.systems.interface import ReferencePair
from learning.systems.load import load_run


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setitem(simpps.SIZES, "tiny", simpps.Size(n_raters=3, n_main=12, n_checks=2, long_side=64))
    return Benchmark(
        levels=("clear",), systems=("upe",), preset="tiny", seed=0, out=tmp_path / "out", shared=None
    )


def scored(name, run, cqs, interval, **more):
    return {
        "name": name, "run": run, "metric": "delta_e", "scenes": "new", "cqs": cqs, "cqs_interval": interval,
        "alignment": 0.75, "alignment_interval": [0.7, 0.8], "d_np": 8.0, "d_pp": 1.5, **more,
    }  # fmt: skip


def gain(against, difference, interval):
    passed = interval[0] > 0
    return {
        "run": "upe", "against": against, "metric": "delta_e", "scenes": "new", "cqs_difference": difference,
        "interval": interval, "passed": passed,
    }  # fmt: skip


REPORT = {
    "rows": [
        scored("identity", None, 0.2, [0.19, 0.21]),
        scored("upe", "upe", 0.225, [0.21, 0.24]),
        scored("average_preference", "upe", 0.19, [0.18, 0.2]),
        scored("oracle", None, 0.3, [0.28, 0.32]),
    ],
    "gains": [
        gain("identity", 0.025, [0.01, 0.04]),
        gain("control:wrong_rater", 0.02, [0.01, 0.03]),
        gain("control:reversed_pairs", -0.01, [-0.02, 0.01]),
    ],
    "systems": [{"run": "upe", "name": "upe"}],
    "episodes": {"new": {"raters": 30, "judgments": 360, "scenes": 39}},
    "oracle": {"ratio": {"new": 1.5}},
    "missing": [{"metric": "lpips", "why": "no weights", "fix": "fetch them"}],
}


def test_a_levels_table_has_floor_learner_and_ceiling():
    text = tables.level_table("clear", REPORT)
    assert "30 simulated raters" in text
    assert "1.50 times identity's." in text
    assert "| identity | 0.200 [0.190, 0.210] |" in text
    # A quarter of the way from 0.2 to 0.3, and one control of five.
    upe = next(line for line in text.splitlines() if line.startswith("| **upe**"))
    assert upe.split(" | ")[1:] == [
        "0.225 [0.210, 0.240]", "**+0.025 [0.010, 0.040]**", "25 %", "1 of 5", "75 % [70, 80]", "8.00", "1.50 |",
    ]  # fmt: skip
    assert "LPIPS was not measured: no weights; fetch them." in text


def test_a_level_without_room_says_so():
    report = {**REPORT, "oracle": {"ratio": {"new": 1.1}}}
    assert "1.10 times identity's: too little room to tell learners apart." in tables.level_table("x", report)


def test_only_what_lies_above_0_is_bold():
    lines = tables.control_table("clear", REPORT).splitlines()
    assert "| upe | wrong rater | **+0.0200 [0.0100, 0.0300]** |" in lines
    assert "| upe | reversed pairs | −0.0100 [−0.0200, 0.0100] |" in lines
    assert "| upe | mean profile | – |" in lines


def test_rows_for_programs():
    oracle, upe = tables.bench_rows("clear", REPORT)
    assert (oracle["ratio"], oracle["goal"], oracle["ok"]) == (pytest.approx(1.5), 1.3, True)
    assert (upe["ours"], upe["peer"], upe["peer_name"]) == (0.225, 0.2, "identity")


def test_costs_say_where_a_time_is_an_estimate():
    speed = {
        "adapt_seconds": 0.02, "render_seconds": 3.0, "profile_bytes": 1024, "render_large_seconds": None,
        "large_estimate": 137.0, "large_by": "the network",
    }  # fmt: skip
    text = tables.cost_table(["upe", "exemplar"], {"upe": [60.0, 80.0]}, {"upe": speed})
    assert "| upe | 70 s | 20 ms | 3 s | about 137 s, from 512² | 1,024 |" in text
    assert "| exemplar | – | – | – | – | – |" in text


def test_docs_are_written_between_the_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    tables.write_docs(page, "new")
    assert page.read_text() == f"before\n{tables.BEGIN}\n\nnew\n\n{tables.END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="has no place for the tables"):
        tables.write_docs(page, "new")


def test_a_dataset_is_made_once_and_checked(bench):
    first = make_dataset(bench, "clear")
    assert make_dataset(bench, "clear") == first == read_json(beside(bench.dataset("clear")))
    assert "packages" in bench.dataset("clear").name
    facts = json.loads(beside(bench.dataset("clear")).read_text())
    beside(bench.dataset("clear")).write_text(json.dumps(facts | {"sha256": "0"}))
    with pytest.raises(CellError, match="is not what was made"):
        make_dataset(bench, "clear")


def test_without_systems_no_tables_of_systems_are_written(capsys):
    assert main(["--systems", "none", "--write-docs"]) == 2
    assert "leave out --systems none" in capsys.readouterr().err


def test_names_that_are_not_known_are_wrong_use(capsys):
    assert main(["--levels", "hard"]) == 2
    assert "there is no level 'hard'; there are clear" in capsys.readouterr().err
    assert main(["--systems", "magic"]) == 2
    assert "there is no system 'magic' with the preset tiny" in capsys.readouterr().err


def test_what_is_timed_is_the_edit(trained):
    dataset, run = trained
    system = load_run(run)
    images = [
        np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        for path in sorted((dataset / "images").iterdir())
    ]
    profile = system.adapt([ReferencePair(preferred=images[0], rejected=images[1])])
    assert bakes(system, images[0], profile)
    through_lut = bake_and_apply(system, images[0], profile)
    np.testing.assert_allclose(through_lut, system.render([images[0]], profile)[0], atol=0.01)
    assert profile_bytes(system, profile) == sum(array.nbytes for array in profile.values())


def test_the_first_of_several_rounds_is_not_counted():
    calls = []
    assert median_seconds(lambda: calls.append(1), rounds=3) >= 0
    assert len(calls) == 4
