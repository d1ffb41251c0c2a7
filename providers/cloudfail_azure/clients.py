"""The door to Azure's storage: one client for each account, made when it is first needed.

The client repeats no request (`retry_total=0`): one that repeats a create meets its own first one, and one that waits
between attempts does so on a clock which is not ours. Whether a call may be made again is decided by its error's class
(errors.py), by those who hold the lease. Nor does it ever turn to an account's secondary, which lags behind.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0

CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"

_lock = threading.Lock()
_services: dict[str, BlobServiceClient] = {}
_credentials: list[Any] = []


def connection_string() -> str:
    """What the environment says, as it does for Azure's own tools; "" if nothing."""
    return os.environ.get(CONNECTION_STRING, "").strip()


def account_of(text: str) -> str:
    """The account that a connection string is for; "" where it does not say."""
    said = {
        name.strip().upper(): value for name, found, value in (part.partition("=") for part in text.split(";")) if found
    }
    if said.get("USEDEVELOPMENTSTORAGE", "").lower() == "true":
        return "devstoreaccount1"
    host = said.get("BLOBENDPOINT", "").partition("://")[2].partition(".")[0]
    return said.get("ACCOUNTNAME") or host


def service(endpoint: str) -> BlobServiceClient:
    """The account's client. A connection string in the environment goes before `endpoint`, and brings a key; otherwise
    the credentials are those that every tool of Azure's finds. Raises ValueError for a string that cannot be read."""
    said = connection_string()
    with _lock:
        if (said or endpoint) not in _services:
            _services[said or endpoint] = new_service(endpoint, said)
        return _services[said or endpoint]


def new_service(endpoint: str, said: str = "", **more: Any) -> BlobServiceClient:
    """A client of its own. `more` goes before our own settings."""
    from azure.storage.blob import BlobServiceClient

    settings: dict[str, Any] = {
        "retry_total": 0,
        "retry_to_secondary": False,
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        **more,
    }
    if said:
        return BlobServiceClient.from_connection_string(said, **settings)
    return BlobServiceClient(endpoint, credential=_credential(), **settings)


def _credential() -> Any:
    from azure.identity import DefaultAzureCredential

    if not _credentials:
        # It writes a page about every place where it found nothing. Ours is one error, with the command that helps.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        _credentials.append(
            DefaultAzureCredential(retry_total=0, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
        )
    return _credentials[0]


def failures() -> tuple[type[Exception], ...]:
    """What a request, or the search for credentials, may raise."""
    from azure.core.exceptions import AzureError

    return (AzureError,)
