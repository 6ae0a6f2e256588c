"""The heavy verb of blind tests: outputs rendered, and a study made of each taste. Called by tasks only."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from django.db import transaction

from collection.design.protocol import Protocol
from collection.design.recruiting import Recruiting
from collection.models import Membership, Study
from collection.services.audit import acting
from collection.services.studies import study_create, study_link_pairs
from learning.data.dataset import PreferenceDataset
from learning.models import FEWEST_SCENES, BlindTest, Output, TasteStudy
from learning.services.blind_tests import blind_test_scenes
from learning.systems.interface import Pixels, Profile, System
from learning.systems.load import load_run
from learning.tastes import average_profile, profile_of
from variants.jobs import JobError
from variants.models import Pair, Rendition, Scene
from variants.storing import photo_of, rendered, rendition_store
from variants.tone.color import srgb_to_lab
from variants.tone.difference import ciede2000
from variants.tone.images import fit_long_side

MIN_DELTA_E = 0.5
"""Mean CIEDE2000 of two outputs: below it hardly anybody could tell them apart, and an answer would be a guess."""
DELTA_E_SIDE = 256
QUESTIONS_A_CHECK = 5
"""One question in so many is asked again with the sides flipped."""
FEWEST_CHECKS = 4
"""With fewer, one slip is too little consistency for the usual rules, and outputs may be near each other."""
PHASES = ("consent", "display", "color_vision", "levels", "instructions", "main")
"""Those of the source study that a short study keeps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """What makes one of the two outputs of a scene; without a system, the photo as it is."""

    system: System | None
    profile: Profile | None
    recipe: dict[str, Any]
    is_ours: bool

    def render(self, photo: Pixels) -> Pixels:
        if self.system is None or self.profile is None:
            return photo
        return self.system.render([photo], self.profile)[0]


def blind_test_make(test: BlindTest) -> None:
    """Make the studies that are not there yet; a study is there whole or not at all.

    A taste whose outputs look the same as the other side is left out; JobError where none is left.
    Every photo is brought to the study's size first, and both outputs are made of that one and encoded alike.
    """
    assert test.learner.export is not None
    source = test.learner.export.study
    scenes = _chosen(test, blind_test_scenes(source))
    tastes = list(test.tastes.filter(study=None))
    total = test.tastes.count() * len(scenes)
    done = total - len(tastes) * len(scenes)
    test.report(done, total, "reading the raters' answers")
    dataset = PreferenceDataset.load(test.learner.dataset)
    ours = load_run(test.learner.folder)
    theirs = load_run(test.rival.folder) if test.rival else None
    asked = {scene.public_id for scene in scenes}
    average = (
        average_profile(ours, dataset, without_scenes=asked)
        if test.against == BlindTest.Against.AVERAGE
        else None
    )
    protocol = Protocol.from_json(source.protocol)
    for taste in tastes:
        sides = _sides(test, taste, ours, theirs, average, dataset, asked)
        pictures: list[tuple[Scene, list[Pixels]]] = []
        for scene in scenes:
            test.report(done, total, "rendering")
            photo = fit_long_side(photo_of(scene), protocol.long_side)
            pictures.append((scene, [side.render(photo) for side in sides]))
            done += 1
        with transaction.atomic(), acting(test.started_by or "worker"):
            _study_make(test, taste, source, protocol, sides, pictures)
    if not test.tastes.exclude(study=None).exists():
        raise JobError(
            f"for none of the {test.tastes.count()} tastes do the two outputs of {FEWEST_SCENES} scenes look "
            f"different (mean ΔE00 of {MIN_DELTA_E} or more): there is nothing to ask about. "
            "Train longer, or hold it against something else."
        )
    test.report(total, total, "rendering")


def _chosen(test: BlindTest, scenes: Iterable[Scene]) -> list[Scene]:
    """The same scenes for all tastes, in an order that says nothing."""
    scenes = list(scenes)
    order = np.random.default_rng([test.seed, 11]).permutation(len(scenes)).tolist()
    return [scenes[i] for i in order[: test.n_scenes]]


def _sides(
    test: BlindTest,
    taste: TasteStudy,
    ours: System,
    theirs: System | None,
    average: Profile | None,
    dataset: PreferenceDataset,
    asked: set[str],
) -> list[Side]:
    def side(system: System, run_id: str, profile: Profile, of: str, *, is_ours: bool) -> Side:
        recipe = {"output": {"run": run_id, "taste": of, "test": test.public_id}}
        return Side(system=system, profile=profile, recipe=recipe, is_ours=is_ours)

    # No answer about a scene that is shown is read: the rater would see their own answer come back.
    own = profile_of(ours, dataset, taste.rater_id, without_scenes=asked)
    sides = [side(ours, test.learner.public_id, own, taste.rater_id, is_ours=True)]
    if test.rival is not None and theirs is not None:
        other = profile_of(theirs, dataset, taste.rater_id, without_scenes=asked)
        sides.append(side(theirs, test.rival.public_id, other, taste.rater_id, is_ours=False))
    elif average is not None:
        sides.append(side(ours, test.learner.public_id, average, "average", is_ours=False))
    else:
        recipe = {"output": {"run": "", "taste": "", "test": test.public_id}}
        sides.append(Side(system=None, profile=None, recipe=recipe, is_ours=False))
    return sides


