"""Rows for tests: scenes with real small images on disk, studies, raters, sessions."""

import hashlib
import io
import itertools

import numpy as np
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from collection.design.protocol import Protocol
from collection.models import Study, StudyPair, StudyScene
from collection.services.answers import answer_record
from collection.services.people import device_for, person_for, rater_for
from collection.services.sessions import session_start
from collection.services.texts import consent_version_in
from variants.models import Pair, Rendition, Scene

numbers = itertools.count(1)


def make_study(
    *,
    n_scenes=4,
    per_scene=8,
    size=(96, 64),
    files=False,
    status=Study.Status.OPEN,
    is_simulated=False,
    **protocol,
):
    """An open study with `per_scene` pairs of each of `n_scenes` scenes; `files` writes their images.

    Without screenings and with one try at the practice, unless the protocol's fields say otherwise.
    """
    number = next(numbers)
    protocol = {"phases": ("consent", "display", "practice", "main"), "practice_tries": 1} | protocol
    study = Study.objects.create(
        slug=f"study-{number}",
        name=f"Study {number}",
        status=status,
        is_simulated=is_simulated,
        protocol=Protocol(**protocol).to_json(),
    )
    for _ in range(n_scenes):
        scene = make_scene(size)
        StudyScene.objects.create(study=study, scene=scene)
        for pair in make_pairs(scene, per_scene, files):
            StudyPair.objects.create(study=study, pair=pair)
    return study


def make_scene(size=(96, 64)):
    number = next(numbers)
    return Scene.objects.create(name=f"scene {number}", width=size[0], height=size[1])


def make_pairs(scene, n_pairs, files=False):
    """The first of all pairs among as few renditions as have so many."""
    n_images = next(n for n in itertools.count(2) if n * (n - 1) // 2 >= n_pairs)
    images = [make_rendition(scene, k, files) for k in range(n_images)]
    pairs = itertools.islice(itertools.combinations(images, 2), n_pairs)
    return Pair.objects.bulk_create(
        Pair(scene=scene, image_a=a, image_b=b, delta_e=5.0 + k) for k, (a, b) in enumerate(pairs)
    )


def make_rendition(scene, step, files=False):
    recipe = {"steps": [["exposure", step / 10]] if step else []}
    rendition = Rendition(
        scene=scene,
        recipe=recipe,
        recipe_key=f"{scene.pk}-{step}",
        long_side=scene.width,
        state=Rendition.State.RENDERED,
        sha256=hashlib.sha256(f"{scene.pk} {step}".encode()).hexdigest(),
        width=scene.width,
        height=scene.height,
    )
    if files:
        rendition.image.save(f"{rendition.public_id}.webp", ContentFile(webp(scene, step)), save=False)
    rendition.save()
    return rendition


def webp(scene, step):
    """A gradient of a colour of the scene's own, a little lighter at each step."""
    ramp = np.linspace(40, 160, scene.width)[None, :, None] + np.zeros((scene.height, 1, 3))
    tint = np.random.default_rng(scene.pk).uniform(0.6, 1.4, 3)
    pixels = np.clip(ramp * tint + 12 * step, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True)
    return out.getvalue()


def make_rater(study, name="alice", device="laptop"):
    return rater_for(
        study, person_for(token=f"{name}'s random token"), device_for(f"{device}'s random token")
    )


def make_session(study, name="alice", device="laptop", seed=1, now=None, language="en", recruitment=None):
    return session_start(
        study,
        make_rater(study, name, device),
        consent_version=consent_version_in(Protocol.from_json(study.protocol), language),
        language=language,
        recruitment=recruitment,
        now=now or timezone.now(),
        seed=seed,
    )


def answer_all(session, side="left", response_ms=900):
    for question in session.questions.filter(answered_at=None):
        answer_record(session.token, question.token, side, response_ms, {}, timezone.now())
    session.refresh_from_db()
