"""What Azure's storage answers, as the four classes that decide about a retry.

A test stands behind every row. The question of each row is only: did the call take effect, and would the same call
later? A 5xx and silence after the request was sent say neither: OutcomeUnknown. Sources: "Status and error codes" and
"Blob Storage error codes" of the REST reference; azure-core, its exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient

Classified: TypeAlias = Transient | Permanent | Conflict | OutcomeUnknown
_Class: TypeAlias = type[Transient] | type[Permanent] | type[Conflict] | type[OutcomeUnknown]

# By x-ms-error-code first, then by status, then by the class of an error that is no answer.
CODE: Mapping[str, _Class] = {
    "BlobAlreadyExists": Conflict,  # 409: If-None-Match: * and a blob of that name
    "ConditionNotMet": Conflict,  # 412: the same, said by the general condition
    "UnauthorizedBlobOverwrite": Conflict,  # 403: it is there, and this identity may only create
    "BlobImmutableDueToPolicy": Conflict,  # 409: it is there, and may never be overwritten
    "LeaseIdMissing": Conflict,  # 412: it is there, and somebody holds a lease on it
    "ServerBusy": Transient,  # 503: refused before it was looked at
    "TooManyRequests": Transient,
    "AccountBeingCreated": Transient,
    "ContainerBeingDeleted": Permanent,
    "ContainerDisabled": Permanent,
    "ContainerNotFound": Permanent,
    "BlobNotFound": Permanent,
    "AccountIsDisabled": Permanent,
    "AuthenticationFailed": Permanent,
    "InvalidAuthenticationInfo": Permanent,
    "NoAuthenticationInformation": Permanent,
    "KeyBasedAuthenticationNotPermitted": Permanent,
    "AuthorizationFailure": Permanent,
    "AuthorizationPermissionMismatch": Permanent,
    "InsufficientAccountPermissions": Permanent,
    "InternalError": OutcomeUnknown,
    "OperationTimedOut": OutcomeUnknown,  # 500: "could not be completed within the permitted time"
}
STATUS: Mapping[int, _Class] = {
    400: Permanent,
    401: Permanent,
    403: Permanent,
    404: Permanent,
    405: Permanent,
    408: OutcomeUnknown,
    409: OutcomeUnknown,  # a conflict that its code does not explain
    411: Permanent,
    412: Conflict,
    413: Permanent,
    429: Transient,
    500: OutcomeUnknown,
    502: OutcomeUnknown,
    503: OutcomeUnknown,
    504: OutcomeUnknown,
}
# By the class's full name, the nearest ancestor first, so that naming them imports nothing.
EXCEPTION: Mapping[str, _Class] = {
    "azure.core.exceptions.ServiceRequestError": Transient,  # nothing was sent
    "azure.core.exceptions.ServiceResponseError": OutcomeUnknown,
    "azure.core.exceptions.IncompleteReadError": OutcomeUnknown,
    "azure.core.exceptions.ClientAuthenticationError": Permanent,  # no credentials, or expired ones
    "azure.core.exceptions.AzureError": OutcomeUnknown,
}
_LOGIN = frozenset(
    {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}
    | {"KeyBasedAuthenticationNotPermitted"}
)


def from_error(error: Exception, account: str, container: str) -> Classified:
    """The class of what the client raised. Whatever is in no table is OutcomeUnknown: look first."""
    code, status = code_of(error), _status_of(error)
    names = [f"{ancestor.__module__}.{ancestor.__qualname__}" for ancestor in type(error).__mro__]
    kind = CODE.get(code)
    if kind is None and status:
        kind = STATUS.get(status, OutcomeUnknown)
    if kind is None:
        kind = next((EXCEPTION[name] for name in names if name in EXCEPTION), OutcomeUnknown)
    first_line = " ".join(str(error).partition("\n")[0].split()) or type(error).__name__
    said = f"Blob Storage answered {status} {code}: {first_line}" if status else first_line
    if kind is Permanent:
        return Permanent(said, "", _to_do(status, code, account, container))
    return kind(said)


def code_of(error: Exception) -> str:
    """x-ms-error-code, or ""."""
    said = getattr(error, "error_code", None)
    return str(getattr(said, "value", said) or "")


def _status_of(error: Exception) -> int:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else 0


def _to_do(status: int, code: str, account: str, container: str) -> str:
    if status in {0, 401} or code in _LOGIN:
        return "Log in anew: az login (or see which managed identity this machine has)."
    if status == 403:
        return (
            f"Give this identity a role on the account {account}, and see that its network rules let this machine in: "
            "az role assignment create --role 'Storage Blob Data Contributor' --assignee WHO --scope ID"
        )
    return f"See whether the container is there: az storage container show --account-name {account} --name {container}"
