"""plan_study and statistics, as they are typed."""

import io
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from collection.models import Rater, Verdict
from collection.selectors.statistics import study_valid_answers
from collection.services.answers import answer_record
from collection.services.verdicts import verdicts_compute
from tests.collection.factories import answer_all, make_session, make_study

NAMES = ("ann", "bob", "cyd", "dan", "eve", "fay")
QUICK = ("--resamples", "50", "--permutations", "19")


def run(name, *args):
    out = io.StringIO()
    call_command(name, *map(str, args), stdout=out, stderr=out)
    return out.getvalue()


def told(name, *args):
    return json.loads(run(name, *args, "--json").splitlines()[-1])


def refused(name, *args) -> CommandError:
    with pytest.raises(CommandError) as caught:
        run(name, *args)
    return caught.value


@pytest.fixture
def study(db):
    return make_study(n_scenes=3, per_scene=6, n_main=18, n_checks=4, check_lag=3, scene_gap=0, n_practice=0)


def answer_by_exposure(study, name, seed):
    """Prefers the brighter of two renditions, mostly; their recipes are steps of exposure."""
    session = make_session(study, name, device=name, seed=seed)
    rng = np.random.default_rng(seed)
    for question in session.questions.select_related("left", "right"):
        left, right = (
            sum(step[1] for step in side.recipe["steps"]) for side in (question.left, question.right)
        )
        left_is_chosen = rng.random() < 1 / (1 + np.exp(-10 * (left - right)))
        side = "left" if left_is_chosen else "right"
        answer_record(session.token, question.token, side, 900, {}, session.started_at)
    return session


def answered(study):
    for seed, name in enumerate(NAMES):
        answer_by_exposure(study, name, seed)
    verdicts_compute(study)
    # What the rules make of so few checks is not what is tested here.
    Verdict.objects.update(may_be_used=True)
    return study


def test_the_answers_of_valid_raters_are_choices(study):
    answered(study)
    left_out = Rater.objects.first()
    Verdict.objects.filter(rater=left_out).update(may_be_used=False)
    rule_set = Verdict.objects.first().rule_set
    found = study_valid_answers(study, rule_set=rule_set)
    assert found.n_judged == 6
    assert len(found.by_rendition.raters) == 5
    assert left_out.public_id not in found.by_rendition.raters
    assert len(found.by_rendition) == len(found.by_recipe) == 5 * 18
    assert len(found.by_rendition.items) == 12  # four renditions of three scenes
    assert len(found.by_recipe.items) == 4
    assert len(found.by_rendition.scenes) == 3
    assert len(found.checks) == 5


def test_a_choice_is_of_the_image_that_was_on_the_side_chosen(study):
    answer_all(make_session(study), side="left")
    verdicts_compute(study)
    Verdict.objects.update(may_be_used=True)
    found = study_valid_answers(study, rule_set=Verdict.objects.get().rule_set).by_rendition
    questions = study.sessions.get().questions.filter(kind="main").select_related("left", "right")
    preferred = [q.left.public_id for q in questions]
    assert sorted(found.items[k] for k in found.a[found.a_won == 1]) == sorted(preferred)


def test_four_queries_read_a_study(study, django_assert_num_queries):
    answered(study)
    rule_set = Verdict.objects.first().rule_set
    with django_assert_num_queries(4):
        study_valid_answers(study, rule_set=rule_set)


def test_statistics_puts_the_brighter_recipes_first(study):
    answered(study)
    found = told("statistics", study.slug, *QUICK)
    assert (found["study"], found["simulated"], found["raters"], found["answers"]) == (
        study.slug,
        False,
        6,
        108,
    )
    [scale] = found["recipes"]["scales"]
    steps = [json.loads(item["item"])["steps"] for item in scale["items"]]
    assert steps == sorted(steps, reverse=True)
    assert len(found["by_scene"]) == 3
    text = run("statistics", study.slug, *QUICK)
    assert "108 answers of 6 raters that may be used, of 6 judged" in text
    assert "Krippendorff's alpha" in text


