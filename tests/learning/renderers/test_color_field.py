import pytest
import torch

from learning.renderers import color_field
from learning.renderers.color_field import ColorField, ColorFieldConfig


def a_field(injection="film", *, trained=True):
    torch.manual_seed(0)
    field = ColorField(5, ColorFieldConfig(width=8, depth=2, condition=16, injection=injection)).eval()
    if trained:
        torch.nn.init.normal_(field.residual.weight, std=0.3)
    return field


COLORS = torch.rand((2, 50, 3), generator=torch.Generator().manual_seed(1))
INPUTS = torch.randn((2, 5), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("injection", ["film", "concat"])
def test_it_starts_as_the_identity(injection):
    field = a_field(injection, trained=False)
    assert torch.equal(field.apply_to(COLORS, field.plan(INPUTS)), COLORS)


def test_a_pixels_colour_depends_on_no_other_pixel():
    field = a_field()
    plan = field.plan(INPUTS)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    shuffled = field.apply_to(COLORS[:, order], plan)
    torch.testing.assert_close(shuffled, field.apply_to(COLORS, plan)[:, order])


@pytest.mark.parametrize("injection", ["film", "concat"])
def test_the_condition_changes_the_map(injection):
    field = a_field(injection)
    one, other = (field.apply_to(COLORS, field.plan(inputs)) for inputs in (INPUTS, INPUTS + 1))
    assert (one - other).abs().max() > 1e-3


def test_concat_is_the_condition_beside_every_pixels_colour():
    """Adding a linear map of the condition = one linear layer over colour and condition."""
    field = a_field("concat")
    plan = field.plan(INPUTS)
    joined = torch.cat([2 * COLORS - 1, plan[:, None].expand(-1, 50, -1)], dim=-1)
    weight = torch.cat([field.layers[0].weight, field.inject.weight], dim=1)
    x = torch.nn.functional.gelu(joined @ weight.T + field.layers[0].bias)
    x = torch.nn.functional.gelu(field.layers[1](x))
    torch.testing.assert_close(field.apply_to(COLORS, plan), COLORS + field.residual(x), atol=1e-5, rtol=0)


def test_pieces_give_the_same_as_the_whole(monkeypatch):
    field = a_field()
    plan = field.plan(INPUTS)
    whole = field.apply_to(COLORS, plan)
    monkeypatch.setattr(color_field, "PIXELS_AT_ONCE", 14)
    torch.testing.assert_close(field.apply_to(COLORS, plan), whole)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"injection": "add"}, "injection is 'add'"),
        ({"dropout": 1}, "dropout is 1"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ColorFieldConfig(**settings)
