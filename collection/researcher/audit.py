"""The page of a study's trail: who changed, exported, deleted what."""

import json
import re
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from collection.access import study_for
from collection.design.csv_text import csv_text
from collection.models import AuditEntry
from collection.researcher.pages import csv_download, page_of
from collection.selectors.members import audit_actions, audit_of

ENTRIES_PER_PAGE = 50
HASH = re.compile(r"\b[0-9a-f]{32,}\b")
COLUMNS = ("at", "actor", "action", "what", "details")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    entry: AuditEntry
    what: str
    details: str


@login_required
@require_safe
def study_audit(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    action = request.GET.get("action", "")
    page = page_of(request, Paginator(audit_of(study, action), ENTRIES_PER_PAGE))
    context = {
        "area": "studies",
        "study": study,
        "page": page,
        "lines": [
            Line(
                entry=entry,
                what=hashes_short(entry.what),
                details=hashes_short(details_words(entry.details)),
            )
            for entry in page
        ],
        "action": action,
        "actions": audit_actions(study),
    }
    return render(request, "researcher/study_audit.html", context)


@login_required
@require_safe
def audit_download(request: HttpRequest, slug: str) -> HttpResponse:
    """All of it, or what the filter of the page leaves."""
    study = study_for(request, slug)
    rows = (
        (
            entry.at.isoformat(timespec="seconds"),
            entry.actor_name,
            entry.action,
            entry.what,
            json.dumps(entry.details, ensure_ascii=False) if entry.details else "",
        )
        for entry in audit_of(study, request.GET.get("action", ""))
    )
    return csv_download(study, "audit", csv_text(COLUMNS, rows))


def details_words(details: dict[str, Any]) -> str:
    """`{"role": "viewer", "before": "editor"}` as `role viewer, before editor`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in details.items()
    )


def hashes_short(text: str) -> str:
    """Each sha256 and public ID by its first twelve digits; the CSV has them whole."""
    return HASH.sub(lambda found: f"{found[0][:12]}…", text)
