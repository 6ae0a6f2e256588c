"""The demo's stages. Each looks first at what is already there, so that a second run makes nothing twice."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from collection.design.protocol import Protocol
from collection.models import Export, Role, Study
from collection.services.exports import export_create
from collection.services.members import member_set
from collection.services.studies import (
    study_create,
    study_generate_variants,
    study_link_pairs,
    study_open,
)
from config.demo.processes import Child
from evaluation.models import Report
from evaluation.services.reports import report_create
from evaluation.simulation.raters import CROWDS, benchmark_recipes
from learning.models import Run
from learning.services import run_create
from variants.jobs import Job, JobError
from variants.models import RenderJob, Scene
from variants.progress import Report as Progress
from variants.rendering import pairs_build
from variants.services import renditions_plan, scene_import
from variants.sources.packaged import PHOTOS
from variants.tone.images import encode_image, fit_long_side, read_photo
from variants.tone.recipes import Recipe

AnyJob = TypeVar("AnyJob", bound=Job)

SIMULATED, PEOPLE = "demo", "try-it"
"""Slugs of the study that simulated raters answer, and of the one for the visitor."""
RESEARCHER = "researcher"
RENDITIONS = 16
LOOKS = ("golden", "cool_matte", "soft_film")
CROWD = CROWDS["demo"]
REPORT_SIZES = {"references": 16, "evaluations": 16, "edit_size": 256, "metric_size": 256}


def researcher_password() -> str:
    """The password of the demo's researcher, made at the first run and kept beside the database."""
    kept = settings.TONALIST_DATA / "demo-password"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(9))
    password = kept.read_text()
    users = get_user_model()._default_manager
    user, _ = users.get_or_create(username=RESEARCHER, defaults={"is_staff": True, "is_superuser": True})
    if not user.check_password(password):
        user.set_password(password)
        user.save()
    return password


def photos_import(report: Progress) -> list[Scene]:
    """The photos that the packages carry, as scenes."""
    scenes = []
    for done, photo in enumerate(PHOTOS):
        report(done, len(PHOTOS), "photos")
        found = scene_import(
            photo.path,
            name=photo.name,
            category=photo.category,
            licence=photo.licence,
            attribution=photo.attribution,
        )
        scenes.append(found.scene)
    report(len(PHOTOS), len(PHOTOS), "photos")
    return scenes


def simulated_study(scenes: list[Scene], seed: int) -> Study:
    """For simulated raters: small images, differences that leave a learner room."""
    # Another size than the visitor's, so that the two studies' images never meet in a pair.
    protocol = Protocol(long_side=448, min_delta_e=4.0, seed=seed)
    return _study(SIMULATED, "Demo (simulated)", protocol, scenes, simulated=True)


def people_study(scenes: list[Scene], seed: int) -> Study:
    """For the visitor: a short session of all usual phases, the photos as large as they come, controlled edits."""
    protocol = Protocol(n_main=20, n_checks=4, block_size=12, allow_tie=True, allow_undo=True, seed=seed)
    return _study(PEOPLE, "Try it yourself", protocol, scenes, simulated=False)


def _study(slug: str, name: str, protocol: Protocol, scenes: list[Scene], *, simulated: bool) -> Study:
    found = Study.objects.filter(slug=slug).first()
    study = found or study_create(name, slug=slug, protocol=protocol, scenes=scenes, simulated=simulated)
    if not study.memberships.exists():
        member_set(study, get_user_model()._default_manager.get(username=RESEARCHER), Role.OWNER)
    return study


def people_order(study: Study) -> list[RenderJob]:
    """The job that renders and pairs up the visitor's study; none once it is open."""
    if study.status != Study.Status.DRAFT:
        return []
    left = study.render_jobs.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING))
    return list(left) or [study_generate_variants(study)]


def simulated_order(study: Study, scenes: list[Scene]) -> list[RenderJob]:
    """Jobs for the simulated study's renditions, one a photo, as far as they are still to be made."""
    rules = Protocol.from_json(study.protocol)
    jobs = []
    for scene in scenes:
        recipes = benchmark_recipes(
            RENDITIONS - len(LOOKS), rules.seed, category=scene.category, scene=scene.name, crowd=CROWD
        )
        recipes += [Recipe(look=look) for look in LOOKS]
        job = renditions_plan([scene], recipes, long_side=rules.long_side, encoding=rules.encoding)
        if job.total:
            jobs.append(job)
        else:
            job.delete()
    return jobs


