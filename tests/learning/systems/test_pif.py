"""The real code with a small model of Stable Diffusion's form and random weights."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from learning.backbones import WeightsMissing
from learning.backbones.networks import new_network
from learning.data.dataset import PreferenceDataset
from learning.systems import pif
from learning.systems.concepts import GROUPS, NAMES, WORDS
from learning.systems.interface import PhotoReader, ReferencePair
from learning.systems.load import load_run
from learning.systems.pif.model import PLACEHOLDERS, load_model
from learning.systems.pif.small import save_small_model
from learning.systems.pif.training import (
    PairsOfEdits,
    Perceptual,
    References,
    attention_of,
    editor_loss,
    train_editor,
    train_words,
    words_loss,
)
from learning.systems.pif.words import MAPS, draw_task, perturb, prompt_of
from learning.training.loop import LoopConfig
from learning.training.run_folder import NOTE, read_weights
from learning.training.settings import from_json, to_json
from tests.learning.factories import in_a_frame, make_dataset
from variants.progress import silent
from variants.tone.recipes import Recipe, apply_recipe

QUICK = dataclasses.replace(
    pif.PRESETS["tiny"](),
    edit_size=32,
    lift="lut",
    size=16,
    batch=2,
    autoencoder_steps=2,
    loop=LoopConfig(steps=3, checkpoint_every=2, warmup=0),
    inversion=LoopConfig(steps=3, learning_rate=0.05, warmup=0, checkpoint_every=2, weight_decay=0.1),
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small"
    save_small_model(path, seed=0)
    return path


@pytest.fixture
def model(folder):
    """With adapters of rank 2, as the published model has them."""
    return loaded(folder)


def loaded(folder, **fields):
    return load_model(
        str(folder), **{"rank": 2, "timestep": 400, "residual_space": "latent", "seed": 0} | fields
    )


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(3)
    return [rng.random((20, 26, 3)).astype(np.float32) for _ in range(3)]


def images(n=1, size=16):
    return torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(1))


def snapshot(model):
    parts = {"unet": model.unet, "text_encoder": model.text_encoder, "vae": model.vae}
    return {f"{p}.{n}": v.detach().clone() for p, m in parts.items() for n, v in m.named_parameters()}


def moved(before, model):
    return {name for name, value in snapshot(model).items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("space", ["latent", "pixel"])
@torch.inference_mode()
def test_the_empty_prompt_changes_nothing(folder, space):
    model = loaded(folder, residual_space=space)
    before, after = model.edit(images(), model.ids([""]))
    torch.testing.assert_close(after, before, atol=1e-6, rtol=0)
    if space == "pixel":
        torch.testing.assert_close(before, images())
    else:
        torch.testing.assert_close(before, model.decode(model.encode(images())))


@torch.inference_mode()
def test_a_prompt_adds_the_difference_of_two_clean_predictions(model):
    """Z + [ẑ(P) - ẑ(∅)] with ẑ = (z - √(1 - ᾱ)·ε) / √ᾱ, each computed by itself."""
    alpha = model.alpha
    z = model.encode(images())
    ids = model.ids(["dark exposure"])

    def clean(ids):
        noise = model.unet(z, 400, encoder_hidden_states=model.context(ids)).sample
        return (z - (1 - alpha) ** 0.5 * noise) / alpha**0.5

    residual = clean(ids) - clean(model.ids([""]))
    assert residual.abs().max() > 1e-4
    for strength in (1.0, 0.5):
        _, after = model.edit(images(), ids, strength)
        torch.testing.assert_close(after, model.decode(z + strength * residual), atol=1e-5, rtol=1e-4)


def test_the_first_training_moves_adapters_and_the_vaes_encoder_alone(model, photos, tmp_path):
    before = snapshot(model)
    config = dataclasses.replace(QUICK, rank=2)
    train_editor(model, photos, config, tmp_path, silent, perceptual=None, resume=False)
    changed = moved(before, model)
    assert changed
    assert all("lora_" in name or name.startswith(("vae.encoder.", "vae.quant_conv.")) for name in changed)
    for part in ("unet", "text_encoder", "vae.encoder"):
        assert any(name.startswith(part) for name in changed), part
    assert "text_encoder" not in {name for name in changed if "lora_" not in name}


def test_only_new_words_move_in_the_second(model, photos, tmp_path):
    before = snapshot(model)
    rows = train_words(model, photos, QUICK, tmp_path)
    assert moved(before, model) == {n for n in before if n.endswith("token_embedding.rows")}
    # Every word is in some prompt of three random subsets, or keeps where it began.
    assert (rows - model.words.start).abs().amax(1).count_nonzero() >= 4
    assert rows.shape == (8, 32)


def test_words_that_a_prompt_does_not_have_get_no_gradient(model, photos):
    model.freeze()
    data = References(photos, model, QUICK)
    step = next(data[i] for i in range(50) if len(data[i].concepts) == 3)
    words_loss(model, step, QUICK)["loss"].backward()
    touched = {c for c, row in zip(WORDS, model.words.rows.grad, strict=True) if row.abs().max() > 0}
    assert touched == set(step.concepts)
    assert model.words.base.weight.grad is None


def test_a_subset_changes_only_its_own_concepts(model, photos):
    data = References(photos, model, QUICK)
    for step in (data[i] for i in range(6)):
        tokens = {model.tokenizer.convert_ids_to_tokens(int(i)) for i in step.ids[0]}
        assert {PLACEHOLDERS[c] for c in step.concepts} == tokens & set(PLACEHOLDERS.values())
        if step.concepts == ("vignetting",):
            torch.testing.assert_close(step.before[..., 8, 8], step.photo[..., 8, 8], atol=0.02, rtol=0)
    torch.testing.assert_close(data[2].before, data[2].before)


def test_attention_is_the_networks_own(folder):
    """Kept probabilities are those of a softmax, and the prediction is that of diffusers' own attention."""
    from diffusers import UNet2DConditionModel

    model = loaded(folder, rank=0)
    ids = model.ids([f"{PLACEHOLDERS['exposure']} exposure"])
    z = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        context = model.context(ids)
        made = model._noise(z, context)
        plain = UNet2DConditionModel.from_pretrained(folder, subfolder="unet").eval()
        torch.testing.assert_close(
            made, plain(z, 400, encoder_hidden_states=context).sample, atol=1e-5, rtol=1e-4
        )
        for layer in model.attention:
            torch.testing.assert_close(layer.sum(-1), torch.ones(layer.shape[:2]))
        shown = attention_of(model, ids, "exposure")
    assert shown.shape == (16, 16)
    assert (shown.min(), shown.max()) == (0, pytest.approx(1, abs=1e-3))


