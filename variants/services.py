"""What is done to scenes and renditions, short of rendering them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models import Q

from variants.jobs import Job
from variants.models import (
    Encoding,
    LutFile,
    PhotoFile,
    PhotoJob,
    RenderJob,
    Rendition,
    Scene,
    SceneJob,
    SceneOrder,
    SourceType,
    Version,
)
from variants.selectors import scenes_like
from variants.sources.alignment import AlignmentError
from variants.sources.cameras import CameraRecipe
from variants.sources.files import FileRecipe
from variants.sources.generated import EditRecipe, PictureRecipe
from variants.sources.manifest import Entry, Fault
from variants.sources.sets import Align, Alignment, Member, align_cameras, align_edits
from variants.tone.apart import read_photo_apart
from variants.tone.cube import read_cube
from variants.tone.haldclut import read_haldclut
from variants.tone.images import (
    ImageError,
    Limits,
    Photo,
    encode_image,
    fit_long_side,
    read_file,
    read_photo,
)
from variants.tone.likeness import perceptual_hash
from variants.tone.recipes import Recipe

SUFFIXES = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp"}
THUMBNAIL_SIDE = 320
"""Of a photo on researchers' pages, in pixels."""
ALIGN: dict[str, Align] = {SourceType.A: align_edits, SourceType.B: align_cameras}
"""How the files of a set come into one frame, by their source."""

OwnRecipe = Recipe | CameraRecipe | EditRecipe
"""Of a scene's own photo."""
AnyRecipe = OwnRecipe | FileRecipe
Recipes = Iterable[OwnRecipe] | Callable[[Scene], Iterable[OwnRecipe]]


@dataclass(frozen=True, kw_only=True)
class SceneImport:
    scene: Scene
    is_new: bool
    """False where the same file had been imported before: `scene` is the one from then."""
    near: list[tuple[Scene, int]] = field(default_factory=list)
    """Other scenes with nearly the same photo, and by how many of 64 bits their hashes differ."""


@dataclass(frozen=True, kw_only=True)
class SetImport:
    scene: Scene | None
    """None where fewer than two files were left to compare."""
    added: int = 0
    known: int = 0
    faults: list[Fault] = field(default_factory=list)
    near: list[tuple[Scene, int]] = field(default_factory=list)


def scene_import(
    path: str | Path,
    *,
    name: str = "",
    category: str = "",
    source_type: str = SourceType.E,
    licence: str = "",
    attribution: str = "",
    limits: Limits | None = None,
) -> SceneImport:
    """Make a photo file a scene; its name is the file's unless given, its attribution what the file says.

    Raises ImageError for a file that cannot be used and ValidationError for a field
    that cannot be stored; then neither a row nor a file stays behind.
    """
    path = Path(path)
    limits = limits or Limits()
    return scene_take(
        read_file(path, limits),
        name=name or path.stem,
        file_name=path.name,
        category=category,
        source_type=source_type,
        licence=licence,
        attribution=attribution,
        limits=limits,
    )


def scene_take(
    data: bytes,
    *,
    name: str,
    file_name: str,
    category: str = "",
    source_type: str = SourceType.E,
    licence: str = "",
    attribution: str = "",
    made_by: dict[str, Any] | None = None,
    uploaded_by: int | None = None,
    limits: Limits | None = None,
) -> SceneImport:
    """Make a photo's bytes a scene, as `scene_import` does a file.

    `made_by` is the recipe of one that is generated; `uploaded_by` the key of whoever brought it in on a page.
    """
    limits = limits or Limits()
    sha256 = hashlib.sha256(data).hexdigest()
    if known := Scene.objects.filter(original_sha256=sha256).first():
        return SceneImport(scene=known, is_new=False)
    photo = read_photo_apart(data, limits, file_name)
    scene = Scene(
        # Splits hang on the scene's ID: the same photo stands on the same side in every database.
        public_id=sha256[:32],
        name=name,
        category=category,
        source_type=source_type,
        original_sha256=sha256,
        height=photo.pixels.shape[0],
        width=photo.pixels.shape[1],
        ingest=photo.found | (made_by or {}),
        perceptual_hash=perceptual_hash(photo.pixels),
        licence=licence,
        attribution=attribution or photo.found["author"],
        uploaded_by_id=uploaded_by,
    )
    scene.full_clean(exclude=["original", "uploaded_by"], validate_unique=False, validate_constraints=False)
    near = scenes_like(scene.perceptual_hash)
    try:
        _scene_store(scene, data, photo)
    except IntegrityError:  # another process has imported the same file in the meantime
        return SceneImport(scene=Scene.objects.get(original_sha256=sha256), is_new=False)
    return SceneImport(scene=scene, is_new=True, near=near)


