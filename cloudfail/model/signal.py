"""What a cloud says of a region by itself: an alarm, a metric, a health event (safety rule 11).

A missing signal is not a good signal, and not a bad one either. An alarm whose data stopped still says OK, because
nobody told it otherwise; so it counts only as long as what it judged was measured, and not as long as somebody answers
for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.model.observation import Known, Unknown

AHEAD_SECONDS_MAX = 60.0
"""So far the clock of who measured may be ahead of ours."""


@dataclass(frozen=True)
class SignalState:
    """One signal of one region. firing: it says that something is wrong there. measured_at: wall seconds of the newest
    measurement that it judged. good_for_seconds: so old that may be. detail: what it is and what it says, for people;
    it names the alarm or the event."""

    firing: bool
    measured_at: float
    good_for_seconds: float
    detail: str


def heard(read: Known[SignalState] | Unknown) -> Known[SignalState] | Unknown:
    """`read`, unless it is too old to say anything at the moment in which it was read. The one place where the age of a
    signal is judged."""
    if isinstance(read, Unknown):
        return read
    said = read.value
    age = read.at - said.measured_at
    if age > said.good_for_seconds:
        return Unknown(
            f"{said.detail}, of data that is {age:.0f} s old; it says something for {said.good_for_seconds:.0f} s",
            read.at,
        )
    if age < -AHEAD_SECONDS_MAX:
        return Unknown(f"{said.detail}, of data that lies {-age:.0f} s in the future", read.at)
    return read
