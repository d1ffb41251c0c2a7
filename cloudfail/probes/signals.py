"""Reads what providers say of the regions, and tells it as observations. One voice, beside those of the vantages.

It runs here, with the provider's own credentials, and not in the observers' processes, which have none. Each signal of
each region has a thread of its own, so that a region whose API does not answer delays no other one's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from cloudfail.clock import Clock, SystemClock
from cloudfail.detect import said_by_the_provider
from cloudfail.model.observation import Known, Observation, Unknown
from cloudfail.model.signal import SignalState
from cloudfail.model.topology import Check, Topology
from cloudfail.ports import Signals
from cloudfail.probes.look import plain

Deliver = Callable[[Observation], None]
STOP_SECONDS = 0.5
ONCE_SECONDS = 20.0
_SHORTEST_PAUSE_SECONDS = 0.2


def look(check: Check, signals: Signals, region: str, clock: Clock) -> Observation:
    """Read it once. Whatever a provider raises is unknown."""
    began = clock.boot()
    read: Known[SignalState] | Unknown
    try:
        read = signals.read(region)
    except Exception as error:  # noqa: BLE001  a read never raises; one that does says nothing of the region
        read = Unknown(f"{check.target} could not be read: {type(error).__name__}: {error}", clock.wall())
    observation = said_by_the_provider(check, region, read, began, clock.boot() - began)
    return replace(observation, detail=plain(observation.detail))


class SignalReader:
    """Reads each signal of each region every `every`, from start() to stop(). `of` finds the port by the resource's
    name. `deliver` is called from its threads, and must be quick and thread-safe."""

    def __init__(
        self, topology: Topology, of: Callable[[str], Signals], deliver: Deliver, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._of = of
        self._deliver = deliver
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(check, region), name=f"signal {name} {region}", daemon=True)
            for name, check in topology.signalled.items()
            for region in topology.regions
            if name in topology.checks_in(region)
        ]

    def start(self) -> SignalReader:
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Read no more. A read that hangs is left to itself (its thread is a daemon)."""
        self._stopping.set()
        until = self._clock.boot() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - self._clock.boot()))

    def __enter__(self) -> SignalReader:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _repeat(self, check: Check, region: str) -> None:
        while not self._stopping.is_set():
            began = self._clock.boot()
            observation = look_by_name(check, self._of, region, self._clock)
            if self._stopping.is_set():
                return
            self._deliver(observation)
            spent = self._clock.boot() - began
            self._stopping.wait(max(_SHORTEST_PAUSE_SECONDS, check.every_seconds - spent))


def look_by_name(check: Check, of: Callable[[str], Signals], region: str, clock: Clock) -> Observation:
    """As `look`; an adapter that cannot be built is unknown too."""
    try:
        signals = of(check.target)
    except Exception as error:  # noqa: BLE001  as in `look`
        why = Unknown(plain(f"{check.target} could not be opened: {type(error).__name__}: {error}"), clock.wall())
        return said_by_the_provider(check, region, why, clock.boot())
    return look(check, signals, region, clock)


def read_once(
    topology: Topology,
    of: Callable[[str], Signals],
    clock: Clock | None = None,
    *,
    region: str | None = None,
    deadline_seconds: float = ONCE_SECONDS,
) -> tuple[Observation, ...]:
    """Each signal of each region (or of that one), as often as it takes to fall or rise. What has not answered by the
    deadline is missing, which `detect` takes for unknown."""
    clock = clock or SystemClock()
    found: list[Observation] = []
    lock = threading.Lock()

    def ask(check: Check, place: str) -> None:
        for _ in range(max(check.fall, check.rise)):
            observation = look_by_name(check, of, place, clock)
            with lock:
                found.append(observation)

    threads = [
        threading.Thread(target=ask, args=(check, place), daemon=True)
        for check in topology.signalled.values()
        for place in topology.regions
        if region in (None, place) and check.name in topology.checks_in(place)
    ]
    until = clock.boot() + deadline_seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - clock.boot()))
    with lock:
        return tuple(found)