def test_the_loss_is_squares_and_edges(model, photos):
    batch = PairsOfEdits(photos, model, QUICK)[0]
    losses = editor_loss(model, batch, dataclasses.replace(QUICK, edges=0.25), None)
    _, made = model.edit(batch.before, batch.ids)
    gap = made - batch.after
    edges = gap.diff(dim=2).abs().mean() + gap.diff(dim=3).abs().mean()
    torch.testing.assert_close(losses["loss"], gap.square().mean() + 0.25 * edges)


def test_the_perceptual_loss_compares_features():
    network = new_network("torchvision:vgg16", 0)
    perceptual = Perceptual(network, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    one, two = images(2, 32).chunk(2)
    assert perceptual(one, one) == 0
    two = two.clone().requires_grad_(True)
    perceptual(one, two).backward()
    assert two.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_missing_features_are_named_before_a_folder_is_made(run, tmp_path, monkeypatch):
    dataset, _, _ = run
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    config = dataclasses.replace(QUICK, perceptual=0.5)
    with pytest.raises(WeightsMissing, match="vgg16"):
        pif.fit(dataset, config, tmp_path / "run", silent)
    assert not (tmp_path / "run").exists()


def test_prompts_are_attributes_and_names():
    assert prompt_of({"tint": "warm", "exposure": "dark"}) == "dark exposure, warm tint"
    assert prompt_of({}) == ""
    for words, message in (
        ({"glow": "dark"}, "no concept 'glow'"),
        ({"tint": "sour"}, "tint cannot be 'sour'; it can be: cool, green, average"),
    ):
        with pytest.raises(ValueError, match=message):
            prompt_of(words)


def test_words_stand_for_strengths_and_silence_for_leaving_as_it_is():
    rng = np.random.default_rng(0)
    for task in (draw_task(rng, left_out=0.5) for _ in range(20)):
        said = dict(reversed(part.rsplit(" ", 1)) for part in task.prompt.split(", ") if part)
        for concept, names in GROUPS.items():
            for name in names:
                index = NAMES.index(name)
                wanted = WORDS[concept][said[concept]].get(name, 0) if concept in said else task.before[index]
                assert task.after[index] == pytest.approx(wanted)
    assert all("average" in words for words in WORDS.values())


def test_perturbation_is_the_recipe_of_its_steps(photos):
    strengths = np.zeros((2, 9), np.float32)
    strengths[1, NAMES.index("exposure")], strengths[1, NAMES.index("sharpness")] = 0.5, 1.0
    both = torch.from_numpy(np.stack([photos[0]] * 2)).movedim(-1, 1)
    made = perturb(both, torch.from_numpy(strengths)).movedim(1, -1).numpy()
    np.testing.assert_array_equal(made[0], photos[0])
    expected = apply_recipe(photos[0], Recipe(steps=(("exposure", 0.5), ("sharpness", 1.0))))
    np.testing.assert_allclose(made[1], expected, atol=1e-5)


def test_weight_maps_are_where_concepts_show(photos):
    image = torch.from_numpy(photos[0])[None]
    for concept, weigh in MAPS.items():
        weight = weigh(image)
        assert weight.shape == (1, 20, 26, 1), concept
        assert weight.min() >= 0
        assert weight.max() <= 1 + 1e-6


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    base = tmp_path_factory.mktemp("pif")
    dataset = PreferenceDataset.load(make_dataset(base / "data"))
    return dataset, pif.fit(dataset, QUICK, base / "run", silent), base / "run"


def test_a_run_edits_any_size_and_is_loaded_again(run, tmp_path):
    _, system, folder = run
    assert isinstance(system, PhotoReader)
    rng = np.random.default_rng(0)
    photos = [rng.random(shape).astype(np.float32) for shape in ((37, 50, 3), (9, 9, 3))]
    profile = system.adapt_to_photos(photos[:1])
    system.save(tmp_path / "copy")
    made = system.render(photos, profile)
    assert [image.shape for image in made] == [photo.shape for photo in photos]
    for other in (load_run(folder), load_run(tmp_path / "copy")):
        np.testing.assert_array_equal(other.render(photos[1:], profile)[0], made[1])
    none = system.with_strengths(profile, dict.fromkeys(WORDS, 0))
    np.testing.assert_array_equal(system.render(photos[:1], none)[0], photos[0])
    np.testing.assert_array_equal(system.render(photos[:1], profile, strength=0)[0], photos[0])
    by_words = system.render(photos[1:], system.adapt_to_words({"exposure": "dark"}))[0]
    assert by_words.shape == photos[1].shape
    assert np.abs(by_words - made[1]).max() > 1e-6


def test_concepts_are_applied_one_by_one_and_tastes_mixed(run):
    _, system, _ = run
    rng = np.random.default_rng(0)
    words = [rng.normal(0, 1, (8, 32)).astype(np.float32) for _ in range(2)]
    one, two = ({"words": w, "strengths": np.ones(8, np.float32)} for w in words)
    photo = rng.random((20, 24, 3)).astype(np.float32)
    only = system.with_strengths(one, dict.fromkeys(WORDS, 0) | {"tint": 1})
    half = system.with_strengths(only, {"tint": 0.5})
    made = [system.render([photo], profile)[0] for profile in (one, only, half)]
    assert all(np.abs(a - b).max() > 1e-6 for a, b in ((made[0], made[1]), (made[1], made[2])))
    np.testing.assert_allclose(
        system.mixed([one, two], [1, 3])["words"], 0.25 * words[0] + 0.75 * words[1], rtol=1e-5
    )
    for wrong, message in (({"glow": 1}, "no concept 'glow'"), ({"tint": 3}, "tint is 3; it must be from 0")):
        with pytest.raises(ValueError, match=message):
            system.with_strengths(one, wrong)
    with pytest.raises(ValueError, match="2 profiles and 1 weights"):
        system.mixed([one, two], [1])


def test_nothing_to_read_is_refused(run):
    _, system, _ = run
    with pytest.raises(ValueError, match="photos is empty"):
        system.adapt_to_photos([])
    with pytest.raises(ValueError, match="references is empty"):
        system.adapt([])
    with pytest.raises(ValueError, match="a photo has the shape"):
        system.adapt(
            [ReferencePair(preferred=np.zeros((4, 4), np.float32), rejected=np.zeros((4, 4), np.float32))]
        )


def test_a_frame_of_one_colour_does_not_count(run, photos, monkeypatch):
    _, system, _ = run
    read = []
    monkeypatch.setattr(
        "learning.systems.pif.system.train_words",
        lambda model, photos, *_, **__: read.append(photos) or model.words.rows.detach(),
    )
    system.adapt_to_photos([in_a_frame(photo) for photo in photos])
    for found, photo in zip(read[0], photos, strict=True):
        np.testing.assert_array_equal(found, photo)


class Stopped(Exception):
    pass


def stop_at(wanted, at):
    def report(done, total, stage):
        if stage == wanted and done == at:
            raise Stopped

    return report


def test_both_trainings_can_be_stopped_and_resumed(run, photos, tmp_path):
    dataset, system, folder = run
    with pytest.raises(Stopped):
        pif.fit(dataset, QUICK, tmp_path / "run", stop_at("training", 2))
    pif.fit(dataset, QUICK, tmp_path / "run", silent, resume=True)
    whole, resumed = (read_weights(path, system="pif") for path in (folder, tmp_path / "run"))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())

    expected = system.invert(photos, tmp_path / "whole")
    with pytest.raises(Stopped):
        system.invert(photos, tmp_path / "stopped", stop_at("training", 2))
    again = system.invert(photos, tmp_path / "stopped", resume=True)
    np.testing.assert_array_equal(again["words"], expected["words"])


