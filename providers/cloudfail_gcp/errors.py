"""What Google's control planes answer, as the four classes that decide about a retry (Cloud Storage: store_errors.py).

A test stands behind every row. Sources: Compute Engine, "Errors and error codes"; Cloud DNS, Cloud SQL Admin and the
other APIs' references; google.rpc.Code. The reason of an answer counts before its status, since one status stands for
several things: a 409 is a name that is taken, an operation that is under way, or a resource that is in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient

Classified: TypeAlias = Transient | Permanent | Conflict | OutcomeUnknown
_Class: TypeAlias = type[Transient] | type[Permanent] | type[Conflict] | type[OutcomeUnknown]

REASON: Mapping[str, _Class] = {
    "conditionNotMet": Conflict,  # 412: a fingerprint, an ETag or a version that is no longer so
    "alreadyExists": Conflict,  # 409: the name is taken; nothing was done
    "preconditionFailed": Conflict,
    "staleData": Conflict,  # 412, Cloud SQL: `settingsVersion` is not the newest
    "resourceNotReady": Transient,  # 400 or 409: something else is under way on it
    "operationInProgress": Transient,  # 409, Cloud SQL: one operation at a time on an instance
    "resourceInUseByAnotherResource": Permanent,
    "rateLimitExceeded": Transient,  # 429, and 403 of older services: refused before it was looked at
    "userRateLimitExceeded": Transient,
    "quotaExceeded": Permanent,  # of what may exist; waiting does not raise it
    "authError": Permanent,
    "forbidden": Permanent,
    "insufficientPermissions": Permanent,
    "accessNotConfigured": Permanent,  # the API is not enabled in the project
    "notFound": Permanent,
    "instanceDoesNotExist": Permanent,  # 404, Cloud SQL
    "invalid": Permanent,
    "invalidParameter": Permanent,
    "required": Permanent,
    "badRequest": Permanent,
    "backendError": OutcomeUnknown,
    "internalError": OutcomeUnknown,
}
# google.rpc.Code, as newer APIs say it in `error.status`.
CODE: Mapping[str, _Class] = {
    "ABORTED": Conflict,  # a concurrent change; documented as having had no effect
    "ALREADY_EXISTS": Conflict,
    "FAILED_PRECONDITION": Conflict,
    "RESOURCE_EXHAUSTED": Transient,
    "INVALID_ARGUMENT": Permanent,
    "NOT_FOUND": Permanent,
    "PERMISSION_DENIED": Permanent,
    "UNAUTHENTICATED": Permanent,
    "UNIMPLEMENTED": Permanent,
    "OUT_OF_RANGE": Permanent,
    "DEADLINE_EXCEEDED": OutcomeUnknown,
    "UNAVAILABLE": OutcomeUnknown,
    "INTERNAL": OutcomeUnknown,
    "UNKNOWN": OutcomeUnknown,
    "CANCELLED": OutcomeUnknown,
    "DATA_LOSS": OutcomeUnknown,
}
STATUS: Mapping[int, _Class] = {
    400: Permanent,
    401: Permanent,  # after google-auth has asked for a new token
    403: Permanent,
    404: Permanent,
    405: Permanent,
    409: OutcomeUnknown,  # without a reason it is not said which of two took effect
    412: Conflict,
    413: Permanent,
    429: Transient,
}
THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED"})


@dataclass(frozen=True)
class Refusal:
    """An answer that is no success. reason: `error.errors[0].reason`; code: `error.status`."""

    status: int
    reason: str
    code: str
    message: str

    @property
    def throttled(self) -> bool:
        return self.status == 429 or self.reason in THROTTLED or self.code in THROTTLED


class Answered(Exception):
    """What Google said, as the cause of the error that it became."""

    def __init__(self, said: Refusal) -> None:
        super().__init__(said.message)
        self.said = said


def refusal(status: int, body: Any) -> Refusal:
    """`body`: the JSON that came, or anything else."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return Refusal(status, "", "", "")
    items = error.get("errors")
    first = items[0] if isinstance(items, list) and items and isinstance(items[0], Mapping) else {}
    message = str(error.get("message") or first.get("message") or "")
    return Refusal(status, str(first.get("reason") or ""), str(error.get("status") or ""), message)


