"""Every row of the tables of what Google's control planes answer."""

from __future__ import annotations

import socket
import threading

import pytest
import requests

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_gcp import errors
from cloudfail_gcp.errors import Refusal, from_exception, from_operation, from_refusal, refusal

REASONS = {
    "conditionNotMet": Conflict, "alreadyExists": Conflict, "preconditionFailed": Conflict, "staleData": Conflict,
    "instanceDoesNotExist": Permanent,
    "resourceNotReady": Transient, "operationInProgress": Transient, "rateLimitExceeded": Transient,
    "userRateLimitExceeded": Transient,
    "resourceInUseByAnotherResource": Permanent, "quotaExceeded": Permanent, "authError": Permanent,
    "forbidden": Permanent, "insufficientPermissions": Permanent, "accessNotConfigured": Permanent,
    "notFound": Permanent, "invalid": Permanent, "invalidParameter": Permanent, "required": Permanent,
    "badRequest": Permanent,
    "backendError": OutcomeUnknown, "internalError": OutcomeUnknown,
}  # fmt: skip
CODES = {
    "ABORTED": Conflict, "ALREADY_EXISTS": Conflict, "FAILED_PRECONDITION": Conflict, "RESOURCE_EXHAUSTED": Transient,
    "INVALID_ARGUMENT": Permanent, "NOT_FOUND": Permanent, "PERMISSION_DENIED": Permanent,
    "UNAUTHENTICATED": Permanent, "UNIMPLEMENTED": Permanent, "OUT_OF_RANGE": Permanent,
    "DEADLINE_EXCEEDED": OutcomeUnknown, "UNAVAILABLE": OutcomeUnknown, "INTERNAL": OutcomeUnknown,
    "UNKNOWN": OutcomeUnknown, "CANCELLED": OutcomeUnknown, "DATA_LOSS": OutcomeUnknown,
}  # fmt: skip
STATUSES = {
    400: Permanent, 401: Permanent, 403: Permanent, 404: Permanent, 405: Permanent, 409: OutcomeUnknown, 412: Conflict,
    413: Permanent, 429: Transient,
}  # fmt: skip
OPERATIONS = {
    "RESOURCE_NOT_FOUND": Permanent, "RESOURCE_ALREADY_EXISTS": Conflict, "CONDITION_NOT_MET": Conflict,
    "INVALID_USAGE": Permanent, "INVALID_FIELD_VALUE": Permanent, "PERMISSIONS_ERROR": Permanent,
    "QUOTA_EXCEEDED": Permanent, "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": Permanent, "RESOURCE_NOT_READY": Transient,
    "ZONE_RESOURCE_POOL_EXHAUSTED": Transient, "IP_IN_USE_BY_ANOTHER_RESOURCE": Conflict,
}  # fmt: skip


def test_no_row_is_left_out() -> None:
    assert (set(errors.REASON), set(errors.CODE), set(errors.STATUS)) == (set(REASONS), set(CODES), set(STATUSES))
    assert set(errors.OPERATION) == set(OPERATIONS)


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason(reason: str) -> None:
    assert type(from_refusal(Refusal(409, reason, "", "no"), "dns POST x")) is REASONS[reason]


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_newer_apis(code: str) -> None:
    assert type(from_refusal(Refusal(409, "", code, "no"), "run PATCH x")) is CODES[code]


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_without_a_reason(status: int) -> None:
    assert type(from_refusal(Refusal(status, "", "", ""), "x")) is STATUSES[status]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 418])
def test_what_is_in_no_table_may_have_had_an_effect_unless_it_is_looked_at(status: int) -> None:
    assert type(from_refusal(Refusal(status, "", "", ""), "x")) is OutcomeUnknown


@pytest.mark.parametrize("code", OPERATIONS)
def test_an_operation_that_ended_in_an_error(code: str) -> None:
    told = {"errors": [{"code": code, "message": "no"}]}
    assert type(from_operation(told, "resize")) is OPERATIONS[code]


def test_an_operation_that_ended_for_another_reason_is_looked_at() -> None:
    assert type(from_operation({"errors": [{"code": "INTERNAL_ERROR"}]}, "resize")) is OutcomeUnknown
    assert type(from_operation({}, "resize")) is OutcomeUnknown


@pytest.mark.parametrize("body", [None, [], {}, {"error": "no"}, {"error": {"errors": "no"}}])
def test_an_answer_without_the_usual_form_is_read_all_the_same(body: object) -> None:
    said = refusal(503, body)
    assert (said.status, said.reason, said.code) == (503, "", "")


def test_a_pause_that_was_asked_for_is_handed_on() -> None:
    error = from_refusal(Refusal(429, "rateLimitExceeded", "", "slow"), "x", 7.0)
    assert isinstance(error, Transient)
    assert error.retry_after_seconds == 7.0


def test_what_was_raised_before_anything_was_sent_had_no_effect() -> None:
    assert type(from_exception(requests.ConnectTimeout("no"), "x")) is Transient
    assert type(from_exception(requests.ReadTimeout("no"), "x")) is OutcomeUnknown
    assert type(from_exception(TimeoutError("no"), "x")) is OutcomeUnknown


def test_what_went_wrong_behind_a_proxy_may_have_had_an_effect() -> None:
    """A proxy that takes the whole request and breaks the connection is said in the same words as one that is not
    there."""
    taken = bytearray()

    def once(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        while b"effect" not in taken:
            taken.extend(connection.recv(1 << 16))
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=once, args=(listener,), daemon=True).start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(requests.RequestException) as raised:
            requests.post("http://192.0.2.1/x", data=b"effect", proxies={"http": proxy}, timeout=5)
    assert b"effect" in taken, "the whole of it was sent"
    assert type(from_exception(raised.value, "x")) is OutcomeUnknown
