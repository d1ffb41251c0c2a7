"""The lease of one application, as its holder counts it (design.md §4 rule 6).

Why a holder that was stopped cannot act when it wakes: `remaining()` counts from before the last append was sent, on a
clock that counts sleep. A claimant takes over only after it saw no entry of the holder's for lease + margin on its own
clock, which it began to count after that append. So when a claim succeeds, the holder's own count ran out before.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.clock import Clock

DRIFT_SECONDS_MAX = 1.0
MARGIN_SHARE = 0.25
"""Of a lease, what a claimant waits beyond it: two clocks do not run quite alike."""


@dataclass(frozen=True)
class Mark:
    """Both clocks, read together just before an append was sent."""

    boot: float
    wall: float


class Silence:
    """How long the holder has been silent, as one process saw it; it outlives the engines of that process, which come
    and go with each turn. Two looks at the same last entry are enough: nothing is ever written between two numbers."""

    def __init__(self) -> None:
        self._seq = -1
        self._since = 0.0

    def lasted(self, holder_seq: int, boot: float) -> float:
        """Seconds since this process first saw that the holder's newest entry is `holder_seq`."""
        if holder_seq != self._seq:
            self._seq, self._since = holder_seq, boot
        return boot - self._since


class Lease:
    """Held while `remaining()` is positive. Every append by the holder renews it."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self._mark: Mark | None = None

    def before_sending(self) -> Mark:
        return Mark(self.clock.boot(), self.clock.wall())

    def renewed(self, mark: Mark) -> None:
        """The append that was sent at `mark` landed."""
        self._mark = mark

    def lost(self) -> None:
        self._mark = None

    def remaining(self) -> float:
        """Seconds left; 0 if never held, lost, run out, or the two clocks disagree by more than a second since."""
        mark = self._mark
        if mark is None:
            return 0.0
        boot, wall = self.clock.boot(), self.clock.wall()
        elapsed = boot - mark.boot
        if abs((wall - mark.wall) - elapsed) > DRIFT_SECONDS_MAX:
            return 0.0
        return max(0.0, self.seconds - elapsed)
