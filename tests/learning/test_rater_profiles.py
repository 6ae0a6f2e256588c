import dataclasses
import json
import shutil

import pytest

from learning import adapt, cli
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.rater_profiles import adapted, keep_profile, raters_to_read
from learning.systems import user_decoder
from learning.systems.interface import ReferencePair
from learning.systems.load import load_run
from tests.learning.factories import image_id, make_dataset
from tests.learning.systems.test_user_decoder import SMALL
from variants.progress import silent


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """A dataset folder and the folder of a run of a system that trains for each rater."""
    folder = make_dataset(tmp_path_factory.mktemp("decoder") / "dataset")
    config = dataclasses.replace(SMALL, loop=dataclasses.replace(SMALL.loop, steps=12))
    user_decoder.fit(PreferenceDataset.load(folder), config, folder.parent / "run", silent)
    return folder, folder.parent / "run"


@pytest.fixture
def run(decoder, tmp_path):
    shutil.copytree(decoder[1], tmp_path / "run")
    return tmp_path / "run"


def heads(run):
    return {path.stem: path.stat().st_mtime_ns for path in (run / "raters").iterdir()}


def all_raters(decoder, run, *more):
    return adapt.main(["--run", str(run), "--dataset", str(decoder[0]), "--rater", "all", "--quiet", *more])


def test_all_raters_without_a_head_get_one(decoder, run, capsys):
    before = heads(run)
    assert sorted(before) == ["rater2", "rater3", "rater4", "rater5"]
    assert all_raters(decoder, run, "--references", "4", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"read": ["rater0", "rater1"], "had_profile": 4, "left_out": [], "references": 4}
    assert heads(run).items() > before.items()
    assert all_raters(decoder, run, "--references", "4") == 0
    assert "read 0 raters" in capsys.readouterr().out


def test_a_command_that_was_stopped_goes_on_where_it_was(decoder, run, monkeypatch, capsys):
    def stop_at_the_second(*args, **options):
        if (run / "raters/rater0.safetensors").exists():
            raise KeyboardInterrupt
        return keep_profile(*args, **options)

    monkeypatch.setattr(adapt, "keep_profile", stop_at_the_second)
    assert all_raters(decoder, run, "--references", "4") == cli.FAILED
    monkeypatch.undo()
    before = heads(run)
    assert all_raters(decoder, run, "--references", "4", "--json") == 0
    assert json.loads(capsys.readouterr().out)["read"] == ["rater1"]
    assert heads(run)["rater0"] == before["rater0"]


def test_again_reads_them_anew(decoder, run, capsys):
    before = heads(run)
    assert all_raters(decoder, run, "--references", "4", "--again", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["read"]) == 6
    assert all(heads(run)[rater] > before[rater] for rater in before)


def test_raters_with_fewer_answers_are_named(decoder, run, capsys):
    assert all_raters(decoder, run, "--references", "13") == cli.BAD_INPUT
    assert "none of the 6 valid raters has 13 answers" in capsys.readouterr().err
    dataset = PreferenceDataset.load(decoder[0])
    with pytest.raises(DatasetError, match="none of the 2 validation raters has 13 answers"):
        raters_to_read(dataset, references=13, only_validation=True)
    raters = raters_to_read(dataset, references=12)
    assert (sorted(raters.ready), raters.too_few) == ([f"rater{n}" for n in range(6)], [])


def test_one_reference_is_enough_and_told_step_by_step(decoder, run):
    system, dataset, told = load_run(run), PreferenceDataset.load(decoder[0]), []
    path, n = keep_profile(
        run, system, dataset, "rater0", references=1, report=lambda *progress: told.append(progress)
    )
    assert (path.name, n) == ("rater0.safetensors", 1)
    assert [done for done, _, _ in told] == [1, 2, 3, 4, 5]


def test_a_system_without_steps_is_told_as_one(trained):
    dataset, run = trained
    dataset, told = PreferenceDataset.load(dataset), []
    pair = ReferencePair(
        preferred=dataset.image(image_id(0, 1), 64), rejected=dataset.image(image_id(0, 2), 64)
    )
    adapted(load_run(run), [pair], lambda *progress: told.append(progress[:2]))
    assert told == [(0, 1), (1, 1)]


def test_a_rater_none_of_whose_pairs_are_aligned_is_refused(decoder, run):
    dataset = PreferenceDataset.load(decoder[0])
    for number, image in enumerate(list(dataset.images.values())):
        dataset.images[image.id] = dataclasses.replace(image, width=image.width + number)
    with pytest.raises(ValueError, match="the two images of none of their 4 pairs have one size"):
        keep_profile(run, load_run(run), dataset, "rater0", references=4)
