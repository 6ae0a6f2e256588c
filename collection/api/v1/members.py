"""Who works on a study, and what was done to it."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.bodies import Strict, unknown_words
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import FreeObject
from collection.api.v1.pages import PageQuery
from collection.models import Role, Study
from collection.selectors.members import audit_actions, audit_of, members_of
from collection.services.members import MemberError, member_remove, member_set
from collection.services.studies import StudyError


class MemberReply(serializers.Serializer[Any]):
    username = serializers.CharField(source="user.username")
    role = serializers.ChoiceField(choices=Role.choices)
    since = serializers.DateTimeField(source="created_at")


class MembersReply(serializers.Serializer[Any]):
    results = MemberReply(many=True)


class MemberBody(Strict):
    username = serializers.CharField(max_length=150, help_text="Of a member.")


class RoleBody(MemberBody):
    role = serializers.ChoiceField(choices=Role.choices)


class Members(Endpoint):
    tag = "Members"
    resource = "members"
    refusals = (StudyError, MemberError)

    @operation("List a study's members", reply=MembersReply)
    def list(self, request: Request, slug: str) -> Response:
        """Owners first. They are invited on the study's page."""
        return self.reply({"results": members_of(self.study())})

    @operation("Give a member another role", body=RoleBody, reply=MembersReply)
    def role(self, request: Request, slug: str) -> Response:
        """A study keeps one owner."""
        study = self.study(Role.OWNER)
        member_set(study, self._member(study), Role(self.body["role"]))
        return self.reply({"results": members_of(study)})

    @operation("Remove a member", body=MemberBody, reply=MembersReply)
    def remove(self, request: Request, slug: str) -> Response:
        """A study keeps one owner."""
        study = self.study(Role.OWNER)
        member_remove(study, self._member(study))
        return self.reply({"results": members_of(study)})

    def _member(self, study: Study) -> Any:
        name = self.body["username"]
        members = {each.user.get_username(): each.user for each in members_of(study)}
        if name not in members:
            raise serializers.ValidationError({"username": [unknown_words("member", name, members)]})
        return members[name]


ACTIONS = tuple(
    f"{thing}.{done}"
    for thing, all_done in {
        "blind_test": "create cancel",
        "export": "create delete download",
        "invitation": "create download revoke",
        "member": "add invite join remove role uninvite",
        "payments": "download",
        "protocol": "download",
        "rater": "withdraw",
        "rendition": "reject restore",
        "rules": "use",
        "scenes": "add remove",
        "statistics": "compute download",
        "study": "clone close create delete deleted describe erase open pause preview protocol recruiting render "
        "retention simulated",
        "token": "create revoke",
        "webhook": "change create delete resend secret stop",
    }.items()
    for done in all_done.split()
)
"""What may be asked for before it has happened; what stands in the trail may be in any case."""


class AuditQuery(PageQuery):
    action = serializers.CharField(max_length=50, required=False, help_text="Such as study.open.")


class AuditReply(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    actor = serializers.CharField(source="actor_name", help_text="Who, and with which token.")
    action = serializers.CharField()
    what = serializers.CharField(help_text="The thing it was done to.")
    details = FreeObject()


class Audit(Endpoint):
    tag = "Members"
    resource = "audit"

    @operation("List a study's trail", query=AuditQuery, reply=AuditReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        """Who changed, exported, deleted what."""
        study, action = self.study(), self.query.get("action", "")
        if action and action not in ACTIONS and action not in (known := audit_actions(study)):
            raise serializers.ValidationError(
                {"action": [unknown_words("action", action, sorted({*ACTIONS, *known}))]}
            )
        return self.page(audit_of(study, action))
