"""Where looks and effects run. The engine decides in one thread; what may block runs here, and comes back as a value.

`ThreadCalls` is production's: parallel steps overlap. `InlineCalls` runs each call at once in the caller's thread: for
a virtual clock, where time passes only when everybody waits.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from cloudfail.clock import Clock

CALLS_MAX = 32


class Calls(Protocol):
    def submit(self, call: Callable[[], Any]) -> None:
        """Run `call` some time soon; what it returns is handed out by `finished`."""

    def finished(self) -> list[Any]:
        """What has come back since, without waiting."""

    def wait(self, seconds: float) -> None:
        """Return when something came back, or after `seconds`."""


class InlineCalls:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._back: list[Any] = []

    def submit(self, call: Callable[[], Any]) -> None:
        self._back.append(call())

    def finished(self) -> list[Any]:
        back, self._back = self._back, []
        return back

    def wait(self, seconds: float) -> None:
        if not self._back:
            self.clock.sleep(seconds)


class ThreadCalls:
    """At most CALLS_MAX at once; more wait their turn. Threads are daemons: a hung call never keeps a process alive."""

    def __init__(self) -> None:
        self._back: queue.Queue[Any] = queue.Queue()
        self._waiting: queue.Queue[Callable[[], Any]] = queue.Queue()
        self._threads = 0
        self._idle = 0
        self._lock = threading.Lock()

    def submit(self, call: Callable[[], Any]) -> None:
        with self._lock:
            self._waiting.put(call)
            if self._idle < self._waiting.qsize() and self._threads < CALLS_MAX:
                self._threads += 1
                threading.Thread(target=self._work, daemon=True, name=f"cloudfail-call-{self._threads}").start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            call = self._waiting.get()
            with self._lock:
                self._idle -= 1
            self._back.put(call())

    def finished(self) -> list[Any]:
        back = []
        while True:
            try:
                back.append(self._back.get_nowait())
            except queue.Empty:
                return back

    def wait(self, seconds: float) -> None:
        try:
            first = self._back.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return
        self._back.put(first)
