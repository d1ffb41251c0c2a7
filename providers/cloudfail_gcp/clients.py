"""The door to Google's HTTP APIs: one authorised session for each kind of credentials, made when it is first needed.

No request is repeated in here. A client that repeats a create meets its own first one, and one that waits between
attempts does so on a clock which is not ours: whether a call may be made again is decided by its error's class
(errors.py), by those who hold the lease. What google-auth repeats are requests for a token, before any of ours is sent,
and a request that was answered 401, which had no effect.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

STORAGE = "https://storage.googleapis.com"
_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_TOKEN_SECONDS = 5.0
# As many connections as a store reads with at once, and some for the other threads of a worker.
_CONNECTIONS = 16

_lock = threading.Lock()
_sessions: dict[bool, requests.Session] = {}


def storage_endpoint() -> str:
    """Where Cloud Storage answers: an emulator if STORAGE_EMULATOR_HOST names one, as Google's own clients have it."""
    said = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if not said:
        return STORAGE
    return said if "://" in said else f"http://{said}"


def session(endpoint: str) -> requests.Session:
    """The session for that endpoint: without credentials for an emulator, with the environment's own for Google.
    Raises what `failures` names."""
    anonymous = endpoint != STORAGE
    with _lock:
        if anonymous not in _sessions:
            _sessions[anonymous] = new_session(anonymous=anonymous)
        return _sessions[anonymous]


def new_session(*, anonymous: bool) -> requests.Session:
    """A session of its own. Credentials are looked for as every tool of Google's does (ADC)."""

    def credentials(request: Any) -> Any:
        import google.auth
        from google.auth.credentials import AnonymousCredentials

        if anonymous:
            return AnonymousCredentials()  # type: ignore[no-untyped-call]
        found, _ = google.auth.default(scopes=_SCOPES, request=request)
        return found

    return session_of(credentials)


def session_of(credentials: Callable[[Any], Any]) -> requests.Session:
    """A session of its own, as whom `credentials` says; it is given what asks for tokens."""
    import requests
    from google.auth.transport.requests import AuthorizedSession, Request

    tokens = Request(requests.Session())
    made: requests.Session = AuthorizedSession(  # type: ignore[no-untyped-call]
        credentials(tokens), refresh_timeout=_TOKEN_SECONDS, auth_request=tokens
    )
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=0)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def failures() -> tuple[type[Exception], ...]:
    """What a request, or the search for credentials, may raise."""
    import requests
    from google.auth.exceptions import GoogleAuthError

    return requests.RequestException, GoogleAuthError
