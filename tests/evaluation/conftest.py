"""One small simulated dataset for all tests of evaluation."""

import numpy as np
import pytest

from evaluation.simulation.dataset import ScenePhoto, write_simulated_dataset
from evaluation.simulation.photos import package_photos
from learning.data.dataset import PreferenceDataset


def colourful_photos(n=6, size=(32, 48)):
    """Soft gradients of many colours, each photo another."""
    photos = []
    for number in range(n):
        rng = np.random.default_rng(number)
        y, x = np.mgrid[0 : size[0], 0 : size[1]] / 12
        phase, speed = rng.uniform(0, 6, 3), rng.uniform(0.5, 2, (2, 3))
        waves = np.sin(x[..., None] * speed[0] + y[..., None] * speed[1] + phase)
        pixels = (0.5 + 0.35 * waves).astype(np.float32)
        photos.append(ScenePhoto(name=f"photo {number}", pixels=pixels, category=f"kind {number % 2}"))
    return photos


@pytest.fixture(scope="session")
def simulated_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "study"
    write_simulated_dataset(folder, package_photos(64), n_raters=24, n_main=60, n_checks=6, long_side=64)
    return folder


@pytest.fixture
def simulated(simulated_folder):
    return PreferenceDataset.load(simulated_folder)
