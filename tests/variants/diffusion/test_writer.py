import numpy as np
import pytest

from tests.variants import pictures
from tests.variants.diffusion.tiny_models import WORDS
from variants.diffusion.machine import DiffusionError, Machine
from variants.diffusion.writer import load_writer
from variants.sources.generated import Writing
from variants.tone.images import from_8_bit

CPU = Machine(device="cpu")
PHOTO = from_8_bit(pictures.levels(60, 90))


def ask(model, seed=0):
    return Writing(model=model, question="describe the light of this photo", seed=seed)


@pytest.fixture(scope="module")
def writer(tiny):
    return load_writer(ask(tiny("llava")), CPU)


def test_it_looks_at_the_photo_and_writes_one_line(tiny, writer):
    """The model's words are the tokenizer's, so that even random weights write with them."""
    text = writer.write(PHOTO, ask(tiny("llava")))
    assert set(text.split()) <= set(WORDS)
    assert len(text) <= 300
    noise = np.random.default_rng(0).random(PHOTO.shape).astype(np.float32)
    assert writer.answer(noise, "describe the light", 0) != writer.answer(PHOTO, "describe the light", 0)


def test_the_seed_decides_and_no_other_randomness(tiny, writer):
    import torch

    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    first = writer.answer(PHOTO, "describe the light", 1)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(7)
    assert writer.answer(PHOTO, "describe the light", 1) == first
    assert len({writer.answer(PHOTO, "describe the light", seed) for seed in range(6)}) > 1


def test_an_answer_without_words_is_an_error(tiny, writer, monkeypatch):
    monkeypatch.setattr(type(writer), "answer", lambda *_: " ... ")
    with pytest.raises(DiffusionError, match="the model wrote no instruction: its answer was"):
        writer.write(PHOTO, ask(tiny("llava")))


def test_a_model_that_does_not_look_at_pictures_is_refused(tiny, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(DiffusionError, match="cannot be loaded: "):
        load_writer(ask(str(tmp_path)), CPU)
    with pytest.raises(DiffusionError, match=r"kontext holds no config.json"):
        load_writer(ask(tiny("kontext")), CPU)
