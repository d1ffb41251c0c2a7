"""What Azure Resource Manager and the providers behind it answer, as the four classes that decide about a retry.

A test stands behind every row. The code of an answer counts before its status, since one status stands for several
things: a 409 is an operation that is under way, a lock, or a state in which the request makes no sense. Sources:
"Common Azure deployment errors", "Azure Resource Manager throttling", the REST references of the providers; azure-core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_azure.errors import EXCEPTION, Classified, _Class

CODE: Mapping[str, _Class] = {
    "PreconditionFailed": Conflict,  # 412: an ETag that is no longer so
    "ConditionNotMet": Conflict,
    "PreconditionFailedError": Conflict,
    "AnotherOperationInProgress": Transient,  # 409: one operation at a time on it; nothing was done
    "ConcurrentRequestConflict": Transient,
    "ConflictingServerOperation": Transient,  # SQL, 409: "another operation is in progress on the server"
    "OperationInProgress": Transient,
    "ContainerAppOperationInProgress": Transient,  # 409: Container Apps has one operation at a time on an app
    # Of Azure SQL's failover groups and replication links.
    "FailoverGroupBusy": Transient,  # 409: "Failover Group is busy with another operation"
    "InstanceFailoverGroupBusy": Transient,
    "ConflictingSystemOperationInProgress": Transient,  # 409: maintenance
    "GeoReplicationCannotBecomePrimaryDuringUndo": Transient,  # 409: it is not consistent yet
    "OperationTimedOut": Transient,  # 500: "timed out and automatically rolled back"
    "FailoverGroupFailoverRequestOnPrimary": Conflict,  # 400: it is the primary already
    "FailoverGroupNotSecondary": Conflict,
    "InstanceFailoverGroupFailoverRequestOnPrimary": Conflict,
    "InstanceFailoverGroupNotSecondary": Conflict,
    "GeoReplicationDatabaseNotSecondary": Conflict,
    "ServerBusy": Transient,
    "ServerIsBusy": Transient,  # the database servers' own word
    "ServerIsNotReady": Transient,  # theirs too: something else is under way on it, and nothing was done
    "RetryableError": Transient,  # 429 and 409 of Microsoft.Network: "a retryable error occurred"
    "TooManyRequests": Transient,
    "SubscriptionRequestsThrottled": Transient,
    "ResourceRequestsThrottled": Transient,
    "OperationNotAllowed": Permanent,  # 409: the state or the quota forbids it; waiting alone does not help
    "QuotaExceeded": Permanent,
    "ScopeLocked": Permanent,  # 409: somebody put a lock on it
    "ReadOnlyDisabledSubscription": Permanent,
    "RequestDisallowedByPolicy": Permanent,
    "MissingSubscriptionRegistration": Permanent,  # 409: the provider is not registered in the subscription
    "SubscriptionNotFound": Permanent,
    "ResourceNotFound": Permanent,
    "ResourceGroupNotFound": Permanent,
    "ParentResourceNotFound": Permanent,
    "NotFound": Permanent,
    "AuthorizationFailed": Permanent,
    "LinkedAuthorizationFailed": Permanent,
    "InvalidAuthenticationToken": Permanent,
    "InvalidAuthenticationTokenTenant": Permanent,
    "ExpiredAuthenticationToken": Permanent,
    "AuthenticationFailed": Permanent,
    "BadRequest": Permanent,
    "InvalidParameter": Permanent,
    "InvalidRequestContent": Permanent,
    "InvalidApiVersionParameter": Permanent,
    "InvalidResourceReference": Permanent,
    "SkuNotAvailable": Permanent,
    "InternalServerError": OutcomeUnknown,
    "GatewayTimeout": OutcomeUnknown,
    "ServiceUnavailable": OutcomeUnknown,
}
STATUS: Mapping[int, _Class] = {
    400: Permanent,
    401: Permanent,  # after azure-core has answered a challenge
    403: Permanent,
    404: Permanent,
    405: Permanent,
    409: OutcomeUnknown,  # without a code it is not said what of two was done: look again
    412: Conflict,
    413: Permanent,
    429: Transient,
}
THROTTLED = frozenset({"TooManyRequests", "SubscriptionRequestsThrottled", "ResourceRequestsThrottled"})
# Of an operation that was accepted and ended otherwise than well: these say that nothing came of it.
OPERATION: Mapping[str, _Class] = {
    "QuotaExceeded": Permanent,
    "SkuNotAvailable": Permanent,
    "AllocationFailed": Transient,  # there is no room just now
    "ZonalAllocationFailed": Transient,
    "OverconstrainedAllocationRequest": Transient,
    "AnotherOperationInProgress": Transient,
    "RetryableError": Transient,
}


@dataclass(frozen=True)
class Refusal:
    """An answer that is no success. code: `error.code`, or that of its first detail where `error` has none."""

    status: int
    code: str
    message: str

    @property
    def throttled(self) -> bool:
        return self.status == 429 or self.code in THROTTLED


class Answered(Exception):
    """What Azure said, as the cause of the error that it became."""

    def __init__(self, said: Refusal) -> None:
        super().__init__(said.message)
        self.said = said


def refusal(status: int, body: Any) -> Refusal:
    """body: the JSON that came, or anything else. Older providers leave the envelope `error` out."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return Refusal(status, "", "")
    return Refusal(status, str(error.get("code") or ""), str(error.get("message") or ""))


def from_refusal(said: Refusal, what: str, retry_after_seconds: float | None = None) -> Classified:
    """The class of an answer. One that is in no table is OutcomeUnknown: look first."""
    kind = CODE.get(said.code) or STATUS.get(said.status, OutcomeUnknown)
    words = f"{what}: {' '.join(said.message.split()) or 'no message'} ({said.code or said.status})"
    if kind is Transient:
        return Transient(words, retry_after_seconds=retry_after_seconds)
    return kind(words)


def from_operation(status: str, error: Any, what: str) -> Classified:
    """The class of a long-running operation that ended as Failed or Canceled. It was carried out as far as it came;
    what that is, a look tells."""
    told = error if isinstance(error, Mapping) else {}
    code, message = str(told.get("code") or ""), " ".join(str(told.get("message") or "").split())
    return OPERATION.get(code, OutcomeUnknown)(f"{what}: {status}: {message or 'no message'} ({code or 'no code'})")


def from_exception(error: Exception, what: str) -> Classified:
    """The class of what the pipeline raised instead of an answer."""
    names = [f"{ancestor.__module__}.{ancestor.__qualname__}" for ancestor in type(error).__mro__]
    kind = next((EXCEPTION[name] for name in names if name in EXCEPTION), OutcomeUnknown)
    return kind(f"{what}: {' '.join(str(error).split()) or type(error).__name__}")
