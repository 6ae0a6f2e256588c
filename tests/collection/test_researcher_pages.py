import re
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from collection.design.protocol import Protocol
from collection.design.recruiting import Recruiting
from collection.models import Export, Invitation, Study, StudyPair, Verdict
from tests.factories import (
    make_export,
    make_rater,
    make_researcher,
    make_scene,
    make_session,
    make_study,
    make_verdict,
)
from variants.jobs import STALE_AFTER, Job
from variants.models import Rendition
from variants.pairing import compared_groups

pytestmark = pytest.mark.django_db

CHECKED = [("main", "left", 1500), ("main", "right", 900), ("check", "right", 800)]
"""Two main answers, and a check that agrees with the first: the same image, now on the right."""

SHORT = Protocol(n_practice=1, n_main=4, n_checks=1, check_lag=1)


@pytest.fixture
def alice(client):
    client.force_login(make_researcher())
    return client


def test_every_page_sends_nobody_to_sign_in(client):
    patterns = get_resolver("collection.researcher.urls").url_patterns
    assert len(patterns) > 15
    for pattern in patterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name == "home":
            continue
        arguments = {
            name: 1 if name in ("pk", "number") else "study-x" for name in pattern.pattern.converters
        }
        address = reverse(f"researcher:{pattern.name}", kwargs=arguments)
        for method in (client.get, client.post):
            assert method(address).headers.get("Location") == f"{reverse('login')}?next={address}", address


def test_the_entrance_leads_to_the_studies(alice):
    assert alice.get("/research/").headers["Location"] == reverse("researcher:study-list")


def test_signing_in_and_out_again(client):
    make_researcher("bob", password="a long pass phrase")
    signed_in = client.post(reverse("login"), {"login": "bob", "password": "a long pass phrase"})
    assert signed_in.headers["Location"] == reverse("researcher:study-list")
    assert client.get(reverse("researcher:study-list")).status_code == 200
    client.post(reverse("logout"))
    assert client.get(reverse("researcher:study-list")).status_code == 302


def test_a_wrong_password_is_said_so(client):
    make_researcher("bob")
    page = client.post(reverse("login"), {"login": "bob", "password": "wrong"})
    assert "The name or the password is wrong" in page.content.decode()


def test_an_empty_site_says_how_to_begin(alice):
    page = alice.get(reverse("researcher:study-list")).content.decode()
    assert "No study yet" in page
    assert "manage.py import_scenes DIR" in page


def test_the_list_counts_sessions_and_judgments(alice):
    study = make_study(name="Autumn", is_simulated=True)
    make_session(make_rater(study), CHECKED)
    make_session(make_rater(study), [("practice", "left", 700), ("main", "left", 1200)], finished=False)
    make_study(name="Winter")
    page = alice.get(reverse("researcher:study-list"))
    row = _row(page, "Autumn")
    assert "simulated" in row
    assert re.findall(r'class="number">(\d+)<', row) == ["2", "1", "1", "3"]
    assert re.findall(r'class="number">(\d+)<', _row(page, "Winter")) == ["0", "0", "0", "0"]


def test_the_overview_shows_the_key_figures(alice):
    study = make_study(status=Study.Status.OPEN)
    good, careless = make_rater(study), make_rater(study)
    make_session(good, CHECKED)
    make_session(careless, [("main", "left", 100), ("main", "left", 110), ("check", "left", 90)])
    make_verdict(good)
    make_verdict(careless, may_be_used=False, reasons=["too_fast", "inconsistent"])
    StudyPair.objects.filter(pk=StudyPair.objects.all()[0].pk).update(exposures=3)
    page = alice.get(study.get_absolute_url())
    figures = page.context["figures"]
    assert (figures.n_raters, figures.sessions["finished"]) == (2, 2)
    assert (figures.n_main, figures.n_checks, figures.n_ties) == (4, 2, 0)
    assert (figures.n_judged, figures.n_valid, figures.n_fast) == (2, 1, 2)
    coverage = figures.coverage
    assert (coverage.n_pairs, coverage.n_shown, coverage.n_planned) == (12, 1, 3)
    assert (coverage.low, coverage.high) == (0, 3)
    assert (coverage.n_scenes, coverage.scene_low, coverage.scene_high) == (2, 0, 3)
    assert figures.checks == {(1, 1): 1, (0, 1): 1}
    assert figures.left_shares == [(1, 2), (2, 2)]
    assert figures.response_times == {900: 1, 1500: 1, 100: 2}
    assert page.context["valid_interval"] == "50 %, 95 % interval 1 to 99 %"
    text = page.content.decode()
    assert "too many fast answers" in text
    assert text.count('<svg class="chart"') == 4
    assert f"/s/{study.slug}/" in text


