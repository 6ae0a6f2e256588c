import numpy as np
import pytest
import torch

from learning.renderers.matting import MattingEnergy, affine_filter, matting_laplacian

SIZE = (11, 13)


def photo(seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (*SIZE, 3)).astype(np.float32)


def smooth():
    y, x = np.meshgrid(np.linspace(0, 1, SIZE[0]), np.linspace(0, 1, SIZE[1]), indexing="ij")
    return np.stack([x, y, 0.5 + 0.4 * np.sin(5 * x * y)], axis=-1).astype(np.float32)


def affine(image):
    matrix = np.array([[0.6, 0.2, 0.1], [0.0, 0.7, 0.2], [0.1, 0.0, 0.5]])
    return (image @ matrix.T + [0.05, 0.1, 0.15]).astype(np.float32)


def as_tensor(image, dtype=torch.float64):
    return torch.tensor(image, dtype=dtype).permute(2, 0, 1)[None]


def test_it_is_symmetric_its_rows_sum_to_0_and_no_energy_is_negative():
    dense = matting_laplacian(photo()).toarray()
    assert dense.shape == (143, 143)
    np.testing.assert_allclose(dense, dense.T, atol=1e-9)
    np.testing.assert_allclose(dense.sum(axis=1), 0, atol=1e-8)
    assert np.linalg.eigvalsh(dense).min() > -1e-8


def test_an_entry_by_hand():
    """One window of 3 × 3: M = 1 - (1 + X (XᵀX/9 + ε/9)⁻¹ Xᵀ) / 9."""
    image = photo()[:3, :3]
    x = image.reshape(9, 3).astype(float)
    x = x - x.mean(0)
    wanted = np.eye(9) - (1 + x @ np.linalg.inv(x.T @ x / 9 + 1e-7 / 9 * np.eye(3)) @ x.T) / 9
    np.testing.assert_allclose(matting_laplacian(image).toarray(), wanted, atol=1e-9)


def test_only_pixels_that_share_a_window_touch():
    dense = matting_laplacian(photo()).toarray().reshape(*SIZE, *SIZE)
    touched = np.argwhere(dense[5, 6])
    assert touched.min(axis=0).tolist() == [3, 4]
    assert touched.max(axis=0).tolist() == [7, 8]


def test_affine_recolouring_costs_nothing_and_noise_does():
    energy = MattingEnergy(smooth())
    noise = np.random.default_rng(1).normal(0.5, 0.2, (*SIZE, 3))
    free, dear = (energy(as_tensor(image)).item() for image in (affine(smooth().astype(float)), noise))
    assert abs(free) < 1e-4
    assert dear > 1


def test_the_gradient_is_that_of_finite_differences():
    energy = MattingEnergy(photo())
    image = as_tensor(photo(2)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(energy(image), image)
    for place in ((0, 0, 0), (1, 5, 6), (2, 10, 12)):
        step = torch.zeros_like(image)
        step[0][place] = 1e-4
        with torch.no_grad():
            difference = (energy(image + step) - energy(image - step)) / 2e-4
        assert gradient[0][place].item() == pytest.approx(difference.item(), rel=1e-5)


def test_a_picture_smaller_than_a_window_is_refused():
    with pytest.raises(ValueError, match="3×3 pixels at least"):
        matting_laplacian(photo()[:2])


def test_the_affine_filter_keeps_an_affine_recolouring_and_takes_noise_off():
    content = smooth()
    wanted = affine(content)
    np.testing.assert_allclose(affine_filter(content, wanted), wanted, atol=0.03)
    np.testing.assert_allclose(affine_filter(content, content), content, atol=1e-6)
    noisy = wanted + np.random.default_rng(0).normal(0, 0.05, wanted.shape).astype(np.float32)
    filtered = affine_filter(content, noisy, sigma_range=0.1)
    assert np.abs(filtered - wanted).mean() < 0.5 * np.abs(noisy - wanted).mean()
    with pytest.raises(ValueError, match="of one shape"):
        affine_filter(content, wanted[1:])
