import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from collection.design.protocol import Protocol
from collection.export.check import check_folder
from collection.export.folder import dataset_sha256
from evaluation.simulation.dataset import MIN_DELTA_E, SimulatedStudy, write_simulated_dataset, write_study
from evaluation.simulation.raters import CROWDS, Crowd, SimulatedRater
from tests.evaluation.conftest import colourful_photos


def rows(folder, table):
    return pq.read_table(folder / f"{table}.parquet").to_pylist()


def test_the_folder_has_no_faults(simulated_folder):
    assert check_folder(simulated_folder) == []


def test_it_says_simulated_everywhere(simulated_folder, simulated):
    assert simulated.is_simulated
    assert all(row["simulated"] for row in rows(simulated_folder, "raters"))
    assert "SIMULATED" in (simulated_folder / "README.md").read_text()
    assert json.loads((simulated_folder / "protocol.json").read_text())["simulated"] is True


def test_raters_and_scenes_are_held_out(simulated):
    assert len(simulated.validation_raters()) in (4, 5)
    assert len(simulated.validation_scenes()) == 2
    assert all(simulated.neutral_image_of(scene) for scene in simulated.scenes)


def test_checks_mirror_an_earlier_judgment(simulated_folder):
    judgments = {row["judgment_id"]: row for row in rows(simulated_folder, "judgments")}
    checks = [row for row in judgments.values() if row["is_check"]]
    assert len(checks) == 24 * 6
    for check in checks:
        first = judgments[check["repeats_judgment"]]
        assert (check["left_image"], check["right_image"]) == (first["right_image"], first["left_image"])


def test_ties_are_in_the_folder_where_the_protocol_allows_them(tmp_path):
    protocol = Protocol(
        phases=("main",), n_main=20, n_checks=4, min_delta_e=MIN_DELTA_E, long_side=64, allow_tie=True
    )
    write_study(tmp_path / "study", colourful_photos(3), SimulatedStudy(n_raters=6, protocol=protocol))
    assert check_folder(tmp_path / "study") == []
    ties = [row for row in rows(tmp_path / "study", "judgments") if row["chosen_side"] == "tie"]
    assert ties
    assert all(row["preferred_image"] is row["rejected_image"] is None for row in ties)


def test_clear_raters_agree_with_themselves_and_pass(simulated_folder):
    raters = rows(simulated_folder, "raters")
    assert np.mean([row["consistency"] for row in raters]) > 0.85
    assert np.mean([row["valid"] for row in raters]) > 0.85


def test_every_taste_can_be_read_back(simulated_folder):
    for row in rows(simulated_folder, "raters"):
        SimulatedRater.from_json(json.loads(row["simulation"])).ideal_recipe("any kind")


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_simulated_dataset(
            tmp_path / name, colourful_photos(3), n_raters=3, n_main=10, n_checks=2, long_side=64
        )
    assert dataset_sha256(tmp_path / "one") == dataset_sha256(tmp_path / "two")


def test_another_seed_writes_another_dataset(tmp_path):
    for seed in (0, 1):
        write_simulated_dataset(
            tmp_path / str(seed),
            colourful_photos(3),
            n_raters=3,
            n_main=10,
            n_checks=2,
            long_side=64,
            seed=seed,
        )
    assert dataset_sha256(tmp_path / "0") != dataset_sha256(tmp_path / "1")


def test_careless_raters_are_caught_more_often_than_honest_ones(tmp_path):
    write_simulated_dataset(
        tmp_path / "study",
        colourful_photos(),
        n_raters=24,
        n_main=30,
        long_side=64,
        crowd=Crowd(careless=0.5),
    )
    found = [
        (json.loads(row["simulation"])["kind"], row["valid"]) for row in rows(tmp_path / "study", "raters")
    ]
    honest = [valid for kind, valid in found if kind == "attentive"]
    careless = [valid for kind, valid in found if kind not in ("attentive", "sleepy")]
    assert np.mean(honest) > 0.85
    assert np.mean(careless) < 0.25


def test_realistic_raters_agree_with_themselves_as_people_do(tmp_path):
    write_simulated_dataset(
        tmp_path / "study",
        colourful_photos(),
        n_raters=16,
        n_main=40,
        long_side=64,
        crowd=CROWDS["realistic"],
    )
    consistency = np.mean([row["consistency"] for row in rows(tmp_path / "study", "raters")])
    assert 0.75 < consistency < 0.97


def test_nothing_is_left_behind_when_there_are_no_photos(tmp_path):
    with pytest.raises(ValueError, match="no photos"):
        write_simulated_dataset(tmp_path / "study", [])
    assert list(tmp_path.iterdir()) == []


def test_photos_too_alike_are_an_error_that_says_so(tmp_path):
    black = [dataclasses.replace(photo, pixels=np.zeros_like(photo.pixels)) for photo in colourful_photos(2)]
    with pytest.raises(ValueError, match="no two renditions differ"):
        write_simulated_dataset(tmp_path / "study", black, n_raters=2, long_side=64)
