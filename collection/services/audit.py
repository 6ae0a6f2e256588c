"""The audit trail: who changed, exported, deleted what.

Services write it, so that it does not matter whether a page, the API, a command or a worker called
them; whoever acts is set once, at the edge.
"""

import contextlib
import getpass
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from celery import current_app
from django.contrib.auth.models import AbstractBaseUser

from collection.models import AuditEntry, Study
from variants.jobs import Job

J = TypeVar("J", bound=Job)

_actor: ContextVar[AbstractBaseUser | str | None] = ContextVar("actor", default=None)
_means: ContextVar[str] = ContextVar("means", default="")


@contextlib.contextmanager
def acting(actor: AbstractBaseUser | str, means: str = "") -> Iterator[None]:
    """What is recorded inside was done by this user, or by this name: "participant", "worker".

    `means` is told beside the name, such as "token ton_3hR2x9Qw".
    """
    tokens = _actor.set(actor), _means.set(means)
    try:
        yield
    finally:
        _actor.reset(tokens[0])
        _means.reset(tokens[1])


def for_orderer(work: Callable[[J], None]) -> Callable[[J], None]:
    """The work of a job, done in the name of whoever ordered it; for tasks."""

    def act(job: J) -> None:
        with acting(job.orderer or "worker"):
            work(job)

    return act


def current_actor() -> AbstractBaseUser | None:
    """The user who acts, where it is one."""
    actor = _actor.get()
    return actor if isinstance(actor, AbstractBaseUser) else None


def audit_record(action: str, study: Study | None = None, *, what: str = "", **details: Any) -> AuditEntry:
    """Add a line to the trail: `action` such as study.open; `details` must be JSON."""
    actor = _actor.get()
    user = actor if isinstance(actor, AbstractBaseUser) else None
    if user is not None:
        name = user.get_username()
        if means := _means.get():
            name = f"{name[: 147 - len(means)]} ({means})"
    else:
        name = str(actor) if actor else _program()
    return AuditEntry.objects.create(
        actor_id=user.pk if user is not None else None,
        actor_name=name[:150],
        study=study,
        study_slug=study.slug if study else "",
        action=action,
        what=what[:200],
        details=details,
    )


def _program() -> str:
    if current_app.current_task is not None:
        return "worker"
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):  # a container may run under a user without a name
        return "command line"
