"""A study's own texts in a participant's language."""

from django.utils.translation import gettext, override
from markdown_it import MarkdownIt

from collection.design.protocol import Protocol, consent_version

MARKDOWN = MarkdownIt("commonmark", {"html": False})


def text_in(protocol: Protocol, name: str, language: str) -> str:
    """The study's `question` or `consent` in a language: its own words, or the translation of the default text."""
    if protocol.has_default(name) and name not in protocol.translations.get(language, {}):
        with override(language):
            return gettext(getattr(protocol, name))
    return protocol.text(name, language) or str(getattr(protocol, name))


def consent_version_in(protocol: Protocol, language: str) -> str:
    """What is stored with the agreement: it changes with every character of the text that was shown."""
    return consent_version(text_in(protocol, "consent", language))


def markdown_html(text: str) -> str:
    """HTML of a Markdown text; tags in it are shown, not obeyed."""
    return str(MARKDOWN.render(text))
