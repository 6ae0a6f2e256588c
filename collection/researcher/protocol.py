"""The page of a study's protocol: its settings, its versions, its file."""

import dataclasses
from itertools import pairwise

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from collection.access import study_for
from collection.design.protocol import Protocol
from collection.design.recruiting import Recruiting
from collection.design.study_file import write_study_file
from collection.researcher.editor import Difference, protocol_differences
from collection.researcher.words import (
    file_name,
    protocol_settings,
    recruiting_settings,
)
from collection.selectors.protocols import KeptProtocol, protocol_hashes, protocol_versions
from collection.selectors.research import invitation_counts
from collection.selectors.rules import rules_in_force
from collection.services.audit import audit_record
from collection.services.study_files import study_file_of


@login_required
@require_safe
def study_protocol(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    protocol = Protocol.from_json(study.protocol)
    recruiting = Recruiting.from_json(study.recruiting)
    n_invitations, n_revoked = invitation_counts(study)
    hashes = protocol_hashes(study)
    versions = protocol_versions(study, hashes)
    known = {version.sha256 for version in versions} | {protocol.sha256}
    context = {
        "area": "studies",
        "study": study,
        "protocol": protocol,
        "sections": protocol_settings(protocol),
        "asks_for_consent": "consent" in protocol.phases,
        "recruiting": recruiting_settings(recruiting),
        "n_invitations": n_invitations,
        "n_revoked": n_revoked,
        "rule_set": protocol.rules.name,
        "rules_in_force": rules_in_force(study).name,
        "versions": list(zip(versions, _changes(versions), strict=True)),
        "n_sessions": hashes.total(),
        "n_unknown_hashes": sum(n for sha256, n in hashes.items() if sha256 not in known),
    }
    return render(request, "researcher/study_protocol.html", context)


@login_required
@require_safe
def study_download(request: HttpRequest, slug: str, number: int | None = None) -> HttpResponse:
    """The study as a file; with a `number` by that version of its protocol."""
    study = study_for(request, slug)
    file = study_file_of(study)
    name = file_name(study.name) or study.slug
    if number is not None:
        version = next((kept for kept in protocol_versions(study) if kept.number == number), None)
        if version is None:
            raise Http404("The study's protocol has no such version.")
        file, name = dataclasses.replace(file, protocol=version.protocol), f"{name}_protocol_{number}"
    reply = HttpResponse(write_study_file(file), content_type="application/yaml; charset=utf-8")
    reply["Content-Disposition"] = content_disposition_header(True, f"{name}.yaml")
    if request.method == "GET":
        audit_record("protocol.download", study, what=f"version {number}" if number is not None else "")
    return reply


def _changes(versions: list[KeptProtocol]) -> list[list[Difference]]:
    """Of each version what it changed in the one before it; of the first nothing."""
    changes = [
        protocol_differences(before.protocol, version.protocol) for version, before in pairwise(versions)
    ]
    return [*changes, []] if versions else []
