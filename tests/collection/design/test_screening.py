import functools
import itertools

import colour
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from collection.design import dots
from collection.design.protocol import RuleSet
from collection.design.screening import (
    CLEAR_SHAPES,
    LEAST_FAINT,
    LEVELS,
    RED_GREEN,
    Plate,
    PracticeAnswer,
    color_vision_plates,
    color_vision_result,
    levels_plates,
    levels_result,
    plate_colors,
    plate_pixels,
    practice_result,
)
from variants.tone.color import linear_to_srgb, luminance, srgb_to_lab, srgb_to_linear
from variants.tone.difference import ciede2000

SEEDS = range(3)
CONE = {"protan": 0, "deutan": 1}
NUMBERS = [a + b for a, b in itertools.product(dots.STROKES, repeat=2)]


def dichromat(kind):
    """What Viénot, Brettel and Mollon (1999) give for linear sRGB: the lacking cone follows the other two.

    It does so as on the plane through white and the blue primary.
    """
    lacking = CONE[kind]
    others = [cone for cone in range(3) if cone != lacking]
    plane = dots.CONES_FROM_LINEAR @ np.array([[1, 0], [1, 0], [1, 1]])  # white and blue, as columns
    project = np.eye(3)
    project[lacking] = 0
    project[lacking, others] = np.linalg.solve(plane[others].T, plane[lacking])
    return np.linalg.inv(dots.CONES_FROM_LINEAR) @ project @ dots.CONES_FROM_LINEAR


def seen_by(pixels, kind):
    """Pixels of 8-bit sRGB as a person of this kind sees them, as sRGB from 0 to 1."""
    image = pixels / 255
    if kind == "normal":
        return image
    return linear_to_srgb(np.clip(srgb_to_linear(image) @ dichromat(kind).T, 0, 1))


def color_pair(kind, seed):
    """Figure and ground without noise, linear sRGB."""
    colors = plate_colors(kind, np.random.default_rng(seed))
    cones = np.array([colors.figure, colors.ground]) * dots.WHITE_CONES * colors.lightness
    return cones @ np.linalg.inv(dots.CONES_FROM_LINEAR).T


def difference(pair, matrix=None):
    one, other = srgb_to_lab(linear_to_srgb(np.clip(pair if matrix is None else pair @ matrix.T, 0, 1)))
    return float(ciede2000(one, other))


@functools.cache
def number_masks():
    """Where each number's strokes are, on every sixth pixel; (numbers, points) and the points."""
    points = np.stack(np.meshgrid(*[np.arange(3, dots.SIDE, 6)] * 2), axis=-1).reshape(-1, 2)
    points = points[np.hypot(*(points - dots.SIDE / 2).T) < dots.DISC - 5]
    return np.array(
        [dots.stroke_distance(n, points.astype(float)) <= dots.STROKE / 2 for n in NUMBERS]
    ), points


def read(pixels, kind):
    """The number whose strokes part the picture's colours best: a reader who knows the digits and overlooks nothing.

    Parted is measured by Hotelling's T² of L*, a* and b*, the paper between the dots left out.
    """
    masks, points = number_masks()
    shown = seen_by(pixels[points[:, 1], points[:, 0]], kind)
    is_dot = shown.min(axis=1) < 0.8
    lab = srgb_to_lab(shown[is_dot])
    return NUMBERS[int(np.argmax([separation(lab, mask[is_dot]) for mask in masks]))]


def separation(lab, inside):
    figure, ground = lab[inside], lab[~inside]
    apart = figure.mean(0) - ground.mean(0)
    within = (np.cov(figure.T) * len(figure) + np.cov(ground.T) * len(ground)) / len(lab)
    return apart @ np.linalg.solve(within, apart) * len(figure) * len(ground) / len(lab)


# Colours


