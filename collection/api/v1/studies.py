"""Studies: made, read, changed, opened, closed; their members and their trail."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.utils.http import parse_etags, quote_etag
from rest_framework import exceptions, serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from collection.access import scenes_to_use, studies_of
from collection.api.v1.bodies import JsonBody, Strict, body_bytes
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import FreeObject, Settings, public_id
from collection.api.v1.pages import PageQuery
from collection.api.v1.problems import ChangedMeanwhile
from collection.design.plain_yaml import YamlError
from collection.design.preflight import preflight
from collection.design.protocol import FieldError, Protocol
from collection.design.recruiting import Recruiting
from collection.design.study_file import Scenes, StudyFile, read_study_file, write_study_file
from collection.models import Membership, Role, Study
from collection.selectors.research import studies_summaries
from collection.services import studies
from collection.services.audit import audit_record
from collection.services.copies import study_clone
from collection.services.protocols import study_set_protocol
from collection.services.recruiting import study_set_recruiting
from collection.services.study_files import study_create_from, study_file_of

YAML = "application/yaml"
TOLD = ("name", "purpose", "licence", "citation")
"""What a study and its datasets' cards say of it."""


class StudyQuery(PageQuery):
    status = serializers.ChoiceField(choices=Study.Status.values, required=False)
    simulated = serializers.BooleanField(required=False, help_text="Answered by simulated raters, or not.")


class StudyReply(serializers.Serializer[Any]):
    id = public_id("study.public_id")
    slug = serializers.CharField(source="study.slug", help_text="Its short name in all addresses.")
    name = serializers.CharField(source="study.name")
    status = serializers.ChoiceField(source="study.status", choices=Study.Status.values)
    is_simulated = serializers.BooleanField(source="study.is_simulated")
    role = serializers.SerializerMethodField(help_text="Yours.")
    edition = serializers.IntegerField(
        source="study.edition", help_text="Goes up with every change of the settings; the ETag says it too."
    )
    purpose = serializers.CharField(source="study.purpose")
    licence = serializers.CharField(source="study.licence")
    citation = serializers.CharField(source="study.citation")
    protocol = Settings(Protocol, source="study.protocol")
    protocol_sha256 = serializers.SerializerMethodField(help_text="As each session has it.")
    warnings = serializers.SerializerMethodField(
        help_text="What its protocol asks and is hardly meant, such as rules that leave honest people out."
    )
    access = serializers.SerializerMethodField(help_text="Who may come: open, panel or invited.")
    raters = serializers.IntegerField(source="n_raters")
    sessions_finished = serializers.IntegerField(source="n_finished")
    sessions_under_way = serializers.IntegerField(source="n_under_way")
    judgments = serializers.IntegerField(source="n_judgments", help_text="Main answers.")
    created_at = serializers.DateTimeField(source="study.created_at")
    opened_at = serializers.DateTimeField(source="study.opened_at", allow_null=True)
    closed_at = serializers.DateTimeField(source="study.closed_at", allow_null=True)

    def get_role(self, row: Any) -> str:
        if self.context["request"].user.is_superuser:
            return Role.OWNER.value
        return str(self.context["roles"][row.study.pk])

    def get_protocol_sha256(self, row: Any) -> str:
        return Protocol.from_json(row.study.protocol).sha256

    def get_warnings(self, row: Any) -> list[str]:
        return [caution.text for caution in preflight(Protocol.from_json(row.study.protocol), {}).warnings]

    def get_access(self, row: Any) -> str:
        return Recruiting.from_json(row.study.recruiting).access


class StudyCreate(Strict):
    """The same as a study's YAML file."""

    name = serializers.CharField(max_length=200)
    slug = serializers.CharField(
        max_length=50, required=False, help_text="Made from the name where left out."
    )
    simulated = serializers.BooleanField(required=False)
    purpose = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    licence = serializers.CharField(max_length=50, required=False)
    citation = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    scenes = Settings(Scenes, required=False, help_text="Which of the site's scenes; all where left out.")
    recruiting = Settings(Recruiting, required=False)
    protocol = Settings(Protocol, required=False)


class StudyChange(Strict):
    """What is left out stays as it is."""

    name = serializers.CharField(max_length=200, required=False)
    purpose = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    licence = serializers.CharField(max_length=50, required=False)
    citation = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    protocol = FreeObject(required=False, help_text="Settings to change; the others stay.")
    recruiting = FreeObject(required=False, help_text="Settings to change; the others stay.")


class StudyClone(Strict):
    name = serializers.CharField(max_length=200, help_text="Of the new study.")


class YamlBody(BaseParser):
    """A study's file, as `create_study FILE` reads it."""

    media_type = YAML

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return read_study_file(body_bytes(stream))
        except YamlError as error:
            raise exceptions.ValidationError({error.field: [str(error)]}) from error


