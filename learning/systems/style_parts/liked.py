"""Training steps on photos that people like: raters' preferred images and rule-based pseudo-users.

A liked photo needs the original that it was made from. It is the scene's neutral rendition
where the dataset has one, else what a degrading model makes of it; the model is trained
backwards, from the pseudo-users' results to their originals.

Source: the training scheme of Kosugi and Yamasaki (2024).
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from learning.data.dataset import Pixels, PreferenceDataset
from learning.data.episodes import too_few_answers
from learning.systems.style_parts.enhancer import Enhancer
from learning.systems.style_parts.examples import (
    NONE,
    Augmentation,
    Indices,
    Squares,
    as_square,
    dataset_squares,
    framed,
    jittered,
    neutral_positions,
    random_frames,
    square_side,
)
from learning.systems.style_parts.pseudo_users import RULES, apply_rule
from learning.training.loop import step_chance


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleStep:
    """What the degrading model is shown: photos by rules and their originals, both (B, 3, S, S)."""

    enhanced: torch.Tensor
    original: torch.Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class LikedPairs:
    """Liked photos and their originals."""

    users: torch.Tensor
    """(B,): raters from 0 on, then the rules."""
    original: torch.Tensor  # (B, 3, S, S)
    retouched: torch.Tensor  # (B, 3, S, S)
    pseudo: torch.Tensor
    """(B,): whether the original is still to be made from the retouched photo."""
    chance: tuple[int, int]
    """Of the jitter, which comes after."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LikedReferences:
    """R users with N references each; the last of N + 1 is the photo whose style is masked."""

    users: int
    pairs: LikedPairs  # of R·(N + 1) photos, by user
    absent: torch.Tensor  # (R, N)


