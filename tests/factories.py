"""Rows for tests, as plain functions; every argument but the parent has a sensible default."""

import io
import itertools
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from collection.design.protocol import Protocol
from collection.models import (
    Device,
    Export,
    Person,
    Question,
    Rater,
    Session,
    Study,
    StudyPair,
    StudyScene,
    Verdict,
)
from evaluation.models import Report
from learning.models import Run
from variants.jobs import Job
from variants.models import Pair, Rendition, Scene

_numbers = itertools.count(1)


def make_researcher(username="alice", password=None, **fields: Any):
    """One who may see every study, unless told otherwise.

    Without a password, whose hash takes long, there is only `client.force_login`.
    """
    fields = {"is_superuser": True} | fields
    return get_user_model().objects.create_user(username, password=password, **fields)


def make_scene(n_renditions=4, name=None, with_images=False) -> Scene:
    """A scene with its renditions: the first neutral, the others brighter step by step."""
    scene = Scene.objects.create(name=name or f"scene {next(_numbers)}", width=900, height=600)
    for i in range(n_renditions):
        steps = [{"concept": "exposure", "strength": 0.25 * i}] if i else []
        rendition = Rendition.objects.create(
            scene=scene,
            recipe={"steps": steps},
            recipe_key=f"{scene.pk}-{i}",
            long_side=96,
            state=Rendition.State.RENDERED,
            width=96,
            height=64,
        )
        if with_images:
            rendition.image.save("x.png", ContentFile(_png(grey=60 + 20 * i)))
    return scene


def make_pairs(scene: Scene, delta_e=6.0) -> list[Pair]:
    """Every two renditions of the scene."""
    return [
        Pair.objects.create(scene=scene, image_a=a, image_b=b, delta_e=delta_e)
        for a, b in itertools.combinations(scene.renditions.order_by("pk"), 2)
    ]


def make_study(n_scenes=2, protocol: Protocol | None = None, with_images=False, **fields: Any) -> Study:
    """A study with scenes and pairs; a draft unless told otherwise."""
    number = next(_numbers)
    fields = {"slug": f"study-{number}", "name": f"Study {number}", **fields}
    study = Study.objects.create(protocol=(protocol or Protocol()).to_json(), **fields)
    for _ in range(n_scenes):
        scene = make_scene(with_images=with_images)
        StudyScene.objects.create(study=study, scene=scene)
        StudyPair.objects.bulk_create(StudyPair(study=study, pair=pair) for pair in make_pairs(scene))
    return study


def make_rater(study: Study, simulation: dict[str, Any] | None = None) -> Rater:
    return Rater.objects.create(
        study=study,
        person=Person.objects.create(is_simulated=simulation is not None),
        device=Device.objects.create(),
        simulation=simulation,
    )


def make_session(rater: Rater, answers=(), finished=True) -> Session:
    """A session with answered questions.

    Args:
        rater: who answers.
        answers: (kind, side, response_ms) each; a check repeats the first main question, flipped.
        finished: whether it is over.
    """
    study = rater.study
    session = Session.objects.create(
        study=study,
        rater=rater,
        protocol_hash=Protocol.from_json(study.protocol).sha256,
        seed=1,
        consent_version="1",
        consented_at=timezone.now(),
        finished_at=timezone.now() if finished else None,
    )
    pairs = list(study.pairs.select_related("image_a", "image_b"))
    first: Question | None = None
    for index, (kind, side, response_ms) in enumerate(answers):
        pair = first.pair if kind == "check" and first else pairs[index % len(pairs)]
        left, right = (pair.image_b, pair.image_a) if kind == "check" else (pair.image_a, pair.image_b)
        question = Question.objects.create(
            session=session,
            index=index,
            kind=kind,
            pair=pair,
            left=left,
            right=right,
            repeats=first if kind == "check" else None,
            policy="coverage",
            chosen_side=side,
            response_ms=response_ms,
            answered_at=timezone.now() if side else None,
        )
        first = first or (question if kind == "main" else None)
    return session


def make_verdict(rater: Rater, **fields: Any) -> Verdict:
    defaults = {
        "rule_set": Protocol.from_json(rater.study.protocol).rules.name,
        "may_be_used": True,
        "should_be_paid": True,
        "n_answers": 4,
        "checks_agreed": 1,
        "checks_answered": 1,
        "median_response_ms": 1500,
    }
    return Verdict.objects.create(rater=rater, **{**defaults, **fields})


def make_export(study: Study, folder="/nowhere/dataset", state=Job.State.DONE, **fields: Any) -> Export:
    fields = {"number": study.exports.count() + 1} | fields
    return Export.objects.create(study=study, folder=str(folder), state=state, **fields)


def make_run(export: Export | None = None, folder="/nowhere/run", state=Job.State.DONE, **fields: Any) -> Run:
    fields = {"system": "upe", "preset": "tiny", "backbone": "tone_statistics", **fields}
    dataset = export.folder if export else "/nowhere/dataset"
    return Run.objects.create(export=export, dataset=dataset, folder=str(folder), state=state, **fields)


def make_report(*runs: Run, folder="/nowhere/report", state=Job.State.DONE, **fields: Any) -> Report:
    report = Report.objects.create(dataset="/nowhere/dataset", folder=str(folder), state=state, **fields)
    report.runs.set(runs)
    return report


def _png(grey: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (96, 64), (grey, grey, grey)).save(out, "PNG")
    return out.getvalue()
