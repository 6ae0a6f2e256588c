import dataclasses

import numpy as np
import pytest
import torch

from learning.data.dataset import PreferenceDataset
from learning.systems import pif_lite
from learning.systems.concepts import GROUPS, NAMES
from learning.systems.interface import ColorMapper, ConceptEditor, PhotoReader, ReferencePair
from learning.systems.load import load_run
from learning.systems.pif_lite import PifLite
from learning.systems.pif_lite.editing import apply_strengths
from learning.systems.pif_lite.fitting import HIGH, LOW
from learning.systems.pif_lite.population import population_of
from learning.systems.pif_lite.statistics import perturbed, sample_photos, statistics
from learning.systems.shared import without_frame
from learning.training.loop import LoopConfig
from learning.training.run_folder import RunError
from learning.training.settings import from_json, to_json
from tests.learning.factories import image_id, in_a_frame, make_dataset
from variants.progress import silent
from variants.sources.packaged import PHOTOS
from variants.tone.images import fit_long_side, read_photo
from variants.tone.luts import Lut3D
from variants.tone.luts import apply as apply_lut
from variants.tone.recipes import Recipe, apply_recipe

QUICK = dataclasses.replace(
    pif_lite.tiny(),
    photos=8,
    grid=12,
    clusters=1,
    loop=LoopConfig(steps=16, learning_rate=1.0, weight_decay=0, warmup=0),
)
BOLD = dataclasses.replace(QUICK, rarity=2.0)
"""Expects strong tastes, so that what is found is what the photos say."""


def strengths(**named):
    return np.array([named.get(name, 0.0) for name in NAMES], np.float32)


def profile(**named):
    return {"strengths": strengths(**named)}


@pytest.fixture(scope="module")
def photos():
    return [fit_long_side(read_photo(photo.path).pixels, 128) for photo in PHOTOS]


@pytest.fixture(scope="module")
def system(photos):
    return PifLite(population_of(photos, QUICK), QUICK)


def edited(photos, **named):
    return [apply_strengths(photo, strengths(**named)) for photo in photos]


@pytest.mark.parametrize("subsets", ["random", "joint"])
def test_the_strengths_of_edited_photos_are_recovered(photos, subsets):
    """All photos of the population, edited: what differs from the average is the edit alone."""
    config = dataclasses.replace(BOLD, subsets=subsets)
    known = {"exposure": 0.5, "saturation": 0.4, "temperature": -0.5}
    system = PifLite(population_of(photos, config), config)
    found = system.concept_strengths(system.adapt_to_photos(edited(photos, **known)))
    # Where subsets are drawn, concepts that say nearly the same (exposure, shadow) share what there is.
    for name, value in known.items():
        assert found[name] == pytest.approx(value, abs=0.2), (name, found)


def test_the_edit_of_real_photos_is_recovered_from_others(shared_data):
    """Half of eleven Kodak photos are the average, the other half was edited."""
    kodak = [read_photo(path).pixels for path in sorted((shared_data / "photos/kodak").glob("1*.png"))]
    small = [fit_long_side(photo, 192) for photo in kodak]
    system = PifLite(population_of(small[::2], BOLD), BOLD)
    warm = system.adapt_to_photos(edited(small[1::2], temperature=0.7, exposure=-0.6))
    cool = system.adapt_to_photos(edited(small[1::2], temperature=-0.7, exposure=0.6))
    first, second = (system.concept_strengths(found) for found in (warm, cool))
    assert first["temperature"] - second["temperature"] == pytest.approx(1.4, abs=0.35)
    assert first["exposure"] < second["exposure"] - 0.5


def test_pairs_give_the_strengths_that_lead_from_one_to_the_other(photos):
    known = {"exposure": -0.4, "contrast": 0.3, "tint": 0.2}
    pairs = [
        ReferencePair(rejected=photo, preferred=made)
        for photo, made in zip(photos[:4], edited(photos[:4], **known), strict=True)
    ]
    system = PifLite(population_of(photos, BOLD), BOLD)
    made = system.render(photos[4:6], system.adapt(pairs))
    for image, wanted, before in zip(made, edited(photos[4:6], **known), photos[4:6], strict=True):
        assert np.abs(image - wanted).mean() < 0.3 * np.abs(before - wanted).mean()


def test_pairs_that_are_not_aligned_are_compared_by_their_statistics(photos):
    pairs = [
        ReferencePair(rejected=photo, preferred=made[:, ::-1])
        for photo, made in zip(photos[:3], edited(photos[:3], temperature=0.8), strict=True)
    ]
    system = PifLite(population_of(photos, BOLD), BOLD)
    assert system.concept_strengths(system.adapt(pairs))["temperature"] > 0.4