class RulePhotos:
    """Photos by rules and as they are, as squares."""

    def __init__(
        self,
        photo: Callable[[int], Pixels],
        photos: Indices,
        side: int,
        *,
        names: Sequence[str] = tuple(RULES),
    ) -> None:
        """`photo` gives a photo by its number, `photos` are the numbers that there are."""
        self.names, self.photos = list(names), photos

        def plain(number: Hashable) -> torch.Tensor:
            assert isinstance(number, int)
            return as_square(photo(number), side)

        def by_rule(key: Hashable) -> torch.Tensor:
            assert isinstance(key, tuple)
            rule, number = key
            return as_square(apply_rule(self.names[rule], photo(number)), side)

        self._plain, self._by_rule = Squares(plain), Squares(by_rule)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """N rules and numbers of photos."""
        return rng.integers(len(self.names), size=n), rng.choice(self.photos, n)

    def pairs(self, rules: Indices, photos: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        """Photos (n, 3, B, B) by rules, and their originals."""
        keys: list[Hashable] = list(zip(rules.tolist(), photos.tolist(), strict=True))
        return self._by_rule(keys), self._plain(photos.tolist())

    def by_chance(self, n: int, rng: np.random.Generator) -> tuple[Indices, torch.Tensor]:
        """N rules, and a photo by each as (n, 3, B, B)."""
        rules, photos = self.draw(n, rng)
        return rules, self.pairs(rules, photos)[0]


class LikedSource:
    """Liked photos of a dataset's training raters and of the rules, as squares."""

    def __init__(
        self,
        dataset: PreferenceDataset,
        answers: tuple[Indices, Indices],
        side: int,
        *,
        neutral_share: float,
        with_rules: bool,
    ) -> None:
        self.dataset, (self.rows, self.raters) = dataset, answers
        self.neutral_share, self.with_rules = neutral_share, with_rules
        self.squares = dataset_squares(dataset, side)
        self.neutral = neutral_positions(dataset)
        self.n_raters = int(self.raters.max(initial=-1)) + 1
        self.rules = RulePhotos(
            lambda position: dataset.image(dataset.image_ids[position], 2 * side),
            _photos_for_rules(dataset, self.neutral),
            side,
        )
        self._rows_of = [self.rows[self.raters == rater] for rater in range(self.n_raters)]
        self._answering = np.flatnonzero([len(rows) > 1 for rows in self._rows_of])

    @property
    def n_users(self) -> int:
        return self.n_raters + (len(self.rules.names) if self.with_rules else 0)

    def draw_rows(self, n: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """N raters, and an answer of each."""
        drawn = rng.integers(len(self.rows), size=n)
        return self.raters[drawn], self.rows[drawn]

    def rows_of_a_rater(self, n: int, rng: np.random.Generator) -> tuple[int, Indices]:
        """A rater who has answers enough, n of them and one on another scene, which comes last."""
        rater = int(rng.choice(self._answering))
        rows = self._rows_of[rater]
        scenes = self.dataset.judgments.scene[rows]
        query = rng.integers(len(rows))
        others = rows[scenes != scenes[query]]
        if not len(others):
            others = np.delete(rows, query)
        return rater, np.append(rng.choice(others, n, replace=len(others) < n), rows[query])

    def of_rows(self, rows: Indices, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, Indices]:
        """Preferred images, their originals (the image itself where there is none yet), and where that is so."""
        preferred = self.dataset.judgments.preferred[rows]
        neutral = self.neutral[preferred]
        # A neutral rendition that won its pair was retouched by nobody: it is its own original.
        pseudo = (neutral == NONE) | (rng.random(len(rows)) >= self.neutral_share)
        retouched = self.squares(preferred.tolist())
        return retouched, self.squares(np.where(pseudo, preferred, neutral).tolist()), pseudo


class RuleSteps:
    """For the degrading model."""

    def __init__(
        self, rules: RulePhotos, *, batch: int, size: int, augmentation: Augmentation, seed: int
    ) -> None:
        self.rules, self.batch, self.size = rules, batch, size
        self.augmentation, self.seed = augmentation, seed

    def __getitem__(self, step: int) -> RuleStep:
        rng = step_chance(self.seed, step)
        enhanced, original = self.rules.pairs(*self.rules.draw(self.batch, rng))
        frames = random_frames(self.batch, self.augmentation, rng)
        return RuleStep(
            enhanced=framed(enhanced, frames, self.size), original=framed(original, frames, self.size)
        )


class LikedPairSteps:
    """For an enhancer; half of the photos are the rules' where they are users."""

    def __init__(
        self, source: LikedSource, *, batch: int, size: int, augmentation: Augmentation, seed: int
    ) -> None:
        self.source, self.batch, self.size = source, batch, size
        self.augmentation, self.seed = augmentation, seed

    def __getitem__(self, step: int) -> LikedPairs:
        rng, source = step_chance(self.seed, step), self.source
        n = -(-self.batch // 2) if source.with_rules else self.batch
        users, rows = source.draw_rows(n, rng)
        retouched, original, pseudo = source.of_rows(rows, rng)
        if source.with_rules and self.batch > n:
            rules, photos = source.rules.draw(self.batch - n, rng)
            by_rule, own = source.rules.pairs(rules, photos)
            users = np.concatenate([users, source.n_raters + rules])
            retouched, original = torch.cat([retouched, by_rule]), torch.cat([original, own])
            pseudo = np.concatenate([pseudo, np.zeros(len(rules), bool)])
        frames = random_frames(self.batch, self.augmentation, rng)
        return LikedPairs(
            users=torch.from_numpy(users),
            original=framed(original, frames, self.size),
            retouched=framed(retouched, frames, self.size),
            pseudo=torch.from_numpy(pseudo),
            chance=(self.seed, step),
        )


class LikedReferenceSteps:
    """For the transformer.

    A rater's last reference is the masked photo itself half of the time. Of a rule's references
    only one is seen, the masked photo itself with another jitter: a rule says nothing of content.
    """

    def __init__(
        self,
        source: LikedSource,
        *,
        users: int,
        references: int,
        size: int,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        self.source, self.users, self.references, self.size = source, users, references, size
        self.augmentation, self.seed = augmentation, seed

    def __getitem__(self, step: int) -> LikedReferences:
        rng, source, n = step_chance(self.seed, step), self.source, self.references
        by_rater = -(-self.users // 2) if source.with_rules else self.users
        drawn = [self._of_rater(rng) for _ in range(by_rater)]
        drawn += [self._of_rule(rng) for _ in range(self.users - by_rater)]
        retouched, original, pseudo, absent, frames, users = zip(*drawn, strict=True)
        together = torch.cat(frames)
        return LikedReferences(
            users=self.users,
            pairs=LikedPairs(
                users=torch.tensor(users).repeat_interleave(n + 1),
                original=framed(torch.cat(original), together, self.size),
                retouched=framed(torch.cat(retouched), together, self.size),
                pseudo=torch.from_numpy(np.concatenate(pseudo)),
                chance=(self.seed, step),
            ),
            absent=torch.from_numpy(np.stack(absent)),
        )

    def _of_rater(self, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        n = self.references
        rater, rows = self.source.rows_of_a_rater(n, rng)
        frames = random_frames(n + 1, self.augmentation, rng)
        if rng.random() < 0.5:
            rows[n - 1], frames[n - 1] = rows[n], frames[n]
        retouched, original, pseudo = self.source.of_rows(rows, rng)
        return retouched, original, pseudo, np.zeros(n, bool), frames, rater  # type: ignore[return-value]

    def _of_rule(self, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        n = self.references
        rules, photos = self.source.rules.draw(1, rng)
        retouched, original = (
            squares.expand(n + 1, -1, -1, -1) for squares in self.source.rules.pairs(rules, photos)
        )
        frames = random_frames(1, self.augmentation, rng).expand(n + 1, -1, -1)
        absent = np.arange(n) < n - 1
        user = self.source.n_raters + int(rules[0])
        return retouched, original, np.zeros(n + 1, bool), absent, frames, user  # type: ignore[return-value]


def originals_of(
    pairs: LikedPairs, degrader: Enhancer, augmentation: Augmentation, edit_size: int, *, colours: bool
) -> torch.Tensor:
    """(B, 3, S, S): the pairs' originals, made by the degrading model where they have none, and jittered."""
    original = pairs.original
    if pairs.pseudo.any():
        made = degraded(pairs.retouched[pairs.pseudo], degrader, edit_size)
        original = original.index_put((pairs.pseudo.nonzero()[:, 0],), made)
    rng = np.random.default_rng([*pairs.chance, 1])
    return jittered(original, augmentation, rng, colours=colours)


@torch.no_grad()
def degraded(images: torch.Tensor, degrader: Enhancer, edit_size: int) -> torch.Tensor:
    """(B, 3, S, S) → pseudo originals; the model sees the size that it was trained at."""
    size = images.shape[-1]
    large = images
    if size != edit_size:
        large = torch.nn.functional.interpolate(
            images, (edit_size, edit_size), mode="bilinear", antialias=True, align_corners=False
        )
    change = degrader.change(large)
    if size != edit_size:
        change = torch.nn.functional.interpolate(
            change, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
    return (images + change).clamp(0, 1)


def liked_source(
    dataset: PreferenceDataset,
    answers: tuple[Indices, Indices],
    size: int,
    augmentation: Augmentation,
    *,
    neutral_share: float,
    with_rules: bool,
) -> LikedSource:
    """Raise DatasetError where no training rater has two answers on training scenes."""
    counts = np.bincount(answers[1]) if len(answers[1]) else np.zeros(1, int)
    if not (counts > 1).any():
        raise too_few_answers(dataset, 2)
    return LikedSource(
        dataset,
        answers,
        square_side(size, augmentation),
        neutral_share=neutral_share,
        with_rules=with_rules,
    )


def _photos_for_rules(dataset: PreferenceDataset, neutral: Indices) -> Indices:
    """Neutral renditions of training scenes; where there are none, every image of them."""
    scenes = set(dataset.training_scenes())
    of_training = np.array([dataset.images[i].scene_id in scenes for i in dataset.image_ids])
    found = np.unique(neutral[of_training & (neutral != NONE)])
    return found if len(found) else np.flatnonzero(of_training)
