"""A clock that stands still until somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable


class VirtualClock:
    """`sleep` moves time on at once and runs what was due on the way. Not for threads: one at a time.

    `jump_wall` moves the wall clock alone, as a bad NTP server would; `suspend` moves both, as a machine's sleep does.
    """

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._boot = 1000.0
        self._wall = start
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def boot(self) -> float:
        return self._boot

    def wall(self) -> float:
        return self._wall

    def sleep(self, seconds: float) -> None:
        self.suspend(max(0.0, seconds))

    def suspend(self, seconds: float) -> None:
        end = self._boot + seconds
        while self._due and min(self._due)[0] <= end:
            due = min(self._due)
            self._due.remove(due)
            self._move(max(self._boot, due[0]))
            due[2]()
        self._move(end)

    def _move(self, to: float) -> None:
        self._wall += to - self._boot
        self._boot = to

    def jump_wall(self, seconds: float) -> None:
        self._wall += seconds

    def at(self, seconds_from_now: float, call: Callable[[], None]) -> None:
        """Run `call` when that much time has passed."""
        self._count += 1
        self._due.append((self._boot + seconds_from_now, self._count, call))
