"""The commands that work without the site: python -m learning.train, adapt, render, fetch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from learning import adapt, fetch, render, train
from learning.data.feature_cache import cache_folder
from tests.learning.factories import edit_table, image_id, make_dataset
from variants.tone.cube import read_cube
from variants.tone.luts import apply as apply_lut

TRAIN = ["--system", "upe", "--preset", "tiny", "--steps", "3", "--quiet"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "dataset")


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert train.main(["--dataset", str(dataset), "--out", str(folder), *TRAIN]) == 0
    return folder


@pytest.fixture
def photo(dataset):
    return str(dataset / f"images/{image_id(3, 2)}.png")


def test_train_prints_one_json_object_as_its_last_line(dataset, tmp_path, capsys):
    out = tmp_path / "run"
    assert train.main(["--dataset", str(dataset), "--out", str(out), *TRAIN, "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {
        "run": str(out),
        "system": "upe",
        "preset": "tiny",
        "backbone": "tone_statistics",
        "simulated": True,
        "was_finished": False,
    }
    assert (out / "weights.safetensors").is_file()


def test_train_takes_the_settings_of_the_loop(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("TONALIST_CACHE", "to be put back")
    out, cache = tmp_path / "run", tmp_path / "cache"
    asked = [
        "--precision",
        "bf16",
        "--accumulate",
        "2",
        "--ema",
        "0.5",
        "--tensorboard",
        "--cache",
        str(cache),
    ]
    assert train.main(["--dataset", str(dataset), "--out", str(out), *TRAIN, *asked]) == 0
    config = json.loads((out / "config.json").read_text())
    loop = config["settings"]["loop"]
    assert [loop[name] for name in ("precision", "accumulate", "ema", "tensorboard")] == [
        "bf16",
        2,
        0.5,
        True,
    ]
    assert len(list((out / "tensorboard").iterdir())) == 1
    assert cache_folder() == cache
    assert any(line.startswith("torch==") for line in config["environment"]["packages"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--ema", "1"], "ema is 1.0; it must be from 0"),
        (["--precision", "fp8"], "invalid choice: 'fp8'"),
        (["--workers", "-1"], "-1 is not a whole number from 0"),
    ],
)
def test_impossible_settings_of_the_loop_are_bad_input(dataset, tmp_path, capsys, asked, message):
    try:
        code = train.main(["--dataset", str(dataset), "--out", str(tmp_path / "run"), *TRAIN, *asked])
    except SystemExit as stopped:  # argparse
        code = stopped.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_train_says_that_raters_are_simulated(dataset, tmp_path, capsys):
    assert train.main(["--dataset", str(dataset), "--out", str(tmp_path / "run"), *TRAIN]) == 0
    assert "SIMULATED" in capsys.readouterr().out


def test_a_run_is_not_trained_over(dataset, run, capsys):
    assert train.main(["--dataset", str(dataset), "--out", str(run), *TRAIN]) == 2
    assert "go on with --resume" in capsys.readouterr().err


def test_a_finished_run_says_that_there_is_nothing_to_do(dataset, run, capsys):
    asked = ["--dataset", str(dataset), "--system", "upe", "--preset", "tiny", "--out", str(run), "--resume"]
    config = json.loads((run / "config.json").read_text())
    steps = config["settings"]["loop"]["steps"]
    assert train.main([*asked, "--steps", str(steps), "--quiet"]) == 0
    assert "nothing to do, it was trained already" in capsys.readouterr().out
    assert train.main([*asked, "--steps", str(steps + 5), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "is finished and cannot be trained on" in said
    assert f"loop, steps ({steps} there, {steps + 5} now)" in said


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: (d / f"images/{image_id(0, 1)}.png").unlink(), f"{image_id(0, 1)}.png is missing"),
        (
            lambda d: edit_table(d, "raters", lambda t: t.drop_columns("valid")),
            "raters.parquet has no column valid",
        ),
    ],
)
def test_a_bad_dataset_is_named_and_no_run_folder_stays(tmp_path, capsys, spoil, message):
    dataset = make_dataset(tmp_path / "dataset")
    spoil(dataset)
    assert train.main(["--dataset", str(dataset), "--out", str(tmp_path / "run"), *TRAIN]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--backbone", "dinov3"], "there is no backbone 'dinov3'"),
        (["--preset", "huge"], "upe has no preset 'huge'; it has: tiny"),
        (["--backbone", "dinov2_small=/nowhere"], "python -m learning.fetch dinov2_small"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_bad_settings_are_named_and_no_run_folder_stays(dataset, tmp_path, capsys, more, message):
    assert train.main(["--dataset", str(dataset), "--out", str(tmp_path / "run"), *TRAIN, *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_system_that_is_not_there_is_wrong_use(dataset, tmp_path):
    with pytest.raises(SystemExit) as error:
        train.main(
            ["--dataset", str(dataset), "--out", str(tmp_path), "--system", "oracle", "--preset", "tiny"]
        )
    assert error.value.code == 2


def test_adapt_keeps_a_profile_that_render_finds(dataset, run, photo, tmp_path, capsys):
    arguments = ["--run", str(run), "--rater", "rater0", "--quiet"]
    assert adapt.main([*arguments, "--dataset", str(dataset), "--references", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["references"] == 5
    assert (run / "raters/rater0.safetensors").is_file()
    out = tmp_path / "out.png"
    assert render.main([*arguments, photo, str(out)]) == 0
    with Image.open(out) as rendered, Image.open(photo) as original:
        assert rendered.size == original.size


def test_strength_zero_gives_the_photo_back(dataset, run, photo, tmp_path):
    out = tmp_path / "out.png"
    arguments = ["--run", str(run), "--dataset", str(dataset), "--rater", "rater1", "--quiet"]
    assert render.main([*arguments, "--strength", "0", photo, str(out)]) == 0
    with Image.open(out) as rendered, Image.open(photo) as original:
        np.testing.assert_array_equal(np.asarray(rendered), np.asarray(original))


def test_the_cube_file_holds_the_edit(dataset, run, photo, tmp_path):
    out, cube = tmp_path / "out.png", tmp_path / "look.cube"
    arguments = ["--run", str(run), "--dataset", str(dataset), "--rater", "rater1", "--quiet"]
    assert render.main([*arguments, "--cube", str(cube), photo, str(out)]) == 0
    with Image.open(out) as rendered, Image.open(photo) as original:
        by_lut = apply_lut(np.asarray(original, np.float32) / 255, read_cube(cube))
        np.testing.assert_allclose(by_lut, np.asarray(rendered) / 255, atol=2 / 255)


def test_fetch_without_network_says_how_to_get_the_metrics_weights(monkeypatch, tmp_path, capsys):
    def download(self, **options):
        raise OSError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torchvision.models.AlexNet_Weights.get_state_dict", download)
    assert fetch.main(["lpips_alex"]) == 2
    told = capsys.readouterr().err
    assert "alexnet-owt" in told
    assert str(tmp_path / "hub/checkpoints") in told
    assert fetch.main(["lpips_alex", "--into", str(tmp_path)]) == 2
    assert "set TORCH_HOME instead of --into" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rater", "nobody"], "has no rater 'nobody'"),
        (["--strength", "3"], "--strength is 3; it must be from 0 to 1.5"),
        (["--run", "/nowhere"], "/nowhere is not a run folder"),
    ],
)
def test_render_names_what_is_wrong(dataset, run, photo, tmp_path, capsys, more, message):
    arguments = ["--run", str(run), "--dataset", str(dataset), "--rater", "rater1", "--quiet", *more]
    assert render.main([*arguments, photo, str(tmp_path / "out.png")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_render_refuses_what_it_cannot_read_or_write(dataset, run, photo, tmp_path, capsys):
    arguments = ["--run", str(run), "--dataset", str(dataset), "--rater", "rater1", "--quiet"]
    assert render.main([*arguments, photo, str(tmp_path / "out.gif")]) == 2
    assert "OUT must be one of .png, .webp" in capsys.readouterr().err
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not an image")
    assert render.main([*arguments, str(broken), str(tmp_path / "out.png")]) == 2
    assert "broken.png" in capsys.readouterr().err


def test_a_rater_not_yet_read_is_said(run, photo, tmp_path, capsys):
    arguments = ["--run", str(run), "--rater", "rater5", photo, str(tmp_path / "out.png")]
    assert render.main(arguments) == 2
    assert "read them with learning.adapt, or name the --dataset" in capsys.readouterr().err


def test_fetch_takes_the_weights_and_nothing_else(monkeypatch, tmp_path, capsys):
    asked = {}

    def download(name, **options):
        asked.update(options, name=name)
        return str(tmp_path)

    monkeypatch.setattr(fetch, "snapshot_download", download)
    assert fetch.main(["dinov2_base_reg", "--json"]) == 0
    assert asked["name"] == "facebook/dinov2-with-registers-base"
    assert all("safetensors" in pattern or pattern == "config.json" for pattern in asked["allow_patterns"])
    assert json.loads(capsys.readouterr().out)["path"] == str(tmp_path)


def test_fetch_without_network_says_what_can_be_done(monkeypatch, capsys):
    def download(name, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr(fetch, "snapshot_download", download)
    assert fetch.main(["dinov2_small"]) == 2
    told = capsys.readouterr().err
    assert "--backbone dinov2_small=FOLDER" in told
    assert "tone_statistics" in told


def test_the_commands_load_no_django_and_explain_themselves():
    code = (
        "import sys\n"
        "from learning import adapt, fetch, render, train\n"
        "for command in (adapt, fetch, render, train):\n"
        "    try: command.main(['--help'])\n"
        "    except SystemExit: pass\n"
        "print('django' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    for command in ("adapt", "fetch", "render", "train"):
        assert f"example\n  python -m learning.{command}" in done.stdout
