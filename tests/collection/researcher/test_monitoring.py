import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from collection.models import DisplayRecord
from tests.factories import make_rater, make_researcher, make_session, make_study, make_verdict

pytestmark = pytest.mark.django_db

ANSWERS = [("main", "left", 1500), ("main", "right", 900), ("check", "right", 800)]
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def alice(client):
    client.force_login(make_researcher())
    return client


def finish(study, n, reasons=(), begin=0):
    """`n` judged raters who finished a minute apart."""
    for i in range(n):
        rater = make_rater(study)
        make_verdict(rater, may_be_used=not reasons, reasons=list(reasons))
        session = make_session(rater)
        session.finished_at = NOW + dt.timedelta(minutes=begin + i)
        session.save()


def test_an_alarm_stands_on_the_page_when_fewer_pass(alice):
    study = make_study()
    finish(study, 25)
    assert "Fewer raters pass than before" not in alice.get(study.get_absolute_url()).content.decode()
    finish(study, 12, ["color_vision"], begin=25)
    finish(study, 8, begin=37)
    page = alice.get(study.get_absolute_url()).content.decode()
    assert "Fewer raters pass than before" in page
    assert (
        "8 of the last 20 raters who finished pass all rules; of the 25 before, 100 % did (p &lt; 0.001"
        in page
    )
    assert (
        "12 of the last 20 are left out for “colour-vision plates misread”; of the 25 before, 0 % were"
        in page
    )


def test_an_alarm_stands_on_the_page_when_all_fail_from_the_start(alice):
    """Who left is not counted: 0 of 6 lie below half, of 5 they do not."""
    study = make_study()
    make_verdict(make_rater(study), may_be_used=False, reasons=["too_few_answers"])
    finish(study, 5, ["inconsistent"])
    words = "Something may be wrong with the study itself"
    assert words not in alice.get(study.get_absolute_url()).content.decode()
    finish(study, 1, ["inconsistent"], begin=5)
    page = alice.get(study.get_absolute_url()).content.decode()
    assert words in page
    assert "0 of the 6 judged raters whose session ended pass all rules (95 % interval 0 to 46 %)" in page


def test_the_order_of_finishing_counts_and_not_that_of_coming(alice):
    study = make_study()
    finish(study, 20, ["too_fast"])
    finish(study, 25, begin=-100)
    assert "Fewer raters pass" in alice.get(study.get_absolute_url()).content.decode()


def test_the_live_part_is_what_the_page_shows(alice):
    study = make_study()
    make_session(make_rater(study), ANSWERS)
    page = alice.get(study.get_absolute_url()).content.decode()
    assert f'data-live="{reverse("researcher:study-live", args=[study.slug])}"' in page
    reply = alice.get(reverse("researcher:study-live", args=[study.slug]))
    assert reply.headers["Cache-Control"] == "no-store"
    figures = reply.json()["parts"]["study-figures"]
    assert figures.strip() in page
    make_session(make_rater(study), ANSWERS)
    later = alice.get(reverse("researcher:study-live", args=[study.slug])).json()["parts"]["study-figures"]
    assert "<dt>Judgments</dt><dd>4</dd>" in later


def test_a_closed_study_is_not_asked_for_again(alice):
    study = make_study(status="closed")
    assert "data-live=" not in alice.get(study.get_absolute_url()).content.decode()


def test_reasons_lead_to_the_raters_who_failed(alice):
    study = make_study()
    finish(study, 3)
    finish(study, 1, ["one_sided"], begin=3)
    page = alice.get(study.get_absolute_url())
    (line,) = page.context["reasons"]
    assert (line.n, line.share) == (1, "25 %, 1 to 81 %")
    assert (
        f"{reverse('researcher:study-people', args=[study.slug])}?failed=one_sided" in page.content.decode()
    )


def test_devices_are_counted_once_a_session_by_their_last_record(alice):
    study = make_study()
    for usable, platform in ((True, "macOS"), (False, "Android"), (None, "Android")):
        rater = make_rater(study)
        session = make_session(rater)
        DisplayRecord.objects.create(session=session, platform="earlier")
        DisplayRecord.objects.create(
            session=session,
            platform=platform,
            screen_width=844,
            screen_height=390,
            details={"browser": "Chromium 140, Google Chrome 140", "pointer": "coarse"},
        )
        if usable is not None:
            make_verdict(rater, may_be_used=usable)
    page = alice.get(study.get_absolute_url())
    tables = {table.title: table.rows for table in page.context["devices"]}
    assert [(row.value, row.n, row.used) for row in tables["Platform"]] == [
        ("Android", 2, "0 of 1"), ("macOS", 1, "1 of 1"),
    ]  # fmt: skip
    assert [row.value for row in tables["Browser"]] == ["Google Chrome"]
    assert [row.value for row in tables["Shorter side of the screen"]] == ["under 600 px"]
    assert [row.value for row in tables["Colours"]] == ["not known"]


def test_coverage_names_the_scenes_least_and_most_shown(alice):
    study = make_study(n_scenes=2)
    first, *_ = study.studypair_set.order_by("pk")
    type(first).objects.filter(pk=first.pk).update(exposures=4)
    make_session(make_rater(study), [("main", "left", 900)])
    page = alice.get(study.get_absolute_url())
    assert "2 scenes 0 to 4 times" in page.content.decode()
    assert page.context["planned_share"] == "25 %"


def test_who_withdrew_is_in_no_figure(alice):
    study = make_study()
    rater = make_rater(study)
    rater.withdrawn_at = timezone.now()
    rater.save()
    assert alice.get(study.get_absolute_url()).context["figures"].n_raters == 0
