import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import torch

from learning.training import processes
from learning.training.processes import LaunchError, Processes, launched, own_device, share_means
from learning.training.run_folder import log, read_weights


@pytest.mark.slow
def test_two_processes_see_other_data_and_have_the_same_weights(tmp_path):
    """By `accelerate launch` as documented, on two CPU processes that speak through gloo."""
    pytest.importorskip("accelerate")
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--main_process_port", "0", "-m", "tests.learning.training.launched", str(tmp_path)]
    on_cpu = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(launch, capture_output=True, text=True, env=on_cpu)
    assert done.returncode == 0, done.stderr
    told = [json.loads((tmp_path / f"seen-{rank}.json").read_text()) for rank in (0, 1)]
    assert [one["seen"] for one in told] == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]
    assert told[0]["weights"] == told[1]["weights"]
    stored = read_weights(tmp_path / "run", system="test")
    assert {name: value.flatten().tolist() for name, value in stored.items()} == told[0]["weights"]
    written = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert written == ["config.json", "curves.parquet", "log.txt", "weights.safetensors"]
    assert (tmp_path / "run/log.txt").read_text().count("done after 6 steps") == 1
    assert pq.read_table(tmp_path / "run/curves.parquet")["step"].to_pylist() == [2, 4, 6]
    assert json.loads((tmp_path / "run/config.json").read_text())["environment"]["processes"] == 2


def test_without_a_launcher_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert launched() == Processes(rank=0, count=1)
    assert own_device() is None
    losses = {"loss": torch.tensor(2.0)}
    assert share_means([], losses) == losses


def test_without_accelerate_many_processes_say_what_is_missing(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(LaunchError, match="needs Accelerate: pip install"):
        own_device()


def test_only_the_first_process_writes(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "launched", lambda: Processes(rank=1, count=2))
    log(tmp_path, "nothing")
    assert not (tmp_path / "log.txt").exists()
