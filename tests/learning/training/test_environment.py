from importlib import metadata

import torch

from learning.training.environment import environment, installed_packages, software_versions
from learning.training.run_folder import open_run, other_setting, read_config, write_config


def test_every_installed_package_is_named_as_pip_reads_it():
    lines = installed_packages()
    assert f"torch=={metadata.version('torch')}" in lines
    assert lines == sorted(lines)


def test_the_machine_and_the_launch_are_told():
    facts = environment()
    assert facts["cores"] >= 1
    assert facts["processes"] == 1
    assert facts["torch_threads"] == torch.get_num_threads()
    assert facts["accelerators"] == [] or "GiB" in facts["accelerators"][0]


def test_they_stand_in_the_run_folder(tmp_path):
    run = {"system": "test", "preset": "tiny", "settings": {"loop": {"steps": 3, "workers": 0}}}
    write_config(tmp_path, run)
    config = read_config(tmp_path)
    assert config["software"] == software_versions()
    assert config["environment"].keys() == environment().keys()


def test_a_resumed_run_may_have_other_workers_and_no_other_steps(tmp_path):
    run = {"system": "test", "preset": "tiny", "settings": {"loop": {"steps": 3, "workers": 0}}}
    write_config(tmp_path, run)
    assert other_setting(tmp_path, {**run, "settings": {"loop": {"steps": 3, "workers": 4}}}) == ""
    other = other_setting(tmp_path, {**run, "settings": {"loop": {"steps": 4, "workers": 0}}})
    assert other == "settings, loop, steps (3 there, 4 now)"


def test_raters_left_out_are_counted_and_named_in_the_log(tmp_path):
    left_out = [f"rater{n}" for n in range(25)]
    dataset = {
        "sha256": "0",
        "raters_left_out": 25,
        "left_out": left_out,
        "training_judgments": 90,
        "unaligned_judgments": 3,
    }
    run = {"system": "test", "preset": "tiny", "backbone": None, "settings": {}, "dataset": dataset}
    open_run(tmp_path / "run", run, resume=False)
    log = (tmp_path / "run/log.txt").read_text()
    assert "raters left out: 25 had too few answers" in log
    assert "rater0, rater1, " in log
    assert "rater19 and 5 more" in log
    assert "answers left out where pixels are compared: 3 of 90, whose two images do not show" in log
