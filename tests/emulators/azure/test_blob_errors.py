"""Every row of the table that says what Azure's answers mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import azure.core.exceptions
import pytest
from azure.identity import CredentialUnavailableError

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_azure import errors

_CODES = (
    dict.fromkeys(
        (
            "BlobAlreadyExists",
            "ConditionNotMet",
            "UnauthorizedBlobOverwrite",
            "BlobImmutableDueToPolicy",
            "LeaseIdMissing",
        ),
        Conflict,
    )
    | dict.fromkeys(("ServerBusy", "TooManyRequests", "AccountBeingCreated"), Transient)
    | dict.fromkeys(("InternalError", "OperationTimedOut"), OutcomeUnknown)
    | dict.fromkeys(
        (
            "ContainerBeingDeleted",
            "ContainerDisabled",
            "ContainerNotFound",
            "BlobNotFound",
            "AccountIsDisabled",
            "AuthenticationFailed",
            "InvalidAuthenticationInfo",
            "NoAuthenticationInformation",
            "KeyBasedAuthenticationNotPermitted",
            "AuthorizationFailure",
            "AuthorizationPermissionMismatch",
            "InsufficientAccountPermissions",
        ),
        Permanent,
    )
)
_STATUSES = (
    dict.fromkeys((400, 401, 403, 404, 405, 411, 413), Permanent)
    | dict.fromkeys((408, 409, 500, 502, 503, 504), OutcomeUnknown)
    | {412: Conflict, 429: Transient}
)
_EXCEPTIONS = {
    azure.core.exceptions.ServiceRequestError: Transient,
    azure.core.exceptions.ServiceResponseError: OutcomeUnknown,
    azure.core.exceptions.IncompleteReadError: OutcomeUnknown,
    azure.core.exceptions.ClientAuthenticationError: Permanent,
    azure.core.exceptions.AzureError: OutcomeUnknown,
}


def answered(status: int, code: str) -> Exception:
    response: Any = SimpleNamespace(status_code=status, reason="no", headers={}, request=None)
    error: Any = azure.core.exceptions.HttpResponseError(message="no\nTrace: 1", response=response)
    error.error_code = code
    return error  # type: ignore[no-any-return]


@pytest.mark.parametrize("code", errors.CODE)
def test_a_code_means_what_the_table_says(code: str) -> None:
    assert type(errors.from_error(answered(418, code), "acme", "box")) is _CODES[code]


@pytest.mark.parametrize("status", errors.STATUS)
def test_a_status_means_what_the_table_says(status: int) -> None:
    assert type(errors.from_error(answered(status, "Unheard"), "acme", "box")) is _STATUSES[status]


@pytest.mark.parametrize("name", errors.EXCEPTION)
def test_what_a_client_raises_means_what_the_table_says(name: str) -> None:
    raised = next(kind for kind in _EXCEPTIONS if f"{kind.__module__}.{kind.__qualname__}" == name)
    assert type(errors.from_error(raised("gone"), "acme", "box")) is _EXCEPTIONS[raised]


def test_what_is_in_no_table_is_unknown_and_means_look_first() -> None:
    assert type(errors.from_error(answered(418, "Unheard"), "acme", "box")) is OutcomeUnknown
    assert type(errors.from_error(RuntimeError("?"), "acme", "box")) is OutcomeUnknown


def test_the_nearest_ancestor_of_an_error_decides() -> None:
    timed_out = azure.core.exceptions.ServiceRequestTimeoutError("connect")
    assert type(errors.from_error(timed_out, "acme", "box")) is Transient
    assert type(errors.from_error(CredentialUnavailableError("none"), "acme", "box")) is Permanent


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (401, "NoAuthenticationInformation", "az login"),
        (403, "AuthenticationFailed", "az login"),
        (403, "AuthorizationPermissionMismatch", "Storage Blob Data Contributor"),
        (404, "ContainerNotFound", "az storage container show --account-name acme --name box"),
    ],
)
def test_what_a_person_must_change_is_said(status: int, code: str, advice: str) -> None:
    said = errors.from_error(answered(status, code), "acme", "box")
    assert advice in said.to_do
    assert said.happened == f"Blob Storage answered {status} {code}: no"
