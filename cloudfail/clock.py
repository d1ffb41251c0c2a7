"""Time, as the engine is given it. The pure core gets `now` as an argument and never imports this module.

Three readings, because they answer different questions (design.md §4 rule 6):

- `boot()`: seconds on a clock that only grows and counts sleep (CLOCK_BOOTTIME). Leases, limits and deadlines use it.
- `wall()`: seconds since the epoch. It stamps what people read; it never decides.
- `sleep()`: waits. A virtual clock jumps instead.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the engine needs of time."""

    def boot(self) -> float:
        """Seconds since an arbitrary start; never goes back, counts the time that the machine slept."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC; may jump."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds` of `boot()` time."""


class SystemClock:
    """The machine's own clocks. macOS has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC_RAW counts sleep there."""

    _source = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC))

    def boot(self) -> float:
        return time.clock_gettime(self._source)

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            threading.Event().wait(seconds)
