"""A run trained once for all tests that only use one."""

import pytest

from learning import train
from tests.learning.factories import make_dataset


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A dataset folder and the folder of a run on it."""
    dataset = make_dataset(tmp_path_factory.mktemp("trained") / "dataset")
    run = dataset.parent / "run"
    asked = ["--system", "upe", "--preset", "tiny", "--steps", "3", "--quiet"]
    assert train.main(["--dataset", str(dataset), "--out", str(run), *asked]) == 0
    return dataset, run
