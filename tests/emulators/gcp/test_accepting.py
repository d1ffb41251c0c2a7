"""Every row of what an operation of GKE or of the newer APIs may end in."""

from __future__ import annotations

import pytest

from cloudfail.errors import OutcomeUnknown, Permanent
from cloudfail_gcp.compute.accepting import NUMBERS, accepted, from_status

ENDS = {
    "INVALID_ARGUMENT": Permanent, "NOT_FOUND": Permanent, "PERMISSION_DENIED": Permanent, "OUT_OF_RANGE": Permanent,
    "UNIMPLEMENTED": Permanent, "UNAUTHENTICATED": Permanent,
    "OK": OutcomeUnknown, "CANCELLED": OutcomeUnknown, "UNKNOWN": OutcomeUnknown, "DEADLINE_EXCEEDED": OutcomeUnknown,
    "ALREADY_EXISTS": OutcomeUnknown, "RESOURCE_EXHAUSTED": OutcomeUnknown, "FAILED_PRECONDITION": OutcomeUnknown,
    "ABORTED": OutcomeUnknown, "INTERNAL": OutcomeUnknown, "UNAVAILABLE": OutcomeUnknown, "DATA_LOSS": OutcomeUnknown,
}  # fmt: skip


def test_no_row_is_left_out() -> None:
    assert set(ENDS) == set(NUMBERS)


@pytest.mark.parametrize("name", ENDS)
def test_an_operation_that_ended_in_an_error(name: str) -> None:
    error = from_status({"code": NUMBERS.index(name), "message": "It  broke."}, "setSize")
    assert type(error) is ENDS[name]
    assert "setSize: It broke." in str(error)


@pytest.mark.parametrize("status", [{}, {"code": 99}, {"code": -1}, {"code": "9"}, {"message": "no"}])
def test_one_that_is_in_no_table_is_looked_at(status: dict[str, object]) -> None:
    assert type(from_status(status, "setSize")) is OutcomeUnknown


def test_the_reply_to_an_order_is_an_operation() -> None:
    accepted({"name": "operation-1", "status": "RUNNING"}, "setSize")
    for reply in ({}, {"status": "DONE"}, {"name": ""}):
        with pytest.raises(OutcomeUnknown, match="no operation"):
            accepted(reply, "setSize")
    with pytest.raises(Permanent):
        accepted({"name": "operation-1", "error": {"code": 3, "message": "no"}}, "setSize")
