"""How researchers sign in: what allauth and axes are told beyond their settings."""

import ipaddress
import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import filter_users_by_email
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from collection.selectors.members import invitation_of_session
from collection.services.audit import acting
from collection.services.members import MemberError, member_join
from collection.throttling import address_of
from config.environment import PRINTED

logger = logging.getLogger(__name__)

username_validators = [
    # No @: who signs in with an address must not meet an account that is only named like it.
    RegexValidator(r"^[\w.+-]+\Z", "A user name has only letters, digits and the characters . + - _"),
]


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = DefaultAccountAdapter.error_messages | {
        f"{way}_password_mismatch": "The name or the password is wrong." for way in ("username", "email")
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """By SIGN_UP; an empty site takes its first account wherever accounts can be made at all."""
        if settings.SIGN_UP == "invited":
            return invitation_of_session(request.session) is not None or is_empty_site()
        return bool(settings.SIGN_UP == "open")

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """Whoever makes an account by an invitation is a member at once: the invitation makes one account."""
        user = super().save_user(request, user, form, commit)
        if commit and (invitation := invitation_of_session(request.session)):
            with acting(user):
                try:
                    member_join(invitation, user)
                except MemberError as error:
                    messages.error(request, str(error))
        return user

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Nobody loses a page because the mail server is away."""
        try:
            super().send_mail(template_prefix, email, context)
        except (SMTPException, OSError):
            logger.exception("no mail could be sent: %s", template_prefix)
            if self.request is not None:
                messages.error(
                    self.request,
                    "The site could not send its mail. Try again later, or tell whoever runs it.",
                )


def account_context(request: HttpRequest) -> dict[str, Any]:
    """What the pages of accounts say of this site."""
    return {
        "sign_up": settings.SIGN_UP,
        "site_is_empty": is_empty_site,  # asked only where a page wants to know
        "mail_is_printed": settings.EMAIL_BACKEND == PRINTED,
    }


def is_empty_site() -> bool:
    return not get_user_model()._default_manager.exists()


def guessed_username(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Whose password is tried, the same by name and by address; for axes."""
    given = credentials or {}
    name = given.get("username") or given.get("email") or request.POST.get("login", "")
    name = str(name).strip()
    if "@" in name and (users := filter_users_by_email(name, is_active=True)):
        name = users[0].get_username()
    return name.lower()[:255]


def guessing_address(request: HttpRequest) -> str | None:
    """The client's address as a column takes it: of an IPv6 household the first one; for axes."""
    try:
        return str(ipaddress.ip_network(address_of(request), strict=False).network_address)
    except ValueError:
        return None


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: object) -> HttpResponse:
    """In place of the page that answers a wrong password once too often; for axes."""
    context = {"minutes": int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)}
    return render(request, "account/locked_out.html", context, status=429)