@pytest.mark.parametrize(("cone", "x", "y"), [(0, 0.7465, 0.2535), (1, 1.4000, -0.4000), (2, 0.1748, 0.0000)])
def test_lines_of_confusion_meet_in_the_published_points(cone, x, y):
    """Smith and Pokorny (1975), the points of protanopes, deuteranopes and tritanopes in CIE 1931 xy."""
    xyz = np.linalg.inv(dots.CONES_FROM_XYZ)[:, cone]
    assert xyz[:2] / xyz.sum() == pytest.approx([x, y], abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "published"),
    [
        ("protan", [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
        ("deutan", [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
    ],
)
def test_the_simulation_is_the_published_one(kind, published):
    """Matrices of Viénot et al. (1999) for linear sRGB in libDaltonLens; it corrects XYZ by Judd and Vos before."""
    assert dichromat(kind) == pytest.approx(np.array(published), abs=0.005)


@pytest.mark.parametrize("kind", ["protan", "deutan"])
def test_dichromats_see_figure_and_ground_alike_and_others_do_not(kind):
    """By the simulation that the colours are made for, and by Machado et al. (2009) at full severity."""
    names = {"protan": "Protanomaly", "deutan": "Deuteranomaly"}
    machado = np.array(colour.matrix_cvd_Machado2009(names[kind], 1.0))
    for seed in range(20):
        pair = color_pair(kind, seed)
        assert difference(pair) > 20
        assert difference(pair, dichromat(kind)) < 0.01
        assert difference(pair, machado) < 1


def test_the_plate_for_both_types_shows_each_little_and_nobody_by_luminance():
    for seed in range(20):
        pair = color_pair("red_green", seed)
        assert difference(pair) > 20
        assert difference(pair, dichromat("protan")) < difference(pair) / 5
        assert difference(pair, dichromat("deutan")) < difference(pair) / 5
        assert luminance(pair)[0, 0] == pytest.approx(luminance(pair)[1, 0], rel=0.01)


def test_everybody_sees_the_demonstration():
    pair = color_pair("demonstration", 0)
    assert min(difference(pair), *(difference(pair, dichromat(kind)) for kind in CONE)) > 40


@pytest.mark.parametrize("kind", sorted(set(RED_GREEN)))
def test_lightness_varies_by_more_than_figure_and_ground_differ(kind):
    rng = np.random.default_rng(0)
    is_figure = rng.random(2000) < 0.3
    linear = dots.dot_colors(is_figure, plate_colors(kind, rng), rng)
    light = np.log(luminance(linear)[:, 0])
    within = np.concatenate([light[mask] - light[mask].mean() for mask in (is_figure, ~is_figure)])
    assert abs(light[is_figure].mean() - light[~is_figure].mean()) < 0.75 * within.std()
    assert linear.min() >= 0
    assert linear.max() <= 1


# Dots and digits


def test_dots_do_not_touch_and_fill_the_disc():
    packed = dots.pack_dots(np.random.default_rng(1))
    place, radius = packed[:, :2], packed[:, 2]
    apart = np.hypot(*(place[:, None] - place).transpose(2, 0, 1)) - radius[:, None] - radius
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= dots.GAP
    assert (np.hypot(*(place - dots.SIDE / 2).T) + radius).max() <= dots.DISC
    assert (np.pi * radius**2).sum() > 0.55 * np.pi * dots.DISC**2


@pytest.mark.parametrize("digit", dots.STROKES)
def test_digits_are_centred_and_stay_in_the_disc(digit):
    masks, points = number_masks()
    reach = np.hypot(*(points[masks[NUMBERS.index(digit + digit)]] - dots.SIDE / 2).T).max()
    assert reach < dots.DISC - 5
    alone = dots.STROKES[digit]
    assert (alone.min(0) >= [-0.01, -0.01]).all()
    assert (alone.max(0) <= [1.01, 2.01]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_sees_all_colours_reads_every_plate(seed):
    for plate in color_vision_plates(seed):
        assert read(plate_pixels(plate), "normal") == plate.truth


@pytest.mark.parametrize("kind", CONE)
def test_who_lacks_the_cone_reads_no_better_than_by_chance(kind):
    """Not even a machine that overlooks nothing: 1 of 36 is chance, and 2 of 8 has p = 0.02 by it."""
    plates = [Plate(kind=kind, truth=NUMBERS[4 * k + 3], seed=k) for k in range(8)]
    assert sum(read(plate_pixels(plate), kind) == plate.truth for plate in plates) <= 1


@pytest.mark.parametrize("kind", CONE)
def test_who_lacks_a_cone_reads_the_demonstration(kind):
    for seed in SEEDS:
        plate = color_vision_plates(seed)[0]
        assert read(plate_pixels(plate), kind) == plate.truth


# Which plates


def test_plates_come_from_the_seed_alone():
    assert color_vision_plates(7) == color_vision_plates(7)
    assert levels_plates(7) == levels_plates(7)
    for plate in (*color_vision_plates(7)[:2], *levels_plates(7)):
        pixels = plate_pixels(plate)
        assert (pixels.dtype, pixels.shape) == (np.uint8, (640, 640, 3))
        assert np.array_equal(pixels, plate_pixels(plate))
    assert {plate.truth for plate in color_vision_plates(7)} != {
        plate.truth for plate in color_vision_plates(8)
    }


@given(st.integers(0, 2**63 - 1))
def test_a_session_has_the_demonstration_first_and_no_number_twice(seed):
    plates = color_vision_plates(seed)
    kinds = [plate.kind for plate in plates]
    assert kinds[0] == "demonstration"
    assert sorted(kinds[1:]) == sorted([*RED_GREEN, "tritan"])
    assert len({plate.truth for plate in plates}) == len(plates)


def test_numbers_and_order_tell_nothing_of_the_kind():
    """Each kind comes second in some session, and each with many numbers."""
    sessions = [color_vision_plates(seed) for seed in range(200)]
    assert {plates[1].kind for plates in sessions} == {*RED_GREEN, "tritan"}
    for kind in {*RED_GREEN, "tritan", "demonstration"}:
        assert len({p.truth for plates in sessions for p in plates if p.kind == kind}) > 30


# Levels


@functools.cache
def shapes_of(plate):
    """Levels of the shapes on a plate, sorted; each is a region that differs from the ground."""
    pixels = plate_pixels(plate).astype(int)
    assert (pixels == pixels[..., :1]).all()
    grey, ground = pixels[..., 0], LEVELS[plate.kind].ground
    regions, n = ndimage.label(grey != ground, structure=np.ones((3, 3)))  # corners touch
    return tuple(sorted(int(np.median(grey[regions == k])) for k in range(1, n + 1)))


def counted(plate, screen):
    """How many shapes differ from the ground on a screen that turns levels into others."""
    return str(sum(screen(level) != screen(LEVELS[plate.kind].ground) for level in shapes_of(plate)))


def video_range(level):
    """A screen that takes a full signal for one of video levels: 16 is black and 235 is white (BT.601)."""
    return min(max(round((level - 16) * 255 / 219), 0), 255)


@pytest.mark.parametrize("seed", SEEDS)
def test_level_plates_show_the_shapes_that_they_say(seed):
    for plate in levels_plates(seed):
        level, shapes = LEVELS[plate.kind], shapes_of(plate)
        low, high = level.clear
        clear = [shape for shape in shapes if low <= shape <= high]
        assert len(shapes) == int(plate.truth)
        assert sorted(set(shapes) - set(clear)) == sorted(level.faint)
        assert len(clear) == int(plate.truth) - len(level.faint)


def test_how_many_shapes_are_clear_cannot_be_known():
    """Nine numbers, equally often, and one plate's tells nothing of the other's."""
    both = np.array([[int(p.truth) for p in levels_plates(seed)] for seed in range(3000)])
    low, high = CLEAR_SHAPES
    for kind, truths in zip(LEVELS, both.T, strict=True):
        counts = np.bincount(truths - len(LEVELS[kind].faint), minlength=high + 1)[low:]
        assert counts.sum() == 3000
        assert counts.min() > 3000 / 9 - 5 * np.sqrt(3000 * 8 / 81)
    assert abs(np.corrcoef(both.T)[0, 1]) < 4 / np.sqrt(3000)


def test_the_best_guess_passes_one_time_in_nine():
    """Of nine numbers of clear shapes, three make a count one that passes: (3 / 9)² for both plates."""
    n_faint, (low, high) = len(LEVELS["dark"].faint), CLEAR_SHAPES
    chances = [
        sum(LEAST_FAINT <= guess - clear <= n_faint for clear in range(low, high + 1)) / (high - low + 1)
        for guess in range(high + n_faint + 1)
    ]
    assert max(chances) == pytest.approx(3 / 9)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_faithful_screen_passes_and_one_that_crushes_fails(seed):
    plates = levels_plates(seed)
    assert levels_result(plates, [counted(p, lambda level: level) for p in plates]).outcome == "passed"
    found = levels_result(plates, [counted(p, video_range) for p in plates])
    assert found.outcome == "failed"
    assert [p["faint_seen"] for p in found.evidence["plates"]] == [1, 0]
    assert [p["faintest_seen"] for p in found.evidence["plates"]] == [24, None]


LEVEL_PLATES = (Plate(kind="dark", truth="9", seed=1), Plate(kind="bright", truth="7", seed=2))
"""Five and three clear shapes, and four faint ones on each."""


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (["9", "7"], "passed"),
        (["7", "5"], "passed"),
        (["6", "7"], "failed"),
        (["9", "4"], "failed"),
        (["5", "3"], "failed"),
        (["10", "7"], "unknown"),
        (["9", "2"], "unknown"),
        (["6", "8"], "unknown"),
        (["", "7"], "unknown"),
        (["many", "7"], "unknown"),
    ],
)
def test_two_faint_shapes_of_each_plate_are_enough(answers, outcome):
    assert levels_result(LEVEL_PLATES, answers).outcome == outcome


def test_levels_evidence_says_which_levels_were_told_apart():
    found = levels_result(LEVEL_PLATES, ["8", "x"]).evidence["plates"]
    assert found[0] == {
        "kind": "dark",
        "shown": 9,
        "counted": 8,
        "faint": [24, 16, 9, 4],
        "outcome": "passed",
        "faint_seen": 3,
        "faintest_seen": 9,
    }
    assert (found[1]["counted"], found[1]["faintest_seen"], found[1]["outcome"]) == (None, None, "unknown")


# Scores


COLOR_PLATES = color_vision_plates(4)


def answers_with(*wrong, other="1"):
    """The right ones, but for the plates at these places."""
    return [other if i in wrong else plate.truth for i, plate in enumerate(COLOR_PLATES)]


def places(*kinds):
    return [i for i, plate in enumerate(COLOR_PLATES) if plate.kind in kinds]


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [
        ([], "passed"),
        (places("protan")[:1], "passed"),
        (places("tritan"), "passed"),
        (places("tritan") + places("deutan")[:1], "passed"),
        (places("protan"), "failed"),
        (places("deutan"), "failed"),
        (places(*RED_GREEN), "failed"),
        ([0], "unknown"),
        (range(7), "unknown"),
    ],
)
@pytest.mark.parametrize("other", ["1", "", "no idea", "-5", "4²", "９９９"])
def test_two_red_green_plates_wrong_fail_and_a_missed_demonstration_says_nothing(wrong, outcome, other):
    assert color_vision_result(COLOR_PLATES, answers_with(*wrong, other=other)).outcome == outcome


@pytest.mark.parametrize("digits", ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९"])
def test_digits_of_any_script_are_read(digits):
    table = str.maketrans("0123456789", digits)
    answers = [f" {p.truth[0]} {p.truth[1]}".translate(table) for p in COLOR_PLATES]
    assert color_vision_result(COLOR_PLATES, answers).outcome == "passed"


def test_color_vision_evidence_counts_by_kind_and_keeps_no_answer():
    wrong = places("deutan")
    found = color_vision_result(COLOR_PLATES, answers_with(*wrong, other="my comment")).evidence
    assert [p["kind"] for p in found["plates"]] == [p.kind for p in COLOR_PLATES]
    assert [i for i, p in enumerate(found["plates"]) if not p["right"]] == wrong
    assert (found["red_green"], found["red_green_wrong"], found["limit_wrong"]) == (5, 2, 1)
    assert "comment" not in str(found)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (None, "answers is NoneType; it must be a list of 7 texts"),
        ("1234567", "answers is str"),
        ({"0": "12"}, "answers is dict"),
        ([], "answers is 0 of them"),
        (["1"] * 8, "answers is 8 of them"),
        ([12] * 7, "answers[0] is '12'; it must be a text of at most 20 characters"),
        ([*["1"] * 6, None], "answers[6] is 'None'"),
        ([*["1"] * 6, "7" * 10_000], "answers[6] is '" + "7" * 40 + "'"),
    ],
)
def test_answers_that_cannot_be_are_refused_with_a_sentence(answers, message):
    with pytest.raises(ValueError, match="must be") as refused:
        color_vision_result(COLOR_PLATES, answers)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 200
    with pytest.raises(ValueError, match="must be"):
        levels_result(LEVEL_PLATES, answers)


