"""Reads and steers the studies of a Tonalist site."""

from tonalist_client.client import Client
from tonalist_client.errors import (
    ApiError,
    ChangedMeanwhile,
    Conflict,
    DownloadChanged,
    Invalid,
    JobFailed,
    JobTimeout,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    ServerError,
    Throttled,
    TonalistError,
    Unreachable,
)
from tonalist_client.rows import Rows
from tonalist_client.study import Study

__all__ = [
    "ApiError",
    "ChangedMeanwhile",
    "Client",
    "Conflict",
    "DownloadChanged",
    "Invalid",
    "JobFailed",
    "JobTimeout",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "Rows",
    "ServerError",
    "Study",
    "Throttled",
    "TonalistError",
    "Unreachable",
]
