"""The statistics of a study as a job and a page."""

import csv
import io
import json

import pytest
from django.urls import reverse
from django.utils import timezone

from collection.design.statistics import Settings
from collection.models import AuditEntry, Membership, Question, Rater, Role, StatisticsJob
from collection.researcher.words import recipe_words
from collection.services.statistics import statistics_compute, statistics_create, statistics_run
from collection.services.studies import StudyError
from collection.services.withdrawal import rater_withdraw
from tests.collection.commands.test_statistics_commands import answered
from tests.collection.factories import make_study
from tests.factories import make_researcher
from variants.jobs import Job
from variants.models import Rendition

pytestmark = pytest.mark.django_db
QUICK = Settings(resamples=30, permutations=19)


@pytest.fixture
def study():
    return answered(
        make_study(n_scenes=2, per_scene=6, n_main=12, n_checks=4, check_lag=3, scene_gap=0, n_practice=0)
    )


@pytest.fixture
def alice(client):
    client.force_login(make_researcher())
    return client


def computed(study):
    job = statistics_create(study, QUICK)
    job.run(statistics_run)
    assert (job.state, job.error) == (Job.State.DONE, "")
    return job


def page_of(client, study):
    return client.get(reverse("researcher:study-statistics", args=[study.slug]))


def test_a_job_stores_what_it_was_computed_from(study):
    job = computed(study)
    job.refresh_from_db()
    assert job.computed_from["answers"] == 6 * 16
    assert (job.computed_from["raters_used"], job.computed_from["raters_judged"]) == (6, 6)
    assert job.computed_from["rules"]["version"] in job.computed_from["rule_set"]
    assert job.result["answers"] == 6 * 12
    assert job.result == statistics_compute(study, QUICK)[1]
    assert AuditEntry.objects.filter(action="statistics.compute", study=study).count() == 1


def test_one_computation_at_a_time(study):
    statistics_create(study, QUICK)
    with pytest.raises(StudyError, match="being computed already"):
        statistics_create(study, QUICK)


def test_a_cancelled_job_stores_nothing(study):
    job = statistics_create(study, QUICK)
    StatisticsJob.objects.filter(pk=job.pk).update(state=Job.State.RUNNING)
    job.refresh_from_db()
    StatisticsJob.objects.filter(pk=job.pk).update(cancel_requested=True, state=Job.State.QUEUED)
    job.run(statistics_run)
    job.refresh_from_db()
    assert job.result is None


def test_without_answers_the_job_says_why():
    job = statistics_create(make_study(), QUICK)
    job.run(statistics_run)
    assert job.state == Job.State.FAILED
    assert "no answers that may be used" in job.error


def test_the_page_shows_scales_with_intervals(alice, study, django_assert_max_num_queries):
    assert "Nothing computed yet" in page_of(alice, study).content.decode()
    job = computed(study)
    with django_assert_max_num_queries(12):
        page = page_of(alice, study)
    text = page.content.decode()
    assert "Krippendorff" in text
    assert "Out of date" not in text
    assert page.context["recipes"].tables or page.context["recipes"].without
    assert text.count("scene-scale") == 2
    lines = [line for table in page.context["recipes"].tables for line in table.lines]
    best = job.result["recipes"]["scales"]
    assert len(lines) == sum(len(scale["items"]) for scale in best)


def test_the_page_says_when_it_is_out_of_date(alice, study):
    computed(study)
    last = Question.objects.filter(session__study=study, kind="main").last()
    Question.objects.filter(pk=last.pk).update(answered_at=None, chosen_side="")
    text = page_of(alice, study).content.decode()
    assert "Out of date:" in text
    assert "there are 95 answers now, and these are of 96" in text


def test_a_withdrawal_takes_stored_statistics_with_it(alice, study):
    job = computed(study)
    gone = Rater.objects.filter(study=study).first()
    download = reverse("researcher:statistics-download", args=[job.public_id, "raters.csv"])
    assert gone.public_id in alice.get(download).text
    rater_withdraw(gone.sessions.first(), timezone.now())
    job.refresh_from_db()
    assert job.result is None
    assert alice.get(download).status_code == 404
    assert "somebody has withdrawn from the study since they were computed" in page_of(alice, study).text
    again = computed(study)
    assert gone.public_id not in json.dumps(again.result)
    page = page_of(alice, study).text
    assert "Krippendorff" in page
    assert "has withdrawn" not in page