def photos_discard(job: PhotoJob) -> None:
    """Delete what was uploaded and not looked at."""
    for file in job.files.filter(state=PhotoFile.State.WAITING):
        if file.file:
            file.file.delete(save=False)
        file.state, file.error = PhotoFile.State.REFUSED, "the import was cancelled before its turn"
        file.save()


def scene_set_import(
    entries: Sequence[Entry], *, source_type: str, limits: Limits | None = None
) -> SetImport:
    """Make one scene of several files that show it: editors' versions (A) or cameras' pictures (B).

    Files that cannot be read, or do not lie on the others, are left out with the reason. A
    set is imported whole: a file that comes later than its set is left out too, since the
    frame that all share is fixed by then.

    Raises ValidationError for a field that cannot be stored; then neither rows nor files stay behind.
    """
    found, faults = _read_set(entries, limits or Limits())
    hashes = [found_file.sha256 for found_file in found]
    known = {row.original_sha256: row for row in Version.objects.filter(original_sha256__in=hashes)}
    new = [found_file for found_file in found if found_file.sha256 not in known]
    if known:
        scene = next(iter(known.values())).scene
        late = f"its set has been imported without it, as {scene.name}; a set is imported whole"
        faults += [Fault(where=found_file.entry.where, reason=late) for found_file in new]
        return SetImport(scene=scene, known=len(known), faults=faults)
    if len(new) < 2:
        faults += [Fault(where=f.entry.where, reason="there is no other file of its scene") for f in new]
        return SetImport(scene=None, faults=faults)
    try:
        alignment = ALIGN[source_type]([found_file.member for found_file in new])
    except AlignmentError as error:
        faults += [Fault(where=found_file.entry.where, reason=str(error)) for found_file in new]
        return SetImport(scene=None, faults=faults)
    faults += [Fault(where=new[i].entry.where, reason=why) for i, why in alignment.left_out.items()]
    if len(alignment.matrices) < 2:
        only = new[alignment.reference].entry.where
        faults.append(Fault(where=only, reason="no other file of its scene lies on it"))
        return SetImport(scene=None, faults=faults)
    scene = _set_scene(new, alignment, source_type)
    near = scenes_like(scene.perceptual_hash)
    try:
        _set_store(scene, new, alignment)
    except IntegrityError:  # another process has imported the same set in the meantime
        return SetImport(scene=Scene.objects.get(public_id=scene.public_id), known=len(new), faults=faults)
    return SetImport(scene=scene, added=len(alignment.matrices), faults=faults, near=near)


def lut_import(path: str | Path, *, licence: str = "", attribution: str = "") -> LutFile:
    """Take a LUT in, so that recipes can name it by its key; one that is there already is given back.

    Raises LutError, which names the file and the line, for one that cannot be used.
    """
    path = Path(path)
    lut = read_cube(path) if path.suffix.lower() == ".cube" else read_haldclut(path)
    if known := LutFile.objects.filter(key=lut.key).first():
        return known
    row = LutFile(key=lut.key, name=path.stem[:200], licence=licence, attribution=attribution)
    row.full_clean(exclude=["file"])
    with transaction.atomic():
        row.save()
        row.file.save(f"{lut.key}{path.suffix.lower()}", ContentFile(path.read_bytes()))
    return row


