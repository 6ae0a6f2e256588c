import numpy as np
import pytest

from tests.variants import pictures
from variants.diffusion.classifier import load_classifier
from variants.diffusion.machine import DiffusionError, Machine
from variants.tone.images import from_8_bit

CPU = Machine(device="cpu")
PHOTO = from_8_bit(pictures.levels(60, 90))
CATEGORIES = ["people", "food", "landscape"]


@pytest.fixture(scope="module")
def classifier(tiny):
    return load_classifier(tiny("clip"), "", CPU)


def test_shares_are_the_models_own(tiny, classifier):
    """As transformers' pipeline for the task finds them, from the same folder."""
    from PIL import Image
    from transformers import pipeline

    from variants.tone.images import to_8_bit

    shares = classifier.shares(PHOTO, CATEGORIES)
    assert sum(shares) == pytest.approx(1)
    peer = pipeline("zero-shot-image-classification", model=tiny("clip"), device="cpu")
    found = peer(
        Image.fromarray(to_8_bit(PHOTO)), candidate_labels=CATEGORIES, hypothesis_template="a photo of {}"
    )
    expected = {each["label"]: each["score"] for each in found}
    assert shares == pytest.approx([expected[name] for name in CATEGORIES], abs=1e-4)


def test_the_order_of_categories_decides_nothing(classifier):
    shares = dict(zip(CATEGORIES, classifier.shares(PHOTO, CATEGORIES), strict=True))
    turned = dict(zip(CATEGORIES[::-1], classifier.shares(PHOTO, CATEGORIES[::-1]), strict=True))
    assert shares == pytest.approx(turned, abs=1e-6)
    noise = np.random.default_rng(0).random(PHOTO.shape).astype(np.float32)
    assert classifier.shares(noise, CATEGORIES) != pytest.approx(list(shares.values()), abs=1e-6)


def test_a_model_of_another_kind_is_refused(tiny, tmp_path):
    with pytest.raises(DiffusionError, match="cannot be loaded"):
        load_classifier(tiny("llava"), "", CPU)
    with pytest.raises(DiffusionError, match="does not exist; check the path"):
        load_classifier(str(tmp_path / "nothing"), "", CPU)
