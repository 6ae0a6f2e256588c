import json

import numpy as np
import pytest

from collection.design.tone_space import ToneSpace, learn_tone_space, scene_means

S, N_SCENES, N_RENDITIONS = 6, 40, 8


def study(seed=0):
    """Statistics in which scenes differ along axes 0 to 2 and renditions along 2 to 4; statistic 5 never varies."""
    rng = np.random.default_rng(seed)
    scene = np.repeat(np.arange(N_SCENES), N_RENDITIONS)
    statistics = np.full((len(scene), S), 0.5)
    statistics[:, :3] += rng.normal(0, [3, 2, 1], (N_SCENES, 3))[scene]
    statistics[:, 2:5] += rng.normal(0, [0.2, 0.1, 0.02], (len(scene), 3))
    return statistics, scene


def test_tones_are_whitened_deviations_from_the_scene():
    statistics, scene = study()
    space = learn_tone_space(statistics, scene)
    assert space.n_tones == 3
    tones = space.tones(statistics, scene_means(statistics, scene)[scene])
    np.testing.assert_allclose(tones.T @ tones / len(tones), np.eye(3), atol=1e-10)
    np.testing.assert_allclose(scene_means(tones, scene), 0, atol=1e-10)


def test_what_differs_between_scenes_alone_is_no_tone():
    statistics, scene = study()
    space = learn_tone_space(statistics, scene)
    other = statistics.copy()
    other[:, [0, 1, 5]] += 7
    np.testing.assert_allclose(space.tones(other), space.tones(statistics))


def test_tones_of_a_scenes_own_statistics_are_zero_and_differences_do_not_hang_on_the_origin():
    statistics, scene = study()
    space = learn_tone_space(statistics, scene)
    np.testing.assert_allclose(space.tones(statistics[:1], statistics[0]), 0)
    own = space.tones(statistics[:8], scene_means(statistics, scene)[0])
    np.testing.assert_allclose(own[0] - own[1], np.subtract(*space.tones(statistics[:2])))


def test_content_is_a_soft_code_that_finds_separate_kinds():
    rng = np.random.default_rng(1)
    kind = np.repeat([0, 1, 2], 10)
    scenes = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0]])[kind] + rng.normal(0, 0.5, (30, 3))
    index = np.repeat(np.arange(30), 4)
    statistics = scenes[index] + rng.normal(0, 0.1, (120, 3))
    space = learn_tone_space(statistics, index, n_contents=3)
    content = space.content(scenes)
    assert content.shape == (30, 3)
    np.testing.assert_allclose(content.sum(1), 1)
    assert (content.max(1) > 0.8).all()
    assert len({tuple(row) for row in np.column_stack([kind, content.argmax(1)]).tolist()}) == 3
    halfway = space.content((scenes[kind == 0].mean(0) + scenes[kind == 1].mean(0))[None] / 2)
    assert np.sort(halfway[0])[-2] > 0.2


def test_the_same_seed_gives_the_same_space_and_arrays_bring_it_back():
    statistics, scene = study()
    space = learn_tone_space(statistics, scene, seed=3)
    again = learn_tone_space(statistics, scene, seed=3)
    by_json = json.loads(json.dumps({name: a.tolist() for name, a in space.to_arrays().items()}))
    for other in (again, ToneSpace.from_arrays(space.to_arrays()), ToneSpace.from_arrays(by_json)):
        np.testing.assert_array_equal(other.tones(statistics), space.tones(statistics))
        np.testing.assert_array_equal(other.content(statistics), space.content(statistics))


def test_few_scenes_give_few_kinds():
    statistics, scene = study()
    one = learn_tone_space(statistics[:8], scene[:8])
    assert one.n_contents == 1
    np.testing.assert_array_equal(one.content(statistics[:3]), np.ones((3, 1)))


def test_a_space_that_cannot_be_is_refused():
    statistics, scene = study()
    with pytest.raises(ValueError, match="no two renditions"):
        learn_tone_space(np.ones((4, S)), np.array([0, 0, 1, 1]))
    with pytest.raises(ValueError, match="scene 1 has no rendition"):
        learn_tone_space(statistics[:4], np.array([0, 0, 2, 2]))
    with pytest.raises(ValueError, match="NaN"):
        learn_tone_space(np.full((2, S), np.nan), np.array([0, 0]))
    space = learn_tone_space(statistics, scene)
    with pytest.raises(ValueError, match=r"\(1, 3\); it must be \(pictures, 6\)"):
        space.tones(np.zeros(3))
    with pytest.raises(ValueError, match="axes is missing"):
        ToneSpace.from_arrays({name: a for name, a in space.to_arrays().items() if name != "axes"})
