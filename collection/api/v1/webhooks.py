"""Where a study's events are sent to. docs/webhooks.md says what a receiver gets."""

import json
from typing import Any

from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.access import require_role
from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import public_id
from collection.api.v1.pages import PageQuery
from collection.models import Role, Webhook, WebhookDelivery
from collection.services import webhooks
from collection.services.outgoing import MAX_ADDRESS
from collection.services.webhooks import WebhookError

PREFIX = "msg_"


class WebhookCreate(Strict):
    address = serializers.CharField(max_length=MAX_ADDRESS, help_text="https, of the internet.")
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=Webhook.Event.choices),
        min_length=1,
        max_length=len(Webhook.Event),
    )


class WebhookChange(Strict):
    """What is left out stays as it is."""

    address = serializers.CharField(max_length=MAX_ADDRESS, required=False)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=Webhook.Event.choices),
        min_length=1,
        max_length=len(Webhook.Event),
        required=False,
    )
    is_active = serializers.BooleanField(
        required=False, help_text="True sends what waits, and takes up one that the site has switched off."
    )


class WebhookReply(serializers.Serializer[Any]):
    id = public_id()
    study = serializers.CharField(source="study.slug")
    address = serializers.SerializerMethodField(help_text="To viewers scheme and host alone.")
    events = serializers.ListField(child=serializers.ChoiceField(choices=Webhook.Event.choices))
    is_active = serializers.BooleanField()
    failing_since = serializers.DateTimeField(allow_null=True, help_text="Nothing has got through since.")
    stopped_because = serializers.CharField(help_text="Why the site has switched it off; empty otherwise.")
    needs_new_secret = serializers.BooleanField(
        source="is_key_lost", help_text="SECRET_KEY has changed: nothing is sent until there is a new one."
    )
    created_at = serializers.DateTimeField()

    def get_address(self, webhook: Webhook) -> str:
        role = webhook.study.your_role
        return webhook.address if role and role.can_edit else webhook.place


class SecretReply(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="whsec_ and the key in base64. It is told only now.")


class MadeReply(SecretReply, WebhookReply):
    """With the secret that it signs with."""


class DeliveryReply(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField(help_text="`webhook-id` is msg_ and this.")
    event = serializers.CharField()
    state = serializers.ChoiceField(choices=WebhookDelivery.State.choices)
    payload = serializers.SerializerMethodField()
    tries = serializers.IntegerField(help_text="Of the present round.")
    next_try_at = serializers.DateTimeField(help_text="Where it waits.")
    tried_at = serializers.DateTimeField(allow_null=True)
    status_code = serializers.IntegerField(allow_null=True, help_text="Of the last reply.")
    error = serializers.CharField(help_text="Why the last try failed; empty otherwise.")
    duration_ms = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_id(self, delivery: WebhookDelivery) -> str:
        return delivery.message_id.removeprefix(PREFIX)

    def get_payload(self, delivery: WebhookDelivery) -> dict[str, Any]:
        return dict(json.loads(delivery.payload))


class StudyWebhooks(Endpoint):
    tag = "Webhooks"
    resource = "study_webhooks"

    @operation("List a study's webhooks", query=PageQuery, reply=WebhookReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        return self.page(self.study().webhooks.all())

    @operation("Add a webhook", body=WebhookCreate, reply=MadeReply, status=201, secret=True)
    def create(self, request: Request, slug: str) -> Response:
        """Its secret is told now and never again. It takes no Idempotency-Key, as no secret is kept."""
        study = self.study(Role.EDITOR)
        try:
            webhook = webhooks.webhook_create(study, **self.body)
        except WebhookError as error:
            raise exceptions.ValidationError({"address": [str(error)]}) from error
        response = self.reply(webhook)
        response["Location"] = f"/api/v1/webhooks/{webhook.public_id}/"
        return response


class Webhooks(Endpoint):
    tag = "Webhooks"
    resource = "webhooks"

    @operation("Read a webhook", reply=WebhookReply)
    def read(self, request: Request, public_id: str) -> Response:
        return self.reply(self._webhook())

    @operation("Change a webhook", body=WebhookChange, reply=WebhookReply)
    def change(self, request: Request, public_id: str) -> Response:
        webhook = self._webhook(Role.EDITOR)
        try:
            webhooks.webhook_change(webhook, **self.body)
        except WebhookError as error:
            raise exceptions.ValidationError({"address": [str(error)]}) from error
        return self.reply(webhook)

    @operation("Delete a webhook")
    def remove(self, request: Request, public_id: str) -> Response:
        """Its log goes with it, and what waits is not sent."""
        webhooks.webhook_delete(self._webhook(Role.EDITOR))
        return Response(status=204)

    @operation("Make a new secret", reply=SecretReply, secret=True)
    def renew(self, request: Request, public_id: str) -> Response:
        """The one before signs nothing from then on. It takes no Idempotency-Key, as no secret is kept."""
        webhook = self._webhook(Role.EDITOR)
        webhooks.webhook_renew_secret(webhook)
        return self.reply(webhook)

    @operation("Send a test event", reply=DeliveryReply, status=201)
    def test(self, request: Request, public_id: str) -> Response:
        """It waits where the webhook is switched off."""
        return self.reply(webhooks.webhook_test(self._webhook(Role.EDITOR)))

    @operation("List a webhook's deliveries", query=PageQuery, reply=DeliveryReply, pages=True)
    def deliveries(self, request: Request, public_id: str) -> Response:
        """Of the last 30 days."""
        return self.page(WebhookDelivery.objects.filter(webhook=self._webhook()))

    def _webhook(self, needs: Role = Role.VIEWER) -> Webhook:
        webhook = Webhook.objects.select_related("study").filter(public_id=self.kwargs["public_id"]).first()
        if webhook is None:
            raise Http404("There is no such webhook.")
        require_role(self.user, webhook.study, needs)
        return webhook


class Deliveries(Endpoint):
    tag = "Webhooks"
    resource = "webhook_deliveries"

    @operation("Send a delivery again", reply=DeliveryReply)
    def resend(self, request: Request, public_id: str) -> Response:
        """Under the same `webhook-id`: a receiver that has it already sees that."""
        found = WebhookDelivery.objects.select_related("webhook__study")
        delivery = found.filter(message_id=f"{PREFIX}{public_id}").first()
        if delivery is None:
            raise Http404("There is no such delivery; they are kept for 30 days.")
        require_role(self.user, delivery.webhook.study, Role.EDITOR)
        webhooks.delivery_resend(delivery)
        return self.reply(delivery)
