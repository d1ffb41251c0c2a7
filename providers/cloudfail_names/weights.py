"""What may be asked of a balancer, whichever it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudfail.errors import Permanent

UNCHANGED = "Nothing was changed."


def wanted(weights: Mapping[str, int], members: Iterable[str], *, most: int, what: str) -> dict[str, int]:
    """The weight of each member, 0 where none was given. Refuses (Permanent) an empty answer set (invariant I5), a
    region that `what` has no member for, and a weight that it does not take."""
    known = list(members)
    for region in weights:
        if region not in known:
            raise Permanent(f"{what} has no member for {region}.", UNCHANGED, f"It has: {', '.join(known)}.")
    if not any(weight > 0 for weight in weights.values()):
        raise Permanent(f"Every weight of {what} is zero: that would leave nothing to answer.", UNCHANGED)
    for region, weight in weights.items():
        if not 0 <= weight <= most:
            raise Permanent(f"{what} takes weights from 0 to {most}, not {weight} for {region}.", UNCHANGED)
    return {region: weights.get(region, 0) for region in known}
