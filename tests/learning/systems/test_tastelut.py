import dataclasses

import numpy as np
import pytest
import torch

from collection.design.ideal_point import TasteModel
from learning.data.dataset import PreferenceDataset
from learning.data.views import ViewConfig
from learning.renderers.color_luts import identity
from learning.systems import make_config, tastelut
from learning.systems.interface import ColorMapper, ConceptEditor, ReferencePair, Scorer, System
from learning.systems.load import load_run
from learning.systems.tastelut.answering import StandIns
from learning.systems.tastelut.calibration import CASE, _score, split
from learning.systems.tastelut.config import (
    CalibrationConfig,
    EpisodeConfig,
    LookConfig,
    LossConfig,
    NetworkConfig,
)
from learning.systems.tastelut.losses import Step, distance, step_loss
from learning.systems.tastelut.network import Network, Sizes, Taste, along_curves
from learning.systems.tastelut.reading import Raters, of_kinds, read_pairs
from learning.training.loop import LoopConfig
from learning.training.objective import Curriculum
from learning.training.run_folder import RunError
from learning.training.settings import from_json, to_json
from tests.learning.factories import make_dataset
from variants.progress import silent

SIZES = Sizes(44, 5, 3)
SHAPE = NetworkConfig(
    hidden=24, width=16, heads=2, layers=1, memory=2, lut_basis=6, knots=4, lut_size=5, basis_size=3
)
SMALL_LOOK = LookConfig(members=2, hidden=24, steps=60)
SMALL = dataclasses.replace(
    tastelut.tiny(),
    n_tones=4,
    n_contents=2,
    look=SMALL_LOOK,
    rater_rounds=2,
    network=SHAPE,
    views=ViewConfig(count=2, size=8, jitter=0),
    episodes=EpisodeConfig(raters=6, targets=3, draws=4),
    calibration=CalibrationConfig(raters=0.25, scenes=0.25),
    loop=LoopConfig(steps=12, learning_rate=3e-3, checkpoint_every=5, warmup=2),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = make_dataset(tmp_path_factory.mktemp("data") / "brightness", n_raters=10, n_answers=18)
    return PreferenceDataset.load(folder)


@pytest.fixture(scope="module")
def system(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    tastelut.fit(dataset, SMALL, folder, silent)
    return load_run(folder)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(SIZES, SHAPE, SMALL_LOOK).eval()


@pytest.fixture
def no_gradients():
    with torch.no_grad():
        yield


def photos(n=1, size=(12, 18), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.random((*size, 3), dtype=np.float32) for _ in range(n)]


def pairs(n=4, seed=0):
    sides = photos(n, seed=seed), photos(n, seed=seed + 1)
    return [ReferencePair(preferred=p, rejected=r) for p, r in zip(*sides, strict=True)]


def a_taste(r=2):
    return Taste(memory=torch.randn(r, 2, 16), ideal=torch.randn(r, 3, 5), variance=torch.rand(r, 3, 3, 5))


def a_step(r=2, t=3, n=4, seed=0):
    chance = torch.Generator().manual_seed(seed)
    images = torch.rand(3, r * 2 * t, 3, 6, 6, generator=chance)
    return Step(
        tokens=torch.randn(r, n, 44 + 2 * 5 + 3, generator=chance),
        counted=torch.ones(r, n, dtype=torch.bool),
        ideal=torch.randn(r, 3, 5, generator=chance),
        variance=torch.rand(r, 3, 3, 5, generator=chance),
        features=torch.randn(r, 2 * t, 44, generator=chance),
        inputs=images[0],
        targets=images[1],
        others=images[2],
        aligned=torch.ones(r, 2 * t, dtype=torch.bool),
        told=torch.zeros(r, 2 * t, dtype=torch.bool),
        target_tones=torch.randn(r, 2 * t, 5, generator=chance),
    )


class TestNetwork:
    def test_before_training_an_edit_is_no_edit(self, network):
        seen = network.sees(torch.randn(2, 3, 44))
        edit, logits = network.plans(seen, a_taste())
        images = torch.rand(6, 3, 9, 7)
        assert torch.allclose(edit(images), images, atol=1e-6)
        assert logits.shape == (2, 3)

    def test_the_order_of_answers_and_what_is_not_there_do_not_count(self, network):
        tokens = torch.randn(1, 5, 44 + 2 * 5 + 3)
        there = torch.ones(1, 5, dtype=torch.bool)
        read = network.reads(tokens, there)
        assert torch.allclose(read, network.reads(tokens[:, [3, 1, 4, 0, 2]], there), atol=1e-5)
        padded = torch.cat([tokens, torch.full((1, 2, tokens.shape[-1]), 9.0)], dim=1)
        counted = torch.tensor([[True] * 5 + [False] * 2])
        assert torch.allclose(read, network.reads(padded, counted), atol=1e-5)

    def test_nobody_can_be_read(self, network):
        read = network.reads(torch.zeros(1, 1, 44 + 2 * 5 + 3), torch.zeros(1, 1, dtype=torch.bool))
        assert read.isfinite().all()

    def test_an_ideal_is_a_mixture_over_kinds_of_scenes(self):
        taste = a_taste(1)
        content = torch.tensor([[[1.0, 0, 0], [0.5, 0.5, 0]]])
        mean, deviation = taste.at(content)
        assert torch.allclose(mean[0, 0], taste.ideal[0, 0])
        assert torch.allclose(mean[0, 1], taste.ideal[0, :2].mean(0))
        assert torch.allclose(deviation[0, 0], taste.variance[0, 0, 0].sqrt(), atol=1e-3)

    def test_curves_are_straight_between_knots(self):
        curves = torch.tensor([[[0.0, 0.2, 1.0]] * 3])
        values = torch.tensor([0, 0.25, 0.5, 0.75, 1]).expand(1, 3, 1, 5)
        found = along_curves(curves, values)
        assert torch.allclose(found[0, 0, 0], torch.tensor([0, 0.1, 0.2, 0.6, 1.0]))

    def test_curves_rise_whatever_is_planned(self, network):
        edit = network._edit(10 * torch.randn(8, SHAPE.lut_basis + 3 * SHAPE.knots))
        assert (edit.curves.diff(dim=-1) >= 0).all()
        assert torch.allclose(edit.curves[..., -1], torch.ones(8, 3), atol=1e-5)
        assert (edit.luts - identity(SHAPE.lut_size)).abs().max() <= SHAPE.largest_shift + 1e-6

    def test_a_told_tone_is_all_that_counts_of_the_rater(self, network):
        torch.nn.init.normal_(network.plan[-1].weight, std=0.5)
        seen = network.sees(torch.randn(1, 2, 44))
        told = torch.ones(1, 2, dtype=torch.bool), torch.randn(1, 2, 5)
        one, other = (network.plans(seen, a_taste(1), told)[0].luts for _ in range(2))
        assert torch.allclose(one, other)

    def test_the_look_is_not_trained_with_the_rest(self, network):
        network.train()
        assert not network.look.training
        assert network.see.training

    def test_one_must_know_something_of_the_rater(self):
        with pytest.raises(ValueError, match="nothing of the rater"):
            NetworkConfig(attention=False, ideal_point=False)


class TestReading:
    def test_a_pairs_difference_is_exact_and_swapping_turns_it(self, network):
        network.axes.copy_(torch.randn(44, 5))
        preferred, rejected = torch.randn(3, 44), torch.randn(3, 44)
        read = read_pairs(network, preferred, rejected)
        exact = ((preferred - rejected) * network.feature_deviation) @ network.axes
        assert torch.allclose(read.preferred - read.rejected, exact, atol=1e-4)
        swapped = read_pairs(network, rejected, preferred)
        assert torch.allclose(read.preferred, swapped.rejected, atol=1e-5)
        assert torch.allclose(read.content, swapped.content, atol=1e-6)

    def test_variances_of_kinds_are_the_covariances_diagonals(self):
        covariance = np.arange(36.0).reshape(6, 6)  # 2 kinds, 3 tones
        found = of_kinds(covariance, 2)
        assert found.shape == (2, 2, 3)
        assert found[0, 1].tolist() == [covariance[0, 3], covariance[1, 4], covariance[2, 5]]


def test_stand_ins_like_what_is_nearer_to_the_ideal():
    answers = StandIns(
        tones=np.array([[0.0, 0], [2, 0], [1, 1]]),
        content=np.array([[1.0, 0]]),
        ideals=np.array([[[2.0, 0], [9, 9]]]),
        model=TasteModel(metric=np.array([1.0, 0.5]), mean=np.zeros(4), covariance=np.eye(4)),
    )
    assert answers.utility(0, np.array([0, 1, 2]), 0).tolist() == [-4, 0, -1.5]
    rng = np.random.default_rng(0)
    first = [answers.answer(0, np.array([0, 1]), 0, rng)[0] for _ in range(400)]
    assert np.mean(np.array(first) == 1) == pytest.approx(1 / (1 + np.exp(-4)), abs=0.03)


@pytest.mark.usefixtures("no_gradients")
class TestLosses:
    def test_distance_is_zero_for_the_same_and_grows(self):
        a = torch.full((1, 3, 4, 4), 0.5)
        assert distance(a, a) < 0.02
        assert distance(a, a + 0.1) < distance(a, a + 0.2)

    def test_every_term_can_be_switched_off(self, network):
        step = a_step()
        plain = step_loss(network, step, LossConfig(gate=0, monotone=0, smooth=0, keep=0), 0.0)
        n = 3
        expected = distance(step.inputs, step.targets).view(2, 6)[:, :n].mean()
        assert plain["loss"] == pytest.approx(float(expected), rel=1e-4)
        every = LossConfig(wrong_rater=1, dpo=1, curriculum=Curriculum(schedule="linear", start=0.5, end=1.5))
        assert {"loss_wrong_rater", "loss_dpo", "loss_gate", "loss_monotone"} <= step_loss(
            network, step, every, 0.5
        ).keys()

    def test_the_curriculum_pushes_away_from_what_was_rejected(self, network):
        step = a_step()
        config = LossConfig(gate=0, monotone=0, smooth=0, keep=0, curriculum=Curriculum(schedule="linear"))
        near, apart = (distance(step.inputs, x).view(2, 6)[:, :3].mean() for x in (step.targets, step.others))
        assert step_loss(network, step, config, 0.0)["loss"] == pytest.approx(
            float((near + apart) / 2), rel=1e-4
        )
        assert step_loss(network, step, config, 1.0)["loss"] == pytest.approx(
            float(1.5 * near - 0.5 * apart), rel=1e-4
        )

    def test_pairs_that_are_not_aligned_are_compared_by_their_colours(self, network):
        step = a_step()
        step = dataclasses.replace(step, aligned=torch.zeros_like(step.aligned))
        losses = step_loss(network, step, LossConfig(), 0.0)
        assert losses["loss_edit"] == 0
        assert losses["loss_statistics"] > 0

    def test_untouched_dpo_is_a_coin(self, network):
        losses = step_loss(network, a_step(), LossConfig(dpo=1), 0.0)
        assert float(losses["loss_dpo"]) == pytest.approx(np.log(2), rel=1e-4)


class TestCalibration:
    def test_a_closed_gate_scores_as_doing_nothing(self):
        rng = np.random.default_rng(0)
        cases = rng.uniform(1, 12, (50, *CASE))
        assert _score(cases, 0, gate=99.0) == pytest.approx(2)

    def test_a_gate_that_knows_and_an_edit_that_arrives_score_higher(self):
        cases = np.zeros((10, *CASE))
        cases[:, :, 1], cases[:, :, 2] = -1, 1
        cases[:, 0, 0], cases[:, 1, 0] = 10, 20  # ΔE00 and dB between the two
        # The rejected one ends 2 from the preferred one and 9 from itself; in dB 34 and 21.
        cases[:, 0, 5:7], cases[:, 1, 5:7] = (2, 9), (34, 21)
        d_p, d_n = (0 + 2) / 2, (10 + 9) / 2
        by_delta_e = 2 * np.sqrt(d_n / d_p) / (d_n + d_p) / (2 / 10)
        d_p, d_n = (100 + 34) / 2, (20 + 21) / 2
        by_psnr = np.sqrt(d_p * d_n) * (1 + (d_p - d_n) / (d_p + d_n)) / 60
        assert _score(cases, 0, gate=0.0) == pytest.approx(by_delta_e + by_psnr)

    def test_nobody_is_both_trained_on_and_calibrated_on(self, dataset):
        rows = [np.arange(18) + 18 * r for r in range(10)]
        kept, slice_, held = split(dataset, rows, CalibrationConfig(raters=0.3, scenes=0.3), 0)
        assert len(slice_) == 3
        assert len(kept) == 7
        assert not held[dataset.judgments.scene[np.concatenate(kept)]].any()
        assert not set(np.concatenate(kept)) & set(np.concatenate(slice_))

    def test_without_a_slice_all_are_trained_on(self, dataset):
        rows = [np.arange(18)]
        kept, slice_, held = split(dataset, rows, CalibrationConfig(raters=0, scenes=0), 0)
        assert len(kept) == 1
        assert not slice_
        assert not held.any()


class TestSystem:
    def test_it_is_what_the_interface_says(self, system):
        assert isinstance(system, Scorer | ColorMapper | ConceptEditor)
        kind: System = system
        assert kind.name == "tastelut"

    def test_what_is_loaded_is_what_was_saved(self, system, tmp_path):
        system.save(tmp_path / "again")
        again = load_run(tmp_path / "again")
        profile = system.adapt(pairs())
        for name, value in again.adapt(pairs()).items():
            assert np.array_equal(value, profile[name]), name
        photo = photos(seed=9)
        assert np.array_equal(system.render(photo, profile)[0], again.render(photo, profile)[0])

    @pytest.mark.parametrize("n", [0, 1, 16, 200])
    def test_any_number_of_answers_is_read(self, system, n):
        profile = system.adapt(pairs(n) if n else [])
        assert all(np.isfinite(value).all() for value in profile.values())
        (edited,) = system.render(photos(), system.with_mode(profile, "taste"))
        assert np.isfinite(edited).all()
        assert edited.min() >= 0
        assert edited.max() <= 1

    def test_certainty_grows_with_answers_and_contradictions_do_not_break_it(self, system):
        some = pairs(8)
        both = [*some, *(ReferencePair(preferred=p.rejected, rejected=p.preferred) for p in some)]
        known = [system.certainty(system.adapt(pairs(n) if n else [])) for n in (0, 2, 16)]
        assert known[0] == pytest.approx(0, abs=1e-6)
        assert known[0] < known[1] < known[2] < 1
        assert np.isfinite(system.adapt(both)["ideal"]).all()

    def test_strength_0_and_a_closed_gate_give_the_photo_back(self, system):
        photo = photos(seed=3)
        profile = system.adapt(pairs())
        assert np.array_equal(system.render(photo, profile, strength=0)[0], photo[0])
        closed = system._network.dial.clone()
        system._network.dial.copy_(torch.tensor([1.0, 1e9]))
        assert np.array_equal(system.render(photo, profile)[0], photo[0])
        system._network.dial.copy_(closed)

    def test_a_table_is_the_edit(self, system):
        profile = system.with_mode(system.adapt(pairs()), "taste")
        guide = photos(seed=4)[0]
        table = system.bake(guide, profile, size=5)
        lattice = np.stack(np.meshgrid(*(np.linspace(0, 1, 5, dtype=np.float32),) * 3, indexing="ij"), -1)
        (edited,) = system.render([lattice.reshape(5, 25, 3)], profile, [guide])
        assert np.allclose(table.reshape(5, 25, 3), edited, atol=1e-6)

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_flat_photos_are_edited_without_a_fault(self, system, value):
        photo = np.full((40, 30, 3), value, np.float32)
        (edited,) = system.render([photo], system.with_mode(system.adapt(pairs()), "taste"), strength=1.5)
        assert edited.shape == photo.shape
        assert np.isfinite(edited).all()

    def test_concepts_set_by_hand_are_what_is_said(self, system):
        profile = system.adapt(pairs())
        learned = system.concept_strengths(profile)
        warmer = system.with_strengths(profile, {"temperature": 0.7})
        assert system.concept_strengths(warmer)["temperature"] == pytest.approx(0.7, abs=1e-5)
        assert system.concept_strengths(warmer)["contrast"] == pytest.approx(learned["contrast"], abs=1e-5)
        photo = photos(seed=5)
        change = system.render(photo, warmer)[0] - system.render(photo, profile)[0]
        up = learned["temperature"] < 0.7
        assert (change[..., 0].mean() > change[..., 2].mean()) == up

    def test_an_adjustment_is_an_answer(self, system):
        profile = system.adapt(pairs())
        before = system.concept_strengths(profile)["exposure"]
        after = system.adjusted(profile, "exposure", before + 1)
        assert system.concept_strengths(after)["exposure"] > before
        assert system.certainty(after) >= system.certainty(profile)
        assert np.linalg.eigvalsh(after["covariance"].astype(float)).min() > -1e-6

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            (lambda s, p: s.with_strengths(p, {"vignetting": 0.2}), "no concept"),
            (lambda s, p: s.with_strengths(p, {"exposure": float("nan")}), "must be from"),
            (lambda s, p: s.adjusted(p, "exposure", 99.0), "exposure is 99"),
            (lambda s, p: s.with_mode(p, "loud"), "no mode"),
        ],
    )
    def test_what_cannot_be_is_refused(self, system, change, match):
        with pytest.raises(ValueError, match=match):
            change(system, system.adapt(pairs()))

    def test_the_mean_profile_is_a_profile(self, system):
        mean = system.mean_profile([system.adapt(pairs(seed=s)) for s in range(3)])
        assert np.isfinite(system.render(photos(), mean)[0]).all()


class TestTraining:
    def test_stopped_and_resumed_it_ends_with_the_same_weights(self, dataset, system, tmp_path):
        class StopError(Exception):
            pass

        def stop(done, total, stage):
            if stage == "training" and done == 7:
                raise StopError

        with pytest.raises(StopError):
            tastelut.fit(dataset, SMALL, tmp_path / "run", stop)
        with pytest.raises(RunError, match="resume"):
            load_run(tmp_path / "run")
        resumed = tastelut.fit(dataset, SMALL, tmp_path / "run", silent, resume=True)
        for name, value in system.tensors().items():
            assert torch.equal(value, resumed.tensors()[name]), name

    def test_configs_survive_json(self):
        for preset in tastelut.PRESETS:
            config = make_config("tastelut", preset, seed=3)
            assert from_json(tastelut.Config, to_json(config)) == config

    def test_what_was_learnt_of_raters_survives_storage(self, system):
        again = Raters.from_tensors(system.raters.to_tensors())
        assert np.array_equal(again.prior.covariance, system.raters.prior.covariance)
        assert np.array_equal(again.space.axes, system.raters.space.axes)
        with pytest.raises(ValueError, match="lacks"):
            Raters.from_tensors({"raters.neutral": torch.zeros(4)})
