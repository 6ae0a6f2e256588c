"""What goes for good: a rater, a dataset's files, a study; and how long data is kept."""

from pathlib import Path
from typing import Any

from django.http import Http404
from django.utils import timezone
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.access import require_role
from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.exports import ExportReply
from collection.api.v1.fields import FreeObject, JobReply
from collection.api.v1.problems import Conflict
from collection.models import Export, Role, Study, StudyDeletion
from collection.services.deletion import study_deletion_create
from collection.services.removal import dataset_delete_files
from collection.services.retention import retention_set
from collection.services.withdrawal import person_withdraw


class GivenReply(serializers.Serializer[Any]):
    """What has gone, from all devices of the person."""

    raters = serializers.IntegerField(source="n_raters", help_text="0 where they had withdrawn before.")
    sessions = serializers.IntegerField(source="n_sessions")
    answers = serializers.IntegerField(source="n_answers")
    datasets = serializers.IntegerField(source="n_datasets", help_text="Marked, as they hold these answers.")


class Withdrawals(Endpoint):
    tag = "Raters"
    resource = "withdrawals"

    @operation("Withdraw a rater", reply=GivenReply)
    def withdraw(self, request: Request, slug: str, public_id: str) -> Response:
        """For good: all that the person gave to the study is deleted, as if they had withdrawn themselves."""
        study = self.study(Role.EDITOR)
        rater = study.raters.select_related("person").filter(public_id=public_id).first()
        if rater is None:
            raise Http404("The study has no such rater.")
        return self.reply(person_withdraw(study, rater.person, timezone.now()))


class RetentionBody(Strict):
    until = serializers.DateField(allow_null=True, help_text="The last day; null keeps it without an end.")
    erases = serializers.ChoiceField(choices=Study.Erases.choices, default=Study.Erases.IDENTIFIERS)


class RetentionReply(serializers.Serializer[Any]):
    until = serializers.DateField(source="retain_until", allow_null=True)
    erases = serializers.ChoiceField(source="retain_erases", choices=Study.Erases.choices)
    erased_at = serializers.DateTimeField(allow_null=True)


class Retention(Endpoint):
    tag = "Studies"
    resource = "retention"

    @operation("Read how long data is kept", reply=RetentionReply)
    def read(self, request: Request, slug: str) -> Response:
        return self.reply(self.study())

    @operation("Set how long data is kept", body=RetentionBody, reply=RetentionReply)
    def set(self, request: Request, slug: str) -> Response:
        study = self.study(Role.OWNER)
        retention_set(study, self.body["until"], self.body["erases"])
        return self.reply(study)


class DeletionBody(Strict):
    slug = serializers.CharField(max_length=50, help_text="The study's, once more, so that it is meant.")
    with_exports = serializers.BooleanField(default=False, help_text="Its dataset folders on disk too.")
    with_photos = serializers.BooleanField(
        default=False, help_text="Photos that no other study uses too, with their originals."
    )


class DeletionReply(JobReply):
    where = "deletions/"

    study = serializers.CharField(source="study_slug")
    with_exports = serializers.BooleanField()
    with_photos = serializers.BooleanField()
    counts = FreeObject(help_text="What has gone so far.")


class Deletions(Endpoint):
    tag = "Studies"
    resource = "deletions"

    @operation("Delete a study", body=DeletionBody, reply=DeletionReply, status=201)
    def create(self, request: Request, slug: str) -> Response:
        """For good, with all its answers; a job: follow it at its `address`. It is closed at once."""
        study = self.study(Role.OWNER)
        fields = dict(self.body)
        if fields.pop("slug") != study.slug:
            raise exceptions.ValidationError(
                {"slug": [f"slug is not the study's; send {study.slug!r} if it is meant."]}
            )
        job = study_deletion_create(study, **fields)
        job.enqueue()
        return self.reply(job)

    @operation("Follow the deletion of a study", reply=DeletionReply)
    def read(self, request: Request, public_id: str) -> Response:
        """For owners while the study is there, and for whoever deleted it."""
        found = StudyDeletion.objects.select_related("study").filter(public_id=public_id).first()
        if found is None:
            raise Http404("There is no such deletion.")
        if found.started_by_id is None or found.started_by_id != self.user.pk:
            if found.study is not None:
                require_role(self.user, found.study, Role.OWNER)
            elif not getattr(self.user, "is_superuser", False):
                raise Http404("There is no such deletion.")
        return self.reply(found)


class DatasetDeletionBody(Strict):
    why = serializers.CharField(max_length=200, help_text="What people read in place of the dataset.")


class DatasetDeletions(Endpoint):
    tag = "Datasets"
    resource = "dataset_deletions"

    @operation("Delete a dataset's files", body=DatasetDeletionBody, reply=ExportReply)
    def create(self, request: Request, public_id: str) -> Response:
        """For good; its row stays, with why."""
        export = Export.objects.select_related("study").filter(public_id=public_id).first()
        if export is None:
            raise Http404("There is no such dataset.")
        require_role(self.user, export.study, Role.OWNER)
        why = self.body["why"]
        if not Path(export.folder).is_absolute():
            raise Conflict("The dataset has no files: nothing was written.")
        dataset_delete_files(export, why)
        return self.reply(export)