def from_refusal(said: Refusal, what: str, retry_after_seconds: float | None = None) -> Classified:
    """The class of an answer. One that is in no table is OutcomeUnknown: look first."""
    kind = REASON.get(said.reason) or CODE.get(said.code) or STATUS.get(said.status, OutcomeUnknown)
    told = " ".join(said.message.split()) or "no message"
    words = f"{what}: {told} ({said.reason or said.code or said.status})"
    if kind is Transient:
        return Transient(words, retry_after_seconds=retry_after_seconds)
    return kind(words)


def from_operation(error: Mapping[str, Any], what: str) -> Classified:
    """The class of an operation that ended in an error. It was carried out as far as it came: what that is, a look
    tells; so what is no plain refusal is OutcomeUnknown."""
    items = error.get("errors")
    first = items[0] if isinstance(items, list) and items and isinstance(items[0], Mapping) else error
    code, message = str(first.get("code") or ""), " ".join(str(first.get("message") or "").split())
    words = f"{what}: {message or 'no message'} ({code or 'no code'})"
    return OPERATION.get(code, OutcomeUnknown)(words)


OPERATION: Mapping[str, _Class] = {
    "RESOURCE_NOT_FOUND": Permanent,
    "RESOURCE_ALREADY_EXISTS": Conflict,
    "CONDITION_NOT_MET": Conflict,
    "IP_IN_USE_BY_ANOTHER_RESOURCE": Conflict,  # somebody else was given the address
    "INVALID_USAGE": Permanent,
    "INVALID_FIELD_VALUE": Permanent,
    "PERMISSIONS_ERROR": Permanent,
    "QUOTA_EXCEEDED": Permanent,
    "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": Permanent,
    "RESOURCE_NOT_READY": Transient,
    "ZONE_RESOURCE_POOL_EXHAUSTED": Transient,
}
"""`error.errors[0].code` of an operation of Compute Engine."""


# By the class's full name, the nearest ancestor first, so that naming them imports nothing.
EXCEPTION: Mapping[str, _Class] = {
    "requests.exceptions.ConnectTimeout": Transient,  # nothing was sent
    # urllib3 says so of every connection through a proxy that it has closed, also after the request was sent:
    # HTTPConnection.close forgets that it was connected.
    "requests.exceptions.ProxyError": OutcomeUnknown,
    "requests.exceptions.SSLError": Permanent,  # the certificate is not trusted: nothing was sent
    "requests.exceptions.InvalidURL": Permanent,
    "requests.exceptions.ReadTimeout": OutcomeUnknown,
    "requests.exceptions.ConnectionError": OutcomeUnknown,
    "requests.exceptions.ChunkedEncodingError": OutcomeUnknown,
    "requests.exceptions.RequestException": OutcomeUnknown,
    "google.auth.exceptions.DefaultCredentialsError": Permanent,  # there are none
    "google.auth.exceptions.RefreshError": Permanent,  # expired or withdrawn
    "google.auth.exceptions.TransportError": Transient,  # the token's server was not reached; nothing was sent
    "google.auth.exceptions.GoogleAuthError": Permanent,
}


def from_exception(error: Exception, what: str) -> Classified:
    """The class of what a session raised instead of an answer."""
    names = [f"{ancestor.__module__}.{ancestor.__qualname__}" for ancestor in type(error).__mro__]
    kind = next((EXCEPTION[name] for name in names if name in EXCEPTION), OutcomeUnknown)
    return kind(f"{what}: {' '.join(str(error).split()) or type(error).__name__}")
