"""The system: liked photos as a style, and photos brought to it by the method of the config."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from learning.data.dataset import PreferenceDataset
from learning.renderers.color_transfer import ColorMap, monge_kantorovich, without_frame
from learning.renderers.matting import MattingEnergy
from learning.systems.deep_photo.config import NAME, TITLE, WITH_FEATURES, Config, tiny
from learning.systems.deep_photo.features import FeatureMaps, load_features
from learning.systems.deep_photo.losses import TransferLoss
from learning.systems.deep_photo.pixels import at_full_size, optimise_pixels
from learning.systems.deep_photo.quick import apply_maps, color_map, fit_lut_to_style, table_of
from learning.systems.deep_photo.segments import (
    Labels,
    Pairing,
    Segmenter,
    fitted_labels,
    paired,
    resized_labels,
    soft_masks,
)
from learning.systems.interface import Pixels, Profile, ReferencePair
from learning.systems.shared import (
    best_device,
    dataset_facts,
    described,
    read_settings,
    reduced,
    resized,
    tensor_of,
)
from learning.training import run_folder as runs
from variants.progress import Report, silent
from variants.tone.images import fit_long_side

STATISTICS_SIDE = 256
"""Short side at which a photo's colours are counted, in pixels."""
LAYOUT_SIDE = 12
"""Of the small picture of light that tells which liked photo is most like a photo."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Transfer:
    """A result, and what there is to say of it."""

    image: Pixels
    notes: tuple[str, ...] = ()
    losses: tuple[float, ...] = ()
    """Of an optimisation, in the order in which they were found."""


class DeepPhoto:
    """See `learning.systems.interface.System`, PhotoReader and, for methods that are a map of colours, ColorMapper.

    A profile holds the liked photos as small squares, `photos` (n, S, S, 3), and, where they were
    given or a model made them, `labels` (n, S, S).
    """

    name: ClassVar[str] = NAME

    def __init__(
        self,
        config: Config,
        features: FeatureMaps | None = None,
        segmenter: Segmenter | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if config.method in WITH_FEATURES and features is None:
            raise ValueError(f"the method {config.method} needs features")
        self.config = config
        self.edit_size = config.edit_size
        self.reference_size = 2 * config.style_size
        self._features = None if features is None else features.to(device)
        self._segmenter = segmenter
        self._device = torch.device(device)

    @classmethod
    def of(cls, config: Config) -> Self:
        """Ready to use; raise WeightsMissing where the config asks for weights that are not on this machine."""
        features = None
        if config.method in WITH_FEATURES:
            features = load_features(config.backbone, pixels=config.losses.input)
        segmenter = Segmenter(config.segmentation) if config.segmentation else None
        return cls(config, features, segmenter, best_device())

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        runs.read_weights(run_folder, system=NAME)  # there are none, but a run that was cut short has no file
        return cls.of(config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), {}, system=NAME)

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """The photos that were preferred are the style; what was rejected is not looked at."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        return self.adapt_to_photos([pair.preferred for pair in references])

    def adapt_to_photos(
        self, photos: Sequence[Pixels], labels: Sequence[npt.ArrayLike] | None = None
    ) -> Profile:
        """Liked photos as a style; without masks a model segments them where the config names one.

        Args:
            photos: one or more, of any sizes. Borders of one colour are cut off.
            labels: a mask (H, W) of whole numbers for each photo; then nothing is cut off.

        Raises:
            ValueError: there are no photos, or a mask does not fit.
        """
        if not photos:
            raise ValueError("photos is empty; a style is read from at least one photo")
        picked = _evenly(len(photos), self.config.max_photos)
        chosen = [np.asarray(photos[i], np.float32) for i in picked]
        masks: list[Labels] = []
        if labels is not None:
            if len(labels) != len(photos):
                raise ValueError(f"{len(photos)} liked photos have {len(labels)} masks; each needs one")
            given = [labels[i] for i in picked]
            masks = [
                fitted_labels(mask, photo.shape[:2], f"liked photo {i + 1}")[0]
                for i, mask, photo in zip(picked, given, chosen, strict=True)
            ]
        else:
            chosen = [without_frame(photo) for photo in chosen]
            if self._segmenter is not None:
                masks = [self._segmenter(photo) for photo in chosen]
        side = (self.config.style_size,) * 2
        profile = {"photos": np.stack([_square(photo, side) for photo in chosen])}
        if masks:
            profile["labels"] = np.stack([resized_labels(mask, side) for mask in masks]).astype(np.float32)
        return profile

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        """Photos of all raters, as many as one rater may have: styles add up to a mixture, not to a mean photo."""
        if not profiles:
            raise ValueError("profiles is empty; a mean needs at least one")
        names = [name for name in ("photos", "labels") if all(name in profile for profile in profiles)]
        # In turns, so that an even pick has something of everyone.
        most = max(len(profile["photos"]) for profile in profiles)
        turns = [(p, i) for i in range(most) for p in profiles if i < len(p["photos"])]
        picked = [turns[i] for i in _evenly(len(turns), self.config.max_photos)]
        return {name: np.stack([profile[name][i] for profile, i in picked]) for name in names}

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        guides = images if guides is None else guides
        return [
            self.transfer(image, profile, guide=guide, strength=strength).image
            for image, guide in zip(images, guides, strict=True)
        ]

    def transfer(
        self,
        image: Pixels,
        profile: Profile,
        *,
        guide: Pixels | None = None,
        labels: npt.ArrayLike | None = None,
        strength: float = 1.0,
        report: Report = silent,
    ) -> Transfer:
        """Bring one photo to a style.

        Args:
            image: what is edited, of any size.
            profile: the style.
            guide: the photo that the edit is computed from; the image itself by default.
            labels: mask of the guide (and so of the image), of whole numbers as those of the style.
            strength: 0 leaves the photo as it is.
            report: told of iterations; whatever it raises passes.

        Raises:
            SegmentError: a mask does not fit, or a segment has no partner and is to be refused.
        """
        image = np.asarray(image, np.float32)
        guide = image if guide is None else np.asarray(guide, np.float32)
        job = self._job(guide, profile, labels)
        if self.config.method == "optimise":
            return self._optimised(image, job, strength, report)
        maps, losses, notes = self._maps(job, report)
        masks = None
        if len(maps) > 1:
            masks = soft_masks(
                image, resized_labels(job.pairing.labels, image.shape[:2]), job.pairing.classes
            )
        edited = apply_maps(image, maps, masks, strength)
        return Transfer(image=edited, notes=job.pairing.notes + notes, losses=losses)

    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        """See `learning.systems.interface.ColorMapper`; ValueError where the edit depends on the place."""
        if self.config.method == "optimise":
            raise ValueError("the method optimise edits each place differently; no LUT can hold its edit")
        job = self._job(np.asarray(guide, np.float32), profile, None)
        if len(job.pairing.classes) > 1:
            raise ValueError(
                f"the photo has {len(job.pairing.classes)} segments, each with its own edit; no LUT can hold them"
            )
        table = table_of(self._maps(job, silent)[0][0], size)
        axis = np.linspace(0, 1, size, dtype=np.float32)
        lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
        return np.clip(lattice + np.float32(strength) * (table - lattice), 0, 1)

    def _job(self, guide: Pixels, profile: Profile, labels: npt.ArrayLike | None) -> "_Job":
        photos = [*profile["photos"]]
        kept = self._chosen(guide, photos)
        styles = [photos[i] for i in kept]
        small = reduced(guide, STATISTICS_SIDE)
        notes: tuple[str, ...] = ()
        own: Labels | None = None
        if labels is not None:
            own, note = fitted_labels(labels, guide.shape[:2], "the photo")
            notes = (note,) if note else ()
        elif self._segmenter is not None:
            own = self._segmenter(small)
        if own is None or "labels" not in profile:
            if own is not None:
                notes += ("the liked photos have no segments, so the photo's are not looked at",)
            elif "labels" in profile:
                notes += ("the photo has no segments, so the liked photos' are not looked at",)
            pairing = Pairing(classes=(0,), labels=np.zeros(small.shape[:2], np.int64), notes=notes)
            return _Job(guide, small, pairing, styles, [np.zeros(s.shape[:2], np.int64) for s in styles])
        style_labels = [profile["labels"][i].astype(np.int64) for i in kept]
        own = resized_labels(own, small.shape[:2])
        found = paired(small, own, styles, style_labels, self.config.missing_labels)
        pairing = Pairing(classes=found.classes, labels=found.labels, notes=notes + found.notes)
        return _Job(guide, small, pairing, styles, style_labels)

    def _chosen(self, guide: Pixels, photos: Sequence[Pixels]) -> list[int]:
        """All liked photos, or the one whose layout of light is nearest to the photo's."""
        if self.config.style == "pooled" or len(photos) == 1:
            return list(range(len(photos)))
        own = _layout(guide)
        return [int(np.argmax([own @ _layout(photo) for photo in photos]))]

    def _maps(self, job: "_Job", report: Report) -> tuple[list[ColorMap], tuple[float, ...], tuple[str, ...]]:
        if self.config.method == "lut_lbfgs":
            content, loss = self._loss(job, self.config.lut_edit_size)
            liked = np.concatenate([style.reshape(-1, 3) for style in job.styles])
            start = monge_kantorovich(job.small.reshape(-1, 3), liked, max_gain=self.config.max_gain)
            map_, outcome = fit_lut_to_style(content, loss, start, self.config, report)
            return [map_], outcome.losses, (outcome.note,) if outcome.note else ()
        maps = []
        for label in job.pairing.classes:
            wanted = [s[m == label] for s, m in zip(job.styles, job.style_labels, strict=True)]
            maps.append(
                color_map(job.small[job.pairing.labels == label], np.concatenate(wanted), self.config)
            )
        return maps, (), ()

    def _optimised(self, image: Pixels, job: "_Job", strength: float, report: Report) -> Transfer:
        content, loss = self._loss(job, self.config.edit_size, with_matting=True)
        edited, losses, notes = optimise_pixels(content, loss, self.config, report)
        small = fit_long_side(job.guide, self.config.edit_size)
        full = at_full_size(small, edited, image)
        blended = np.clip(image + np.float32(strength) * (full - image), 0, 1)
        return Transfer(image=blended, notes=job.pairing.notes + notes, losses=losses)

    def _loss(
        self, job: "_Job", long_side: int, *, with_matting: bool = False
    ) -> tuple[torch.Tensor, TransferLoss]:
        """The content (1, 3, H, W) at that size, and what an image of its size is judged by."""
        assert self._features is not None
        small = fit_long_side(job.guide, long_side)
        content = tensor_of(small, self._device)
        labels = resized_labels(job.pairing.labels, small.shape[:2])
        classes = job.pairing.classes
        loss = TransferLoss(
            self._features,
            self.config.losses,
            content=content,
            content_masks=_one_hot([labels], classes).to(self._device),
            styles=torch.cat([tensor_of(style, self._device) for style in job.styles]),
            style_masks=_one_hot(job.style_labels, classes).to(self._device),
            matting=MattingEnergy(small, self._device) if with_matting else None,
        )
        return content, loss


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One photo and its style, with the segments that both have."""

    guide: Pixels
    small: Pixels
    pairing: Pairing  # its labels are of `small`
    styles: Sequence[Pixels]
    style_labels: Sequence[Labels]


def _one_hot(labels: Sequence[Labels], classes: Sequence[int]) -> torch.Tensor:
    """(B, K, H, W)."""
    return torch.tensor(np.stack([[(m == label) for label in classes] for m in labels]), dtype=torch.float32)


def _square(photo: Pixels, size: tuple[int, int]) -> Pixels:
    square = resized(tensor_of(photo), size).clamp(0, 1)
    return np.ascontiguousarray(square[0].permute(1, 2, 0).numpy())


def _layout(photo: Pixels) -> npt.NDArray[np.float64]:
    """Ranks of a small picture of luma, of mean 0 and length 1: the same for any rising curve of tone."""
    small = _square(reduced(photo, 4 * LAYOUT_SIDE), (LAYOUT_SIDE,) * 2)
    ranks = np.argsort(np.argsort((small @ np.array([0.2126, 0.7152, 0.0722])).ravel(), kind="stable"))
    centred = ranks - ranks.mean()
    return np.asarray(centred / np.linalg.norm(centred))


def _evenly(n: int, most: int) -> list[int]:
    """At most so many of 0 to n - 1, evenly spaced."""
    return [int(i) for i in np.unique(np.linspace(0, n - 1, min(n, most)).round())]


def untrained() -> DeepPhoto:
    """The preset `tiny`, which needs neither training nor weights."""
    return DeepPhoto.of(tiny())


def load(run_folder: Path) -> DeepPhoto:
    """Raise RunError where the folder holds no run of this system, WeightsMissing where a network is not there."""
    return DeepPhoto.load(run_folder)


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> DeepPhoto:
    """Nothing is trained: a run folder with the settings, so that the system is evaluated as the others are.

    Args:
        dataset: named in the run folder.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told when it is done.
        resume: go on where it was.

    Raises:
        WeightsMissing: the config asks for weights that are not on this machine.
        RunError: the folder holds another run.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    system = DeepPhoto.of(config)
    facts = dataset_facts(dataset, raters=0, left_out=0, images=0, judgments=0)
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    runs.write_weights(run_folder, {}, system=NAME)
    runs.write_curves(run_folder, [])
    runs.log(run_folder, "there is nothing to train")
    runs.write_card(run_folder, TITLE, n_parameters=0)
    report(1, 1, "nothing to train")
    return system
