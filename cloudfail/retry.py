"""One call to a vendor, tried again within a bound: tenacity, by our clock and by class.

The machine's own attempts are journaled (execution/next.py); this is inside one of them, for what certainly had no
effect (`Transient`) and, of reads, for anything that may be different the next time. tenacity's `stop_after_delay`
reads the system's clock, and would never stop under a virtual one; so the time that is left is asked of ours.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import tenacity

from cloudfail.clock import Clock
from cloudfail.errors import CloudfailError, OutcomeUnknown, Transient

T = TypeVar("T")
ATTEMPTS = 4
PAUSE_SECONDS = 0.1
"""Before the second attempt at most; three times as long before each next one. Drawn evenly from zero up ("full
jitter"): clients that failed together do not come back together."""


def again(
    call: Callable[[float], T],
    *,
    within: float,
    clock: Clock,
    also: tuple[type[CloudfailError], ...] = (),
    attempts: int = ATTEMPTS,
) -> T:
    """What `call(seconds left)` returns. It is called again after Transient and after `also`, `attempts` times in all,
    not beyond `within` seconds; a pause that the vendor asked for is kept, and where it does not fit, the error is
    raised at once. Raises what the last call raised."""
    until = clock.boot() + within

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = getattr(error, "retry_after_seconds", None) or 0.0
        return max(asked, random.uniform(0, PAUSE_SECONDS * 3.0 ** (state.attempt_number - 1)))

    def stop(state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= attempts or clock.boot() + state.upcoming_sleep >= until

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((Transient, *also)),
        wait=pause,
        stop=stop,
        sleep=clock.sleep,
        reraise=True,
    )
    return retrying(lambda: call(max(0.0, until - clock.boot())))


READS = (OutcomeUnknown,)
"""A read that got no answer changed nothing: it may be made again."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises; TimeoutError if it has not by then. The SDK's own timeouts bound neither the
    lookup of a name nor a server that answers a byte at a time, and count anew for each address of a name. What is
    given up runs to its end on its own thread, and nobody waits for it."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="cloudfail-request").start()
    try:
        return future.result(seconds)
    except TimeoutError as error:
        if future.done():
            raise
        raise TimeoutError(f"no answer within {seconds:.1f} s") from error
