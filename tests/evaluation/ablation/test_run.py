"""An ablation from end to end: small runs of the smallest system, stopped and taken up again."""

import json

import pytest

from evaluation.ablation.__main__ import main
from evaluation.ablation.curves import draw_curves
from evaluation.ablation.page import write_page
from evaluation.ablation.run import Ablation, ablate, cells_of
from evaluation.protocol import EvaluationProtocol
from learning.data.dataset import PreferenceDataset
from tests.learning.factories import make_dataset


class Stop(Exception):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("ablation") / "data"
    return make_dataset(where, n_scenes=4, n_raters=6, n_answers=20, simulated=False)


def small(**changes):
    varied = {
        "raters": (2,),
        "references": (1, 2),
        "protocol": EvaluationProtocol(references=2, evaluations=2, edit_size=32, metric_size=24),
        "steps": 2,
    } | changes
    return Ablation(system="upe", preset="tiny", **varied)


def test_an_ablation_that_was_stopped_goes_on_and_is_drawn(folder, tmp_path):
    dataset, out, told = PreferenceDataset.load(folder), tmp_path / "out", []

    def stop(done, total, stage):
        if len(told) == 2 and "measuring" in stage:
            raise Stop

    with pytest.raises(Stop):
        ablate(dataset, small(), out, stop, told.append)
    assert [line.partition(";")[0] for line in told] == [
        "cell 1 of 2: as it is, 2 training raters, 1 references",
        "cell 2 of 2: as it is, 2 training raters, 2 references",
    ]
    (first,) = (out / "cells").iterdir()
    before = first.read_bytes()
    data = ablate(dataset, small(), out, tell=told.append)
    assert told[2:] == ["cell 2 of 2: as it is, 2 training raters, 2 references"]
    assert first.read_bytes() == before
    cells = data["cells"]
    assert [(cell["raters"], cell["references"]) for cell in cells] == [(2, 1), (2, 2)]
    queries = {json.dumps({k: e["queries_sha256"] for k, e in cell["episodes"].items()}) for cell in cells}
    assert len(queries) == 1
    assert len(list((out / "runs").iterdir())) == 1

    figures = draw_curves(data, out)
    write_page(data, figures, out)
    assert "curve-new-delta_e-references" in {figure.name for figure in figures}
    for figure in figures:
        assert (out / f"{figure.name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (out / f"{figure.name}.svg").read_text()
    page = (out / "index.html").read_text()
    assert "SIMULATED" not in page
    assert page.count("<tr") == 2 * (1 + len(cells))

    with pytest.raises(ValueError, match="holds an ablation with another seed"):
        ablate(dataset, small(seed=1), out)


def test_cells_are_every_switch_with_every_number():
    cells = cells_of(small(raters=(2, 4), switches={"as it is": {}, "gate=false": {"gate": "false"}}))
    assert len(cells) == 8
    assert len({cell.name for cell in cells}) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--raters", "9"], "--raters 9: data has 4 training raters"),
        (["--set", "gatee=1"], "there is no setting 'gatee'"),
        (["--metric-size", "9000"], "metric_size"),
    ],
)
def test_the_command_ends_with_2_and_one_line_for_bad_input(folder, tmp_path, capsys, arguments, message):
    asked = ["--dataset", str(folder), "--system", "upe", "--preset", "tiny", "--out", str(tmp_path / "out")]
    assert main([*asked, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
