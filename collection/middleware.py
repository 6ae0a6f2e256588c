from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from collection.services.audit import acting


class ActorMiddleware:
    """What a request changes was done by whoever is signed in, or by a participant."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(("/research/", "/api/v1/", "/admin/", "/accounts/")):
            with acting("participant"):  # without a look at the sign-in, which costs a query
                return self.get_response(request)
        with acting(request.user if request.user.is_authenticated else "visitor"):
            return self.get_response(request)
