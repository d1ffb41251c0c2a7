"""Where looks and effects run. The engine decides in one thread; what may block runs here, and comes back as a value.

`ThreadCalls` is production's: parallel steps overlap. `InlineCalls` runs each call at once in the caller's thread: for
a virtual clock, where time passes only when everybody waits.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from cloudfail.clock import Clock

CALLS_MAX = 32
IDLE_THREADS_MAX = 16

Work = Callable[[], None]


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


class _Threads:
    """The process's threads for calls. One that is done waits here for the next call of whichever engine: starting a
    thread on a busy machine takes longer than most looks, and engines come and go with each tick. There is no bound
    here on those at work (each engine has its own), so one engine's hung calls keep no thread from another."""

    def __init__(self) -> None:
        self._idle: list[queue.SimpleQueue[Work]] = []
        self._lock = threading.Lock()

    def run(self, work: Work) -> None:
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            threading.Thread(target=self._work, args=(work,), daemon=True, name="cloudfail-call").start()
        else:
            inbox.put(work)

    def keep_ready(self, count: int) -> None:
        with self._lock:
            missing = min(count, IDLE_THREADS_MAX) - len(self._idle)
        for _ in range(missing):
            threading.Thread(target=self._work, args=(lambda: None,), daemon=True, name="cloudfail-call").start()

    def _work(self, work: Work) -> None:
        inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
        while True:
            work()
            with self._lock:
                if len(self._idle) >= IDLE_THREADS_MAX:
                    return
                self._idle.append(inbox)
            work = inbox.get()


_threads = _Threads()


def keep_ready(count: int) -> None:
    """Have so many threads wait for calls, so that none has to be started on the bad day."""
    _threads.keep_ready(count)


class ThreadCalls:
    """At most CALLS_MAX at once; more wait their turn. Threads are daemons: a hung call never keeps a process alive."""

    def __init__(self) -> None:
        self._back: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._taken: list[Any] = []
        self._waiting: deque[Callable[[], Any]] = deque()
        self._running = 0
        self._lock = threading.Lock()

    def submit(self, call: Callable[[], Any]) -> None:
        with self._lock:
            if self._running >= CALLS_MAX:
                self._waiting.append(call)
                return
            self._running += 1
        _threads.run(lambda: self._run(call))

    def _run(self, call: Callable[[], Any]) -> None:
        while True:
            self._back.put(call())
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                call = self._waiting.popleft()

    def finished(self) -> list[Any]:
        back, self._taken = self._taken, []
        while True:
            try:
                back.append(self._back.get_nowait())
            except queue.Empty:
                return back

    def wait(self, seconds: float) -> None:
        if self._taken:
            return
        try:
            self._taken.append(self._back.get(timeout=max(0.0, seconds)))
        except queue.Empty:
            return
