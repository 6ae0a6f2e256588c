"""Pages about a study's webhooks: where its events go, with which secret, and what became of each."""

import json

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from collection.access import require_role, study_for
from collection.models import Role, Study, Webhook, WebhookDelivery
from collection.researcher.pages import page_of
from collection.services import webhooks
from collection.services.outgoing import MAX_ADDRESS
from collection.services.webhooks import KEEP, MOST_OF_A_STUDY, WebhookError

DELIVERIES_PER_PAGE = 25
SHOWN_KEY = "webhook_with_new_secret"
"""In an editor's session, until the page has shown the secret: its webhook, not the secret."""


class WebhookForm(forms.Form):
    address = forms.CharField(max_length=MAX_ADDRESS)
    events = forms.MultipleChoiceField(
        choices=Webhook.Event.choices,
        initial=[Webhook.Event.SESSION_FINISHED],
        error_messages={"required": "Choose at least one event."},
    )


@login_required
@require_safe
def study_webhooks(request: HttpRequest, slug: str) -> HttpResponse:
    return _list_page(request, study_for(request, slug), WebhookForm())


@login_required
@require_POST
def webhook_create(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            webhook = webhooks.webhook_create(study, **form.cleaned_data)
        except WebhookError as error:
            form.add_error("address", str(error))
        else:
            request.session[SHOWN_KEY] = webhook.public_id
            return redirect(webhook)
    return _list_page(request, study, form)


@login_required
@require_safe
def webhook_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    webhook = _webhook(request, public_id)
    initial = {"address": webhook.address, "events": webhook.events}
    return _detail_page(request, webhook, WebhookForm(initial))


@login_required
@require_POST
def webhook_change(request: HttpRequest, public_id: str) -> HttpResponse:
    webhook = _webhook(request, public_id, Role.EDITOR)
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            webhooks.webhook_change(webhook, **form.cleaned_data)
        except WebhookError as error:
            form.add_error("address", str(error))
        else:
            messages.success(request, "The webhook is changed. What waits goes to the new address.")
            return redirect(webhook)
    return _detail_page(request, webhook, form)


@login_required
@require_POST
def webhook_switch(request: HttpRequest, public_id: str) -> HttpResponse:
    """On or off, as `is_active` says."""
    webhook = _webhook(request, public_id, Role.EDITOR)
    is_active = request.POST.get("is_active") == "yes"
    webhooks.webhook_change(webhook, is_active=is_active)
    messages.success(request, f"The webhook is switched {'on' if is_active else 'off'}.")
    return redirect(webhook)


@login_required
@require_POST
def webhook_renew(request: HttpRequest, public_id: str) -> HttpResponse:
    webhook = _webhook(request, public_id, Role.EDITOR)
    webhooks.webhook_renew_secret(webhook)
    request.session[SHOWN_KEY] = webhook.public_id
    return redirect(webhook)


@login_required
@require_POST
def webhook_test(request: HttpRequest, public_id: str) -> HttpResponse:
    webhook = _webhook(request, public_id, Role.EDITOR)
    webhooks.webhook_test(webhook)
    messages.info(request, "A test event is written down. A worker sends it at once; load the page again.")
    return redirect(webhook)


@login_required
@require_POST
def webhook_delete(request: HttpRequest, public_id: str) -> HttpResponse:
    webhook = _webhook(request, public_id, Role.EDITOR)
    webhooks.webhook_delete(webhook)
    messages.success(request, f"The webhook to {webhook.place} is deleted, and its log.")
    return redirect("researcher:study-webhooks", webhook.study.slug)


@login_required
@require_safe
def delivery_detail(request: HttpRequest, public_id: str, message_id: str) -> HttpResponse:
    delivery = _delivery(request, public_id, message_id)
    context = {
        "area": "studies",
        "study": delivery.webhook.study,
        "webhook": delivery.webhook,
        "delivery": delivery,
        "payload": json.dumps(json.loads(delivery.payload), indent=2, ensure_ascii=False),
    }
    return render(request, "researcher/webhook_delivery.html", context)


@login_required
@require_POST
def delivery_resend(request: HttpRequest, public_id: str, message_id: str) -> HttpResponse:
    delivery = _delivery(request, public_id, message_id, Role.EDITOR)
    webhooks.delivery_resend(delivery)
    messages.info(request, "It is sent again, under the same id.")
    return redirect("researcher:webhook-delivery", public_id, message_id)


def _webhook(request: HttpRequest, public_id: str, needs: Role = Role.VIEWER) -> Webhook:
    webhook = get_object_or_404(Webhook.objects.select_related("study", "created_by"), public_id=public_id)
    require_role(request.user, webhook.study, needs)
    return webhook


def _delivery(
    request: HttpRequest, public_id: str, message_id: str, needs: Role = Role.VIEWER
) -> WebhookDelivery:
    webhook = _webhook(request, public_id, needs)
    delivery = get_object_or_404(webhook.deliveries, message_id=message_id)
    delivery.webhook = webhook
    return delivery


def _list_page(request: HttpRequest, study: Study, form: WebhookForm) -> HttpResponse:
    context = {
        "area": "studies",
        "study": study,
        "webhooks": study.webhooks.annotate(last_at=Max("deliveries__tried_at")),
        "form": form,
        "event_choices": _event_choices(form),
        "most": MOST_OF_A_STUDY,
    }
    return render(request, "researcher/study_webhooks.html", context, status=422 if form.errors else 200)


def _detail_page(request: HttpRequest, webhook: Webhook, form: WebhookForm) -> HttpResponse:
    role = webhook.study.your_role
    is_fresh = request.session.get(SHOWN_KEY) == webhook.public_id and role is not None and role.can_edit
    if is_fresh:
        del request.session[SHOWN_KEY]
    context = {
        "area": "studies",
        "study": webhook.study,
        "webhook": webhook,
        "secret": webhook.secret if is_fresh else "",
        "page": page_of(request, Paginator(webhook.deliveries.defer("payload"), DELIVERIES_PER_PAGE)),
        "keep_days": KEEP.days,
        "form": form,
        "event_choices": _event_choices(form),
    }
    reply = render(request, "researcher/webhook_detail.html", context, status=422 if form.errors else 200)
    if is_fresh:
        reply["Cache-Control"] = "no-store"
    return reply


def _event_choices(form: WebhookForm) -> list[tuple[str, str, bool]]:
    """Value, words, whether it is chosen."""
    chosen = form["events"].value() or []
    return [(value, label, value in chosen) for value, label in Webhook.Event.choices]
