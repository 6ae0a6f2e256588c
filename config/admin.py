"""Second factors, for support: who has one, and taking it away where the phone is lost; never its secret."""

from typing import TYPE_CHECKING, Any

import allauth.mfa.admin  # noqa: F401  registers a page of its own, with the secret, which this one replaces
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.http import HttpRequest

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin

admin.site.unregister(Authenticator)


@admin.register(Authenticator)
class AuthenticatorAdmin(Base):
    list_display = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "=user__email")
    exclude = ("data",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
