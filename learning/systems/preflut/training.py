"""Training of PrefLUT on a dataset folder: LUTs of pairs first, then raters."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from learning.data.alignment import Alignment, aligned_answers
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeSampler
from learning.data.views import ViewConfig, build_views
from learning.systems.preflut.config import Config
from learning.systems.preflut.losses import Step, step_loss
from learning.systems.preflut.network import Network
from learning.systems.preflut.pretraining import AlignedPairs, pretrain
from learning.systems.preflut.system import NAME, TITLE, PrefLut, load
from learning.systems.shared import best_device, dataset_facts, described
from learning.training import run_folder as runs
from learning.training.loop import step_chance, train
from learning.training.threads import cpu_threads
from variants.progress import Report

PRETRAINED = "pretrained.safetensors"
"""In the run folder while it is trained: a resumed run does not do it again."""


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> PrefLut:
    """Train on the dataset's training raters and scenes; the run folder holds all that comes of it.

    Args:
        dataset: whose valid training raters are learnt from.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every image and every step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on, or no pair is aligned.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    sampler, device = EpisodeSampler(dataset, config.episodes), best_device()
    alignment = Alignment(dataset)
    aligned = aligned_answers(dataset, sampler.rows, alignment, report)
    facts = dataset_facts(
        dataset,
        raters=sampler.n_raters,
        left_out=sampler.left_out,
        images=len(sampler.images),
        judgments=sampler.n_judgments,
        unaligned=int((~aligned).sum()),
    )
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    with cpu_threads(config.threads), torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Network(config.network).to(device)
        _pretrained(network, dataset, sampler.rows[aligned], config, run_folder, report)
        data = _TrainingData(dataset, sampler, alignment, network, config, report)
        train(
            network,
            data,
            lambda progress, step: step_loss(network, step, config.losses),
            config.loop,
            run_folder,
            system=NAME,
            seed=config.seed,
            report=report,
            resume=resume,
        )
    (run_folder / PRETRAINED).unlink(missing_ok=True)
    runs.write_card(run_folder, TITLE, n_parameters=sum(p.numel() for p in network.parameters()))
    return PrefLut(network, config)


def _pretrained(
    network: Network,
    dataset: PreferenceDataset,
    aligned: npt.NDArray[np.int64],
    config: Config,
    run_folder: Path,
    report: Report,
) -> None:
    """Pre-train in place, or read what an earlier start of the same run has pre-trained."""
    if (run_folder / PRETRAINED).is_file():
        runs.fill(network, runs.read_weights(run_folder, system=NAME, name=PRETRAINED), run_folder)
        network.freeze_pretrained()
        return
    pairs = aligned_pairs(dataset, aligned, config, report)
    losses = pretrain(network, pairs, config.pretraining, config.network, seed=config.seed, report=report)
    words = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    runs.log(run_folder, f"pre-trained on {len(pairs)} aligned pairs: {words}")
    runs.write_weights(run_folder, network.state_dict(), system=NAME, name=PRETRAINED)


def aligned_pairs(
    dataset: PreferenceDataset, rows: npt.NDArray[np.int64], config: Config, report: Report
) -> AlignedPairs:
    """Pictures of the pairs of these rows of judgments, which are aligned; each pair once, at most so many."""
    answered = np.stack([dataset.judgments.rejected[rows], dataset.judgments.preferred[rows]], axis=1)
    _, first = np.unique(np.sort(answered, axis=1), axis=0, return_index=True)
    answered = np.random.default_rng([config.seed, 2]).permutation(answered[np.sort(first)])
    answered = answered[: config.pretraining.pairs]
    images = np.unique(answered)
    views = build_views(
        dataset,
        images,
        ViewConfig(count=1, size=config.pretraining.view_size, jitter=0),
        features_of=_nothing,
        feature_size=config.pretraining.view_size,
        feature_dim=1,
        seed=config.seed,
        report=report,
    )
    rejected, preferred = (views.pixels[views.row_of[answered[:, side]], 0] for side in (0, 1))
    return AlignedPairs(rejected=rejected, preferred=preferred)


class _TrainingData:
    """Episodes as tensors on the device; see `learning.training.loop.StepData`.

    The encoders are frozen, so that features of all views are made once.
    """

    def __init__(
        self,
        dataset: PreferenceDataset,
        sampler: EpisodeSampler,
        alignment: Alignment,
        network: Network,
        config: Config,
        report: Report,
    ) -> None:
        self.seed, self.sampler, self.alignment = config.seed, sampler, alignment
        self.device = next(network.parameters()).device

        @torch.no_grad()
        def features_of(images: torch.Tensor) -> torch.Tensor:
            seen: torch.Tensor = network.pair_encoder(images.to(self.device)).cpu()
            return seen

        # Both encoders are one and the same when raters are learnt: one bank serves references and queries.
        self.views = build_views(
            dataset,
            sampler.images,
            config.views,
            features_of=features_of,
            feature_size=config.views.size,
            feature_dim=config.network.width,
            seed=config.seed,
            report=report,
        )

    def __getitem__(self, step: int) -> Step:
        rng = step_chance(self.seed, step)
        drawn = self.sampler.draw(rng)
        # A pair is seen by one view.
        view = rng.integers(self.views.count, size=drawn.reference_preferred.shape)
        target_view = rng.integers(self.views.count, size=drawn.target_preferred.shape)
        preferred, rejected = drawn.target_preferred, drawn.target_rejected
        aligned = self.alignment(preferred.reshape(-1), rejected.reshape(-1))
        return Step(
            preferred_references=self.views.features_of(drawn.reference_preferred, view).to(self.device),
            rejected_references=self.views.features_of(drawn.reference_rejected, view).to(self.device),
            preferred=self.views.pixels_of(preferred, target_view).flatten(0, 1).to(self.device),
            preferred_features=self.views.features_of(preferred, target_view).flatten(0, 1).to(self.device),
            rejected=self.views.pixels_of(rejected, target_view).flatten(0, 1).to(self.device),
            rejected_features=self.views.features_of(rejected, target_view).flatten(0, 1).to(self.device),
            aligned=torch.tensor(aligned, dtype=torch.float32, device=self.device),
        )


def _nothing(images: torch.Tensor) -> torch.Tensor:
    """Pre-training needs no features of its views."""
    return images.new_zeros((len(images), 1))
