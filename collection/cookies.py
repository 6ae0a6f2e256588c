"""The first-party cookies that participants are known by: random tokens, and nothing else."""

from django.http import HttpRequest, HttpResponseBase

PERSON_COOKIE = "tonalist_person"
DEVICE_COOKIE = "tonalist_device"
COOKIE_SECONDS = 400 * 24 * 3600  # browsers keep none longer


def cookie_set(request: HttpRequest, response: HttpResponseBase, name: str, value: str) -> None:
    """A cookie that lasts, stays with this site and is out of reach of scripts."""
    response.set_cookie(
        name, value, max_age=COOKIE_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure()
    )