def test_sessions_that_ended_otherwise_are_counted_apart(alice):
    study = make_study(status=Study.Status.OPEN)
    now = timezone.now()
    ends = [{}, {}, {"screened_out_at": now, "places_returned_at": now}, {"places_returned_at": now}]
    for fields in ends:
        session = make_session(make_rater(study), finished=False)
        type(session).objects.filter(pk=session.pk).update(**fields)
    make_session(make_rater(study), CHECKED)
    gone = make_rater(study)
    gone.withdrawn_at = now
    gone.save()
    page = alice.get(study.get_absolute_url())
    assert page.context["figures"].sessions == {
        "finished": 1,
        "screened_out": 1,
        "abandoned": 1,
        "under_way": 2,
    }
    text = page.content.decode()
    assert "1 screened out, 1 abandoned, 2 under way" in text
    assert "1 more withdrew" in text
    rows = alice.get(reverse("researcher:study-people", args=[study.slug])).context["rows"]
    assert [row.session_state for row in rows] == [
        "withdrawn", "finished", "abandoned", "screened out", "under way", "under way",
    ]  # fmt: skip
    listed = _row(alice.get(reverse("researcher:study-list")), study.name)
    assert re.findall(r'class="number">(\d+)<', listed) == ["5", "1", "2", "2"]


def test_ties_are_counted_and_belong_to_no_side(alice):
    """The check of a tie, and a check that is one, agree and disagree with nothing."""
    study = make_study(status=Study.Status.OPEN)
    tied = make_rater(study)
    make_session(tied, [("main", "tie", 900), ("main", "left", 900), ("check", "right", 900)])
    make_session(make_rater(study), [("main", "left", 900), ("check", "tie", 900)])
    make_session(make_rater(study), [("main", "tie", 900)])
    page = alice.get(study.get_absolute_url())
    figures = page.context["figures"]
    assert (figures.n_main, figures.n_ties, figures.n_checks) == (4, 2, 0)
    assert figures.left_shares == [(1, 1), (1, 1)]
    assert "; 2 ties" in page.content.decode()
    rows = alice.get(reverse("researcher:study-people", args=[study.slug])).context["rows"]
    assert [(row.measures.n_main, row.left_share) for row in rows] == [(1, "–"), (1, "100 %"), (2, "100 %")]
    assert [row.measures.checked for row in rows] == [0, 0, 0]


def test_a_study_that_nobody_answered_says_the_next_step(alice):
    assert "None yet: upload some" in alice.get(make_study(n_scenes=0).get_absolute_url()).content.decode()
    ready = alice.get(make_study(protocol=SHORT).get_absolute_url())
    assert [step.name for step in ready.context["steps"] if not step.is_done] == ["Renditions"]
    opened = make_study(status=Study.Status.OPEN)
    assert "Nobody has answered yet" in alice.get(opened.get_absolute_url()).content.decode()


def test_a_study_that_is_not_there_is_a_designed_404(alice):
    page = alice.get(reverse("researcher:study-detail", args=["gone"]))
    assert page.status_code == 404
    assert "There is nothing here" in page.content.decode()


def test_pause_and_open_again(alice):
    study = make_study(status=Study.Status.OPEN, protocol=SHORT)
    alice.post(reverse("researcher:study-pause", args=[study.slug]))
    study.refresh_from_db()
    assert study.status == Study.Status.PAUSED
    page = alice.post(reverse("researcher:study-open", args=[study.slug]), follow=True)
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN
    assert "The study is open." in page.content.decode()