def test_opposite_answers_cancel(system, photos):
    warm, cool = edited(photos[:1], temperature=0.8)[0], edited(photos[:1], temperature=-0.8)[0]
    one, other = ReferencePair(preferred=warm, rejected=cool), ReferencePair(preferred=cool, rejected=warm)
    single, both = (system.adapt(pairs)["strengths"] for pairs in ([one], [one, other]))
    temperature = NAMES.index("temperature")
    assert single[temperature] > 0.8
    assert abs(both[temperature]) < 0.4 * single[temperature]


def test_opposite_references_cancel(system, photos):
    """A and B of opposite tints: together they are average, as PIF reports."""
    greens, magentas = (edited(photos, tint=t) for t in (-0.5, 0.5))
    found = [
        system.concept_strengths(system.adapt_to_photos(references))["tint"]
        for references in (greens, magentas, greens + magentas)
    ]
    assert found[0] < -0.1
    assert found[1] > 0.1
    assert abs(found[2]) < 0.05


def test_tastes_are_mixed_by_weights(system):
    warm, cool = profile(temperature=0.6, contrast=0.5), profile(temperature=-0.6)
    cancelled = system.concept_strengths(system.mixed([warm, cool], [1, 1]))
    assert cancelled["temperature"] == pytest.approx(0)
    assert cancelled["contrast"] == pytest.approx(0.25)
    assert system.concept_strengths(system.mixed([warm, cool], [3, 1]))["temperature"] == pytest.approx(0.3)
    for weights, message in (([1], "2 profiles and 1 weights"), ([0, 0], "above 0"), ([-1, 2], "0 or more")):
        with pytest.raises(ValueError, match=message):
            system.mixed([warm, cool], weights)


def test_an_image_beside_itself_says_nothing(system, photos):
    found = system.adapt([ReferencePair(preferred=photos[0], rejected=photos[0])])
    np.testing.assert_array_equal(found["strengths"], 0)


def test_the_average_is_nearly_neutral(system, photos):
    found = system.adapt_to_photos(photos)["strengths"]
    assert np.abs(found / HIGH).max() < 0.05


def test_one_photo_of_the_average_hardly_changes_itself(system, photos):
    """One reference says little against the average: a picture to its own style stays much as it is."""
    moved = [np.abs(system.render([p], system.adapt_to_photos([p]))[0] - p).mean() for p in photos[:2]]
    assert max(moved) < 0.06


def test_fewer_references_are_believed_less(system, photos):
    warm = edited(photos, temperature=0.9)
    few, many = (
        system.concept_strengths(system.adapt_to_photos(references))["temperature"]
        for references in (warm[:1], warm * 6)
    )
    assert 0 < few < many


def test_grey_and_plain_references_give_strengths_within_their_ranges(system, photos):
    grey = [photo.mean(-1, keepdims=True).repeat(3, -1) for photo in photos]
    plain = [np.full((20, 30, 3), level, np.float32) for level in (0, 1)]
    for references in (grey, plain, [np.zeros((1, 1, 3), np.float32)]):
        found = system.adapt_to_photos(references)["strengths"]
        assert np.isfinite(found).all()
        assert (found >= LOW).all()
        assert (found <= HIGH).all()
    assert system.concept_strengths(system.adapt_to_photos(grey))["saturation"] < -0.25


def test_a_frame_of_one_colour_does_not_count(system, photos):
    framed = [in_a_frame(photo) for photo in photos[:3]]
    np.testing.assert_array_equal(
        system.adapt_to_photos(framed)["strengths"], system.adapt_to_photos(photos[:3])["strengths"]
    )
    np.testing.assert_array_equal(without_frame(photos[0]), photos[0])


def test_the_seed_decides(photos):
    def found(seed):
        config = dataclasses.replace(QUICK, seed=seed, loop=dataclasses.replace(QUICK.loop, steps=4))
        system = PifLite(population_of(photos, config), config)
        return system.adapt_to_photos(edited(photos[:2], exposure=0.5))["strengths"]

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    np.testing.assert_array_equal(found(1), found(1))
    assert not np.array_equal(found(1), found(2))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_edit_of_a_sample_is_the_sample_of_the_edit(photos):
    known = torch.tensor(
        strengths(exposure=0.4, contrast=-0.3, saturation=0.5, temperature=0.4, vignetting=0.8)
    )
    before = perturbed(sample_photos(photos[:3], 12), known)
    after = sample_photos([apply_strengths(p, known.numpy()) for p in photos[:3]], 12)
    torch.testing.assert_close(before.pixels, after.pixels, atol=2e-5, rtol=0)


def test_sharpening_is_read_from_the_details_sums():
    photo = fit_long_side(read_photo(PHOTOS[2].path).pixels, 448)
    sharper = apply_strengths(photo, strengths(sharpness=0.8))
    before, after = sample_photos([photo], 12), sample_photos([sharper], 12)
    by_sums = statistics(perturbed(before, torch.tensor(strengths(sharpness=0.8))))["sharpness"]
    assert by_sums.item() == pytest.approx(statistics(after)["sharpness"].item(), abs=0.05)
    assert by_sums > statistics(before)["sharpness"] + 0.1