@given(st.lists(st.text(max_size=20), min_size=7, max_size=7))
def test_whatever_is_typed_has_an_outcome(answers):
    assert color_vision_result(COLOR_PLATES, answers).outcome in ("passed", "failed", "unknown")
    assert levels_result(LEVEL_PLATES, answers[:2]).outcome in ("passed", "failed", "unknown")


# Practice


def practice(chosen, *times, asked="right"):
    """Free choices, and at last one where a side is asked for."""
    free = [PracticeAnswer(side="left", response_ms=ms) for ms in times[:-1]]
    return [*free, PracticeAnswer(side=chosen, instructed_side=asked, response_ms=times[-1])]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (practice("right", 900, 900, 900), "passed"),
        (practice("left", 900, 900, 900), "failed"),
        (practice("tie", 900, 900, 900), "failed"),
        (practice("right", 100, 300, 900), "passed"),
        (practice("right", 100, 299, 900), "failed"),
        (practice("right", None, None, 300), "passed"),
        (practice("right", None, None, None), "passed"),
        (practice("left", None, None, None), "failed"),
        ([PracticeAnswer(side="left")], "unknown"),
        ([], "unknown"),
    ],
)
def test_practice_is_passed_by_the_side_asked_for_and_time_to_look(answers, outcome):
    """The median may be the limit of 300 ms itself; what is not known counts against nobody."""
    assert practice_result(answers, RuleSet()).outcome == outcome


def test_practice_goes_by_the_studys_own_limit():
    answers = practice("right", 900, 900, 900)
    found = practice_result(answers, RuleSet(min_response_ms=1000))
    assert found.outcome == "failed"
    assert found.evidence == {"instructed": 1, "followed": 1, "median_ms": 900, "limit_ms": 1000}
