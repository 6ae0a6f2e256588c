"""What every plan keeps, whatever the study, its protocol and the seed."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collection.design.plan import plan_session
from collection.design.protocol import PHASES, Protocol
from tests.collection.design.plans import askable, of_kind

often = settings(max_examples=60)


@st.composite
def quotas_among(draw, available, n_main):
    """Parts by source type that `available` pairs (by type) can fill, or none."""
    wanted = {name: draw(st.integers(0, n)) for name, n in available.items()}
    total = sum(wanted.values())
    if not total or not draw(st.booleans()):
        return n_main, {}
    return total, {name: n / total for name, n in wanted.items()}


@st.composite
def studies(draw):
    """Pairs, a protocol that they can fill, and a seed."""
    per_scene = draw(st.lists(st.integers(1, 12), min_size=1, max_size=15))
    n_pairs = sum(per_scene)
    pairs = askable(
        per_scene,
        exposures=draw(st.lists(st.integers(0, 5), min_size=1, max_size=20)),
        source_types=draw(st.text("ABD", min_size=1, max_size=10)),
    )
    available = Counter(pairs["source_type"].tolist())
    n_main, quotas = draw(quotas_among(available, draw(st.integers(1, n_pairs))))
    protocol = Protocol(
        phases=draw(st.sampled_from([PHASES, ("consent", "main")])),
        n_practice=draw(st.integers(0, 6)),
        practice_tries=draw(st.integers(1, 3)),
        n_main=n_main,
        n_checks=draw(st.integers(0, n_main)),
        check_lag=draw(st.integers(1, 40)),
        scene_gap=draw(st.integers(0, 5)),
        source_quotas=quotas,
    )
    return pairs, protocol, draw(st.integers(0, 2**32))


def planned(study):
    pairs, protocol, seed = study
    return plan_session(pairs, protocol, np.random.default_rng(seed))


def column(pairs, name):
    """Key of a pair → its value."""
    return dict(zip(pairs["pair"].tolist(), pairs[name].tolist(), strict=True))


@given(studies())
@often
def test_practice_comes_first_and_then_all_the_rest(study):
    _, protocol, _ = study
    questions = planned(study)
    n_practice = protocol.n_practice * protocol.practice_tries if "practice" in protocol.phases else 0
    assert [q.index for q in questions] == list(range(n_practice + protocol.n_main + protocol.n_checks))
    assert [q.kind for q in questions[:n_practice]] == ["practice"] * n_practice
    counts = Counter(q.kind for q in questions[n_practice:])
    assert (counts["main"], counts["check"]) == (protocol.n_main, protocol.n_checks)


@given(studies())
@often
def test_a_question_shows_the_two_images_of_its_pair(study):
    pairs, _, _ = study
    image_a, image_b = column(pairs, "image_a"), column(pairs, "image_b")
    assert all({q.left, q.right} == {image_a[q.pair], image_b[q.pair]} for q in planned(study))


@given(studies())
@often
def test_no_pair_is_a_main_question_twice(study):
    main = of_kind(planned(study), "main")
    assert len({q.pair for q in main}) == len(main)


@given(studies())
@often
def test_each_source_type_has_its_part(study):
    """The quotas here are whole numbers of questions, so that no rounding is in it."""
    pairs, protocol, _ = study
    source_type = column(pairs, "source_type")
    found = Counter(source_type[q.pair] for q in of_kind(planned(study), "main"))
    for name, share in protocol.source_quotas.items():
        assert found[name] == round(share * protocol.n_main)


@given(st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 99), min_size=1), st.integers(1, 1000))
def test_quotas_are_apportioned_by_largest_remainders(parts, n_main):
    """All questions are given out, each type has its exact part rounded up or down, and no type that
    was rounded down has a larger remainder than one that was rounded up.
    """
    total = sum(parts.values())
    protocol = Protocol(
        n_main=n_main, n_checks=0, source_quotas={name: part / total for name, part in parts.items()}
    )
    counts = {name: protocol.main_by_source.get(name, 0) for name in parts}
    assert sum(counts.values()) == n_main
    remainders = {name: n_main * part % total for name, part in parts.items()}
    up = [name for name in parts if counts[name] > n_main * parts[name] // total]
    assert all(counts[name] - n_main * parts[name] // total == 1 for name in up)
    assert all(counts[name] == n_main * parts[name] // total for name in parts if name not in up)
    assert min((remainders[name] for name in up), default=total) >= max(
        (remainders[name] for name in parts if name not in up), default=0
    )


@given(studies())
@often
def test_no_pair_is_asked_before_one_of_its_source_type_with_fewer_exposures(study):
    pairs, protocol, _ = study
    exposures, source_type = column(pairs, "exposures"), column(pairs, "source_type")
    asked = {q.pair for q in of_kind(planned(study), "main")}
    for name in protocol.source_quotas or {""}:
        of_type = {pair for pair in exposures if not name or source_type[pair] == name}
        most = max((exposures[pair] for pair in of_type & asked), default=0)
        assert most <= min((exposures[pair] for pair in of_type - asked), default=most)


@given(studies())
@often
def test_propensities_are_the_share_that_is_chosen_of_the_pairs_at_the_edge(study):
    pairs, protocol, _ = study
    exposures, source_type = column(pairs, "exposures"), column(pairs, "source_type")

    def stratum(pair):
        return exposures[pair], source_type[pair] if protocol.source_quotas else ""

    main = of_kind(planned(study), "main")
    in_all, chosen = Counter(map(stratum, exposures)), Counter(stratum(q.pair) for q in main)
    for q in main:
        assert 0 < q.propensity <= 1
        assert np.isclose(q.propensity, chosen[stratum(q.pair)] / in_all[stratum(q.pair)])
    assert all(q.propensity is None for q in planned(study) if q.kind != "main")


@given(studies())
@often
def test_image_a_is_on_the_left_in_half_of_the_main_questions(study):
    pairs, protocol, _ = study
    image_a = column(pairs, "image_a")
    a_left = sum(q.left == image_a[q.pair] for q in of_kind(planned(study), "main"))
    assert abs(2 * a_left - protocol.n_main) == protocol.n_main % 2


@given(studies())
@often
def test_a_check_mirrors_an_earlier_main_question_at_the_lag_or_the_largest_one(study):
    _, protocol, _ = study
    questions = planned(study)
    checks = of_kind(questions, "check")
    assert len({q.repeats for q in checks}) == len(checks)
    for check in checks:
        first = questions[check.repeats]
        assert first.kind == "main"
        assert (first.pair, first.left, first.right) == (check.pair, check.right, check.left)
        assert check.index - first.index >= min(protocol.check_lag, protocol.n_main)


@given(studies())
@often
def test_the_scene_gap_holds_wherever_an_order_with_it_exists(study):
    pairs, protocol, _ = study
    scene_of = column(pairs, "scene")
    main = of_kind(planned(study), "main")
    counts = Counter(scene_of[q.pair] for q in main)
    most = max(counts.values())
    n_with_most = sum(n == most for n in counts.values())
    # The most frequent scenes need (most - 1) rounds of gap + 1 slots, and one more slot each.
    if (most - 1) * (protocol.scene_gap + 1) + n_with_most <= protocol.n_main:
        last = {}
        for place, q in enumerate(main):
            scene = scene_of[q.pair]
            assert place - last.get(scene, -99) > protocol.scene_gap
            last[scene] = place


@given(studies())
@often
def test_practice_is_of_other_pairs_where_there_are_enough(study):
    pairs, protocol, _ = study
    questions = planned(study)
    practice = {q.pair for q in of_kind(questions, "practice")}
    if len(pairs) - protocol.n_main >= protocol.n_practice_planned:
        assert not practice & {q.pair for q in of_kind(questions, "main")}
        assert len(practice) == protocol.n_practice_planned


@given(studies())
@often
def test_the_last_question_of_each_try_and_no_other_asks_for_a_side(study):
    _, protocol, _ = study
    for q in planned(study):
        is_last = q.kind == "practice" and q.index % protocol.n_practice == protocol.n_practice - 1
        assert q.instructed_side in (("left", "right") if is_last else ("",))


@given(studies())
@often
def test_the_same_seed_gives_the_same_plan(study):
    assert planned(study) == planned(study)