def test_a_study_without_pairs_cannot_be_opened_and_says_why(alice):
    study = make_study(n_scenes=0)
    page = alice.post(reverse("researcher:study-open", args=[study.slug]), follow=True)
    study.refresh_from_db()
    assert study.status == Study.Status.DRAFT
    assert "import_scenes" in page.content.decode()


def test_closing_asks_for_the_name(alice):
    study = make_study(status=Study.Status.OPEN)
    make_session(make_rater(study), finished=False)
    address = reverse("researcher:study-close", args=[study.slug])
    assert "1 session under way" in alice.get(address).content.decode()
    refused = alice.post(address, {"slug": "something else"})
    assert refused.status_code == 422
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN
    alice.post(address, {"slug": study.slug})
    study.refresh_from_db()
    assert study.status == Study.Status.CLOSED


def test_a_get_changes_nothing(alice):
    study = make_study(status=Study.Status.OPEN)
    for name in ("study-open", "study-pause", "study-judge", "export-create"):
        assert alice.get(reverse(f"researcher:{name}", args=[study.slug])).status_code == 405


def test_a_rater_stands_with_figures_verdict_and_reasons(alice):
    study = make_study()
    rater = make_rater(study, simulation={"kind": "careless"})
    make_session(rater, CHECKED)
    make_verdict(rater, may_be_used=False, should_be_paid=True, reasons=["one_sided"])
    page = alice.get(reverse("researcher:study-people", args=[study.slug]))
    (line,) = page.context["rows"]
    assert (line.measures.n_main, line.measures.agreed, line.measures.checked) == (2, 1, 1)
    assert line.median_response == "1.20 s"
    assert line.left_share == "50 %"
    assert line.interval == "3 to 100 %"
    text = page.content.decode()
    assert "left out:</span> one-sided answers" in text
    assert "simulated" in text


def test_the_last_outcome_of_each_screening_stands_with_a_rater(alice):
    study = make_study()
    session = make_session(make_rater(study), CHECKED)
    for phase, attempt, outcome in [
        ("practice", 1, "failed"), ("practice", 2, "passed"), ("levels", 1, "failed"), ("display", 1, "passed"),
    ]:  # fmt: skip
        session.phases.create(phase=phase, attempt=attempt, outcome=outcome)
    page = alice.get(reverse("researcher:study-people", args=[study.slug]))
    (line,) = page.context["rows"]
    assert line.screenings == [("levels", "failed"), ("practice", "passed")]
    assert 'title="levels failed"' in page.content.decode()


def test_without_screenings_there_is_no_column_for_them(alice):
    study = make_study(protocol=Protocol(phases=("consent", "main")))
    make_rater(study)
    assert (
        "Screening" not in alice.get(reverse("researcher:study-people", args=[study.slug])).content.decode()
    )


def test_verdicts_of_another_rule_set_are_not_shown(alice):
    study = make_study()
    make_verdict(make_rater(study), rule_set="older rules")
    (line,) = alice.get(reverse("researcher:study-people", args=[study.slug])).context["rows"]
    assert line.verdict is None


def test_judging_writes_a_verdict_for_each_rater(alice):
    study = make_study()
    make_session(make_rater(study), CHECKED)
    alice.post(reverse("researcher:study-judge", args=[study.slug]))
    assert Verdict.objects.filter(rater__study=study).count() == 1


def test_many_raters_come_in_pages(alice):
    study = make_study()
    for _ in range(60):
        make_rater(study)
    address = reverse("researcher:study-people", args=[study.slug])
    assert len(alice.get(address).context["rows"]) == 50
    second = alice.get(address, {"page": 2})
    assert len(second.context["rows"]) == 10
    assert "51 to 60 of 60" in second.content.decode()


@pytest.mark.parametrize("n_raters", [3, 12])
def test_pages_take_the_same_few_queries_however_many_raters(alice, django_assert_max_num_queries, n_raters):
    study = make_study(n_scenes=n_raters)
    for _ in range(n_raters):
        rater = make_rater(study)
        make_session(rater, CHECKED)
        make_verdict(rater)
        make_export(study)
    for name, most in [
        ("detail", 17),
        ("live", 16),
        ("people", 15),
        ("scenes", 8),
        ("protocol", 7),
        ("datasets", 10),
    ]:
        with django_assert_max_num_queries(most):
            assert alice.get(reverse(f"researcher:study-{name}", args=[study.slug])).status_code == 200
    with django_assert_max_num_queries(8):
        alice.get(reverse("researcher:study-list"))


