import numpy as np
import pytest
import torch

from learning.renderers.random_looks import LookConfig, RandomLooks
from variants.tone.luts import Lut3D
from variants.tone.luts import apply as apply_lut


def draw(n=8, seed=0, config=None, **settings):
    return RandomLooks.draw(n, np.random.default_rng(seed), config or LookConfig(), **settings)


def images(n=8):
    return torch.rand((n, 3, 6, 5), generator=torch.Generator().manual_seed(3))


def test_strength_0_is_the_identity():
    torch.testing.assert_close(draw(strength=0.0).apply(images()), images(), atol=1e-6, rtol=0)


def test_the_seed_says_which_looks():
    assert torch.equal(draw(seed=5).apply(images()), draw(seed=5).apply(images()))
    assert not torch.equal(draw(seed=5).apply(images()), draw(seed=6).apply(images()))


def test_curves_rise_and_stay_inside():
    curves = draw(64).curves
    assert (curves.diff(dim=2) > 0).all()
    assert curves.min() >= 0
    assert curves.max() <= 1 + 1e-6


def test_looks_differ_and_stay_inside():
    looked = draw().apply(images(1).repeat(8, 1, 1, 1))
    assert looked.min() >= 0
    assert looked.max() <= 1
    changes = (looked - images(1)).abs().mean(dim=(1, 2, 3))
    assert changes.min() > 0.01
    assert changes.max() < 0.4


def test_without_tints_and_gains_greys_stay_grey():
    config = LookConfig(channel_curve=0, balance=0, toning=0)
    greys = torch.linspace(0, 1, 30).view(1, 1, 5, 6).repeat(8, 3, 1, 1)
    looked = draw(config=config).apply(greys)
    torch.testing.assert_close(looked, looked.mean(1, keepdim=True).expand_as(looked), atol=1e-5, rtol=0)


def test_a_look_as_a_lut_is_the_look():
    looks = draw(2)
    table = looks.tables(33)[1].numpy()
    image = 0.1 + 0.8 * images(2)
    from_lut = apply_lut(image[1].permute(1, 2, 0).numpy(), Lut3D(table=table))
    assert np.abs(from_lut - looks.apply(image)[1].permute(1, 2, 0).numpy()).mean() < 0.004


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength is"):
        draw(strength=strength)


def test_a_lift_that_could_turn_black_and_white_is_refused():
    with pytest.raises(ValueError, match=r"from 0 to 0\.4"):
        LookConfig(lift=0.6)
