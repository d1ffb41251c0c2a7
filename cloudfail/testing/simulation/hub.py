"""One virtual time for everything that is simulated. Whoever waits lets the others run; nobody is ever interrupted.

Why greenlets: the production engine is plain blocking code. A greenlet lets it wait in the middle of a store read, as a
thread would, while exactly one runs at a time and the hub alone decides who is next. So a history is a function of its
seed, and a process can be ended at any wait.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Protocol

import greenlet

EVENTS_MAX = 2_000_000


class Owner(Protocol):
    """Whose code a task runs: a machine that may die or stand still."""

    def may_run_at(self, now: float) -> float | None:
        """`now` if its tasks may go on, a later moment if it stands still until then, None if it is dead."""


class RanAway(Exception):
    """More happened than any scenario may need: something spins."""


class Task:
    """One greenlet. `token` tells a wake-up that is still wanted from one that came too late."""

    __slots__ = ("g", "owner", "token")

    def __init__(self, owner: Owner | None) -> None:
        self.owner = owner
        self.token = 0
        self.g: Any = None


class Hub:
    """`now` is true time in seconds. `run` drives everything until a moment, or until `stop` says so."""

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        self.events = 0
        self.current: Task | None = None
        self._due: list[tuple[float, int, Task | None, int, Callable[[], None] | None]] = []
        self._count = 0
        self._hub = greenlet.getcurrent()

    def at(self, moment: float, call: Callable[[], None]) -> None:
        """Run `call` at `moment`; it must not wait."""
        self._push(max(moment, self.now), None, 0, call)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        self.at(self.now + seconds, call)

    def spawn(self, owner: Owner | None, call: Callable[[], None]) -> Task:
        """Run `call` as a task of its own, from now on."""
        task = Task(owner)
        task.g = greenlet.greenlet(call, self._hub)
        self._push(self.now, task, 0, None)
        return task

    def sleep(self, seconds: float) -> None:
        """Wait in the running task."""
        task = self.current
        assert task is not None
        task.token += 1
        self._push(self.now + seconds, task, task.token, None)
        self._hub.switch()

    def wake(self, task: Task) -> None:
        """Let a waiting task go on now instead of later."""
        task.token += 1
        self._push(self.now, task, task.token, None)

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Play on until `until`, until nothing is due any more, or until `stop()` between two events."""
        self._hub = greenlet.getcurrent()
        due = self._due
        while due and due[0][0] <= until and not stop():
            moment, _, task, token, call = heapq.heappop(due)
            self.now = max(self.now, moment)
            self.events += 1
            if self.events > EVENTS_MAX:
                raise RanAway(f"{EVENTS_MAX} events by second {self.now:.0f}")
            if task is None:
                assert call is not None
                call()
                continue
            if task.token != token or task.g.dead:
                continue
            if task.owner is not None:
                free = task.owner.may_run_at(self.now)
                if free is None:
                    self._end(task)
                    continue
                if free > self.now:
                    self._push(free, task, token, None)
                    continue
            self._go(task)
        if not due or due[0][0] > until:
            self.now = max(self.now, until)

    def end(self, task: Task) -> None:
        """End a task where it waits: nothing of it runs any more but what a dying process cannot help (`Gone`)."""
        if task.g.dead:
            return
        if task is self.current:
            raise Gone
        self._end(task)

    def close(self) -> None:
        """End every task that still waits."""
        while self._due:
            _, _, task, _, _ = heapq.heappop(self._due)
            if task is not None and not task.g.dead:
                self._end(task)

    def _go(self, task: Task) -> None:
        self.current = task
        try:
            task.g.switch()
        except Gone:
            pass
        finally:
            self.current = None

    def _end(self, task: Task) -> None:
        if not task.g:  # never started
            task.token = -1
            return
        before, self.current = self.current, task
        try:
            task.g.parent = greenlet.getcurrent()
            task.g.throw(Gone)
        except Gone:
            pass
        finally:
            self.current = before

    def _push(self, moment: float, task: Task | None, token: int, call: Callable[[], None] | None) -> None:
        self._count += 1
        heapq.heappush(self._due, (moment, self._count, task, token, call))


class Gone(BaseException):
    """The process is dead. A BaseException, so that no `except Exception` of the code under test keeps it alive; its
    `finally` clauses run, and whatever they ask of the machine raises this again."""
