"""In which language participants' pages speak."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from collection.design.protocol import LANGUAGES, consent_version
from collection.models import Session
from tests.collection.factories import make_study
from tests.collection.participant.visits import SMALL, address_of, agree, begin, form_of, landing

pytestmark = pytest.mark.django_db
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.fixture
def study():
    """In English and German, with texts of its own."""
    return make_study(
        **SMALL,
        question="Which one?",
        consent="Please agree.",
        translations={"de": {"question": "Welches?", "consent": "Bitte stimmen Sie zu."}},
    )


def spoken(page):
    """The language that the page says it is in; its texts and its header are in the same one."""
    language = re.search(r'<html lang="([\w-]+)" dir="ltr">', page.text)[1]
    assert page.headers["Content-Language"] == language
    return language


def test_the_browsers_language_is_spoken(client, study):
    page = client.get(landing(study), headers=GERMAN)
    assert spoken(page) == "de"
    assert "<h1>Welches?</h1>" in page.text
    assert "<p>Bitte stimmen Sie zu.</p>" in page.text


@pytest.mark.parametrize("accepted", ["fr,it;q=0.9", "zh-Hant", "*", "", "de" * 5000, "\x00;q=x", "ja"])
def test_without_a_language_that_is_offered_the_study_speaks_its_own(client, study, accepted):
    assert spoken(client.get(landing(study), headers={"Accept-Language": accepted})) == "en"


def test_a_study_speaks_its_own_language_first(client):
    study = make_study(**SMALL, language="ja", question="どちら？", consent="同意してください。")
    assert spoken(client.get(landing(study), headers=GERMAN)) == "ja"


def test_a_choice_comes_before_the_browser_and_is_kept(client, study):
    page = client.get(landing(study, "?lang=en"), headers=GERMAN)
    assert spoken(page) == "en"
    assert spoken(client.get(landing(study), headers=GERMAN)) == "en"
    assert client.cookies["tonalist_language"]["httponly"]


@pytest.mark.parametrize("wrong", ["fr", "ja", "DE", "", "x" * 10_000, "de%00", "../de", "de&lang=xx"])
def test_a_wrong_language_is_passed_over(client, study, wrong):
    page = client.get(landing(study, f"?lang={wrong}"))
    assert (page.status_code, spoken(page)) == (200, "en")
    assert "tonalist_language" not in page.cookies


def test_a_wrong_cookie_is_passed_over(client, study):
    client.cookies["tonalist_language"] = "xx"
    assert spoken(client.get(landing(study), headers=GERMAN)) == "de"


def test_each_language_is_named_in_itself_and_one_click_away(client):
    study = make_study(**SMALL)
    page = client.get(landing(study, "?pid=P1&lang=ko"))
    links = re.findall(r'<a href="(\S+)" lang="(\w+)" hreflang="\w+"(.*?)>(.*?)</a>', page.text)
    assert [(code, name) for _, code, _, name in links] == [
        ("en", "English"), ("de", "Deutsch"), ("ja", "日本語"), ("ko", "한국어"), ("es", "Español"),
    ]  # fmt: skip
    assert [code for _, code, current, _ in links if "aria-current" in current] == ["ko"]
    for address, code, _, _ in links:
        assert address == f"?pid=P1&amp;lang={code}"
        assert spoken(client.get(landing(study, address.replace("&amp;", "&")))) == code


def test_a_study_in_one_language_offers_no_choice(client):
    study = make_study(**SMALL, question="Which one?")
    assert 'class="languages"' not in client.get(landing(study)).text


def test_what_was_agreed_to_is_stored_with_its_language(client, study):
    session = begin(client, study, "?lang=de")
    assert session.language == "de"
    assert session.consent_version == consent_version("Bitte stimmen Sie zu.")
    assert session.consented_at is not None


def test_the_default_text_has_a_version_in_each_language(client):
    study = make_study(**SMALL)
    for language in LANGUAGES:
        form = form_of(Client().get(landing(study, f"?lang={language}")))
        Client().post(landing(study), form)
        assert Session.objects.last().language == language
        assert Session.objects.last().consent_version == form["consent_version"]


def test_agreeing_to_the_text_of_another_language_shows_the_page_again(client, study):
    form = form_of(client.get(landing(study, "?lang=en"))) | {"language": "de"}
    page = client.post(landing(study), form)
    assert (page.status_code, spoken(page)) == (200, "de")
    assert 'role="alert"' in page.text
    assert not Session.objects.exists()
    assert client.post(landing(study), form_of(page)).status_code == 302


def test_a_language_that_nobody_offers_cannot_be_agreed_in(client, study):
    form = form_of(client.get(landing(study))) | {"language": "fr"}
    client.post(landing(study), form)
    assert Session.objects.get().language == "en"


def test_the_session_goes_on_in_the_language_that_was_agreed_in(client, study):
    session = begin(client, study, "?lang=de")
    del client.cookies["tonalist_language"]
    page = client.get(address_of(session), headers={"Accept-Language": "en"})
    assert spoken(page) == "de"
    assert page.context["question"] == "Welches?"
    page = client.get(address_of(session) + "?lang=en")
    assert (spoken(page), page.context["question"]) == ("en", "Which one?")


def test_every_sheet_offers_the_languages(client, study):
    session = begin(client, study)
    elsewhere = Client().get(address_of(session))
    pages = [
        Client().get(landing(study)),
        client.get(landing(study)),
        client.get(address_of(session)),
        client.get(reverse("participant:session-withdraw", args=[session.token])),
        client.get(reverse("participant:study-declined", args=[study.slug])),
        client.get("/s/nothing/"),
        elsewhere,
    ]
    assert ["?lang=de" in page.text for page in pages] == [True] * len(pages)


def test_researchers_pages_stay_english(client):
    assert '<html lang="en"' in client.get(reverse("login"), headers=GERMAN).text


def test_one_visitors_language_is_not_the_next_ones(client, study):
    assert spoken(client.get(landing(study), headers=GERMAN)) == "de"
    assert spoken(Client().get(landing(study))) == "en"
    assert '<html lang="en"' in client.get(reverse("login")).text


def test_agreeing_works_in_every_language(study):
    for language in ("en", "de"):
        assert agree(Client(), study, f"?lang={language}").status_code == 302
