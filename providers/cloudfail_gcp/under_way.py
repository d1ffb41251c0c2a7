"""What Compute Engine says of a change: an operation, which is not the change.

An operation that is DONE completes nothing here: `resize` is DONE before an instance exists, and a backend service's
patch before any proxy has it. What is read from the resource counts. An operation is looked at for two things: whether
one is under way on a resource now, so that nothing is ordered on top of it; and whether the reply to an order already
says that it failed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.errors import OutcomeUnknown
from cloudfail.ports import Call
from cloudfail_gcp import errors
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.paths import path_of, scope_of


def under_way(asking: Asking, region: str, path: str, *, within: float) -> str:
    """What is under way on that resource, in a few words; "" if nothing is. Raises as `Asking.pages`."""
    found = all_under_way(asking, region, scope_of(path), within=within)
    return next((words for target, words in found if target == path), "")


def all_under_way(asking: Asking, region: str, scope: str, *, within: float) -> list[tuple[str, str]]:
    """The same for all that stands in one scope ("projects/P/global"), each with its path: what is only being made has
    no other trace yet."""
    found = asking.pages(
        "compute", region, f"{scope}/operations", "items", within=within, query={"filter": 'status != "DONE"'}
    )
    return [
        (
            path_of(str(one.get("targetLink", ""))),
            f"{one.get('operationType', 'an operation')} {one.get('name', '')} is {one.get('status')}",
        )
        for one in found
        if one.get("status") != "DONE"
    ]


def taken(reply: Mapping[str, Any], what: str) -> None:
    """The reply to an order. Raises what its error is classed as, if it failed at once; OutcomeUnknown where it is no
    operation at all."""
    if reply.get("error"):
        raise errors.from_operation(reply["error"], what)
    if "status" not in reply:
        raise OutcomeUnknown(f"{what}: the answer is no operation.")


def anew(call: Call) -> Call:
    """The call with a request id of its own for this order. Google ignores a request whose id it has carried out before
    (Compute Engine, `requestId`), also where that failed, or where somebody has undone it since: what a look found to
    be missing would then never be ordered again. Attempts inside one order share their id."""
    return replace(call, key=f"{call.key}/{uuid.uuid4()}")