def test_statistics_are_not_stored_over_a_withdrawal(study, monkeypatch):
    def compute(*args):
        found = statistics_compute(*args)
        rater_withdraw(Rater.objects.filter(study=study).first().sessions.first(), timezone.now())
        return found

    monkeypatch.setattr("collection.services.statistics.statistics_compute", compute)
    job = statistics_create(study, QUICK)
    job.run(statistics_run)
    job.refresh_from_db()
    assert (job.state, job.result) == (Job.State.FAILED, None)
    assert job.error == "somebody withdrew while they were computed; compute them again"


def test_the_button_starts_a_job(alice, study, monkeypatch):
    sent = []
    monkeypatch.setattr(StatisticsJob, "enqueue", lambda job: sent.append(job.pk))
    address = reverse("researcher:statistics-create", args=[study.slug])
    fields = {"model": "bradley_terry", "resamples": 50, "permutations": 19, "prior_sd": "2", "seed": 3}
    wrong = alice.post(address, fields | {"resamples": 5, "model": "elo"})
    assert wrong.status_code == 422
    assert "greater than or equal to 19" in wrong.content.decode()
    assert alice.post(address, fields).status_code == 302
    job = StatisticsJob.objects.get()
    assert sent == [job.pk]
    assert job.settings == {
        "model": "bradley_terry", "prior_sd": 2.0, "resamples": 50, "permutations": 19, "seed": 3,
    }  # fmt: skip
    assert "being computed already" in alice.post(address, fields, follow=True).content.decode()
    progress = alice.get(reverse("researcher:statistics-progress", args=[job.public_id])).json()
    assert progress["state"] == "queued"
    alice.post(reverse("researcher:statistics-cancel", args=[job.public_id]))
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED


def test_a_viewer_looks_and_downloads_and_starts_nothing(client, study):
    job = computed(study)
    bob = make_researcher("bob", is_superuser=False)
    Membership.objects.create(study=study, user=bob, role=Role.VIEWER)
    client.force_login(bob)
    assert page_of(client, study).status_code == 200
    assert client.post(reverse("researcher:statistics-create", args=[study.slug])).status_code == 403

    def fetched(what):
        return client.get(reverse("researcher:statistics-download", args=[job.public_id, what])).content

    whole = json.loads(fetched("all.json"))
    assert (whole["study"], whole["simulated"], whole["answers"]) == (study.slug, False, 72)
    rows = list(csv.DictReader(io.StringIO(fetched("recipes.csv").decode("utf-8-sig"))))
    assert {row["item"] for row in rows} == {
        part["item"] for scale in job.result["recipes"]["scales"] for part in scale["items"]
    } | {item for part in job.result["recipes"]["without_scale"] for item in part["items"]}
    assert any(float(row["utility"]) < 0 for row in rows if row["utility"])
    assert len(fetched("raters.csv").splitlines()) == 7
    client.force_login(make_researcher("eve", is_superuser=False))
    address = reverse("researcher:statistics-download", args=[job.public_id, "all.json"])
    assert client.get(address).status_code == 404


def test_renditions_of_a_scene_are_told_apart_by_their_recipes(alice, study):
    for k, rendition in enumerate(Rendition.objects.all()):
        Rendition.objects.filter(pk=rendition.pk).update(
            recipe={"steps": [{"concept": "exposure", "strength": k / 4}]}
        )
    job = computed(study)
    lines = [
        line
        for _, scaled in page_of(alice, study).context["scenes"]
        for t in scaled.tables
        for line in t.lines
    ]
    recipes = dict(Rendition.objects.values_list("public_id", "recipe"))
    assert lines
    assert all(line.words == recipe_words(recipes[line.item]) for line in lines)
    table = alice.get(reverse("researcher:statistics-download", args=[job.public_id, "scenes.csv"]))
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"), newline="")))
    assert {(row["scene"], int(row["scene_number"])) for row in rows} == set(
        study.scenes.values_list("name", "pk")
    )
    assert all(row["in_words"].lstrip("'") == recipe_words(recipes[row["item"]]) for row in rows)