def test_a_scene_shows_all_renditions_with_their_recipes(alice):
    study = make_study(n_scenes=1)
    page = alice.get(reverse("researcher:study-scenes", args=[study.slug])).content.decode()
    assert "4 renditions · 6 pairs" in page
    assert "neutral" in page
    assert "exposure +0.75" in page


def test_throwing_a_rendition_out_takes_its_pairs_along(alice):
    study = make_study(n_scenes=1)
    rendition = Rendition.objects.all()[0]
    page = alice.post(
        reverse("researcher:rendition-reject", args=[study.slug, rendition.public_id]), follow=True
    )
    rendition.refresh_from_db()
    assert rendition.state == Rendition.State.REJECTED
    assert study.pairs.count() == 3
    assert "Thrown out, and with it 3 pairs." in page.content.decode()


def test_a_scene_counts_what_is_in_use_and_says_what_is_apart(alice):
    study = make_study(n_scenes=1)
    address = reverse("researcher:study-scenes", args=[study.slug])
    last, *_ = pks = list(Rendition.objects.order_by("-pk").values_list("pk", flat=True))
    Rendition.objects.filter(pk=last).update(state=Rendition.State.REJECTED)
    StudyPair.objects.filter(pair__image_b=last).delete()
    page = alice.get(address).content.decode()
    assert "3 renditions, 1 thrown out · 3 pairs ·" in page
    assert "never compared" not in page
    Rendition.objects.filter(pk=last).update(state=Rendition.State.RENDERED)
    StudyPair.objects.exclude(pair__image_a=pks[3]).delete()
    StudyPair.objects.exclude(pair__image_b=pks[2]).delete()
    assert "4 renditions · 1 pair, 2 in no pair ·" in alice.get(address).content.decode()
    apart = study.scenes.get().pairs.get(image_a=pks[1], image_b=pks[0])
    StudyPair.objects.create(study=study, pair=apart)
    page = alice.get(address).content.decode()
    assert "The scene falls into 2 groups that are never compared." in page
    assert "Make missing pairs" in page


def test_taking_it_back_brings_the_same_pairs_again(alice):
    study = make_study(n_scenes=1)
    before = set(study.pairs.all())
    first, second = Rendition.objects.all()[:2]
    for rendition in (first, second):
        alice.post(reverse("researcher:rendition-reject", args=[study.slug, rendition.public_id]))
    assert study.pairs.count() == 1
    for rendition in (first, second):
        alice.post(reverse("researcher:rendition-restore", args=[study.slug, rendition.public_id]))
    assert set(study.pairs.all()) == before


def test_taking_it_back_joins_what_it_held_together_above_the_cap_too(alice):
    study = make_study(n_scenes=1)
    study.protocol["max_pairs_per_scene"] = 1  # lower than what there is
    study.save()
    rendition = Rendition.objects.all()[0]
    alice.post(reverse("researcher:rendition-reject", args=[study.slug, rendition.public_id]))
    alice.post(reverse("researcher:rendition-restore", args=[study.slug, rendition.public_id]))
    couples = list(study.pairs.values_list("image_a", "image_b"))
    assert compared_groups(couples) == [set(Rendition.objects.values_list("pk", flat=True))]


def test_an_opened_study_keeps_its_renditions(alice):
    study = make_study(n_scenes=1, status=Study.Status.OPEN)
    rendition = Rendition.objects.all()[0]
    page = alice.post(
        reverse("researcher:rendition-reject", args=[study.slug, rendition.public_id]), follow=True
    )
    rendition.refresh_from_db()
    assert rendition.state == Rendition.State.RENDERED
    assert "has been opened" in page.content.decode()


def test_a_draft_cannot_throw_out_what_another_study_asks(alice):
    study = make_study(n_scenes=1)
    other = make_study(n_scenes=0, status=Study.Status.OPEN, name="The other one")
    StudyPair.objects.create(study=other, pair=study.pairs.all()[0])
    rendition = study.pairs.all()[0].image_a
    page = alice.post(
        reverse("researcher:rendition-reject", args=[study.slug, rendition.public_id]), follow=True
    )
    assert "The other one" in page.content.decode()
    assert study.pairs.count() == 6


