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
_Submitted = tuple[Callable[[], Any], Callable[[Any], Any] | None]


class Calls(Protocol):
    def submit(self, call: Callable[[], Any], then: Callable[[Any], Any] | None = None) -> None:
        """Run `call` some time soon, and right after it, in the same place, `then` with what it returned. What each
        returns is handed out by `finished` as soon as it is there; a `then` that had nothing to do returns None."""

    def finished(self) -> list[Any]:
        """What has come back since, without waiting."""

    def wait(self, seconds: float) -> None:
        """Return when something came back, or after `seconds`."""


class InlineCalls:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._back: list[Any] = []

    def submit(self, call: Callable[[], Any], then: Callable[[Any], Any] | None = None) -> None:
        back = call()
        self._back.append(back)
        more = then(back) if then is not None else None
        if more is not None:
            self._back.append(more)

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
        self._waiting: deque[_Submitted] = deque()
        self._running = 0
        self._lock = threading.Lock()

    def submit(self, call: Callable[[], Any], then: Callable[[Any], Any] | None = None) -> None:
        with self._lock:
            if self._running >= CALLS_MAX:
                self._waiting.append((call, then))
                return
            self._running += 1
        _threads.run(lambda: self._run((call, then)))

    def _run(self, submitted: _Submitted) -> None:
        while True:
            call, then = submitted
            back = call()
            self._back.put(back)
            more = then(back) if then is not None else None
            if more is not None:
                self._back.put(more)
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                submitted = self._waiting.popleft()

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
