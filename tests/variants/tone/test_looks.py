import numpy as np
import pytest

from variants.tone import luts
from variants.tone.color import luminance, srgb_to_lab
from variants.tone.difference import ciede2000
from variants.tone.looks import LOOKS, Look, apply_look, look_lut

NAMES = list(LOOKS)


def ramp(n=256):
    return np.linspace(0, 1, n)[:, None].repeat(3, 1)


def test_a_look_without_settings_is_the_identity(rng):
    image = rng.random((500, 3))
    np.testing.assert_allclose(apply_look(image, Look()), image, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_mixing_keeps_greys(name):
    np.testing.assert_allclose(np.sum(LOOKS[name].mixing, axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_greys_grow_brighter_without_steps(name):
    """Neither turning back nor banding: luminance rises, no step is over 2.5 of 255 of the 1 that goes in."""
    result = apply_look(ramp(), LOOKS[name])
    assert (np.diff(luminance(result)[:, 0]) > -1e-6).all()
    assert np.abs(np.diff(result, axis=0)).max() < 2.5 / 255


@pytest.mark.parametrize("name", NAMES)
def test_the_table_is_near_the_look_itself(name, rng):
    image = rng.random((4000, 3))
    found = srgb_to_lab(luts.apply(image, look_lut(name)))
    difference = ciede2000(found, srgb_to_lab(apply_look(image, LOOKS[name])))
    assert difference.mean() < 0.3


@pytest.mark.parametrize("name", NAMES)
def test_a_look_can_be_seen_and_is_no_accident(name, rng):
    image = rng.uniform(0.1, 0.9, (2000, 3))
    if name != "mono_warm":  # takes all colour away
        image = image.mean(1, keepdims=True) * 0.7 + image * 0.3
    difference = ciede2000(srgb_to_lab(apply_look(image, LOOKS[name])), srgb_to_lab(image))
    assert 1.5 < difference.mean() < 30


def test_looks_differ_from_each_other(rng):
    image = rng.uniform(0.1, 0.9, (1000, 3)) * 0.4 + 0.3
    results = [srgb_to_lab(apply_look(image, look)) for look in LOOKS.values()]
    for i, one in enumerate(results):
        for other in results[:i]:
            assert ciede2000(one, other).mean() > 1.5