class Studies(Endpoint):
    tag = "Studies"
    resource = "studies"

    @operation("List studies", query=StudyQuery, reply=StudyReply, pages=True)
    def list(self, request: Request) -> Response:
        """Those that you are a member of."""
        found = studies_of(request.user)
        if "status" in self.query:
            found = found.filter(status=self.query["status"])
        if "simulated" in self.query:
            found = found.filter(is_simulated=self.query["simulated"])
        return self.page(found, studies_summaries, roles=self._roles())

    @operation("Make a study", body=StudyCreate, reply=StudyReply, status=201, parsers=(JsonBody, YamlBody))
    def create(self, request: Request) -> Response:
        """A draft that you own. As JSON, or as the YAML file that `create_study FILE` reads (application/yaml)."""
        sent: Any = request.data
        file = sent if isinstance(sent, StudyFile) else self._file()
        return self._made(study_create_from(file, among=scenes_to_use(self.user)))

    @operation("Read a study", reply=StudyReply)
    def read(self, request: Request, slug: str) -> Response:
        return self._told(self.study())

    @operation("Change a study", body=StudyChange, reply=StudyReply, matches=True)
    def change(self, request: Request, slug: str) -> Response:
        """Send the ETag that you read as If-Match: when somebody has changed the study since, you get 412 and
        nothing is stored. Once somebody has begun to answer, a change is a new version of the protocol.
        """
        study = self.study(Role.EDITOR)
        protocol = self._merged("protocol", Protocol, study.protocol)
        recruiting = self._merged("recruiting", Recruiting, study.recruiting)
        told = {name: self.body[name] for name in TOLD if name in self.body}
        with transaction.atomic():
            edition = self._edition_expected(study)
            if told:
                present = {name: getattr(study, name) for name in TOLD}
                studies.study_describe(study, edition=edition, **present | told)
            if protocol:
                study_set_protocol(study, protocol)
            if recruiting:
                study_set_recruiting(study, recruiting)
        return self._told(study)

    @operation("Read a study as YAML", media=YAML)
    def file(self, request: Request, slug: str) -> HttpResponse:
        """What `POST /api/v1/studies/` makes the study from again. Codes of a panel stay out."""
        study = self.study()
        file = write_study_file(study_file_of(study))
        audit_record("protocol.download", study)
        return HttpResponse(file, content_type=f"{YAML}; charset=utf-8")

    @operation("Open a study", reply=StudyReply)
    def open(self, request: Request, slug: str) -> Response:
        """From now on it can be answered; 409 says what is missing for that, or that its rules leave everybody out."""
        return self._moved(self.study(Role.EDITOR), studies.study_open)

    @operation("Pause a study", reply=StudyReply)
    def pause(self, request: Request, slug: str) -> Response:
        """Nobody new may begin; sessions under way may be finished."""
        return self._moved(self.study(Role.EDITOR), studies.study_pause)

    @operation("Close a study", reply=StudyReply)
    def close(self, request: Request, slug: str) -> Response:
        """For good: a closed study stays closed."""
        return self._moved(self.study(Role.OWNER), studies.study_close)

    @operation("Clone a study", body=StudyClone, reply=StudyReply, status=201)
    def clone(self, request: Request, slug: str) -> Response:
        """A new draft of yours with its protocol, scenes and pairs, and none of its answers."""
        return self._made(study_clone(self.study(), self.body["name"]))

    def _made(self, study: Study) -> Response:
        response = self._told(study)
        response["Location"] = f"/api/v1/studies/{study.slug}/"
        return response

    def _moved(self, study: Study, move: Callable[[Study], None]) -> Response:
        move(study)
        return self._told(study)

    def _told(self, study: Study) -> Response:
        [summary] = studies_summaries([study])
        response = self.reply(summary, roles=self._roles())
        response["ETag"] = quote_etag(str(study.edition))
        return response

    def _roles(self) -> dict[int, str]:
        return dict(Membership.objects.filter(user=self.request.user.pk).values_list("study", "role"))

    def _file(self) -> StudyFile:
        try:
            return StudyFile(**self.body)
        except FieldError as error:
            raise exceptions.ValidationError({error.name: [str(error)]}) from error

    def _merged(self, name: str, of: Any, present: Any) -> Any:
        """The present settings with those that were sent; None where none were."""
        if name not in self.body:
            return None
        try:
            return of.from_json(merged(present, self.body[name]))
        except FieldError as error:
            raise exceptions.ValidationError({name: {error.name: [str(error)]}}) from error

    def _edition_expected(self, study: Study) -> int:
        """The present one, held until the change is through. Raises ChangedMeanwhile where If-Match has another."""
        wanted = self.request.headers.get("If-Match", "*").strip()
        present = Study.objects.select_for_update(no_key=True).get(pk=study.pk).edition
        if wanted != "*" and quote_etag(str(present)) not in parse_etags(wanted):
            raise ChangedMeanwhile(
                f"The study is at edition {present} by now; read it again, and send the change with its ETag."
            )
        return present


def merged(present: Any, changes: Any) -> Any:
    """Objects are merged name by name; all else is replaced."""
    if not isinstance(present, dict) or not isinstance(changes, dict):
        return changes
    return {**present, **{name: merged(present.get(name), value) for name, value in changes.items()}}
