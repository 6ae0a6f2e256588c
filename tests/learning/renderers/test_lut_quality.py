import numpy as np
import pytest

from learning.renderers.lut_quality import quality
from variants.tone.luts import identity

PHOTO = np.random.default_rng(0).uniform(0.1, 0.9, (20, 30, 3))


def test_the_table_that_changes_nothing_is_faultless():
    found = quality(identity(17).table, PHOTO)
    assert (found.fall, found.clipped, found.broken()) == (pytest.approx(0, abs=1e-6), 0, [])
    assert found.grows == pytest.approx(1, abs=1e-3)
    assert found.hue == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (lambda t: 1 - t, "fall"),
        (lambda t: np.clip((t - 0.5) * 12 + 0.5, 0, 1), "clipped"),
        (lambda t: (t > 0.5).astype(np.float32), "step"),
        (lambda t: t[..., [1, 2, 0]], "hue"),
    ],
)
def test_each_fault_is_found_by_its_name(edit, name):
    assert name in quality(edit(identity(17).table), PHOTO).broken()


def test_a_cast_is_no_hue_shift():
    warm = np.clip(identity(17).table + np.array([0.02, 0, -0.02], np.float32), 0, 1)
    assert "hue" not in quality(warm, PHOTO).broken()
