"""From files of every source to a study that can be opened, as it is typed."""

import dataclasses
import io
import json
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from collection.design.protocol import Protocol
from collection.models import Study, StudyPair
from collection.services.renditions import rendition_reject
from tests.variants.conftest import media  # noqa: F401  (a fixture)
from tests.variants.factories import make_photo
from variants.models import Pair, Rendition
from variants.pairing import compared_groups
from variants.sources.packaged import PHOTOS
from variants.tone.cube import write_cube
from variants.tone.images import encode_image, fit_long_side, read_photo
from variants.tone.luts import bake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]
SMALL = ("long_side=96", "n_main=4", "n_checks=0", "min_delta_e=0.5", "max_delta_e=60")


def run(name, *args):
    out, err = io.StringIO(), io.StringIO()
    call_command(name, *map(str, args), "--json", "--quiet", stdout=out, stderr=err)
    return json.loads(out.getvalue().splitlines()[-1]), out.getvalue(), err.getvalue()


def make_study(folder, *settings, source="E"):
    run("import_scenes", folder, "--source", source)
    assignments = [part for setting in (*SMALL, *settings) for part in ("--set", setting)]
    run("create_study", "tones", *assignments)
    return Study.objects.get()


@pytest.fixture
def photos(tmp_path):
    for seed in range(2):
        make_photo(tmp_path / "photos", f"{seed}.png", seed=seed, height=64, width=96)
    return tmp_path / "photos"


def test_editors_files_become_pairs_of_a_study(tmp_path):
    photo = fit_long_side(read_photo(PHOTOS[1].path).pixels, 200)
    for maker, power in (("alice", 1.0), ("bob", 0.7), ("carol", 1.4)):
        path = tmp_path / "edits" / maker / "cat.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(encode_image(photo**power, "png"))
    study = make_study(tmp_path / "edits", "n_main=3", source="A")
    result, _, _ = run("generate_variants", study.slug, "--wait")
    assert (result["renditions"], result["pairs"]) == (3, 3)
    assert {pair.source_type for pair in Pair.objects.all()} == {"A"}
    call_command("open_study", study.slug, "--quiet", stdout=io.StringIO())


def test_a_lut_collection_and_simulated_cameras_by_quotas(photos, tmp_path):
    luts = tmp_path / "luts"
    luts.mkdir()
    for n, power in enumerate((0.6, 0.8, 1.3, 1.6)):
        write_cube(bake(lambda colours, power=power: colours**power, 9), luts / f"{n}.cube")
    (luts / "bad.cube").write_text("LUT_3D_SIZE 1\n0 0 0\n")
    (luts / "readme.txt").write_text("no LUT")
    study = make_study(photos, 'source_quotas={"B": 0.6, "D": 0.4}', "max_pairs_per_scene=20")
    result, text, errors = run(
        "generate_variants", study.slug, "--luts", luts, "--simulated-cameras", "--wait", "--raters", 10
    )
    assert result["renditions"] == 2 * (1 + 4 + 12)
    assert Counter(Pair.objects.values_list("source_type", flat=True)) == {"B": 24, "D": 16}
    assert errors.startswith("left out: bad.cube, line 1")
    assert "10 raters: 0.8 judgments for each of 24 pairs of source B" in text
    assert result["judgments_per_pair"]["D"]["mean"] == 1.25


def test_a_scene_s_pairs_keep_to_the_cap_over_runs(photos):
    study = make_study(photos, "max_pairs_per_scene=12")
    known = {scene: [] for scene in study.scenes.all()}
    for options in (["--recipes", 6], ["--design", "sobol", "--recipes", 3], ["--simulated-cameras"]):
        run("generate_variants", study.slug, *options, "--wait")
        for scene, before in known.items():
            pairs = _couples(study, scene)
            assert len(compared_groups(pairs)) == 1
            reached = len(set(sum(pairs, ())) - set(sum(before, ())))
            assert len(pairs) <= max(12, len(before) + reached)
            known[scene] = pairs


def test_what_throwing_out_took_apart_is_joined_again_or_named(photos):
    study = make_study(photos, "max_pairs_per_scene=5")
    run("generate_variants", study.slug, "--simulated-cameras", "--wait")
    scene = study.scenes.all()[0]
    busiest, _ = Counter(key for a, b in _couples(study, scene) for key in (a, b)).most_common(1)[0]
    before = {row.pk for row in scene.renditions.all()}
    rendition_reject(study, Rendition.objects.get(pk=busiest))
    result, _, errors = run("generate_variants", study.slug, "--pairs-only", "--wait")
    assert (result["renditions"], result["scenes_apart"], errors) == (0, [], "")
    assert {row.pk for row in scene.renditions.all()} == before
    groups = compared_groups(_couples(study, scene))
    assert [len(group) for group in groups] == [len(before) - 1]

    # With its pairs narrowed to two that share nothing, and a window that lets no other in, it stays apart.
    pairs = list(study.pairs.filter(scene=scene))
    apart = next(
        (one, other)
        for one in pairs
        for other in pairs
        if not {one.image_a_id, one.image_b_id} & {other.image_a_id, other.image_b_id}
    )
    StudyPair.objects.filter(study=study, pair__scene=scene).exclude(pair__in=apart).delete()
    protocol = dataclasses.replace(Protocol.from_json(study.protocol), min_delta_e=59.9, max_delta_e=60)
    Study.objects.filter(pk=study.pk).update(protocol=protocol.to_json())
    result, _, errors = run("generate_variants", study.slug, "--pairs-only", "--wait")
    assert result["scenes_apart"] == [{"scene": scene.name, "groups": 2}]
    assert f"scene {scene.name} falls into 2 groups that are never compared" in errors


def _couples(study, scene):
    return list(study.pairs.filter(scene=scene).values_list("image_a", "image_b"))


@pytest.mark.parametrize(
    ("options", "each"),
    [
        (("--design", "grid", "--recipes", "3", "--concepts", "exposure,tint"), 9),
        (("--design", "grid", "--recipes", "2", "--concepts", "exposure,tint", "--one-at-a-time"), 5),
        (("--design", "sobol", "--recipes", "6"), 7),
    ],
    ids=["grid", "cross", "sobol"],
)
def test_a_design_decides_what_is_rendered(photos, options, each):
    study = make_study(photos)
    result, _, _ = run("generate_variants", study.slug, *options, "--wait")
    assert result["renditions"] == 2 * each
    assert set(Rendition.objects.values_list("state", flat=True)) == {"rendered"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--design", "grid", "--recipes", "9"), "Name fewer concepts"),
        (("--design", "sobol", "--concepts", "magic"), "'magic' is no concept"),
        (("--pairs-only", "--simulated-cameras"), "--pairs-only makes no edits"),
        (("--luts", "/nowhere"), "/nowhere is not a folder"),
    ],
)
def test_impossible_orders_are_wrong_use(photos, options, message):
    study = make_study(photos)
    with pytest.raises(CommandError, match=message) as caught:
        run("generate_variants", study.slug, *options)
    assert caught.value.returncode == 2
