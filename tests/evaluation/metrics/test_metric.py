"""Against scikit-image, lpips and the tone core."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from evaluation.metrics.metric import (
    METRICS,
    ImageError,
    MetricMissing,
    as_batch,
    compare_pairs,
    delta_e_metric,
    load_metrics,
    lpips_metric,
    measure,
    psnr_metric,
    ssim_metric,
)
from variants.tone.difference import mean_ciede2000
from variants.tone.recipes import Recipe, apply_recipe

SIZES = [(11, 11), (40, 61), (96, 64), (150, 257)]


@pytest.fixture(params=SIZES, ids=str)
def pair(request):
    """A smooth colourful image, and an edit of it with some noise."""
    rng = np.random.default_rng(sum(request.param))
    height, width = request.param
    y, x = np.mgrid[0:height, 0:width] / 20
    image = 0.5 + 0.4 * np.stack([np.sin(x + y), np.sin(y - 2 * x), np.cos(x)], axis=-1)
    image = image.astype(np.float32)
    edited = apply_recipe(image, Recipe(steps=(("exposure", 0.4), ("temperature", 0.5))))
    return image, np.clip(edited + rng.normal(0, 0.02, image.shape), 0, 1).astype(np.float32)


def test_psnr_is_that_of_scikit_image(pair):
    image, edited = pair
    assert measure(psnr_metric(), image, edited) == pytest.approx(
        peak_signal_noise_ratio(image, edited, data_range=1), abs=1e-3
    )


def test_psnr_of_an_untouched_image_is_the_cap(pair):
    assert measure(psnr_metric(), pair[0], pair[0]) == 100.0 == psnr_metric().cap


def test_ssim_is_that_of_scikit_image(pair):
    image, edited = pair
    expected = structural_similarity(
        image,
        edited,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=-1,
    )
    assert measure(ssim_metric(), image, edited) == pytest.approx(expected, abs=1e-4)


def test_ssim_refuses_images_smaller_than_its_window():
    small = np.zeros((10, 40, 3), np.float32)
    with pytest.raises(ValueError, match="at least 11 × 11 pixels, not 40 × 10"):
        measure(ssim_metric(), small, small)


def test_delta_e_is_that_of_the_tone_core(pair):
    image, edited = pair
    assert measure(delta_e_metric(), image, edited) == pytest.approx(mean_ciede2000(image, edited), abs=1e-4)


def test_delta_e_of_equal_images_is_exactly_zero(pair):
    assert measure(delta_e_metric(), pair[0], pair[0]) == 0.0


def test_distances_are_symmetric(pair):
    for make in (delta_e_metric, psnr_metric, ssim_metric):
        assert measure(make(), *pair) == pytest.approx(measure(make(), *pair[::-1]), rel=1e-5)


def test_every_metric_says_what_is_better_and_its_range():
    found, missing = load_metrics()
    assert {m.name for m in found} | {m.name for m in missing} == set(METRICS)
    assert {m.name: m.lower_is_better for m in found if m.name != "lpips"} == {
        "delta_e": True,
        "psnr": False,
        "ssim": False,
    }
    assert all(m.low < m.high for m in found)


def test_a_batch_measures_as_single_images_do(pair):
    for metric in (delta_e_metric(), psnr_metric(), ssim_metric()):
        first = metric.prepare(as_batch([pair[0], pair[1], pair[0]], list("abc")))
        second = metric.prepare(as_batch([pair[1], pair[1], pair[0]], list("abc")))
        together = metric.compare(first, second).tolist()
        alone = [
            measure(metric, pair[0], pair[1]),
            measure(metric, pair[1], pair[1]),
            measure(metric, pair[0], pair[0]),
        ]
        assert together == pytest.approx(alone, rel=1e-4, abs=1e-5)


def test_lpips_without_its_backbone_says_why_and_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(MetricMissing) as caught:
        lpips_metric()
    assert "alexnet" in caught.value.why
    assert "python -m learning.fetch lpips_alex" in caught.value.fix


def test_a_broken_backbone_is_missing_too(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth").write_bytes(b"not weights")
    with pytest.raises(MetricMissing, match="cannot be read"):
        lpips_metric()


def test_lpips_is_what_the_package_computes(monkeypatch, tmp_path, pair):
    """With random weights for the plumbing: the number itself means nothing here."""
    import warnings

    import lpips

    if min(pair[0].shape[:2]) < 64:
        pytest.skip("AlexNet needs larger images")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torchvision")
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    weights = {
        f"features.{name.partition('.')[2]}": value for name, value in network.net.state_dict().items()
    }
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(weights, tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth")
    one, two = (torch.from_numpy(image).permute(2, 0, 1)[None] for image in pair)
    with torch.inference_mode():
        expected = float(network(one, two, normalize=True))
    assert measure(lpips_metric(), *pair) == pytest.approx(expected, rel=1e-4)


def test_images_of_different_sizes_are_an_error_with_both_sizes():
    with pytest.raises(ImageError, match="20 × 30 and 40 × 30"):
        measure(psnr_metric(), np.zeros((30, 20, 3), np.float32), np.zeros((30, 40, 3), np.float32))


def test_a_grey_image_is_an_error_that_names_it():
    with pytest.raises(ImageError, match=r"the second image has the shape \(30, 20\)"):
        measure(psnr_metric(), np.zeros((30, 20, 3), np.float32), np.zeros((30, 20), np.float32))


def test_nan_is_an_error_that_names_the_image():
    image = np.zeros((30, 20, 3), np.float32)
    image[0, 0] = np.nan
    with pytest.raises(ImageError, match="the first image has 3 values that are NaN"):
        measure(psnr_metric(), image, np.zeros((30, 20, 3), np.float32))


def test_a_batch_compared_pair_by_pair_is_each_pair_by_itself(pair):
    for metric in (delta_e_metric(), psnr_metric(), ssim_metric()):
        prepared = metric.prepare(as_batch([pair[0], pair[1]], ["a", "b"]))
        targets = [metric.prepare(as_batch([image], ["target"])) for image in pair]
        found = compare_pairs(metric, prepared, targets, [(1, 0), (0, 1), (0, 0)])
        alone = [measure(metric, pair[a], pair[b]) for a, b in ((1, 0), (0, 1), (0, 0))]
        assert found == pytest.approx(alone, rel=1e-4, abs=1e-5)
        assert compare_pairs(metric, prepared, targets, []) == []


def test_outputs_may_be_tensors_already(pair):
    tensors = [torch.from_numpy(image) for image in pair]
    assert torch.equal(as_batch(tensors, ["a", "b"]), as_batch(list(pair), ["a", "b"]))
    tensors[1] = tensors[1].clone()
    tensors[1][0, 0] = torch.nan
    with pytest.raises(ImageError, match="b has 3 values that are NaN"):
        as_batch(tensors, ["a", "b"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_an_accelerator_measures_the_same(pair):
    for metric in (delta_e_metric(), psnr_metric(), ssim_metric()):
        both = [as_batch(list(pair), ["a", "b"], device) for device in ("cpu", "cuda")]
        found = [
            compare_pairs(
                metric,
                metric.prepare(batch),
                [metric.prepare(batch[i : i + 1]) for i in range(2)],
                [(0, 1), (1, 0)],
            )
            for batch in both
        ]
        assert found[1] == pytest.approx(found[0], rel=1e-3)
