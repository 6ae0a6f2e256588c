import math

import pytest
import torch

from learning.training.objective import SCHEDULES, Curriculum, pairwise_loss


def images(*values):
    """One-colour images, one for each value."""
    return torch.stack([torch.full((3, 2, 2), float(v)) for v in values])


@pytest.mark.parametrize(
    ("schedule", "quarter", "half"),
    [
        ("linear", 0.75, 1.0),
        ("exponential", 0.5625, 0.75),
        # 0.5 + ln(1.25) / ln 2 and 0.5 + ln(1.5) / ln 2
        ("logarithmic", 0.821928, 1.084963),
        ("uniform", 1.5, 1.5),
    ],
)
def test_the_weight_grows_from_one_half_as_the_schedule_says(schedule, quarter, half):
    curriculum = Curriculum(schedule=schedule)
    assert curriculum.weight(0.25) == pytest.approx(quarter, abs=1e-6)
    assert curriculum.weight(0.5) == pytest.approx(half, abs=1e-6)
    assert curriculum.weight(1) == pytest.approx(1.5)
    assert curriculum.weight(0) == pytest.approx(1.5 if schedule == "uniform" else 0.5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_weight_never_falls(schedule):
    weights = [Curriculum(schedule=schedule).weight(p / 20) for p in range(21)]
    assert weights == sorted(weights)


def test_a_hand_computed_case():
    """Output 0.5, preferred 0.7, rejected 0.2: 1.5·0.2 - 0.5·0.3 = 0.15; with the fixed anchor 0.45."""
    case = (images(0.5), images(0.7), images(0.2), 1.5)
    assert pairwise_loss(*case).item() == pytest.approx(0.15)
    assert pairwise_loss(*case, form="fixed_anchor").item() == pytest.approx(0.45)


def test_at_one_half_both_images_pull_alike():
    preferred, rejected = images(0.7), images(0.2)
    at = [pairwise_loss(images(x), preferred, rejected, 0.5).item() for x in (0.2, 0.45, 0.7)]
    assert at == pytest.approx([0.25] * 3)


@pytest.mark.parametrize("w", [0.6, 1.0, 1.3, 1.5])
def test_above_one_half_the_minimum_stays_at_the_preferred_image(w):
    tried = torch.linspace(0, 1, 101)
    losses = pairwise_loss(images(*tried), images(*[0.7] * 101), images(*[0.2] * 101), w)
    assert tried[losses.argmin()].item() == pytest.approx(0.7, abs=1e-6)


def test_the_loss_may_be_negative_down_to_its_bound():
    """Never below -(w - 1)·e, e being the pair's own distance; reached where the output is the preferred one."""
    generator = torch.Generator().manual_seed(0)
    output, preferred, rejected = torch.rand((3, 64, 3, 4, 4), generator=generator)
    w = 1.5
    bound = -(w - 1) * (preferred - rejected).abs().mean(dim=(1, 2, 3))
    assert torch.all(pairwise_loss(output, preferred, rejected, w) >= bound - 1e-6)
    torch.testing.assert_close(pairwise_loss(preferred, preferred, rejected, w), bound)
    assert bound.max() < 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "quadratic"}, "schedule is 'quadratic'"),
        ({"form": "other"}, "form is 'other'"),
        ({"end": 2.5}, "end is 2.5"),
        ({"start": math.nan}, "start is nan"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Curriculum(**settings)
