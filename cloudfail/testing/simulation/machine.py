"""One process on one machine: its own clocks, its calls, its death and its sleep.

A machine that is stopped (SIGSTOP, a laptop's lid) runs nothing, while time, the cloud and its requests on the wire go
on. A machine that is killed never runs again; what it sent may still land.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudfail.testing.simulation.hub import Gone, Hub, Task

WALL_AT_START = 1_700_000_000.0


class Machine:
    """Fulfils `Clock` and `hub.Owner`. place: where it stands (a region, or `outside`). drift: how much faster than
    true time its clocks run (0.0001 is 100 ppm). Boundaries are counted where it could die: `at_boundary[n]` is called
    when the n-th is reached (1-based)."""

    def __init__(self, hub: Hub, name: str, place: str, *, drift: float = 0.0) -> None:
        self.hub = hub
        self.name = name
        self.place = place
        self.drift = drift
        self.alive = True
        self.still_until = 0.0
        self.wall_jumped = 0.0
        self.boundaries = 0
        self.at_boundary: dict[int, Callable[[str], None]] = {}
        self._offset = float(sum(map(ord, name)) % 10_000)

    # ---- its clocks

    def boot(self) -> float:
        return self._offset + self.hub.now * (1.0 + self.drift)

    def wall(self) -> float:
        return WALL_AT_START + self.hub.now * (1.0 + self.drift) + self.wall_jumped

    def sleep(self, seconds: float) -> None:
        if not self.alive:
            raise Gone
        self.hub.sleep(seconds / (1.0 + self.drift))
        if not self.alive:
            raise Gone

    # ---- its life

    def may_run_at(self, now: float) -> float | None:
        return max(now, self.still_until) if self.alive else None

    def spawn(self, call: Callable[[], None]) -> Task:
        return self.hub.spawn(self, call)

    def kill(self) -> None:
        """From within one of its own tasks this does not return."""
        self.alive = False
        current = self.hub.current
        if current is not None and current.owner is self:
            raise Gone

    def stop_for(self, seconds: float) -> None:
        """It stands still; from within one of its own tasks this returns when it goes on."""
        self.still_until = max(self.still_until, self.hub.now + seconds)
        current = self.hub.current
        if current is not None and current.owner is self:
            self.hub.sleep(0.0)

    def boundary(self, name: str) -> None:
        """A place between two effects: the machine may die or be stopped here."""
        if not self.alive:
            raise Gone
        self.boundaries += 1
        if self.at_boundary:
            then = self.at_boundary.pop(self.boundaries, None)
            if then is not None:
                then(name)


class SimCalls:
    """Fulfils `Calls`: each call is a task of its own on the same machine. latency_seconds: how long a look takes."""

    def __init__(self, machine: Machine, latency_seconds: Callable[[], float]) -> None:
        self.machine = machine
        self._latency = latency_seconds
        self._back: list[Any] = []
        self._waiting: Task | None = None

    def submit(self, call: Callable[[], Any], then: Callable[[Any], Any] | None = None) -> None:
        def run() -> None:
            seconds = self._latency()
            if seconds:
                self.machine.sleep(seconds)
            back = call()
            self._hand(back)
            more = then(back) if then is not None else None
            if more is not None:
                self._hand(more)

        if not self.machine.alive:
            raise Gone
        self.machine.spawn(run)

    def _hand(self, back: Any) -> None:
        self._back.append(back)
        if self._waiting is not None:
            self.machine.hub.wake(self._waiting)
            self._waiting = None

    def finished(self) -> list[Any]:
        if not self.machine.alive:
            raise Gone
        back, self._back = self._back, []
        return back

    def wait(self, seconds: float) -> None:
        if self._back:
            return
        self._waiting = self.machine.hub.current
        try:
            self.machine.sleep(seconds)
        finally:
            self._waiting = None