def scenes_plan(orders: Iterable[SceneOrder]) -> SceneJob:
    """Order scenes that a model makes, each from its recipe; the job's scene orders are the work list.

    What has been made, or is ordered by a job under way, is not ordered again; what failed, was left by a job
    that is over, or whose scene has been deleted, is. The caller enqueues the job or runs it.
    """
    orders = list(orders)
    for order in orders:
        order.recipe_key = PictureRecipe.from_json(order.recipe).key
        order.full_clean(exclude=["job", "scene", "recipe_key"], validate_unique=False)
    with transaction.atomic():
        job = SceneJob.objects.create()
        SceneOrder.objects.bulk_create(orders, ignore_conflicts=True, batch_size=500)
        nobody = Q(job=None) | ~Q(job__state__in=(Job.State.QUEUED, Job.State.RUNNING))
        missing = ~Q(state=SceneOrder.State.MADE) | Q(scene=None)
        keys = [order.recipe_key for order in orders]
        free = SceneOrder.objects.filter(nobody, missing, recipe_key__in=keys)
        job.total = SceneOrder.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(
            job=job, state=SceneOrder.State.PLANNED, error=""
        )
        job.save(update_fields=["total"])
    return job


def renditions_plan(
    scenes: Iterable[Scene],
    recipes: Recipes,
    *,
    long_side: int,
    encoding: str,
    source_type: str = SourceType.D,
) -> RenderJob:
    """Order every recipe of every scene at one size and encoding; the job's renditions are the work list.

    Recipes are the same for all scenes, or a function says which ones a scene gets. Of a scene that is a set of
    files, the files are ordered, and recipes only where it has an original too.
    What has been rendered, thrown out, or is ordered by a job under way is not ordered
    again; what failed, or was left by a job that is over, is. The caller enqueues the
    job or runs it.
    """
    if encoding not in Encoding.values:
        raise ValueError(f"encoding is {encoding!r}; it must be one of {', '.join(Encoding.values)}")
    if long_side < 1:
        raise ValueError(f"long_side is {long_side}; it must be at least 1 pixel")
    scenes = list(scenes)
    same = None if callable(recipes) else list(recipes)
    with transaction.atomic():
        job = RenderJob.objects.create()
        for scene in scenes:
            of_scene = list(recipes(scene)) if callable(recipes) else same or []
            rows = _rendition_rows(scene, of_scene, source_type, long_side=long_side, encoding=encoding)
            Rendition.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
            job.total += _renditions_adopt(job, scene, [row.recipe_key for row in rows])
        job.save(update_fields=["total"])
    return job


def rendition_key(recipe: AnyRecipe, *, long_side: int, encoding: str) -> str:
    """What makes a rendition the same as another of its scene."""
    text = json.dumps([recipe.key, long_side, str(encoding)])
    return hashlib.sha256(text.encode()).hexdigest()


def _rendition_rows(
    scene: Scene, recipes: Sequence[OwnRecipe], source_type: str, *, long_side: int, encoding: str
) -> list[Rendition]:
    def row(recipe: AnyRecipe, source_type: str, version: Version | None = None) -> Rendition:
        return Rendition(
            scene=scene,
            version=version,
            source_type=source_type,
            recipe=recipe.to_json(),
            recipe_key=rendition_key(recipe, long_side=long_side, encoding=encoding),
            long_side=long_side,
            encoding=encoding,
        )

    versions = list(scene.versions.all())
    rows = [row(_file_recipe(scene, version), version.source_type, version) for version in versions]
    if scene.original or not versions:
        made = {recipe.key: recipe for recipe in recipes}.values()
        rows += [row(recipe, _source_of(recipe, source_type)) for recipe in made]
    return rows


def _source_of(recipe: OwnRecipe, otherwise: str) -> str:
    if isinstance(recipe, EditRecipe):
        return SourceType.C
    return SourceType.B if isinstance(recipe, CameraRecipe) else otherwise


def _file_recipe(scene: Scene, version: Version) -> FileRecipe:
    return FileRecipe(
        maker=version.maker,
        sha256=version.original_sha256,
        frame=(scene.width, scene.height),
        matrix=tuple(version.matrix) if version.matrix else None,
    )


