"""Operations of Google's newer APIs: what their words are taken for."""

from __future__ import annotations

import pytest

from cloudfail.errors import OutcomeUnknown, Permanent
from cloudfail_gcp import errors, long_running
from cloudfail_gcp.long_running import failed, taken

# By the number that google.rpc.Code has; the class of an operation that ended so.
ENDED = {
    1: OutcomeUnknown, 2: OutcomeUnknown, 3: Permanent, 4: OutcomeUnknown, 5: OutcomeUnknown, 6: OutcomeUnknown,
    7: Permanent, 8: OutcomeUnknown, 9: OutcomeUnknown, 10: OutcomeUnknown, 11: OutcomeUnknown, 12: Permanent,
    13: OutcomeUnknown, 14: OutcomeUnknown, 15: OutcomeUnknown, 16: Permanent,
}  # fmt: skip


def test_no_row_is_left_out() -> None:
    assert set(ENDED) == set(long_running.CODES)
    assert set(long_running.CODES.values()) == set(errors.CODE)
    assert {long_running.CODES[one] for one, kind in ENDED.items() if kind is Permanent} == long_running.REFUSED


@pytest.mark.parametrize("number", ENDED)
def test_an_operation_that_ended_in_an_error(number: int) -> None:
    """What is no refusal came as far as it came: a look tells."""
    error = failed({"code": number, "message": "It  failed.\nSo it is."}, "promote orders-w")
    assert type(error) is ENDED[number]
    assert str(error).startswith(f"promote orders-w: It failed. So it is. ({long_running.CODES[number]})")


@pytest.mark.parametrize("error", [{}, {"code": 99}, {"code": "9"}, {"message": None}])
def test_an_error_without_the_usual_form_is_looked_at(error: dict[str, object]) -> None:
    assert type(failed(error, "promote")) is OutcomeUnknown


def test_an_order_is_known_by_its_operations_name() -> None:
    name = "projects/p/locations/r/operations/operation-1"
    assert taken({"name": name, "done": False}, "promote") == name
    assert taken({"name": "op-0", "done": True}, "promote") == "op-0"
    assert taken({"name": "operation-1", "status": "RUNNING"}, "setSize") == "operation-1", "as GKE has it"


@pytest.mark.parametrize("reply", [{}, {"name": ""}, {"name": "op-0"}, {"done": True}])
def test_an_answer_that_is_no_operation_says_nothing_of_the_order(reply: dict[str, object]) -> None:
    with pytest.raises(OutcomeUnknown, match="no operation"):
        taken(reply, "promote")


def test_an_order_that_failed_at_once_is_no_success() -> None:
    with pytest.raises(Permanent):
        taken({"name": "projects/p/locations/r/operations/o", "done": True, "error": {"code": 7}}, "promote")