def test_words_whose_fit_diverges_stay_as_they_were_before(run, photos, tmp_path, monkeypatch):
    """From the third step on the loss is no number: the words have moved by two steps."""
    _, system, _ = run
    steps = itertools.count(1)

    def breaks(*arguments):
        factor = 1 if next(steps) < 3 else float("nan")
        return {name: factor * value for name, value in words_loss(*arguments).items()}

    monkeypatch.setattr("learning.systems.pif.training.words_loss", breaks)
    said = r"step 3: the loss or its gradient is not a number.* those of the 2 steps before"
    with pytest.warns(UserWarning, match=said):
        kept = system.invert(photos, tmp_path)["words"]
    moved = np.abs(kept - system.model.words.start.numpy()).max(1)
    assert np.isfinite(kept).all()
    assert moved.max() > 0
    assert "those of the 2 steps before" in (tmp_path / NOTE).read_text()


def test_a_missing_model_is_named_with_what_gets_it(run, tmp_path, monkeypatch):
    dataset, _, _ = run
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    config = dataclasses.replace(pif.PRESETS["paper"](), model="nobody/no-such-model")
    with pytest.raises(
        WeightsMissing,
        match=r"nobody/no-such-model is not on this machine\. `hf download nobody/no-such-model --include",
    ):
        pif.fit(dataset, config, tmp_path / "run", silent)
    assert not (tmp_path / "run").exists()
    with pytest.raises(
        WeightsMissing, match="has no unet that can be loaded; copy the model's folder there whole"
    ):
        loaded(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"residual_space": "both"}, "residual_space is 'both'; it must be one of latent, pixel"),
        ({"lift": "magic"}, "lift is 'magic'; it must be one of lut"),
        ({"timestep": 1000}, "timestep is 1000; it must be from 0 to 999"),
        ({"rank": -1}, "rank is -1; it must be 0 or more"),
        ({"batch": 0}, "batch is 0"),
        ({"left_out": 1.0}, r"left_out is 1\.0"),
        ({"size": 8}, "size is 8"),
        ({"model": ""}, "model is empty"),
    ],
)
def test_settings_out_of_range_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(QUICK, **fields)


@pytest.mark.parametrize("make", list(pif.PRESETS.values()))
def test_presets_survive_json(make):
    assert from_json(pif.Config, to_json(make())) == make()