def test_a_rendition_of_a_scene_outside_the_study_is_not_found(alice):
    study, elsewhere = make_study(), make_scene()
    address = reverse(
        "researcher:rendition-reject", args=[study.slug, elsewhere.renditions.all()[0].public_id]
    )
    assert alice.post(address).status_code == 404


def test_a_thumbnail_is_small_and_stays_in_the_cache(alice, settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }
    rendition = make_scene(n_renditions=1, with_images=True).renditions.get()
    reply = alice.get(reverse("researcher:rendition-thumbnail", args=[rendition.public_id]))
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert reply.content.startswith(b"\xff\xd8")
    assert "private" in reply.headers["Cache-Control"]


def test_a_rendition_without_image_has_no_thumbnail(alice):
    rendition = make_scene(n_renditions=1).renditions.get()
    reply = alice.get(reverse("researcher:rendition-thumbnail", args=[rendition.public_id]))
    assert reply.status_code == 404


def test_a_rendition_whose_file_is_gone_has_no_thumbnail(alice):
    rendition = make_scene(n_renditions=1).renditions.get()
    Rendition.objects.filter(pk=rendition.pk).update(image="renditions/gone.png")
    reply = alice.get(reverse("researcher:rendition-thumbnail", args=[rendition.public_id]))
    assert reply.status_code == 404


def test_the_protocol_page_shows_every_setting_and_the_hash(alice):
    study = make_study()
    page = alice.get(reverse("researcher:study-protocol", args=[study.slug]))
    text = page.content.decode()
    protocol = page.context["protocol"]
    for name in {*study.protocol, *study.protocol["rules"]} - {"rules", "consent"}:
        assert f"<code>{name}</code>" in text, name
    assert protocol.sha256 in text
    assert protocol.rules.name in text


def test_the_protocol_page_shows_recruiting_to_researchers_alone(alice):
    recruiting = Recruiting(access="panel", panel="prolific", completion_code="C1SECRET").to_json()
    study = make_study(status=Study.Status.OPEN, recruiting=recruiting)
    Invitation.objects.create(study=study)
    Invitation.objects.create(study=study, revoked_at=timezone.now())
    address = reverse("researcher:study-protocol", args=[study.slug])
    text = alice.get(address).content.decode()
    for words in ("<dd>panel</dd>", "<dd>prolific</dd>", "C1SECRET", "<dd>2, 1 of them taken back</dd>"):
        assert words in text
    assert (
        "Everybody whom the panel sends can answer." in alice.get(study.get_absolute_url()).content.decode()
    )
    assert "C1SECRET" not in Client().get(address, follow=True).content.decode()


def test_a_study_without_consent_says_so(alice):
    study = make_study(protocol=Protocol(phases=("main",)))
    text = alice.get(reverse("researcher:study-protocol", args=[study.slug])).content.decode()
    assert "Nobody is asked for it" in text
    assert "You can stop at any time" not in text


def test_the_editor_of_a_simulated_study_speaks_of_raters(alice):
    study = make_study(is_simulated=True)
    make_session(make_rater(study))
    page = alice.get(reverse("researcher:protocol-edit", args=[study.slug])).content.decode()
    assert "Raters have begun." in page
    assert "People have begun" not in page


def test_sessions_of_another_protocol_are_counted(alice):
    study = make_study()
    session = make_session(make_rater(study))
    session.protocol_hash = "0" * 64
    session.save()
    page = alice.get(reverse("researcher:study-protocol", args=[study.slug]))
    assert page.context["n_unknown_hashes"] == 1
    assert "a hash that no version here has" in page.content.decode()


def test_a_button_exports_a_dataset(alice):
    study = make_study()
    make_session(make_rater(study), CHECKED)
    reply = alice.post(reverse("researcher:export-create", args=[study.slug]))
    export = Export.objects.get()
    assert export.study == study
    assert reply.headers["Location"] == reverse("researcher:export-detail", args=[export.public_id])


