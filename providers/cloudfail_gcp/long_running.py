"""What GKE and Google's newer APIs say of a change: an operation, which is not the change.

`{"name": ".../operations/…", "done": true, "response" | "error": …}` is google.longrunning's; GKE's has a short name
and a `status` in its place. The error of both is a google.rpc.Status. One that is done completes nothing here: what is
read from the resource, or from its data plane, counts. It is looked at for whether the order failed, and for how long
to wait before looking. Source: google.longrunning.Operation; AIP-151; GKE v1's `Operation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail_gcp import errors
from cloudfail_gcp.asking import Asking

SLICE_SECONDS = 1.0
_CLOCK = SystemClock()

# google.rpc.Code by number, as an operation's error has it; in words in errors.CODE.
CODES: Mapping[int, str] = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}


def taken(reply: Mapping[str, Any], what: str) -> str:
    """The operation that an order became, by its name. Raises what its error is classed as, if it failed at once;
    OutcomeUnknown where the answer is no operation at all."""
    if reply.get("error"):
        raise failed(reply["error"], what)
    name = str(reply.get("name") or "")
    if not name or not (reply.get("done") or reply.get("status") or "/operations/" in name):
        raise OutcomeUnknown(f"{what}: the answer is no operation.")
    return name


def failed(error: Mapping[str, Any], what: str) -> errors.Classified:
    """The class of an operation that ended in an error. It was carried out as far as it came, which a look tells: so
    nothing that says "no effect" of a request says it of an operation, but what was refused before it began."""
    number = error.get("code")
    code = CODES.get(number, "") if isinstance(number, int) else ""
    words = f"{what}: {' '.join(str(error.get('message') or 'no message').split())} ({code or number or 'no code'})"
    return Permanent(words) if code in REFUSED else OutcomeUnknown(words)


REFUSED = frozenset({"INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED"})


def ended(asking: Asking, api: str, region: str, operation: str, *, within: float, what: str) -> bool:
    """Wait until that operation is over, in slices, and no longer than that. Whether it was seen to be; it may be under
    way still, and one that may not be read was not seen.
    Raises what its error is classed as. operation: its name, from `projects/` on."""
    until = asking.deadline(within)
    while (left := asking.left_until(until)) > 0:
        try:
            told = asking.read(api, region, f"v1/{operation}", within=left)
        except CloudfailError:
            return False
        if told.get("error"):
            raise failed(told["error"], what)
        if told.get("done"):
            return True
        _CLOCK.sleep(min(SLICE_SECONDS, asking.left_until(until)))
    return False


def still(what: str) -> Transient:
    """What is raised where an effect has to be seen before the next may be ordered, and was not within this call."""
    return Transient(f"{what} is under way still; nothing else was ordered.", retry_after_seconds=SLICE_SECONDS)
