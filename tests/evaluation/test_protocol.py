import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.protocol import EvaluationProtocol, make_episodes, mixed_references, reading, references_of
from learning.data.dataset import Judgment

HELD_OUT = {"s0", "s1"}


def judgments(rater, n_scenes=8, per_scene=5):
    return [
        Judgment(rater_id=rater, scene_id=f"s{s}", preferred_image=f"s{s}p{k}", rejected_image=f"s{s}n{k}")
        for k in range(per_scene)
        for s in range(n_scenes)
    ]


def episodes(raters, scenes="new", held_out=HELD_OUT, **numbers):
    protocol = EvaluationProtocol(**{"references": 6, "evaluations": 6, **numbers})
    return make_episodes(raters, held_out, scenes, protocol)


@given(
    st.sampled_from(["new", "known"]),
    st.integers(2, 10),
    st.integers(1, 8),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 5),
)
def test_no_scene_is_on_both_sides(scenes, n_scenes, per_scene, n, m, seed):
    found = episodes(
        {"alice": judgments("alice", n_scenes, per_scene)}, scenes, references=n, evaluations=m, seed=seed
    )
    for episode in found.episodes:
        assert len(episode.references) == n
        assert 1 <= len(episode.evaluations) <= m
        assert not {j.scene_id for j in episode.references} & {j.scene_id for j in episode.evaluations}
        assert len(set(episode.evaluations)) == len(episode.evaluations)


def test_new_scenes_are_the_held_out_ones():
    episode = episodes({"alice": judgments("alice")}).episodes[0]
    assert {j.scene_id for j in episode.evaluations} == HELD_OUT
    assert not {j.scene_id for j in episode.references} & HELD_OUT


def test_known_scenes_leave_the_held_out_ones_alone():
    episode = episodes({"alice": judgments("alice")}, "known").episodes[0]
    assert not {j.scene_id for j in (*episode.references, *episode.evaluations)} & HELD_OUT


def test_everybody_sees_the_same_episodes():
    raters = {name: judgments(name) for name in ("alice", "bob")}
    assert episodes(raters) == episodes(dict(reversed(raters.items())))


def test_an_episode_hangs_on_its_rater_alone():
    alone = episodes({"bob": judgments("bob")}, "known").episodes[0]
    among_others = episodes({name: judgments(name) for name in ("alice", "bob", "charlie")}, "known")
    assert alone in among_others.episodes


def test_seeds_and_raters_change_what_is_a_reference():
    def references(rater, seed):
        found = episodes({rater: judgments(rater)}, seed=seed).episodes[0].references
        return [j.preferred_image for j in found]

    assert references("alice", 0) != references("alice", 1)
    assert references("alice", 0) != references("bob", 0)


def test_a_rater_with_too_few_references_is_named_and_left_out():
    found = episodes({"alice": judgments("alice"), "bob": judgments("bob")[:5]})
    assert [e.rater_id for e in found.episodes] == ["alice"]
    assert found.left_out == {"bob": "has 3 judgments for references, 6 are wanted"}


def test_a_rater_who_never_met_a_new_scene_is_left_out():
    known_only = [j for j in judgments("bob") if j.scene_id not in HELD_OUT]
    assert episodes({"bob": known_only}).left_out == {"bob": "has no judgment to evaluate on such scenes"}


def test_a_rater_of_ties_alone_is_named_and_left_out():
    assert episodes({"bob": []}).left_out == {
        "bob": "has no answer that prefers one image: ties and checks say nothing about a taste"
    }


def test_unaligned_pairs_are_passed_over_and_counted():
    def found(is_aligned):
        protocol = EvaluationProtocol(references=6, evaluations=6)
        return make_episodes({"alice": judgments("alice")}, HELD_OUT, "new", protocol, is_aligned)

    everything = found(None)
    some = found(lambda judgment: judgment.scene_id != "s0")
    assert (everything.n_unaligned, some.n_unaligned) == (0, 5)
    assert {j.scene_id for j in some.episodes[0].evaluations} == {"s1"}
    assert some.episodes[0].references == everything.episodes[0].references
    assert some.queries_sha256 != everything.queries_sha256
    assert found(lambda judgment: False).left_out == {
        "alice": "has 10 judgments on such scenes, all of pairs that do not lie on each other"
    }


def test_reading_fewer_references_changes_no_query():
    whole = episodes({"alice": judgments("alice")}, "known")
    fewer = reading(whole, 2)
    assert fewer.queries_sha256 == whole.queries_sha256
    assert fewer.episodes[0].references == whole.episodes[0].references[:2]
    with pytest.raises(ValueError, match="7 references cannot be read of episodes that have 6"):
        reading(whole, 7)


def test_one_scene_alone_cannot_be_evaluated():
    found = episodes({"alice": judgments("alice", n_scenes=1, per_scene=20)}, "known", held_out=())
    assert found.episodes == ()
    assert list(found.left_out) == ["alice"]


def test_a_dataset_without_held_out_scenes_has_no_new_ones():
    assert episodes({"alice": judgments("alice")}, "new", held_out=()).episodes == ()


def test_fewer_evaluations_than_wanted_are_used():
    episode = episodes({"alice": judgments("alice", per_scene=2)}, evaluations=16).episodes[0]
    assert len(episode.evaluations) == 4


def test_both_sides_of_known_scenes_get_their_share():
    episode = episodes({"alice": judgments("alice", n_scenes=8)}, "known").episodes[0]
    assert (len(episode.references), len(episode.evaluations)) == (6, 6)


def test_the_mix_takes_from_everybody_in_turn():
    found = episodes({name: judgments(name) for name in ("alice", "bob", "charlie")})
    mixed = mixed_references(found.episodes, EvaluationProtocol(references=6))
    assert sorted(j.rater_id for j in mixed) == ["alice", "alice", "bob", "bob", "charlie", "charlie"]
    assert len(set(mixed)) == 6


def test_a_training_rater_with_few_answers_still_has_references():
    assert len(references_of(judgments("alice", 1, 3), "alice", EvaluationProtocol())) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [("references", 0), ("evaluations", 0), ("edit_size", 8), ("metric_size", 1024), ("seed", -1)],
)
def test_impossible_numbers_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}"):
        EvaluationProtocol(**{name: value})
