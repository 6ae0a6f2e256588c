"""The eight concepts in words: what a prompt says of a photo, and the strengths that the words stand for.

A concept that a prompt leaves out stays as it is in the photo; the word `average` asks for how it
is in photos that nobody edited. The empty prompt therefore asks for nothing.

Source of the prompts' form (an attribute, then the concept's name): PIF (2025), (21); its words
and their strengths are not published, these are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from learning.systems.concepts import GROUPS, NAMES, WEIGHTS, WORDS, checked_words
from variants.tone.concepts import CONCEPTS, weigh_sharpness, weigh_vignetting

MAPS = WEIGHTS | {"sharpness": weigh_sharpness, "vignetting": weigh_vignetting}
"""Where each concept shows: images (B, H, W, 3) → (B, H, W, 1) in [0, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What the model learns from one photo: the photo after `before`, and the prompt, give the photo after `after`."""

    before: npt.NDArray[np.float32]  # (9,)
    after: npt.NDArray[np.float32]  # (9,)
    prompt: str


def prompt_of(words: Mapping[str, str]) -> str:
    """Attributes by concept → the prompt; ValueError for a concept or a word that there is not."""
    checked_words(words)
    return joined({concept: words[concept] for concept in WORDS if concept in words})


def joined(attributes: Mapping[str, str]) -> str:
    return ", ".join(f"{attribute} {concept}" for concept, attribute in attributes.items())


def draw_task(rng: np.random.Generator, *, left_out: float) -> Task:
    """A random edit of the input, and random words for the target; each concept is left out with this chance."""
    before = draw_strengths(rng, tuple(GROUPS))
    after, words = before.copy(), {}
    for concept, choices in WORDS.items():
        if rng.random() >= left_out:
            words[concept] = list(choices)[rng.integers(len(choices))]
            for name in GROUPS[concept]:
                after[NAMES.index(name)] = choices[words[concept]].get(name, 0.0)
    return Task(before=before, after=after, prompt=prompt_of(words))


def draw_strengths(rng: np.random.Generator, concepts: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Strengths (9,): each of the concepts is changed with a chance of one half, by up to 0.6 of its range."""
    strengths = np.zeros(len(NAMES), np.float32)
    for index, name in enumerate(NAMES):
        amount, changed = rng.uniform(-0.6, 0.6), rng.random() < 0.5
        if changed and any(name in GROUPS[concept] for concept in concepts):
            strengths[index] = np.clip(
                amount * CONCEPTS[name].high, 0.6 * CONCEPTS[name].low, 0.6 * CONCEPTS[name].high
            )
    return strengths


def perturb(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Edit images (B, 3, H, W) by strengths (B, 9): colour first, optics last."""
    pixels = images.movedim(1, -1)
    for name, strength in zip(NAMES, strengths.to(pixels).T, strict=True):
        if strength.any():
            changed = CONCEPTS[name].adjust(pixels, strength.reshape(-1, 1, 1, 1))
            # What is not to be changed stays bit by bit what it is.
            pixels = torch.where((strength != 0).reshape(-1, 1, 1, 1), changed, pixels)
    return pixels.movedim(-1, 1)