def test_nothing_answered_is_nothing_to_export(alice):
    study = make_study()
    page = alice.post(reverse("researcher:export-create", args=[study.slug]), follow=True)
    assert "nothing to export" in page.content.decode()
    assert not Export.objects.exists()


@pytest.mark.parametrize(("valid", "offered"), [(0, False), (1, True)])
def test_a_dataset_without_valid_raters_says_so_and_is_not_offered_for_training(alice, valid, offered):
    export = make_export(make_study(), counts={"raters": 18, "valid_raters": valid})
    for page in (
        reverse("researcher:export-detail", args=[export.public_id]),
        reverse("researcher:study-datasets", args=[export.study.slug]),
    ):
        text = alice.get(page).content.decode()
        assert ("Train on it" in text) is offered
        assert ("No rater in it is valid." in text) is not offered


def test_an_export_under_way_is_alive(alice):
    export = make_export(make_study(), state=Job.State.RUNNING, stage="images", done=30, total=120)
    page = alice.get(reverse("researcher:export-detail", args=[export.public_id])).content.decode()
    progress = reverse("researcher:export-progress", args=[export.public_id])
    assert f'data-progress="{progress}"' in page
    reply = alice.get(progress)
    assert reply.json() == {
        "state": "running",
        "state_words": "Running",
        "stage": "images",
        "done": 30,
        "total": 120,
        "fraction": 0.25,
        "is_over": False,
        "parts": {},
    }
    assert reply.headers["Cache-Control"] == "no-store"


def test_an_export_that_waits_is_cancelled_at_once(alice):
    export = make_export(make_study(), state=Job.State.QUEUED)
    alice.post(reverse("researcher:export-cancel", args=[export.public_id]))
    export.refresh_from_db()
    assert export.state == Job.State.CANCELLED


def test_a_failed_export_says_why(alice):
    export = make_export(make_study(), state=Job.State.FAILED, error="no space left on the disk")
    page = alice.get(reverse("researcher:export-detail", args=[export.public_id])).content.decode()
    assert "no space left on the disk" in page
    assert "Export again" in page


def test_a_whole_export_says_how_to_load_it(alice):
    export = make_export(make_study(), folder="/data/exports/a", sha256="ab" * 32, counts={"judgments": 7})
    page = alice.get(reverse("researcher:export-detail", args=[export.public_id])).content.decode()
    assert "load_dataset(&quot;/data/exports/a&quot;, &quot;judgments&quot;)" in page
    assert "ab" * 32 in page


def test_an_export_of_a_dead_worker_is_cancelled_at_once(alice):
    long_ago = timezone.now() - 2 * STALE_AFTER
    export = make_export(make_study(), state=Job.State.RUNNING, heartbeat_at=long_ago)
    alice.post(reverse("researcher:export-cancel", args=[export.public_id]))
    export.refresh_from_db()
    assert export.state == Job.State.CANCELLED


@pytest.mark.parametrize("template", ["400.html", "403.html", "404.html", "500.html"])
def test_error_pages_need_nothing_from_the_site(template):
    """A page that says that something broke may not ask the database for anything."""
    assert "<h1>" in render_to_string(template)


def test_a_form_without_its_token_is_told_so():
    page = Client(enforce_csrf_checks=True).post(reverse("login"), {"login": "bob", "password": "x"})
    assert page.status_code == 403
    assert "Please send it again" in page.content.decode()


def test_names_are_escaped_in_pages_and_charts(alice):
    study = make_study(name="<script>alert(1)</script>")
    make_session(make_rater(study), CHECKED)
    page = alice.get(study.get_absolute_url()).content.decode()
    assert "<script>alert" not in page


def test_pages_hold_nothing_that_a_strict_policy_would_block(alice):
    study = make_study()
    make_session(make_rater(study), CHECKED)
    for name in ("detail", "people", "scenes", "protocol", "datasets"):
        page = alice.get(reverse(f"researcher:study-{name}", args=[study.slug])).content.decode()
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)", page), name
        assert not re.search(r'(src|href)="(https?:)?//(?!testserver)', page), name


def _row(page: Any, name: str) -> str:
    text = str(page.content.decode())
    return str(next(row for row in re.findall(r"<tr>.*?</tr>", text, re.DOTALL) if name in row))
