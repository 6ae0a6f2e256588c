"""Pages of pictures beside the report: the best, the worst, random ones, and every rater's.

Which judgments are shown is decided by numbers and the seed, never by hand. A page holds at most
24 judgments, about 1 MB, and needs no other file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evaluation.protocol import EvaluationProtocol
from evaluation.report.evaluation import Evaluation, Row
from evaluation.report.page import environment
from evaluation.report.pictures import between_of, data_address, gains_of, headline_row, judgment_at
from learning.data.dataset import Pixels, PreferenceDataset
from learning.training.run_folder import write_text
from variants.progress import Report, silent

PICTURES_OF_RATER = 4
"""Judgments of each rater: the best, the worst, and random ones."""
CARDS = 24
"""Judgments of a page."""
MOST_RATER_PAGES = 20
LONG_SIDE, QUALITY = 256, 80
TITLES = {"best": "Best", "worst": "Worst", "random": "Random", "raters": "Rater by rater"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One evaluated judgment: both images with what the learner made of each."""

    rater_id: str
    scene_id: str
    other: str
    from_other: str
    preferred: str
    from_preferred: str
    between: float
    """ΔE00 between the two images: what doing nothing leaves of the first."""
    d_np: float
    d_pp: float
    gain: float
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    name: str
    title: str
    indices: tuple[int, ...]
    note: str = ""


def write_gallery(
    evaluation: Evaluation,
    dataset: PreferenceDataset,
    protocol: EvaluationProtocol,
    out: Path,
    *,
    each: int = PICTURES_OF_RATER,
    report: Report = silent,
) -> list[dict[str, Any]]:
    """Write the pages of every learner into `out`; return their files and titles, for the report.

    Pages of an older report in the folder are removed. With `each` 0 there are none.
    """
    for old in out.glob("pictures-*.html"):
        old.unlink()
    if not each:
        return []
    written = []
    for number, learner in enumerate(evaluation.learners, 1):
        row = headline_row(evaluation, learner.run)
        pages = _pages(row, evaluation, number, each, protocol.seed)
        wanted = list(dict.fromkeys(index for page in pages for index in page.indices))
        cards = {}
        for done, index in enumerate(wanted):
            report(done, len(wanted), f"{learner.run}: drawing pictures")
            cards[index] = _card(row, evaluation, dataset, protocol, index)
        for page in pages:
            html = (
                environment()
                .get_template("gallery.html.j2")
                .render(
                    data=evaluation.data,
                    run=learner.run,
                    system=learner.system.name,
                    page=page,
                    pages=pages,
                    scenes=row.scenes,
                    cards=[cards[index] for index in page.indices],
                )
            )
            write_text(out / page.name, html)
            written.append({"file": page.name, "title": page.title, "run": learner.run})
    return written


def _pages(row: Row, evaluation: Evaluation, number: int, each: int, seed: int) -> list[Page]:
    gain = gains_of(row, evaluation)
    order = np.argsort(-gain, kind="stable").tolist()
    shuffled = np.random.default_rng([seed, 11]).permutation(len(order)).tolist()
    chosen = {"best": order[:CARDS], "worst": order[::-1][:CARDS], "random": shuffled[:CARDS]}
    pages = [
        Page(name=f"pictures-{number}-{kind}.html", title=TITLES[kind], indices=tuple(indices))
        for kind, indices in chosen.items()
    ]
    of_raters = [_of_rater(own, each) for own in _by_rater(row, order, shuffled)]
    chunks = list(_chunked(of_raters))
    left_out = sum(len(chunk) for chunk in chunks[MOST_RATER_PAGES:])
    note = f"The last {left_out} raters have no page." if left_out else ""
    shown = chunks[:MOST_RATER_PAGES]
    for part, chunk in enumerate(shown, 1):
        of = f" {part} of {len(shown)}" if len(shown) > 1 else ""
        pages.append(
            Page(
                name=f"pictures-{number}-raters-{part}.html",
                title=TITLES["raters"] + of,
                indices=tuple(index for own in chunk for index in own),
                note=note,
            )
        )
    return pages


def _by_rater(
    row: Row, order: Sequence[int], shuffled: Sequence[int]
) -> Iterable[tuple[list[int], list[int]]]:
    """Of each rater the judgments from the best to the worst, and in random order."""
    rater = row.distances.rater
    for number in np.unique(rater).tolist():
        yield [i for i in order if rater[i] == number], [i for i in shuffled if rater[i] == number]


def _of_rater(own: tuple[list[int], list[int]], each: int) -> list[int]:
    ordered, shuffled = own
    wanted = list(dict.fromkeys([ordered[0], ordered[-1], *shuffled]))[:each]
    return sorted(wanted, key=ordered.index)


def _chunked(raters: Iterable[list[int]]) -> Iterable[list[list[int]]]:
    """Whole raters, as many as a page holds; at least one."""
    chunk: list[list[int]] = []
    for own in raters:
        if chunk and sum(map(len, chunk)) + len(own) > CARDS:
            yield chunk
            chunk = []
        chunk.append(own)
    if chunk:
        yield chunk


def _card(
    row: Row, evaluation: Evaluation, dataset: PreferenceDataset, protocol: EvaluationProtocol, index: int
) -> Card:
    rater, episode, judgment = judgment_at(row, evaluation, index)
    ids = [judgment.rejected_image, judgment.preferred_image]
    other, preferred = (dataset.image(image, protocol.edit_size) for image in ids)
    outputs = row.contender.editor.render(row.contender.profiles[rater], ids, ids)
    small = [_small(image) for image in (other, outputs[0], preferred, outputs[1])]
    addresses = [data_address(image, QUALITY) for image in small]
    return Card(
        rater_id=episode.rater_id,
        scene_id=judgment.scene_id,
        other=addresses[0],
        from_other=addresses[1],
        preferred=addresses[2],
        from_preferred=addresses[3],
        between=float(between_of(row, evaluation)[index]),
        d_np=float(row.distances.d_np[index]),
        d_pp=float(row.distances.d_pp[index]),
        gain=float(gains_of(row, evaluation)[index]),
        width=small[0].shape[1],
        height=small[0].shape[0],
    )


def _small(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = LONG_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    levels = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = Image.fromarray(levels).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(shrunk, np.float32) / np.float32(255)