def _study_make(
    test: BlindTest,
    taste: TasteStudy,
    source: Study,
    protocol: Protocol,
    sides: Sequence[Side],
    pictures: Sequence[tuple[Scene, list[Pixels]]],
) -> None:
    """Scenes, renditions, pairs, study: rows of their own, so that no other study ever shows these outputs.

    Where the outputs of too few scenes can be told apart, nothing but how many cannot.
    """
    apart = [(scene, images, _delta_e(*images)) for scene, images in pictures]
    kept = [found for found in apart if found[2] >= MIN_DELTA_E]
    taste.n_alike = len(apart) - len(kept)
    if len(kept) < FEWEST_SCENES:
        taste.save(update_fields=["n_alike"])
        return
    pairs = [_pair_store(taste, protocol, sides, scene, images, delta_e) for scene, images, delta_e in kept]
    # Neither the address nor the name that participants may see says what is shown.
    slug = f"photos-{sha256(f'{test.public_id} {taste.pk}'.encode()).hexdigest()[:10]}"
    study = study_create(
        f"Blind test of {test.learner}, taste of {taste.rater_id[:8]}",
        slug=slug,
        protocol=short_protocol(protocol, len(pairs)),
        recruiting=_recruiting(source),
        scenes=[pair.scene for pair in pairs],
        simulated=source.is_simulated,
        purpose=(
            f"Outputs of {test.learner} for the taste of the rater {taste.rater_id} of {source.name}, "
            f"held against {test.against_words}."
        ),
        licence=source.licence,
    )
    study_link_pairs(study, pairs)
    for membership in source.memberships.exclude(user=test.started_by_id):
        Membership.objects.get_or_create(
            study=study, user_id=membership.user_id, defaults={"role": membership.role}
        )
    taste.study = study
    taste.save(update_fields=["study", "n_alike"])


def short_protocol(protocol: Protocol, n_pairs: int) -> Protocol:
    """The source study's texts, screenings and rules, asking every pair once and, of 20 or more, one in five again."""
    phases = tuple(phase for phase in protocol.phases if phase in PHASES)
    n_checks = n_pairs // QUESTIONS_A_CHECK
    return dataclasses.replace(
        protocol,
        title="",
        phases=phases,
        turn_away=tuple(phase for phase in protocol.turn_away if phase in phases),
        n_practice=0,
        n_main=n_pairs,
        n_checks=n_checks if n_checks >= FEWEST_CHECKS else 0,
        source_quotas={},
        min_delta_e=MIN_DELTA_E,
        max_delta_e=200.0,
        max_pairs_per_scene=1,
        validation_scenes=0.0,
        validation_raters=0.0,
    )


def _recruiting(source: Study) -> Recruiting:
    """The same panel, whose IDs make a person known again; not its codes, which are of another visit."""
    recruiting = Recruiting.from_json(source.recruiting)
    return Recruiting(access=recruiting.access, panel=recruiting.panel)


def _pair_store(
    taste: TasteStudy,
    protocol: Protocol,
    sides: Sequence[Side],
    scene: Scene,
    images: Sequence[Pixels],
    delta_e: float,
) -> Pair:
    copy = Scene.objects.create(
        name=scene.name,
        category=scene.category,
        source_type=scene.source_type,
        width=scene.width,
        height=scene.height,
        perceptual_hash=scene.perceptual_hash,
        ingest={"outputs_of": scene.public_id},
        licence=scene.licence,
        attribution=scene.attribution,
    )
    # In an order that hangs on the scene: which of the two has the smaller key says nothing.
    turned = int(sha256(copy.public_id.encode()).hexdigest(), 16) % 2
    made = [(side, image) for side, image in zip(sides, images, strict=True)]
    first, second = (
        _rendition_store(taste, protocol, copy, side, image)
        for side, image in (made[::-1] if turned else made)
    )
    return Pair.objects.create(scene=copy, image_a=first, image_b=second, delta_e=delta_e)


def _rendition_store(
    taste: TasteStudy, protocol: Protocol, scene: Scene, side: Side, image: Pixels
) -> Rendition:
    rendition = Rendition.objects.create(
        scene=scene,
        recipe=side.recipe,
        recipe_key=_key(side.recipe, protocol),
        long_side=protocol.long_side,
        encoding=protocol.encoding,
    )
    rendition_store(rendition, rendered(image, protocol.encoding))
    Output.objects.create(taste=taste, rendition=rendition, is_ours=side.is_ours)
    return rendition


def _key(recipe: Mapping[str, Any], protocol: Protocol) -> str:
    text = json.dumps([recipe, protocol.long_side, protocol.encoding], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _delta_e(one: Pixels, other: Pixels) -> float:
    """Mean CIEDE2000 at the size at which pairs are compared."""
    labs = [srgb_to_lab(fit_long_side(image, DELTA_E_SIDE)) for image in (one, other)]
    return float(np.mean(ciede2000(*labs)))
