"""Datasets: ordered, followed, downloaded."""

from pathlib import Path
from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.access import require_role
from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import FreeObject, JobReply
from collection.api.v1.marks import Marks
from collection.api.v1.pages import PageQuery
from collection.api.v1.problems import problem
from collection.dataset_downloads import archive_response, file_response
from collection.export.manifest import MANIFEST, ManifestError, manifest_read
from collection.models import Export, Role, Scope
from collection.services.exports import export_create, exports_end_dead
from variants.jobs import Job, jobs_of_dead_commands_end


class ExportCreate(Strict):
    layout = serializers.ChoiceField(choices=Export.Layout.choices, default=Export.Layout.FOLDER)


class ExportReply(JobReply):
    """One version of a study's dataset."""

    where = "exports/"

    study = serializers.CharField(source="study.slug")
    number = serializers.IntegerField(help_text="Version, from 1 on in each study.")
    layout = serializers.ChoiceField(choices=Export.Layout.choices)
    is_simulated = serializers.BooleanField(source="study.is_simulated")
    sha256 = serializers.CharField(help_text="Of its tables; empty until it is done.")
    manifest_sha256 = serializers.CharField(help_text="Of its MANIFEST.sha256, which has every file's.")
    n_bytes = serializers.IntegerField(allow_null=True, help_text="Of all its files.")
    counts = FreeObject(help_text="Rows of each table.")
    archive = serializers.SerializerMethodField(
        help_text="Address of all of it as a tar file; null until it is done."
    )

    marks = Marks()

    def get_archive(self, export: Export) -> str | None:
        if export.state != Job.State.DONE:
            return None
        return str(self.context["request"].build_absolute_uri(f"/api/v1/exports/{export.public_id}/archive/"))


class FileReply(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Its path inside the folder.")
    sha256 = serializers.CharField()
    n_bytes = serializers.IntegerField()


class FilesReply(serializers.Serializer[Any]):
    results = FileReply(many=True)


class StudyExports(Endpoint):
    tag = "Datasets"
    resource = "study_exports"

    @operation("List a study's datasets", query=PageQuery, reply=ExportReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        study = self.study()
        exports_end_dead(study)
        return self.page(Export.objects.filter(study=study).select_related("study"))

    @operation("Make a dataset", body=ExportCreate, reply=ExportReply, status=201, scope=Scope.EXPORT)
    def create(self, request: Request, slug: str) -> Response:
        """Orders the next version; follow it at the address of Location until `is_over`."""
        study = self.study(Role.EDITOR)
        export = export_create(study, layout=self.body["layout"])
        export.enqueue()
        response = self.reply(export)
        response["Location"] = f"/api/v1/exports/{export.public_id}/"
        return response


class Exports(Endpoint):
    tag = "Datasets"
    resource = "exports"

    @operation("Read a dataset's state", reply=ExportReply)
    def read(self, request: Request, public_id: str) -> Response:
        return self.reply(self._export())

    @operation("Cancel a dataset", reply=ExportReply, scope=Scope.EXPORT)
    def cancel(self, request: Request, public_id: str) -> Response:
        """One that is over stays as it is; one that is being written ends at its next step."""
        export = self._export(Role.EDITOR)
        export.cancel()
        return self.reply(export)

    @operation("List a dataset's files", reply=FilesReply)
    def files(self, request: Request, public_id: str) -> Response:
        export = self._export()
        folder = Path(export.folder)
        if export.state != Job.State.DONE:
            raise Http404("This dataset is not written yet.")
        try:
            hashes = {MANIFEST: export.manifest_sha256} | manifest_read(folder)
            rows = [
                {"name": name, "sha256": sha256, "n_bytes": (folder / name).stat().st_size}
                for name, sha256 in hashes.items()
            ]
        except (ManifestError, OSError) as error:
            raise Http404(str(error)) from error
        return self.reply({"results": rows})

    @operation("Download a dataset", media="application/x-tar", ranges=True, scope=Scope.EXPORT)
    def archive(self, request: Request, public_id: str) -> HttpResponseBase:
        """As a tar file. `Range` goes on where a download broke off; `If-Range` with its ETag makes sure of it."""
        return self._file(archive_response(request, self._export()))

    @operation(
        "Download one file of a dataset", media="application/octet-stream", ranges=True, scope=Scope.EXPORT
    )
    def file(self, request: Request, public_id: str, name: str) -> HttpResponseBase:
        return self._file(file_response(request, self._export(), name))

    def _file(self, reply: HttpResponseBase) -> HttpResponseBase:
        if reply.status_code != 416:
            return reply
        size = reply["Content-Range"].rpartition("/")[2]
        kept = {name: reply[name] for name in ("Content-Range", "ETag", "Accept-Ranges")}
        return problem(
            self.request,
            416,
            f"The file has {size} bytes; ask for a range that begins before its end.",
            headers=kept,
        )

    def _export(self, needs: Role = Role.VIEWER) -> Export:
        jobs_of_dead_commands_end(Export.objects.filter(public_id=self.kwargs["public_id"]))
        export = Export.objects.select_related("study").filter(public_id=self.kwargs["public_id"]).first()
        if export is None:
            raise Http404("There is no such dataset.")
        require_role(self.request.user, export.study, needs)
        return export
