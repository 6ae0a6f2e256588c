"""What the pages share."""

from typing import TypeVar

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header

from collection.models import Study
from collection.researcher.words import file_name

Row = TypeVar("Row")
BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets take a CSV for Unicode by it."""


def page_of(request: HttpRequest, paginator: "Paginator[Row]") -> "Page[Row]":
    """Page 1 where the number is none, the last page where it is too high."""
    return paginator.get_page(request.GET.get("page"))


def csv_download(study: Study, what: str, text: str) -> HttpResponse:
    """A table of the study as a file that spreadsheets take for Unicode."""
    reply = HttpResponse(BYTE_ORDER_MARK + text, content_type="text/csv; charset=utf-8")
    name = f"{file_name(study.name) or study.slug}-{what}.csv"
    reply["Content-Disposition"] = str(content_disposition_header(as_attachment=True, filename=name))
    reply["Cache-Control"] = "no-store"
    return reply


def can_edit(study: Study) -> bool:
    """Whether whoever was let in to the study may change it."""
    return study.your_role is not None and study.your_role.can_edit


def is_named(study: Study, written: str) -> bool:
    """Whether somebody has written the study's name, or its slug, before what cannot be undone."""
    return " ".join(written.split()) in (study.name, study.slug)
