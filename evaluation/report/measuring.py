"""Makes every output that the rows need once, and measures it once against each image it is compared with.

Outputs are dropped as soon as they are measured, so memory does not grow with the
number of raters; images that are compared with are prepared for the metrics once.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import Future

import numpy as np
import torch
from torch.nn.functional import interpolate

from evaluation.metrics.cqs import Distances, Floats
from evaluation.metrics.metric import Metric, Prepared, as_batch, compare_pairs
from evaluation.protocol import Episodes, EvaluationProtocol
from evaluation.report.contenders import Contender, Edit, Editor
from evaluation.report.threads import one_core_each
from learning.data.dataset import Pixels, PreferenceDataset
from variants.progress import Report, silent

BATCH, BATCH_ON_ACCELERATOR = 8, 32
"""Outputs made and measured at a time."""
MOST_WAITING = 8
"""Batches that may wait to be measured."""
TARGET_BYTES = 768 * 2**20
"""Memory for images that stay prepared for the metrics."""

Measured = dict[tuple[Edit, str], Floats]
"""(output, the image it is measured against) → one value for each metric."""


class Measurer:
    """Measures outputs against images of a dataset by several metrics."""

    def __init__(
        self,
        dataset: PreferenceDataset,
        metrics: Sequence[Metric],
        protocol: EvaluationProtocol,
        device: torch.device | str = "cpu",
    ) -> None:
        self._dataset, self._metrics, self._protocol = dataset, metrics, protocol
        self._device = torch.device(device)
        self._batch = BATCH if self._device.type == "cpu" else BATCH_ON_ACCELERATOR
        self._targets: OrderedDict[str, list[Prepared]] = OrderedDict()
        self._target_bytes = 0

    def measure(
        self, wanted: dict[Editor, dict[Edit, set[str]]], report: Report = silent, stage: str = ""
    ) -> dict[Editor, Measured]:
        """Values of every wanted output against every image it is wanted against."""
        results: dict[Editor, Measured] = {editor: {} for editor in wanted}
        total = sum(len(edits) for edits in wanted.values())
        done = 0
        with one_core_each() as pool:
            waiting: deque[tuple[Editor, int, Future[Measured]]] = deque()
            for editor, edits in wanted.items():
                for batch in self._batches(edits):
                    # Rendering stays in this thread: systems need not be safe for several.
                    small = self._rendered(editor, batch)
                    targets = [(edit, self._targets_of(edits[edit])) for edit in batch]
                    waiting.append((editor, len(batch), pool.submit(self._compared, small, targets)))
                    while len(waiting) > MOST_WAITING:
                        done += _collect(waiting, results)
                        report(done, total, stage)
            while waiting:
                done += _collect(waiting, results)
                report(done, total, stage)
        return results

    def _batches(self, edits: Iterable[Edit]) -> Iterable[list[Edit]]:
        """Edits of one profile and one image size, a few at a time."""
        alike: dict[tuple[Hashable, tuple[int, ...]], list[Edit]] = {}
        for edit in edits:
            shape = self._dataset.image(edit.image, self._protocol.edit_size).shape
            alike.setdefault((edit.profile, shape), []).append(edit)
        for group in alike.values():
            for start in range(0, len(group), self._batch):
                yield group[start : start + self._batch]

    @torch.inference_mode()
    def _rendered(self, editor: Editor, batch: list[Edit]) -> torch.Tensor:
        outputs = editor.render(batch[0].profile, [e.image for e in batch], [e.guide for e in batch])
        return self._at_metric_size(outputs, [f"the output for image {edit.image}" for edit in batch])

    def _targets_of(self, images: set[str]) -> dict[str, list[Prepared]]:
        return {image: self._target(image) for image in sorted(images)}

    @torch.inference_mode()
    def _compared(
        self, outputs: torch.Tensor, targets: Sequence[tuple[Edit, dict[str, list[Prepared]]]]
    ) -> Measured:
        wanted = [(row, edit, target) for row, (edit, own) in enumerate(targets) for target in own]
        measured: Measured = {(edit, target): np.empty(len(self._metrics)) for _, edit, target in wanted}
        images = list(dict.fromkeys(target for _, _, target in wanted))
        known = {target: own[target] for _, own in targets for target in own}
        pairs = [(row, images.index(target)) for row, _, target in wanted]
        for column, metric in enumerate(self._metrics):
            against = [known[image][column] for image in images]
            values = compare_pairs(metric, metric.prepare(outputs), against, pairs)
            for (_, edit, target), value in zip(wanted, values, strict=True):
                measured[edit, target][column] = value
        return measured

    @torch.inference_mode()
    def _target(self, image_id: str) -> list[Prepared]:
        if image_id not in self._targets:
            image = self._dataset.image(image_id, self._protocol.edit_size)
            small = self._at_metric_size([image], [f"image {image_id}"])
            self._targets[image_id] = [metric.prepare(small) for metric in self._metrics]
            self._target_bytes += _bytes(self._targets[image_id])
            while self._target_bytes > TARGET_BYTES and len(self._targets) > 1:
                self._target_bytes -= _bytes(self._targets.popitem(last=False)[1])
        self._targets.move_to_end(image_id)
        return self._targets[image_id]

    def _at_metric_size(self, images: Sequence[Pixels], names: Sequence[str]) -> torch.Tensor:
        """(B, H, W, 3) with the long side at the metric size; outputs and targets go the same way."""
        batch = as_batch(images, names, self._device)
        height, width = batch.shape[1:3]
        scale = self._protocol.metric_size / max(height, width)
        if scale >= 1:
            return batch
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        planes = interpolate(batch.movedim(-1, 1), size=size, mode="bilinear", antialias=True)
        return planes.clamp(0, 1).movedim(1, -1).contiguous()


def _bytes(prepared: Sequence[Prepared]) -> int:
    return sum(part.nbytes for parts in prepared for part in parts)


def _collect(waiting: "deque[tuple[Editor, int, Future[Measured]]]", results: dict[Editor, Measured]) -> int:
    """Wait for the oldest batch; return how many outputs it had."""
    editor, size, future = waiting.popleft()
    results[editor] |= future.result()
    return size


def measure_contenders(
    measurer: Measurer,
    contenders: Sequence[Contender],
    episodes: Episodes,
    metrics: Sequence[Metric],
    report: Report = silent,
) -> list[dict[str, Distances]]:
    """For each contender the four distances of every evaluated judgment, by metric."""
    measured = measurer.measure(_wanted(contenders, episodes), report, f"{episodes.scenes} scenes: measuring")
    return [_distances(contender, episodes, measured[contender.editor], metrics) for contender in contenders]


def _wanted(contenders: Sequence[Contender], episodes: Episodes) -> dict[Editor, dict[Edit, set[str]]]:
    wanted: dict[Editor, dict[Edit, set[str]]] = {}
    for contender in contenders:
        edits = wanted.setdefault(contender.editor, {})
        for index, episode in enumerate(episodes.episodes):
            for pair, judgment in zip(contender.edits(index, episode), episode.evaluations, strict=True):
                for edit in pair:
                    targets = edits.setdefault(edit, set())
                    targets |= {judgment.preferred_image, judgment.rejected_image}
    return wanted


def _distances(
    contender: Contender, episodes: Episodes, measured: Measured, metrics: Sequence[Metric]
) -> dict[str, Distances]:
    rows, raters = [], []
    for index, episode in enumerate(episodes.episodes):
        for (from_p, from_n), j in zip(contender.edits(index, episode), episode.evaluations, strict=True):
            p, n = j.preferred_image, j.rejected_image
            rows.append([measured[edit, target] for edit in (from_p, from_n) for target in (p, n)])
            raters.append(index)
    values = np.array(rows)  # (judgments, 4, metrics)
    return {
        metric.name: Distances(
            d_pp=values[:, 0, column],
            d_pn=values[:, 1, column],
            d_np=values[:, 2, column],
            d_nn=values[:, 3, column],
            rater=np.array(raters),
            lower_is_better=metric.lower_is_better,
        )
        for column, metric in enumerate(metrics)
    }