def test_a_simulated_study_says_so_first(study):
    answered(study)
    study.is_simulated = True
    study.save()
    assert "All raters are simulated" in run("statistics", study.slug, *QUICK).splitlines()[0]


def test_without_valid_answers_statistics_says_what_there_is(study):
    make_session(study)
    error = refused("statistics", study.slug)
    assert "no answers that may be used: 1 raters are judged" in str(error)
    assert error.returncode == 1


def test_a_table_from_elsewhere_says_what_its_readme_says(shared_data):
    """Eilertsen et al. 2013: two outliers, and irawan05 before mantiuk08."""
    file = shared_data / "preferences" / "ex3_tmo_cmp_data.csv"
    found = told("statistics", "--choices", file, "--model", "bradley_terry", *QUICK)
    assert (found["kind"], found["answers"], found["raters"]) == ("pwcmp", 1213, 18)
    assert sorted(found["outliers"]["above_1.5"]) == ["M02", "bab"]
    best = found["recipes"]["scales"][0]["items"]
    assert [item["item"] for item in best[:2]] == ["irawan05", "mantiuk08"]
    assert best[0]["utility"] == pytest.approx(1.187, abs=5e-4)
    assert found["ceiling"]["missing"].startswith("a ceiling needs 2 raters")


def test_a_table_that_is_none_and_two_sources_at_once_are_wrong_use(tmp_path):
    (tmp_path / "no.csv").write_bytes(b"\xff\xfe\x00")
    for args, said in (
        (("--choices", tmp_path / "none.csv"), "No such file"),
        (("--choices", tmp_path / "no.csv"), "no.csv is not UTF-8; save it with that encoding"),
        (("study", "--choices", tmp_path / "no.csv"), "say either a STUDY or --choices FILE"),
        ((), "say either a STUDY or --choices FILE"),
    ):
        error = refused("statistics", *args)
        assert (error.returncode, said in str(error)) == (2, True), str(error)


@pytest.mark.django_db
def test_an_unknown_study_and_a_bad_number_are_wrong_use(study):
    assert refused("statistics", "nothing").returncode == 2
    assert "is not a number above 0" in str(refused("statistics", study.slug, "--prior-sd", "0"))
    assert "is not a number from 19 to 10000" in str(refused("statistics", study.slug, "--resamples", "3"))


def test_a_plan_says_widths_power_raters_and_cost():
    found = told("plan_study", "--raters", 100, "--pairs", 200, "--pay-per-hour", 12, "--panel-fee", 0.25)
    assert found["judgments_per_pair"] == pytest.approx(100 * 0.89 * 80 / 200)
    assert found["cost"] == pytest.approx(375)
    assert found["pair"]["raters_for_power"] > found["contest"]["raters_for_power"]
    text = run("plan_study", "--raters", 100, "--pairs", 200)
    assert "100 raters with 80 questions give 7,120 judgments that may be used, 35.6 a pair" in text
    assert "One recipe against another" in text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--raters", 0), "raters is 0; it must be a whole number from 1 to 100,000"),
        (("--raters", 10**9), "raters is 1000000000; it must be a whole number from 1 to 100,000"),
        (("--raters", 10**20), "it must be a whole number from 1 to 100,000"),
        (
            ("--raters", 5, "--pay-per-hour", 1e300),
            "pay_per_hour is 1e+300; it must be a number from 0 to 10,000",
        ),
        (("--raters", 5, "--preference", 0.5), "preference is 0.5"),
        (("--raters", 5, "--power", 1), "power is 1.0"),
        (("--raters", 5, "--half-width", 0), "half width is 0.0"),
        (("--raters", "many"), "invalid int value"),
        ((), "--raters"),
    ],
)
def test_an_impossible_plan_is_wrong_use(args, said):
    error = refused("plan_study", *args)
    assert said in str(error)
