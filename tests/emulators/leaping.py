"""The process's own pauses pass at once: those that a vendor asked for, and those until an account may be asked again.

What is waited for outside of the process (an answer, a server, an operation of a stand-in's) takes its real time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfail.budget import Buckets
from cloudfail.clock import SystemClock


class Leaping:
    """`boot` is ahead of the machine's own by all that was leapt over; it never goes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead = 0.0
        self._machine = SystemClock().boot

    def boot(self) -> float:
        return self._machine() + self._ahead

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._ahead += max(0.0, seconds)


@contextlib.contextmanager
def leaping(*, then_seconds: float = 0.0) -> Iterator[None]:
    """In the block each pause of `SystemClock` passes at once. After it, and until `at_its_own_pace` ends, the clock
    goes on from where it is, `then_seconds` later, and its pauses are as long as they are."""
    clock, sleep = Leaping(), SystemClock.sleep
    SystemClock.boot = lambda self: clock.boot()  # type: ignore[method-assign]
    SystemClock.sleep = lambda self, seconds: clock.sleep(seconds)  # type: ignore[method-assign]
    try:
        yield
    finally:
        clock.sleep(then_seconds)
        SystemClock.sleep = sleep  # type: ignore[method-assign]


@contextlib.contextmanager
def at_its_own_pace(asking: Any) -> Iterator[None]:
    """For one test: a budget that no other test has emptied, and the machine's clock again in the end. asking: the
    provider's module of that name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking._BUDGET, "_buckets", Buckets(SystemClock()))
        patch.setattr(SystemClock, "boot", SystemClock.boot)
        yield