def _renditions_adopt(job: RenderJob, scene: Scene, keys: list[str]) -> int:
    """Give the job the scene's renditions that nobody is working on; return how many."""
    open_states = (Rendition.State.PLANNED, Rendition.State.FAILED)
    nobody = Q(job=None) | ~Q(job__state__in=(Job.State.QUEUED, Job.State.RUNNING))
    free = Rendition.objects.filter(nobody, scene=scene, recipe_key__in=keys, state__in=open_states)
    return Rendition.objects.filter(pk__in=free.values("pk")).update(
        job=job, state=Rendition.State.PLANNED, error=""
    )


def _scene_store(scene: Scene, data: bytes, photo: Photo) -> None:
    """Row first, for its constraints; the file last, and gone again when the row does not stay."""
    suffix = SUFFIXES.get(photo.found["format"], photo.found["format"].lower())
    try:
        with transaction.atomic():
            scene.save()
            small = encode_image(fit_long_side(photo.pixels, THUMBNAIL_SIDE), "jpeg_444")
            scene.thumbnail.save(f"{scene.public_id}.jpg", ContentFile(small), save=False)
            scene.original.save(f"{scene.public_id}.{suffix}", ContentFile(data))
    except BaseException:
        for file in (scene.original, scene.thumbnail):
            if file.name:
                file.storage.delete(file.name)
        raise


@dataclass(frozen=True, kw_only=True, eq=False)
class _SetFile:
    """A file of a set as it was read: of its pixels only what it is compared by is kept."""

    entry: Entry
    sha256: str
    member: Member
    found: dict[str, Any]


def _read_set(entries: Sequence[Entry], limits: Limits) -> tuple[list[_SetFile], list[Fault]]:
    files: dict[str, _SetFile] = {}
    faults = []
    for entry in entries:
        try:
            data = read_file(entry.path, limits)
            photo = read_photo(data, limits, name=entry.path.name)
        except ImageError as error:
            faults.append(Fault(where=entry.where, reason=str(error).partition(": ")[2]))
            continue
        sha256 = hashlib.sha256(data).hexdigest()
        first = files.setdefault(
            sha256, _SetFile(entry=entry, sha256=sha256, member=Member.of(photo.pixels), found=photo.found)
        )
        if first.entry is not entry:
            faults.append(Fault(where=entry.where, reason=f"it is the same file as {first.entry.where}"))
    return list(files.values()), faults


def _set_scene(files: Sequence[_SetFile], alignment: Alignment, source_type: str) -> Scene:
    reference = files[alignment.reference]
    entry = reference.entry
    together = "".join(sorted(files[i].sha256 for i in alignment.matrices))
    scene = Scene(
        # As of a single photo: the same set stands on the same side of a split in every database.
        public_id=hashlib.sha256(together.encode()).hexdigest()[:32],
        name=entry.scene,
        category=entry.category,
        source_type=source_type,
        width=alignment.frame[0],
        height=alignment.frame[1],
        perceptual_hash=perceptual_hash(reference.member.small),
        licence=entry.licence,
        attribution=entry.attribution or reference.found["author"],
    )
    scene.full_clean(exclude=["original"], validate_unique=False, validate_constraints=False)
    return scene


def _set_store(scene: Scene, files: Sequence[_SetFile], alignment: Alignment) -> None:
    """All rows and files of the set, or none."""
    versions: list[Version] = []
    try:
        with transaction.atomic():
            scene.save()
            for index, matrix in alignment.matrices.items():
                file = files[index]
                version = Version(
                    scene=scene,
                    source_type=scene.source_type,
                    maker=file.entry.maker,
                    original_sha256=file.sha256,
                    matrix=None if matrix is None else [float(x) for x in matrix.ravel()],
                    ingest=file.found | alignment.measures.get(index, {}),
                )
                version.full_clean(
                    exclude=["original", "scene"], validate_unique=False, validate_constraints=False
                )
                versions.append(version)
                name = f"{file.sha256[:32]}{file.entry.path.suffix.lower()}"
                version.original.save(name, ContentFile(file.entry.path.read_bytes()))
    except BaseException:
        for version in versions:
            if version.original.name:
                version.original.storage.delete(version.original.name)
        raise
