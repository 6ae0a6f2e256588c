"""What can go wrong, by kind."""

from typing import Any

import httpx


class TonalistError(Exception):
    """Whatever this package raises."""


class Unreachable(TonalistError):
    """The site did not answer, however often it was asked."""


class JobFailed(TonalistError):
    """A job failed or was cancelled; `job` is its last state."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__(f"the job {job['id']} is {job['state']}: {job['error'] or 'somebody stopped it'}")
        self.job = job


class JobTimeout(TonalistError):
    """A job was not over in the time that was given; it goes on."""


class DownloadChanged(TonalistError):
    """The file on the site is not the one that the download began with."""


class ApiError(TonalistError):
    """The site refused; the message is its own sentence. `problem` is its problem detail (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"status {status}"))
        self.status, self.problem = status, problem

    @property
    def code(self) -> str:
        """For programs; it stays."""
        return str(self.problem.get("code", ""))


class NotAuthenticated(ApiError):
    """The token is wrong, revoked or expired."""


class NotAllowed(ApiError):
    """The token, or its owner, may not do this."""


class NotFound(ApiError):
    """There is nothing there, or nothing that one may see."""


class Conflict(ApiError):
    """The present state does not allow it."""


class ChangedMeanwhile(ApiError):
    """Somebody has changed it since it was read."""


class Invalid(ApiError):
    """A field or parameter is wrong."""

    @property
    def errors(self) -> dict[str, str]:
        """Field → what is wrong with it."""
        return {error["field"]: error["detail"] for error in self.problem.get("errors", [])}


class Throttled(ApiError):
    """Too many requests, and still after all tries."""


class ServerError(ApiError):
    """Something went wrong on the site."""


KINDS: dict[int, type[ApiError]] = {
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: ChangedMeanwhile,
    422: Invalid,
    429: Throttled,
}


def error_of(response: httpx.Response) -> ApiError:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    kind = KINDS.get(response.status_code, ServerError if response.status_code >= 500 else ApiError)
    return kind(response.status_code, problem)
