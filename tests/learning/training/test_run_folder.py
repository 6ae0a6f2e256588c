import json

import numpy as np
import pytest
import torch
from torch import nn

from learning.training import run_folder as runs
from learning.training.run_folder import RunError

CONFIG = {
    "system": "upe",
    "preset": "tiny",
    "backbone": "tone_statistics",
    "seed": 0,
    "settings": {"seed": 0, "loop": {"steps": 5}},
    "dataset": {"name": "d", "sha256": "abc", "simulated": True},
}


@pytest.fixture
def folder(tmp_path):
    runs.write_config(tmp_path / "run", CONFIG)
    runs.write_weights(tmp_path / "run", nn.Linear(2, 3).state_dict(), system="upe")
    return tmp_path / "run"


def test_a_folder_without_config_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder: it has no config\.json"):
        runs.read_config(tmp_path)


def test_a_config_that_is_not_json_is_named(folder):
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match=r"config\.json is not JSON"):
        runs.read_config(folder)


def test_a_run_of_another_system_is_refused(folder):
    with pytest.raises(RunError, match="is a run of the system 'upe', not of 'exemplar'"):
        runs.read_config(folder, system="exemplar")


def test_weights_of_another_system_are_refused(folder):
    runs.write_weights(folder, nn.Linear(2, 3).state_dict(), system="exemplar")
    with pytest.raises(RunError, match="holds weights of the system 'exemplar', not of 'upe'"):
        runs.read_weights(folder, system="upe")


def test_a_run_of_another_version_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(RunError, match="is of format 99, and this version reads format 1"):
        runs.read_config(folder)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.98])
def test_weights_cut_short_are_refused(folder, part):
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[: int(part * len(content))])
    with pytest.raises(RunError, match=r"weights\.safetensors is cut short or broken"):
        runs.read_weights(folder, system="upe")


def test_missing_weights_say_whether_training_has_ended(folder):
    (folder / "weights.safetensors").unlink()
    with pytest.raises(RunError, match="train the system again"):
        runs.read_weights(folder, system="upe")
    (folder / "checkpoint").mkdir()
    with pytest.raises(RunError, match="go on with --resume"):
        runs.read_weights(folder, system="upe")


def test_weights_that_do_not_fit_are_named(folder):
    tensors = runs.read_weights(folder, system="upe")
    with pytest.raises(RunError, match=r"weight has the shape \(3, 2\), not \(4, 2\)"):
        runs.fill(nn.Linear(2, 4), tensors, folder)
    with pytest.raises(RunError, match="bias is not of this network"):
        runs.fill(nn.Linear(2, 3, bias=False), tensors, folder)


def test_an_error_while_writing_leaves_the_old_file(folder):
    old = (folder / "config.json").read_bytes()

    def write(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"config\.json cannot be written: No space left"):
        runs.replace_file(folder / "config.json", write)
    assert (folder / "config.json").read_bytes() == old
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        "weights.safetensors",
    ]


def test_a_run_is_never_overwritten(folder, tmp_path):
    with pytest.raises(RunError, match="holds a run already; go on with --resume"):
        runs.open_run(folder, CONFIG, resume=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty and holds no run"):
        runs.open_run(tmp_path / "other", CONFIG, resume=True)


def test_only_the_very_same_run_is_resumed(folder):
    runs.open_run(folder, CONFIG, resume=True)
    moved = {**CONFIG, "dataset": {**CONFIG["dataset"], "name": "elsewhere"}}
    runs.open_run(folder, moved, resume=True)
    longer = {**CONFIG, "settings": {"seed": 0, "loop": {"steps": 6}}}
    with pytest.raises(RunError, match=r"another settings, loop, steps \(5 there, 6 now\)"):
        runs.open_run(folder, longer, resume=True)
    other_data = {**CONFIG, "dataset": {**CONFIG["dataset"], "sha256": "def"}}
    with pytest.raises(RunError, match="its dataset had the sha256 abc, this one has def"):
        runs.open_run(folder, other_data, resume=True)


def test_a_raters_profile_comes_back_as_it_was(folder):
    profile = {"embedding": np.arange(5, dtype=np.float32)}
    runs.write_profile(folder, "4f0c", profile, system="upe")
    np.testing.assert_array_equal(
        runs.read_profile(folder, "4f0c", system="upe")["embedding"], profile["embedding"]
    )
    with pytest.raises(RunError, match=r"knows no rater 'abcd'; read them with learning\.adapt"):
        runs.read_profile(folder, "abcd", system="upe")


@pytest.mark.parametrize("rater", ["../../etc/passwd", "", ".hidden", "a/b"])
def test_a_raters_id_cannot_leave_the_folder(folder, rater):
    with pytest.raises(RunError, match="cannot be a file's name"):
        runs.write_profile(folder, rater, {"embedding": np.zeros(2, np.float32)}, system="upe")


def test_config_says_which_software_it_was(folder):
    assert runs.read_config(folder)["software"]["torch"] == torch.__version__.partition("+")[0]