def test_sliders_start_at_what_was_learned_and_can_be_set(system, photos):
    assert isinstance(system, ConceptEditor)
    assert isinstance(system, PhotoReader)
    learned = profile(exposure=0.3, vignetting=0.5)
    assert system.concept_strengths(learned)["vignetting"] == pytest.approx(0.5)
    by_hand = system.with_strengths(learned, {"vignetting": 0, "contrast": -1})
    assert system.concept_strengths(by_hand)["contrast"] == -1
    assert system.concept_strengths(learned)["contrast"] == 0
    for wrong, message in (
        ({"glow": 1.0}, "no concept 'glow'"),
        ({"tint": 2.0}, "tint is 2; it must be from -0.75"),
    ):
        with pytest.raises(ValueError, match=message):
            system.with_strengths(learned, wrong)


def test_strength_goes_from_nothing_to_all(system, photos):
    learned = profile(exposure=0.6, tint=-0.2, sharpness=0.5, vignetting=1)
    none, half, full = (system.render(photos[:1], learned, strength=s)[0] for s in (0, 0.5, 1))
    np.testing.assert_array_equal(none, photos[0])
    np.testing.assert_array_equal(half, apply_strengths(photos[0], learned["strengths"] / 2))
    assert np.abs(full - half).max() > 0.01


def test_bands_make_what_the_whole_photo_makes(photos):
    """Tall enough for several bands, with the blur's halo across their edges."""
    tall = np.tile(fit_long_side(photos[0], 48), (4, 1, 1))
    made = apply_strengths(tall, strengths(sharpness=1.5, vignetting=-0.7))
    expected = apply_recipe(tall, Recipe(steps=(("sharpness", 1.5), ("vignetting", -0.7))))
    np.testing.assert_allclose(made, expected, atol=2e-6)


def test_a_baked_taste_is_the_edit_unless_it_depends_on_the_place(system, photos):
    assert isinstance(system, ColorMapper)
    learned = profile(exposure=0.3, saturation=-0.2)
    table = Lut3D(table=system.bake(photos[0], learned, size=33), title="")
    made = apply_lut(photos[0], table)
    assert np.abs(made - system.render(photos[:1], learned)[0]).max() < 0.02
    with pytest.raises(
        ValueError, match=r"vignetting is 0\.50, which changes each place differently; set it to 0"
    ):
        system.bake(photos[0], system.with_strengths(learned, {"vignetting": 0.5}))


def test_nothing_to_read_is_refused(system, photos):
    with pytest.raises(ValueError, match="references is empty"):
        system.adapt([])
    with pytest.raises(ValueError, match="photos is empty"):
        system.adapt_to_photos([])
    with pytest.raises(ValueError, match=r"the shape \(4, 5\)"):
        system.adapt_to_photos([np.zeros((4, 5), np.float32)])
    with pytest.raises(ValueError, match="no numbers"):
        system.adapt_to_photos([np.full((4, 5, 3), np.nan, np.float32)])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return PreferenceDataset.load(make_dataset(tmp_path_factory.mktemp("data") / "brightness", n_scenes=9))


def test_a_run_is_kept_and_loaded(dataset, tmp_path):
    system = pif_lite.fit(dataset, QUICK, tmp_path / "run", silent)
    copy = load_run(tmp_path / "run")
    pairs = [
        ReferencePair(
            preferred=dataset.image(j.preferred_image, 64), rejected=dataset.image(j.rejected_image, 64)
        )
        for j in dataset.judgments_of("rater0")[:4]
    ]
    found = system.adapt(pairs)
    np.testing.assert_array_equal(found["strengths"], copy.adapt(pairs)["strengths"])
    assert system.concept_strengths(found)["exposure"] > 0.2  # likes the brighter image
    photo = dataset.image(image_id(8, 0), 32)
    assert copy.render([photo], found)[0].mean() > photo.mean()
    again = pif_lite.fit(dataset, QUICK, tmp_path / "run", silent, resume=True)
    np.testing.assert_array_equal(again.adapt(pairs)["strengths"], found["strengths"])
    with pytest.raises(RunError, match="holds a run already"):
        pif_lite.fit(dataset, QUICK, tmp_path / "run", silent)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"photos": 3}, "photos is 3; it must be from 8 to 2000"),
        ({"clusters": 0}, "clusters is 0"),
        ({"subsets": "some"}, "subsets is 'some'; it must be one of random, joint"),
        ({"rarity": 0.0}, "rarity is 0.0"),
        ({"grid": 4}, "grid is 4"),
        ({"seen": 1.0}, "seen is 1.0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(QUICK, **fields)


@pytest.mark.parametrize("make", list(pif_lite.PRESETS.values()))
def test_presets_survive_json(make):
    assert from_json(pif_lite.Config, to_json(make())) == make()


def test_every_strength_belongs_to_one_concept():
    assert [name for names in GROUPS.values() for name in names] == list(NAMES)
