import numpy as np
import pytest
import torch

from variants.tone.statistics import IMAGE_SIZE, N_STATISTICS, _triangles, tone_statistics, tone_zones

# fmt: off
RECORDED = [
    0.30782, 0.42178, 0.53666, 0.66805, 0.79322, 0.85295, 0.90579, 0.43892, 0.61831, 0.81351, 1.01317,
    0.03165, -0.34589, 0.42537, 0.10132, -0.05888, 0.62446, -0.09027, 0.25739, 0.58805, 0.65418, 0.16272,
    0.03259, 0.50606, 0.03830, 0.43308, 0.62053, 0.24725, 0.06777, 0.04643, 0.04935, 0.05792, 0.12787,
    -0.24224, 0.52041, 0.35452, 0.51470, 0.28407, 0.49400, 0.22292, 0.51442, 0.21367, 0.53139, 0.22045,
]
# fmt: on
"""Of `waves()`, by version 1 in torch, which brought pictures to size by torch's interpolation."""


def waves():
    y, x = np.mgrid[0:90, 0:70]
    red, green = 0.5 + 0.5 * np.sin(x / 9 + y / 23), 0.5 + 0.4 * np.cos(x / 17 - y / 11)
    return np.stack([red, green, (x + 2 * y) / 250], -1)[None]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_and_torch_give_the_recorded_numbers(dtype):
    image = waves().astype(dtype)
    by_numpy = tone_statistics(image)
    by_torch = tone_statistics(torch.from_numpy(image))
    assert by_numpy.dtype == dtype
    assert by_numpy.shape == (1, N_STATISTICS)
    np.testing.assert_allclose(by_numpy[0], RECORDED, atol=1e-5)
    np.testing.assert_allclose(by_torch.numpy(), by_numpy, atol=2e-6)


@pytest.mark.parametrize("side", [40, 65, 107, 512])
def test_pictures_come_to_size_as_by_torchs_antialiased_filter(side):
    row = np.random.default_rng(side).random((1, 1, 1, side)).astype(np.float32)
    by_torch = torch.nn.functional.interpolate(
        torch.from_numpy(row), (1, IMAGE_SIZE), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(_triangles(side) @ row.ravel(), by_torch.numpy().ravel(), atol=1e-5)


def test_the_tone_zones_share_out_every_pixel():
    zones = tone_zones(np.linspace(0, 1, 101)[None])
    np.testing.assert_allclose(sum(zones), 1)
    assert all((zone >= 0).all() for zone in zones)


def test_gradients_come_through():
    image = torch.from_numpy(waves()[:, :66, :66]).requires_grad_()
    tone_statistics(image).sum().backward()
    assert torch.isfinite(image.grad).all()
    assert image.grad.abs().max() > 0
