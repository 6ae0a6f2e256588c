"""python -m learning.render: tastes from liked photos, presets and words; concepts, masks, folders."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from learning import render
from learning.systems import neural_preset, pif_lite
from learning.systems.neural_preset.network import new_network
from learning.systems.pif_lite import PifLite
from learning.systems.pif_lite.population import population_of
from variants.sources.packaged import PHOTOS
from variants.tone.cube import read_cube
from variants.tone.images import encode_image, fit_long_side, read_photo
from variants.tone.recipes import Recipe, apply_recipe


@pytest.fixture(scope="module")
def photos():
    return [fit_long_side(read_photo(photo.path).pixels, 96) for photo in PHOTOS]


@pytest.fixture(scope="module")
def lite(photos, tmp_path_factory):
    config = dataclasses.replace(pif_lite.tiny(), photos=8, grid=12, clusters=1, rarity=1.0)
    folder = tmp_path_factory.mktemp("lite")
    PifLite(population_of(photos, config), config).save(folder)
    return folder


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    config = neural_preset.PRESETS["tiny"]()
    folders = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp("presets")
        neural_preset.NeuralPreset(new_network(dataclasses.replace(config, seed=seed)), config).save(folder)
        folders.append(folder)
    return folders


@pytest.fixture
def folders(photos, tmp_path):
    """Warm and cool liked photos, and two of one's own."""
    for name, temperature in (("warm", 0.8), ("cool", -0.8), ("own", 0.0)):
        (tmp_path / name).mkdir()
        for i, photo in enumerate(photos[:2] if name == "own" else photos[2:]):
            edited = apply_recipe(photo, Recipe(steps=(("temperature", temperature),)))
            (tmp_path / name / f"{name}{i}.png").write_bytes(encode_image(edited, "png"))
    return tmp_path


def rendered(*arguments):
    return render.main(["--quiet", *map(str, arguments)])


def redness(path):
    pixels = np.asarray(Image.open(path).convert("RGB"), float)
    return (pixels[..., 0] - pixels[..., 2]).mean()


