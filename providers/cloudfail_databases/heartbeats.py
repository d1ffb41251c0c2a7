"""The loss bound of a database whose engine says nothing of its lag: heartbeats alone (design.md §5, Loss).

Neptune and DocumentDB publish the lag of a global cluster in CloudWatch only, by the minute, and in the region that may
be the lost one; Azure SQL tells it on the primary alone. A heartbeat that the survivor holds says it from the survivor.
"""

from __future__ import annotations

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound


def bound(held: float | None, acknowledged: Known[float] | Unknown, *, now: float) -> LossBound:
    """What a promotion now would lose. held: the newest heartbeat of the source that the target holds, in wall seconds
    of its writer; None where it holds none: unknown, never zero."""
    if held is None:
        return LossBound(None, None, ("no heartbeat was replicated, and the engine says nothing of its lag: unknown",))
    alive = max(0.0, now - held)
    parts = [f"newest heartbeat replicated: {alive:.1f} s ago"]
    if isinstance(acknowledged, Unknown):
        parts.append(f"newest heartbeat acknowledged: unknown ({acknowledged.reason})")
        return LossBound(None, alive, tuple(parts))
    parts.append(f"newest heartbeat acknowledged: {max(0.0, now - acknowledged.value):.1f} s ago")
    return LossBound(max(0.0, acknowledged.value - held), alive, tuple(parts))
