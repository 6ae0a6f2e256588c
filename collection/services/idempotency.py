"""Once, however often it is asked for: a key in the request, and its reply kept for a day."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone

from collection.models import KeptReply

KEPT_FOR = dt.timedelta(hours=24)


class KeyReused(ValueError):
    """The key came with another request before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    status: int
    body: str
    """As JSON."""
    headers: dict[str, str]
    is_replayed: bool = False


def done_once(user_id: int, key: str, request_sha256: str, do: Callable[[], Reply]) -> Reply:
    """The reply that the key has, or else that of `do`, which is kept with all that it changed, or neither is.

    Of several at a time one does it: the others wait at the key's row until it is through, and get
    its reply, or do it themselves where it failed. Raises KeyReused, and whatever `do` raises.
    """
    KeptReply.objects.filter(user=user_id, created_at__lt=timezone.now() - KEPT_FOR).delete()
    with transaction.atomic():
        if kept := _row_made(user_id, key, request_sha256):
            reply = do()
            kept.status, kept.body, kept.headers = reply.status, reply.body, reply.headers
            kept.save(update_fields=["status", "body", "headers"])
            return reply
    kept = KeptReply.objects.get(user=user_id, key=key)
    if kept.request_sha256 != request_sha256:
        raise KeyReused(f"the key {key!r} came with another request before; a new request takes a new key")
    return Reply(status=kept.status, body=kept.body, headers=kept.headers, is_replayed=True)


def _row_made(user_id: int, key: str, request_sha256: str) -> KeptReply | None:
    """None where the key is taken; waits while another transaction is about to take it."""
    try:
        with transaction.atomic():
            return KeptReply.objects.create(user_id=user_id, key=key, request_sha256=request_sha256)
    except IntegrityError:
        return None
