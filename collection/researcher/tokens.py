"""The page of one's API tokens: made, shown once, revoked."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from collection.access import User
from collection.models import ApiToken, Scope
from collection.services.tokens import token_create, token_revoke

LIVES = [("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "until it is revoked")]
MOST = 50


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, label="What it is for")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=[Scope.READ.value],
        label="What it may do, of what you may",
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.ChoiceField(choices=LIVES, initial="90", required=False, label="Works for")

    @property
    def expires_at(self) -> dt.datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + dt.timedelta(days=int(days)) if days else None


@never_cache
@login_required
def token_list(request: HttpRequest) -> HttpResponse:
    """GET: all of one's tokens. POST: makes one, and shows its secret on the page that comes back, and never again."""
    form = TokenForm(request.POST or None)
    context: dict[str, Any] = {}
    tokens = _tokens(request.user)
    if request.method == "POST" and form.is_valid():
        if sum(token.works for token in tokens) >= MOST:
            form.add_error(None, f"You have {MOST} tokens that work; revoke some first.")
        else:
            assert request.user.is_authenticated
            context["token"], context["secret"] = token_create(
                request.user,
                form.cleaned_data["name"],
                form.cleaned_data["scopes"],
                expires_at=form.expires_at,
            )
            form, tokens = TokenForm(), _tokens(request.user)
    context |= {"area": "account", "form": form, "tokens": tokens, "home": request.build_absolute_uri("/")}
    status = 422 if form.errors else 201 if "token" in context else 200
    return render(request, "researcher/tokens.html", context, status=status)


@login_required
@require_POST
def token_withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    token = get_object_or_404(_tokens(request.user), public_id=public_id)
    token_revoke(token)
    messages.success(request, f"The token {token} works no longer.")
    return redirect("researcher:token-list")


def _tokens(user: User) -> Any:
    return ApiToken.objects.filter(user=user.pk)