def test_a_folder_is_rendered_like_another_and_what_is_no_photo_is_passed_over(folders, lite, capsys):
    (folders / "own/notes.jpg").write_bytes(b"not an image")
    (folders / "warm/notes.jpg").write_bytes(b"not an image")
    asked = ["--run", lite, "--like", folders / "warm", folders / "own", folders / "out"]
    assert rendered(*asked, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rendered"], told["taste"]) == (2, "like warm")
    assert [line.split(":")[0] for line in told["notes"]] == [
        "notes.jpg", "passed over", "2 photos rendered, 1 passed over"
    ]  # fmt: skip
    for i in range(2):
        assert redness(folders / f"out/own{i}.png") > redness(folders / f"own/own{i}.png") + 5
    assert rendered(*asked) == 2
    assert "has results already" in capsys.readouterr().err
    (folders / "out/own0.png").unlink()
    assert rendered(*asked, "--resume") == 0
    assert "1 photos rendered, 1 were there" in capsys.readouterr().out
    for path in (folders / "own").glob("*.png"):
        path.unlink()
    assert rendered("--run", lite, "--like", folders / "warm", folders / "own", folders / "none") == 2
    assert "none of the 1 photos" in capsys.readouterr().err


def test_opposite_tastes_cancel_and_a_concept_is_set_by_hand(folders, lite):
    own, out = folders / "own/own0.png", folders / "out.png"
    both = ["--run", lite, "--like", folders / "warm", "--like", folders / "cool"]
    assert rendered("--run", lite, "--like", folders / "warm", own, out) == 0
    warm = redness(out) - redness(own)
    assert rendered(*both, own, out) == 0
    assert abs(redness(out) - redness(own)) < 0.3 * warm
    assert rendered(*both, "--shares", "1,0", own, out) == 0
    assert redness(out) - redness(own) == pytest.approx(warm, abs=0.5)
    by_hand = [f"--concept={name}=0" for name in ("sharpness", "vignetting", "temperature", "tint")]
    assert (
        rendered(*both, *by_hand, "--concept", "exposure=1", "--cube", folders / "look.cube", own, out) == 0
    )
    assert read_cube(folders / "look.cube").table[16, 16, 16].mean() > 0.55


def test_a_preset_is_written_read_and_refused_by_another_network(folders, presets, capsys):
    own, preset = folders / "own/own0.png", folders / "dusk.npz"
    first, second = presets
    asked = ["--run", first, "--like", folders / "warm", "--save-preset", preset]
    assert rendered(*asked, own, folders / "one.png") == 0
    assert rendered("--run", first, "--preset", preset, own, folders / "two.png") == 0
    assert (folders / "one.png").read_bytes() == (folders / "two.png").read_bytes()
    assert rendered("--run", second, "--preset", preset, own, folders / "three.png") == 2
    assert "the preset 'dusk' was made with another trained network" in capsys.readouterr().err


def test_masks_keep_the_segments_of_a_style_apart(folders, capsys):
    """Above a line the liked photo is red, below it is blue: so becomes the photo, of another size than its mask."""
    y = np.arange(64)[:, None]
    liked = np.zeros((64, 64, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 60, liked.shape, np.uint8)
    liked[:32, :, 0] = liked[32:, :, 2] = 190
    Image.fromarray(liked + noise).save(folders / "two.png")
    Image.fromarray(120 + noise).save(folders / "plain.png")
    (folders / "masks").mkdir()
    mask = np.where(y < 32, 255, 0).astype(np.uint8).repeat(64, axis=1)
    Image.fromarray(mask).save(folders / "masks/two.png")
    Image.fromarray(mask[::2, ::2]).convert("P").save(folders / "masks/plain.png")
    asked = ["--system", "deep_photo", "--masks", folders / "masks", "--like", folders / "two.png"]
    assert rendered(*asked, folders / "plain.png", folders / "out.png") == 0
    assert "the mask of the photo was resized from 32×32 to 64×64" in capsys.readouterr().out
    made = np.asarray(Image.open(folders / "out.png"), float)
    assert (made[:24, :, 0] - made[:24, :, 2]).mean() > 100
    assert (made[40:, :, 0] - made[40:, :, 2]).mean() < -100
    # a colour that no liked photo has
    Image.fromarray(np.dstack([mask, 0 * mask, 0 * mask])).save(folders / "masks/plain.png")
    assert rendered(*asked, folders / "plain.png", folders / "out.png") == 0
    assert "segment #ff0000 is in the photo alone; it took the style of segment" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda masks: (masks / "own0.png").write_bytes(b"no mask"), "own0.png: a mask must be PNG, TIFF"),
        (
            lambda masks: Image.effect_noise((20, 20), 80).save(masks / "own0.png"),
            "colours; a segment has one",
        ),
        (lambda masks: Image.new("I;16", (9, 9)).save(masks / "own0.png"), "save it with 8 bits"),
        (lambda masks: Image.new("L", (90, 9)).save(masks / "own0.png"), "has another shape"),
        (lambda masks: (masks / "warm1.png").unlink(), "of the 6 liked photos"),
        (lambda masks: Image.new("L", (9, 9)).save(masks / "own0.gif"), "are both masks of one photo"),
    ],
)
def test_masks_that_do_not_fit_are_named(folders, capsys, spoil, message):
    masks = folders / "masks"
    masks.mkdir()
    for photo in (*(folders / "warm").iterdir(), folders / "own/own0.png"):
        with Image.open(photo) as image:
            Image.new("L", image.size).save(masks / photo.name)
    spoil(masks)
    asked = ["--system", "deep_photo", "--masks", masks, "--like", folders / "warm", folders / "own/own0.png"]
    assert rendered(*asked, folders / "out.png") == 2
    assert message in capsys.readouterr().err
    assert not (folders / "out.png").exists()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--strength", "1"], "name one taste by --rater, --like, --preset or --word; none is there"),
        (["--like", "own", "--rater", "x"], "--rater and --like are there"),
        (["--rater", "x"], "--rater needs the --run"),
        (["--like", "nowhere"], "nowhere is not there"),
        (["--like", "empty"], "empty has no photos"),
        (["--like", "own", "--shares", "1,2"], "--shares are of a mix"),
        (["--system", "deep_photo", "--like", "own", "--like", "warm"], "deep_photo cannot mix tastes"),
        (["--system", "deep_photo", "--like", "own", "--concept", "tint=1"], "deep_photo has no concepts"),
        (["--run", "lite", "--like", "own", "--masks", "own"], "pif_lite has no segments"),
        (["--run", "lite", "--like", "own", "--concept", "tint"], "--concept tint: it must be NAME=VALUE"),
        (["--run", "lite", "--like", "own", "--concept", "tint=a"], "'a' is not a number"),
        (["--run", "lite", "--like", "own", "--concept", "tint=9"], "tint is 9; it must be from -0.75"),
        (["--run", "lite", "--like", "own", "--like", "warm", "--shares", "1"], "2 profiles and 1 weights"),
        (["--run", "lite", "--like", "own", "--like", "warm", "--shares", "a,b"], "--shares is 'a,b'"),
        (["--run", "lite", "--word", "exposure=dark"], "pif_lite knows no words"),
        (["--run", "lite", "--preset", "x.npz"], "pif_lite has no presets"),
        (
            ["--system", "deep_photo", "--like", "own", "--cube", "x.cube", "--masks", "own"],
            "no LUT can hold them",
        ),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_written(folders, lite, capsys, monkeypatch, asked, message):
    monkeypatch.chdir(folders)
    (folders / "empty").mkdir()
    (folders / "lite").symlink_to(lite)
    assert rendered(*asked, "own/own0.png", "out.png") == 2
    assert message in capsys.readouterr().err
    assert not (folders / "out.png").exists()
