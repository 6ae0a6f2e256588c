"""Who one is to the API, and one's tokens."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import public_id
from collection.api.v1.pages import PageQuery
from collection.models import ApiToken, Scope
from collection.services.tokens import token_revoke


class TokenReply(serializers.Serializer[Any]):
    id = public_id()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The first characters of the secret, by which you know it.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    works = serializers.BooleanField(help_text="Neither revoked nor expired.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class MeReply(serializers.Serializer[Any]):
    username = serializers.CharField(source="user.username")
    is_superuser = serializers.BooleanField(source="user.is_superuser", help_text="Sees every study.")
    token = TokenReply(allow_null=True, help_text="The one that was sent; null in a session.")


class Me(Endpoint):
    tag = "Account"
    resource = "me"

    @operation("Read who you are", reply=MeReply)
    def read(self, request: Request) -> Response:
        token = request.auth if isinstance(request.auth, ApiToken) else None
        return self.reply({"user": request.user, "token": token})


class Tokens(Endpoint):
    """Tokens are made on the page of the account alone: none can make another."""

    tag = "Account"
    resource = "tokens"

    @operation("List your tokens", query=PageQuery, reply=TokenReply, pages=True)
    def list(self, request: Request) -> Response:
        return self.page(ApiToken.objects.filter(user=request.user.pk))

    @operation("Revoke a token")
    def revoke(self, request: Request, public_id: str) -> Response:
        """For good. A token is made under Account, API tokens, and shown there once."""
        token_revoke(get_object_or_404(ApiToken, user=request.user.pk, public_id=public_id))
        return Response(status=204)
