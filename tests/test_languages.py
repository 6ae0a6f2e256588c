"""Every participant's text in every language, and the pages in it."""

import re
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from collection.design.protocol import CONSENT, LANGUAGES, PHASES
from collection.services.texts import markdown_html
from tests.catalogues import (
    ADVICE,
    LOCALE,
    TRANSLATIONS,
    catalogue_read,
    compiled,
    forms,
    has_gettext,
    is_translated,
    path_of,
    texts_collect,
)
from tests.collection.factories import answer_all, make_study
from tests.collection.participant.visits import SMALL, address_of, begin, landing

FILLED_IN = re.compile(r"%\(\w+\)s|%%|\{\w+\}")
MARKUP = re.compile(r'[<>&"]')
TAG = re.compile(r"</?\w+>")
LETTER = re.compile(r"[^\W\d_]")


@pytest.fixture(params=TRANSLATIONS)
def language(request):
    return request.param


@pytest.fixture
def catalogue(language):
    return catalogue_read(path_of(language))


def test_the_site_offers_the_languages_that_it_speaks():
    assert tuple(code for code, _ in settings.LANGUAGES) == LANGUAGES
    assert {path.name for path in LOCALE.iterdir()} == set(TRANSLATIONS)


def test_every_text_has_a_translation(catalogue):
    assert [text.id for text in catalogue if text.id and not is_translated(text)] == []
    assert not any(text.fuzzy for text in catalogue if text.id)


def test_translations_keep_what_is_filled_in(catalogue):
    """The last plural form as the last of the original; those before may leave out their number."""
    for text in catalogue:
        wanted = sorted(FILLED_IN.findall(forms(text.id)[-1]))
        *others, last = (sorted(FILLED_IN.findall(form)) for form in forms(text.string))
        assert not text.id or last == wanted, text.id
        assert all(set(other) <= set(wanted) for other in others), text.id


def test_translations_bring_no_markup(catalogue):
    """They stand in attributes too, and are not escaped."""
    assert [text.id for text in catalogue if text.id and MARKUP.search("".join(forms(text.string)))] == []


def test_a_translated_consent_has_the_parts_of_the_original(catalogue):
    translation, original = (markdown_html(text) for text in (catalogue.get(CONSENT).string, CONSENT))
    assert TAG.findall(translation) == TAG.findall(original)
    assert "18" in translation


def test_compiled_catalogues_are_up_to_date(language):
    path = path_of(language)
    assert path.with_suffix(".mo").read_bytes() == compiled(catalogue_read(path)), "run `make messages`"


@pytest.mark.skipif(not has_gettext(), reason=ADVICE)
def test_catalogues_hold_the_texts_of_the_site_and_no_others(subtests):
    texts = {(text.context, text.id) for text in texts_collect()}
    for language in TRANSLATIONS:
        with subtests.test(language):
            known = {(text.context, text.id) for text in catalogue_read(path_of(language))}
            assert known == texts, "run `make messages`"


@pytest.mark.django_db
def test_no_page_holds_a_word_of_another_language(client, language, catalogue):
    study = make_study(**SMALL, phases=PHASES, block_size=2, allow_tie=True, allow_undo=True)
    known = KnownWords(catalogue, study.name)

    def look_over(address, visitor=client):
        page = visitor.get(f"{address}?lang={language}").text
        assert f'<html lang="{language}" dir="ltr">' in page
        assert known.left_over(page) == []

    look_over(landing(study))
    look_over(reverse("participant:study-declined", args=[study.slug]))
    look_over("/s/nothing/")
    session = begin(client, study)
    look_over(landing(study))
    look_over(address_of(session))
    look_over(address_of(session), Client())
    look_over(reverse("participant:session-withdraw", args=[session.token]))
    answer_all(session)
    look_over(landing(study))


def test_a_word_of_another_language_is_found():
    known = KnownWords(catalogue_read(path_of("de")), "Study 1")
    assert known.left_over("<h1>Study 1</h1><p>Vielen Dank</p><p>1 Frage, etwa 1\u00a0Minute</p>") == []
    assert known.left_over("<p>Thank you</p>") == ["Thank you"]
    assert known.left_over("<p>Vielen Dank, all</p>") == [", all"]
    assert known.left_over('<nav aria-label="Language">Ja</nav>') == ["Language"]


class KnownWords:
    """What a page in one language may say: the translations, languages' names and the study's own words."""

    def __init__(self, catalogue, *names):
        translations = [form for text in catalogue if text.id for form in forms(text.string)]
        translations += texts_of(markdown_html(catalogue.get(CONSENT).string))
        names = [*names, "Tonalist", *(name for _, name in settings.LANGUAGES)]
        longest_first = sorted(map(words_of, [*translations, *names]), key=self._length, reverse=True)
        self.known = re.compile("|".join(map(self._pattern, longest_first)))

    def left_over(self, page):
        """Of each text on a page, what is none of them and holds a letter."""
        rests = (self.known.sub("", text).strip() for text in texts_of(page))
        return [rest for rest in rests if LETTER.search(rest)]

    def _length(self, translation):
        return len(FILLED_IN.sub("", translation))

    def _pattern(self, translation):
        literals = FILLED_IN.split(translation.replace("%%", "%"))
        return r"(?:\d+|\{\w+\})?".join(map(re.escape, literals))


class Texts(HTMLParser):
    """All that a page says or will say."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def handle_data(self, data):
        self.texts.append(words_of(data))

    def handle_starttag(self, tag, attrs):
        spoken = ("aria-label", "alt", "title", "placeholder", "data-alt")
        self.texts += [words_of(v) for k, v in attrs if k in spoken or k.startswith("data-text")]


def texts_of(page):
    parser = Texts()
    parser.feed(page)
    return [text for text in parser.texts if text]


def words_of(text):
    return " ".join(text.split())
