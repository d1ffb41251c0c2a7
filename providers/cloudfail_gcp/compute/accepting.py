"""What GKE and the newer APIs say of a change: an operation of theirs, whose error is a google.rpc.Status.

As with Compute Engine's (under_way.py), one that is done completes nothing here. What is read from the resource counts.
The reply to an order is looked at for whether it already says that it failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import OutcomeUnknown
from cloudfail_gcp import errors

NUMBERS = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""google.rpc.Code: a name stands at its number."""

ON_THE_WAY = frozenset({"OK", "ABORTED", "ALREADY_EXISTS", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"})


def accepted(reply: Mapping[str, Any], what: str) -> None:
    """Raises what its error is classed as, if it failed at once; OutcomeUnknown where it is no operation at all."""
    if reply.get("error"):
        raise from_status(reply["error"], what)
    if not reply.get("name"):
        raise OutcomeUnknown(f"{what}: the answer is no operation.")


def from_status(status: Mapping[str, Any], what: str) -> errors.Classified:
    """The class of the error in which an operation ended. It was carried out as far as it came: so a concurrent change,
    a condition or a limit that was met on the way is no proof that nothing was done."""
    number = status.get("code")
    name = NUMBERS[number] if isinstance(number, int) and 0 <= number < len(NUMBERS) else "UNKNOWN"
    said = errors.Refusal(0, "", name, str(status.get("message") or ""))
    if name in ON_THE_WAY:
        return OutcomeUnknown(f"{what}: {' '.join(said.message.split()) or 'no message'} ({name})")
    return errors.from_refusal(said, what)
