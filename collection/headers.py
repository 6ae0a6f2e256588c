"""What a browser may do with our replies: by default, show them alone and run nothing but our own files."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

DENIED = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "usb")
"""Features of browsers that no page of ours has a use for; a photo is chosen as a file."""
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in DENIED)


def content_policy(*, form_action: str = "'self'", frame_ancestors: str = "'none'") -> str:
    """Nothing from elsewhere, and no script or style inside the page."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action {form_action}; base-uri 'none'; frame-ancestors {frame_ancestors}"
    )


CONTENT_POLICY = content_policy()


class HeadersMiddleware:
    """The same for every reply, static files and the admin included; a view that needs another policy sets its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        # Django's own pages for developers have their style and script inside.
        if not (settings.DEBUG and response.status_code in (404, 500)):
            response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
        return response
