"""What is learnt before the editor: tone space, how raters' tastes are spread in it, and to see an image's tone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from collection.design.tone_space import ToneSpace, learn_tone_space, scene_means
from learning.data.dataset import PreferenceDataset
from learning.data.views import ViewBank
from learning.systems.tastelut.answering import learn_spread
from learning.systems.tastelut.config import Config
from learning.systems.tastelut.network import Network, Sizes
from learning.systems.tastelut.reading import Raters, read_pairs
from variants.progress import Report
from variants.tone.concepts import CONCEPTS
from variants.tone.statistics import N_STATISTICS, tone_statistics

Array = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]

CONCEPT_STEPS = {
    "exposure": 0.3,
    "contrast": 0.4,
    "highlight": 0.4,
    "shadow": 0.4,
    "temperature": 0.4,
    "tint": 0.2,
    "saturation": 0.3,
}
"""Concepts that a taste is told in, all of them maps of colour; and the step by which each is measured, in its unit."""
CONCEPT_PHOTOS = 256
LOOK_BATCH, LOOK_RATE = 256, 2e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """Where the training images stand; I images and S' scenes of the dataset, not a number where not trained on."""

    space: ToneSpace
    scene: Indices  # (I,) positions of scenes
    tones: Array  # (I, K), departures from the scene's mean
    content: Array  # (S', C)


def survey(
    dataset: PreferenceDataset, views: ViewBank, config: Config, space: ToneSpace | None = None
) -> Ground:
    """Place the images that have views in tone space, which is learnt from them where none is given; view 0 counts."""
    images = np.flatnonzero(views.row_of >= 0)
    statistics = views.features[:, 0].double().numpy()
    number = {scene_id: n for n, scene_id in enumerate(dataset.scene_ids)}
    scene = np.array([number[image.scene_id] for image in dataset.images.values()])
    trained, index = np.unique(scene[images], return_inverse=True)
    space = space or learn_tone_space(
        statistics, index, seed=config.seed, n_tones=config.n_tones, n_contents=config.n_contents
    )
    means = scene_means(statistics, index)
    tones = np.full((len(scene), space.n_tones), np.nan)
    tones[images] = space.tones(statistics, means[index])
    content = np.full((len(dataset.scene_ids), space.n_contents), np.nan)
    content[trained] = space.content(means)
    return Ground(space=space, scene=scene, tones=tones, content=content)


def new_network(views: ViewBank, ground: Ground, config: Config) -> Network:
    """With weights by the config's seed, and the scale of the statistics in training."""
    sizes = Sizes(N_STATISTICS, ground.space.n_tones, ground.space.n_contents)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Network(sizes, config.network, config.look)
    rows = views.features.reshape(-1, N_STATISTICS)
    network.feature_mean.copy_(rows.mean(0))
    network.feature_deviation.copy_(rows.std(0, correction=0) + 1e-4)
    network.axes.copy_(torch.tensor(ground.space.axes))
    return network


def learn_to_look(network: Network, views: ViewBank, ground: Ground, config: Config, report: Report) -> None:
    """Train `network.look` on every view of every training image, then hold it fixed."""
    images = np.flatnonzero(views.row_of >= 0)
    tones = torch.tensor(ground.tones[images], dtype=torch.float32)
    content = torch.tensor(ground.content[ground.scene[images]], dtype=torch.float32)
    chance = torch.Generator().manual_seed(config.seed)
    look = network.look.train()
    optimizer = torch.optim.AdamW(look.parameters(), LOOK_RATE, weight_decay=config.look.weight_decay)
    steps = config.look.steps
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # of the dropout
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = LOOK_RATE * (1 - step / steps)
            row = torch.randint(len(images), (LOOK_BATCH,), generator=chance)
            view = torch.randint(views.count, (LOOK_BATCH,), generator=chance)
            features = network.scaled(views.features[row, view])
            features = features + config.look.noise * torch.randn(features.shape, generator=chance)
            found_tones, found_content = look.each(features)
            loss = F.mse_loss(found_tones, tones[row].expand_as(found_tones))
            loss = loss - 0.3 * (content[row] * (found_content + 1e-6).log()).sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            report(step + 1, steps, "learning to see tones")
    look.eval().requires_grad_(False)


def learn_raters(
    network: Network,
    dataset: PreferenceDataset,
    rows: Sequence[Indices],
    views: ViewBank,
    ground: Ground,
    config: Config,
) -> Raters:
    """How ideal points are spread where tones are seen in the two images alone, as they are for new raters."""
    judgments = dataset.judgments
    given = []
    for own in rows:
        whole = np.zeros(len(own), np.int64)
        preferred = network.scaled(views.features_of(judgments.preferred[own], whole))
        rejected = network.scaled(views.features_of(judgments.rejected[own], whole))
        pairs = read_pairs(network, preferred, rejected)
        given.append(pairs.numbers())
    prior = learn_spread(given, config)
    network.metric.copy_(torch.tensor(prior.metric))
    return Raters(
        space=ground.space,
        prior=prior,
        concepts=_concept_steps(views, ground.space, config),
        neutral=_neutral(dataset, views, ground),
    )


def _concept_steps(views: ViewBank, space: ToneSpace, config: Config) -> Array:
    """(n_concepts, K): what one unit of each concept does to the tones of usual photos."""
    rng = np.random.default_rng([config.seed, 5])
    rows = np.sort(rng.permutation(len(views.pixels))[:CONCEPT_PHOTOS])
    photos = (views.pixels[rows, 0].float() / 255).permute(0, 2, 3, 1).numpy()
    found = []
    for name, step in CONCEPT_STEPS.items():
        up, down = (tone_statistics(CONCEPTS[name].adjust(photos, sign * step)) for sign in (1, -1))
        found.append(((up - down) / (2 * step)).astype(float).mean(0) @ space.axes)
    return np.stack(found)


def _neutral(dataset: PreferenceDataset, views: ViewBank, ground: Ground) -> Array:
    """Tones (K,) of untouched photos; 0 where the dataset has none."""
    trained = np.flatnonzero(views.row_of >= 0).tolist()
    untouched = [i for i in trained if dataset.images[dataset.image_ids[i]].is_neutral]
    return ground.tones[untouched].mean(0) if untouched else np.zeros(ground.space.n_tones)
