"""Mean CIEDE2000, measured for many images at once.

`variants.tone.difference.ciede2000` is the formula as published, for any array. An
evaluation measures tens of thousands of pairs, so here the same formula stands
without angles: the difference and the mean of two hues come from the chroma vectors,
the cosines of the mean's multiples from recurrences; one arc tangent remains.
The tests hold the two together and both against Sharma's table.
"""

import math

import torch

from variants.tone.color import srgb_to_lab

Planes = torch.Tensor
"""L, a, b as planes: (B, 3, H, W)."""

_TINY = 1e-12
_AT_ONCE = 1 << 14
"""Pixels worked on at a time on a CPU: the planes in between stay in the cache, which is three times as fast."""


def lab_planes(images: torch.Tensor) -> Planes:
    """SRGB (B, H, W, 3) → CIELAB planes (B, 3, H, W)."""
    pixels = images.reshape(-1, 3)
    if pixels.device.type != "cpu":  # an accelerator wants all at once
        whole: torch.Tensor = srgb_to_lab(pixels).view(images.shape).movedim(-1, 1).contiguous()
        return whole
    lab = torch.cat([srgb_to_lab(part) for part in torch.split(pixels, _AT_ONCE // 2)])
    return lab.view(images.shape).movedim(-1, 1).contiguous()


def mean_delta_e(first: Planes, second: Planes) -> torch.Tensor:
    """Mean CIEDE2000 of each image of `first` to the same of `second`, shape (B,)."""
    if first.device.type != "cpu":
        return delta_e(first.unbind(1), second.unbind(1)).flatten(1).mean(1)
    sums = [_sum(one.flatten(1), two.flatten(1)) for one, two in zip(first, second, strict=True)]
    return torch.stack(sums) / (first.shape[-1] * first.shape[-2])


def _sum(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Over the pixels of one image, (3, pixels) twice."""
    parts = zip(torch.split(one, _AT_ONCE, dim=1), torch.split(two, _AT_ONCE, dim=1), strict=True)
    return torch.stack([delta_e(a.unbind(), b.unbind()).sum() for a, b in parts]).sum()


def delta_e(first: tuple[torch.Tensor, ...], second: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """CIEDE2000 of two colours given as (L, a, b), elementwise.

    Numbers in brackets are the equations of G. Sharma, W. Wu, E. N. Dalal (2005), Color
    Research and Application 30(1), 21-30.
    """
    lightness1, a1, b1 = first
    lightness2, a2, b2 = second

    # (2)-(5): a stretched near grey, chroma
    b11, b22 = b1 * b1, b2 * b2
    mean_chroma = (torch.sqrt(a1 * a1 + b11) + torch.sqrt(a2 * a2 + b22)).mul_(0.5)
    stretch = torch.sqrt(_seventh(mean_chroma)).mul_(-0.5).add_(1.5)
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1 = torch.sqrt(a1 * a1 + b11)
    chroma2 = torch.sqrt(a2 * a2 + b22)
    chroma = (chroma1 + chroma2).mul_(0.5)

    # (11): (ΔH')² = Δa'² + Δb² - ΔC'², exactly 0 for equal colours; the sign is the cross product's
    d_chroma = chroma2 - chroma1
    square = (a2 - a1).square_().add_((b2 - b1).square_()).sub_(d_chroma * d_chroma).clamp_(min=0)
    d_hue = torch.copysign(square.sqrt_(), (a1 * b2).sub_(a2 * b1))

    # (14): the mean hue halves the smaller angle: it is along the sum of the unit vectors.
    # The tiny term leaves the other colour's hue where one colour is grey.
    chroma1.add_(_TINY)
    chroma2.add_(_TINY)
    x = (a1 * chroma2).add_(a2 * chroma1)
    y = (b1 * chroma2).add_(b2 * chroma1)
    angle = torch.atan2(y, x)
    length = torch.rsqrt((x * x).addcmul_(y, y).clamp_(min=1e-36))
    cos, sin = x.mul_(length), y.mul_(length)

    # (15)-(20)
    t = _hue_weight(cos, sin)
    away = (lightness1 + lightness2).mul_(0.5).sub_(50).square_()
    weight_l = away.mul(0.015).mul_((away + 20).rsqrt_()).add_(1)
    term_l = (lightness2 - lightness1).div_(weight_l)
    term_c = d_chroma.div_(chroma.mul(0.045).add_(1))
    term_h = d_hue.div_((chroma * t).mul_(0.015).add_(1))

    # (21): the turn of the ellipses around blue, 275°; the formula means hues from 0 to 360°
    hue = torch.where(angle < 0, angle + math.tau, angle)
    from_blue = hue.sub_(math.radians(275)).mul_(1 / math.radians(25))
    turn = from_blue.square_().neg_().exp_().mul_(math.radians(60)).sin_()
    rotation = torch.sqrt(_seventh(chroma)).mul_(-2).mul_(turn)

    # (22)
    total = (term_l * term_l).addcmul_(term_c, term_c).addcmul_(term_h, term_h)
    return total.add_(rotation.mul_(term_c).mul_(term_h)).clamp_(min=0).sqrt_()


def _hue_weight(cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """T of (15) from the mean hue's cosine and sine; cosines of its multiples by recurrence."""
    cos2 = (cos * cos).mul_(2).sub_(1)
    sin2 = (sin * cos).mul_(2)
    t = 1 - 0.17 * (cos * math.cos(math.radians(30)) + sin * math.sin(math.radians(30)))
    t += 0.24 * cos2
    cos3, sin3 = cos * (2 * cos2 - 1), sin * (2 * cos2 + 1)
    t += 0.32 * (cos3 * math.cos(math.radians(6)) - sin3 * math.sin(math.radians(6)))
    cos4, sin4 = 2 * cos2 * cos2 - 1, 2 * sin2 * cos2
    t -= 0.20 * (cos4 * math.cos(math.radians(63)) + sin4 * math.sin(math.radians(63)))
    return t


def _seventh(chroma: torch.Tensor) -> torch.Tensor:
    """C⁷ / (C⁷ + 25⁷)."""
    ratio = chroma * (1 / 25)
    square = ratio * ratio
    power = ratio * square * square * square
    return power.div_(power + 1)
