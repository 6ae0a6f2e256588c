"""The heavy verb of diffusion edits: instructions written, then carried out; torch comes with it.

One model is in memory at a time. What has been written is stored at once, so that work which is
taken up again goes on from there.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from variants.diffusion.machine import DiffusionError, Machine, free_memory
from variants.diffusion.pipelines import EDITORS, Pipeline, Stop, load_pipeline
from variants.diffusion.writer import Writer, load_writer
from variants.jobs import HEARTBEAT_SECONDS
from variants.models import Rendition
from variants.progress import reported
from variants.sources.drift import drift_between
from variants.sources.generated import EditRecipe
from variants.storing import Rendered, Store, photo_of, rendered
from variants.tone.images import ImageError, Pixels, fit_long_side, fit_size

Tell = Callable[[str], None]
"""Say which stage it is, and pass on whoever asks for the end."""

SHAPE_TOLERANCE = 0.01
"""By which part the proportions of what a model gives may be others than asked for."""


def edits_render(planned: "QuerySet[Rendition]", store: Store, tell: Tell) -> None:
    """Write what instructions are missing, and make the edits, model by model.

    An edit that cannot be made fails with the reason, and the others are made all the same; where a model
    cannot be loaded that is all of its edits.
    """
    machine = Machine(**settings.DIFFUSION)
    unwritten = planned.filter(recipe__diffusion_edit__instruction="")
    for rows in _by_model(unwritten, _writer_of):
        _write_all(rows, machine, store, tell)
    for rows in _by_model(planned.exclude(pk__in=unwritten.values("pk")), _editor_of):
        _edit_all(rows, machine, store, tell)


def _write_all(rows: list[Rendition], machine: Machine, store: Store, tell: Tell) -> None:
    writing = _recipe(rows[0]).writer
    assert writing is not None  # an instruction is empty only where somebody writes it

    def stage() -> None:
        tell(f"writing instructions with {Path(writing.model).name}")

    try:
        stage()
        writer = reported(lambda stop: load_writer(writing, machine), stage, HEARTBEAT_SECONDS)
    except DiffusionError as error:
        _fail(rows, error, store)
        return
    try:
        for group, photo in _with_photos(rows, store):
            for row in group:
                stage()
                _write(row, photo, writer, store, stage)
    finally:
        del writer
        free_memory()


def _write(row: Rendition, photo: Pixels, writer: Writer, store: Store, stage: Callable[[], None]) -> None:
    recipe = _recipe(row)
    assert recipe.writer is not None
    writing = recipe.writer
    try:
        instruction = reported(lambda stop: writer.write(photo, writing), stage, HEARTBEAT_SECONDS)
    except DiffusionError as error:
        _fail([row], error, store)
        return
    row.recipe = recipe.written(instruction, writer.revision).to_json()
    Rendition.objects.filter(pk=row.pk, state=Rendition.State.PLANNED).update(recipe=row.recipe)


def _edit_all(rows: list[Rendition], machine: Machine, store: Store, tell: Tell) -> None:
    sampling = _recipe(rows[0]).sampling

    def stage() -> None:
        tell(f"editing with {Path(sampling.model).name}")

    try:
        stage()
        editor = reported(lambda stop: load_pipeline(sampling, EDITORS, machine), stage, HEARTBEAT_SECONDS)
    except DiffusionError as error:
        _fail(rows, error, store)
        return
    try:
        for group, photo in _with_photos(rows, store):
            for alike in _run_alike(group, editor.at_once):
                stage()
                _edit(alike, photo, editor, store, stage)
    finally:
        del editor
        free_memory()


def _edit(
    rows: Sequence[Rendition], photo: Pixels, editor: Pipeline, store: Store, stage: Callable[[], None]
) -> None:
    recipes = [editor.settled_edit(_recipe(row)) for row in rows]

    def edit(stop: Stop) -> list[Pixels]:
        return editor.edit(photo, recipes, stop)

    try:
        edits = reported(edit, stage, HEARTBEAT_SECONDS)
    except DiffusionError as error:
        _fail(rows, error, store)
        return
    for row, recipe, made in zip(rows, recipes, edits, strict=True):
        Rendition.objects.filter(pk=row.pk, state=Rendition.State.PLANNED).update(recipe=recipe.to_json())
        asked = editor.working_size(photo, recipe)
        store(row, judged(photo, made, asked, row.encoding), f"editing with {Path(editor.name).name}")


def judged(photo: Pixels, made: Pixels, asked: tuple[int, int], encoding: str) -> Rendered:
    """What a model made of a photo, at the photo's size, thrown out where it shows something else.

    Args:
        photo: (H, W, 3), as it is shown beside the edit.
        made: (h, w, 3), as the model gave it.
        asked: Width and height that it was to have.
        encoding: Of the file.
    """
    size = made.shape[1], made.shape[0]
    measures: dict[str, Any] = {"made_at": list(size)}
    ratio = (size[0] * asked[1]) / (size[1] * asked[0])
    if abs(ratio - 1) > SHAPE_TOLERANCE:
        why = f"the model gave {size[0]}×{size[1]}, another shape than the {asked[0]}×{asked[1]} asked for"
        return rendered(made, encoding, rejected=why, measures=measures)
    edit = fit_size(made, (photo.shape[1], photo.shape[0]))
    drift = drift_between(photo, edit)
    return rendered(edit, encoding, rejected=drift.fault, measures=measures | drift.to_json())


def _by_model(
    rows: "QuerySet[Rendition]", model_of: Callable[[Rendition], tuple[str, str]]
) -> Iterator[list[Rendition]]:
    """The rows of each model and revision, scene by scene."""
    ordered = sorted(rows.select_related("scene"), key=lambda row: (model_of(row), row.scene_id, row.pk))
    for _, group in itertools.groupby(ordered, key=model_of):
        yield list(group)


def _with_photos(rows: list[Rendition], store: Store) -> Iterator[tuple[list[Rendition], Pixels]]:
    """Rows of one scene and size, with its photo at that size; rows whose photo cannot be read fail."""
    for (_, long_side), group in itertools.groupby(rows, key=lambda row: (row.scene_id, row.long_side)):
        renditions = list(group)
        try:
            yield renditions, fit_long_side(photo_of(renditions[0].scene), long_side)
        except ImageError as error:
            _fail(renditions, error, store)


def _run_alike(rows: list[Rendition], at_once: int) -> Iterator[Sequence[Rendition]]:
    """Rows that one call of the model can make: only seeds and instructions differ."""

    def run(row: Rendition) -> tuple[object, ...]:
        recipe = _recipe(row)
        return recipe.sampling.steps or 0, recipe.sampling.guidance or -1.0, recipe.megapixels or 0.0

    for _, group in itertools.groupby(sorted(rows, key=run), key=run):
        alike = list(group)
        yield from (alike[start : start + at_once] for start in range(0, len(alike), at_once))


def _fail(rows: Sequence[Rendition], error: Exception, store: Store) -> None:
    for row in rows:
        store(row, str(error), "")


def _recipe(row: Rendition) -> EditRecipe:
    return EditRecipe.from_json(row.recipe)


def _editor_of(row: Rendition) -> tuple[str, str]:
    sampling = _recipe(row).sampling
    return sampling.model, sampling.revision


def _writer_of(row: Rendition) -> tuple[str, str]:
    writer = _recipe(row).writer
    return (writer.model, writer.revision) if writer else ("", "")
