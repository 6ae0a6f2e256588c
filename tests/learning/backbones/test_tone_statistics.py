import pytest
import torch

from learning.backbones.load import load_backbone
from learning.backbones.tone_statistics import ToneStatistics
from variants.tone.color import srgb_to_oklab

LIGHTNESS, CHROMA, ZONES, MOMENTS, CONTRAST, HUES, COLORS = (
    slice(0, 7),
    slice(7, 11),
    slice(11, 20),
    slice(20, 28),
    slice(28, 30),
    slice(30, 34),
    slice(34, 44),
)


def photo(seed=0, size=(40, 56)):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand((1, 3, 5, 7), generator=generator)
    return torch.nn.functional.interpolate(small, size, mode="bilinear").clamp(0, 1)


def test_it_gives_as_many_numbers_as_it_says():
    backbone = load_backbone("tone_statistics")
    assert backbone.name == "tone_statistics"
    features = backbone(torch.cat([photo(0), photo(1)]))
    assert features.shape == (2, backbone.dim)
    assert torch.isfinite(features).all()


def test_one_colour_all_over_gives_that_colour_and_no_deviation():
    color = torch.tensor([0.8, 0.4, 0.2])
    features = ToneStatistics()(color.view(1, 3, 1, 1).expand(1, 3, 32, 32))[0]
    lightness, a, b = srgb_to_oklab(color)
    torch.testing.assert_close(features[LIGHTNESS], lightness.expand(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(features[CHROMA], 4 * torch.hypot(a, b).expand(4), atol=1e-5, rtol=0)
    means, deviations = features[MOMENTS][0::2], features[MOMENTS][1::2]
    torch.testing.assert_close(
        means, torch.stack([lightness, 4 * a, 4 * b, 4 * torch.hypot(a, b)]), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(deviations, torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(features[CONTRAST], torch.zeros(2), atol=1e-5, rtol=0)
    # Rec. 709 luma 0.2126·0.8 + 0.7152·0.4 + 0.0722·0.2 = 0.4706; largest minus smallest 0.6.
    torch.testing.assert_close(
        features[COLORS][0::2], torch.tensor([0.8, 0.4, 0.2, 0.4706, 0.6]), atol=1e-4, rtol=0
    )


def test_a_grey_photo_has_no_chroma_and_no_hue():
    grey = photo().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    features = ToneStatistics()(grey)[0]
    for part in (CHROMA, HUES):
        torch.testing.assert_close(features[part], torch.zeros_like(features[part]), atol=2e-3, rtol=0)


def test_mirroring_a_photo_changes_nothing():
    features = ToneStatistics()(photo())
    torch.testing.assert_close(ToneStatistics()(photo().flip(3)), features, atol=1e-5, rtol=1e-4)


def test_a_brighter_photo_has_higher_quantiles():
    darker, brighter = ToneStatistics()(torch.cat([photo() * 0.5, photo()]))
    assert torch.all(brighter[LIGHTNESS] > darker[LIGHTNESS])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_photos_give_numbers(value):
    assert torch.isfinite(ToneStatistics()(torch.full((1, 3, 20, 20), value))).all()