def simulated_open(study: Study, scenes: list[Scene], report: Progress) -> None:
    """Pair the simulated study's renditions up and open it."""
    if study.status != Study.Status.DRAFT:
        return
    rules = Protocol.from_json(study.protocol)
    pairs = pairs_build(
        scenes,
        min_delta_e=rules.min_delta_e,
        max_delta_e=rules.max_delta_e,
        max_per_scene=rules.max_pairs_per_scene,
        seed=rules.seed,
        report=report,
        long_side=rules.long_side,
        encoding=rules.encoding,
    )
    study_link_pairs(study, pairs)
    study_open(study)


def people_open(study: Study) -> None:
    if study.status == Study.Status.DRAFT:
        study_open(study)


def export_order(study: Study) -> Export:
    """The study's dataset, or the job that an earlier run left."""
    return _usable(study.exports.filter(layout=Export.Layout.FOLDER).order_by("pk")) or export_create(study)


def run_order(export: Export, seed: int) -> Run:
    """The training of the preference-embedding learner, or the one that an earlier run left."""
    return _usable(export.runs.order_by("pk")) or run_create(export, system="upe", preset="tiny", seed=seed)


def report_order(run: Run, seed: int) -> Report:
    """The CQS report, or the one that an earlier run left."""
    return _usable(run.reports.order_by("pk")) or report_create([run], seed=seed, **REPORT_SIZES)


def _usable(jobs: QuerySet[AnyJob]) -> AnyJob | None:
    """The first that is done, or can still become so."""
    return jobs.exclude(state__in=(Job.State.FAILED, Job.State.CANCELLED)).first()


def jobs_send(jobs: Sequence[Job]) -> None:
    """Hand the jobs to the worker; those that an earlier run began it takes up by itself."""
    for job in jobs:
        if job.state == Job.State.QUEUED:
            job.enqueue()


def jobs_wait(jobs: Sequence[Job], report: Progress, worker: Child) -> None:
    """Follow jobs until all are done; raise JobError when one, or the worker, is not to be saved."""
    while not all(job.is_over for job in jobs):
        worker.check()
        under_way = next((job for job in jobs if not job.is_over and job.stage), None)
        if under_way:
            report(sum(job.done for job in jobs), sum(job.total for job in jobs), under_way.stage)
        time.sleep(0.3)
        for job in jobs:
            job.refresh_from_db()
    if failed := [job for job in jobs if job.state != Job.State.DONE]:
        raise JobError(f"{failed[0]} {failed[0].get_state_display()}. {failed[0].error}")


def photos_render(run: Run, scenes: list[Scene], report: Progress) -> Path:
    """Each photo to the taste of three raters whom the learner has never met; the folder of the results."""
    # torch comes with these; the other stages leave it to the worker.
    from learning.data.dataset import PreferenceDataset
    from learning.systems.load import load_run
    from learning.tastes import references_of

    folder = settings.TONALIST_DATA / "demo-renders"
    dataset = PreferenceDataset.load(Path(run.dataset))
    raters = sorted(r.id for r in dataset.raters.values() if r.split == "validation")[:3]
    wanted = [(rater, scene) for rater in raters for scene in scenes]
    missing = [pair for pair in wanted if not _render_file(folder, *pair).exists()]
    if missing:
        folder.mkdir(exist_ok=True)
        system = load_run(Path(run.folder))
        profiles = {
            rater: system.adapt(references_of(dataset, rater, n=16, long_side=system.reference_size))
            for rater in raters
        }
    for done, (rater, scene) in enumerate(missing):
        report(done, len(missing), "renders")
        with scene.original.open("rb") as file:
            photo = fit_long_side(read_photo(file.read(), name=scene.name).pixels, 1600)
        image = np.concatenate([photo, *system.render([photo], profiles[rater])], axis=1)
        _render_file(folder, rater, scene).write_bytes(encode_image(image, "jpeg_444"))
    report(len(wanted), len(wanted), "renders")
    return folder


def _render_file(folder: Path, rater: str, scene: Scene) -> Path:
    return folder / f"{scene.name}-simulated-{rater[:8]}.jpg"
