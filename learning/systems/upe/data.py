"""What each training step is shown: small views held in memory, or crops of the photos themselves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from learning.backbones.load import Backbone
from learning.data.alignment import Alignment
from learning.data.crops import PairCrops
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import Episodes, EpisodeSampler
from learning.data.features import FeatureCache, features_of
from learning.data.views import ViewBank, ViewConfig, build_views
from learning.systems.upe.config import Config, FixedReferences
from learning.systems.upe.sampling import FixedPairSampler
from learning.training.loop import step_chance
from variants.progress import Report


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """R raters, N references and T targets of each; P = R·T pairs, K inputs of each; D features."""

    preferred_references: torch.Tensor  # (R, N, D)
    rejected_references: torch.Tensor  # (R, N, D)
    preferred: torch.Tensor  # (P, 3, S, S)
    rejected: torch.Tensor  # (P, 3, S, S)
    inputs: torch.Tensor  # (K·P, 3, S, S): all rejected, all preferred, and so on
    input_features: torch.Tensor  # (K·P, D)
    aligned: torch.Tensor | None = None  # (P,) bool; None where all are

    @property
    def n_inputs(self) -> int:
        return len(self.inputs) // len(self.preferred)

    @property
    def n_targets(self) -> int:
        return len(self.preferred) // len(self.preferred_references)


class Sampler:
    """Episodes by the step's number, of either kind.

    Attributes:
        of: the sampler that draws them.
    """

    def __init__(self, dataset: PreferenceDataset, config: Config) -> None:
        self.seed = config.seed
        self.of: EpisodeSampler | FixedPairSampler
        if isinstance(config.episodes, FixedReferences):
            self.of = FixedPairSampler(dataset, config.episodes, config.seed)
        else:
            self.of = EpisodeSampler(dataset, config.episodes)

    def draw(self, step: int, rng: np.random.Generator) -> Episodes:
        return self.of.draw(step) if isinstance(self.of, FixedPairSampler) else self.of.draw(rng)


class ViewData:
    """Episodes of views; see `learning.training.loop.StepData`."""

    def __init__(
        self,
        dataset: PreferenceDataset,
        sampler: Sampler,
        backbone: Backbone,
        config: Config,
        device: torch.device,
        report: Report,
        alignment: Alignment,
    ) -> None:
        def build(views: ViewConfig, seed: int) -> ViewBank:
            return build_views(
                dataset,
                sampler.of.images,
                views,
                features_of=lambda images: backbone(images.to(device)).cpu(),
                feature_size=backbone.image_size,
                feature_dim=backbone.dim,
                seed=seed,
                report=report,
            )

        self.seed, self.sampler, self.alignment = config.seed, sampler, alignment
        self.views = build(config.views, config.seed)
        self.target_views = build(config.target_views, config.seed + 1) if config.target_views else self.views

    @property
    def features(self) -> torch.Tensor:
        """All that training shows, (..., D)."""
        return self.views.features

    def __getitem__(self, step: int) -> Step:
        rng = step_chance(self.seed, step)
        episodes = self.sampler.draw(step, rng)
        # A pair is seen by one view.
        reference_view = rng.integers(self.views.count, size=episodes.reference_preferred.shape)
        target_view = rng.integers(self.target_views.count, size=episodes.target_preferred.shape)
        preferred, preferred_features = self._targets(episodes.target_preferred, target_view)
        rejected, rejected_features = self._targets(episodes.target_rejected, target_view)
        aligned = self.alignment(episodes.target_preferred.ravel(), episodes.target_rejected.ravel())
        return Step(
            preferred_references=self.views.features_of(episodes.reference_preferred, reference_view),
            rejected_references=self.views.features_of(episodes.reference_rejected, reference_view),
            preferred=preferred,
            rejected=rejected,
            inputs=torch.cat([rejected, preferred]),
            input_features=torch.cat([rejected_features, preferred_features]),
            aligned=None if aligned.all() else torch.from_numpy(aligned),
        )

    def _targets(self, images: npt.NDArray[Any], view: npt.NDArray[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Positions (R, T) → pixels (R·T, 3, S, S) and features (R·T, D)."""
        pixels = self.target_views.pixels_of(images, view).flatten(0, 1)
        features = self.target_views.features_of(images, view).flatten(0, 1)
        return pixels, features


class CropData:
    """Episodes of crops at full resolution; features are those of the whole photos, computed once.

    A jittered input has the features of the photo that it came from.
    """

    def __init__(
        self,
        dataset: PreferenceDataset,
        sampler: Sampler,
        backbone: Backbone,
        config: Config,
        cache: FeatureCache,
        report: Report,
        alignment: Alignment,
    ) -> None:
        assert config.crops is not None
        self.seed, self.sampler = config.seed, sampler
        self.crops = PairCrops(dataset, config.crops, alignment=alignment)
        images = sampler.of.images
        self.row_of = np.full(len(dataset.image_ids), -1, np.int64)
        self.row_of[images] = np.arange(len(images))
        self.features = torch.from_numpy(features_of(dataset, images, backbone, cache, report))

    def __getitem__(self, step: int) -> Step:
        rng = step_chance(self.seed, step)
        episodes = self.sampler.draw(step, rng)
        preferred, rejected = episodes.target_preferred.ravel(), episodes.target_rejected.ravel()
        batch = self.crops.draw(preferred, rejected, rng)
        n_inputs = batch.inputs.shape[1]
        of_inputs = [rejected, preferred] * (n_inputs // 2)
        return Step(
            preferred_references=self._features(episodes.reference_preferred),
            rejected_references=self._features(episodes.reference_rejected),
            preferred=batch.preferred,
            rejected=batch.rejected,
            inputs=batch.inputs.transpose(0, 1).flatten(0, 1),
            input_features=torch.cat([self._features(images) for images in of_inputs]),
            aligned=batch.aligned,
        )

    def _features(self, images: npt.NDArray[Any]) -> torch.Tensor:
        return self.features[torch.from_numpy(self.row_of[images])]
