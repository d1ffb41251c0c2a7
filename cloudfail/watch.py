"""The observers at work: one process per vantage, their answers as Observations; and the heartbeats.

Nothing here judges or acts. `Observers` delivers what was seen, `detect` says what it means, `decide` what follows.

When was it seen? A vantage may have any clock, so its own stamps mean nothing here; but the moment of arrival is not it
either. If this process was stopped for ten minutes, the pipe holds answers of ten minutes ago, which all "arrive" now.
So each line carries the vantage's clock, and `Arrivals` keeps the least difference seen between our clock and that one:
what a line took beyond the least, it spent on its way, and its time is set back by that. A late answer is then old, and
`detect` takes what is old for unknown.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from cloudfail.clock import Clock, SystemClock
from cloudfail.detect import staleness_seconds, vantages_of
from cloudfail.model.observation import Health, Observation
from cloudfail.model.topology import Topology, Vantage
from cloudfail.probes.heartbeat import Heartbeats
from cloudfail.probes.look import plain
from cloudfail.probes.reach import may_ask_loopback
from cloudfail.probes.targets import targets

__all__ = ["Arrivals", "Heartbeats", "Observers", "VantageState", "sample_once"]

Deliver = Callable[[Observation], None]

LINE_BYTES_MAX = 16 * 1024
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STOP_SECONDS = 2.0
DRIFT = 0.0005
"""How far two clocks may drift apart, per second: far more than crystals do, far less than matters to a probe."""


class Arrivals:
    """Makes one vantage's stamps comparable with our clock."""

    def __init__(self) -> None:
        self._least = math.inf
        self._last = 0.0

    def seen_at(self, sent: float, arrived: float) -> float:
        """When the line left the vantage, on our clock; never after it arrived."""
        self._least = min(arrived - sent, self._least + DRIFT * (arrived - self._last))
        self._last = arrived
        return min(arrived, sent + self._least)


@dataclass(frozen=True)
class VantageState:
    """How one vantage's process fares, for people. `garbage` counts lines that were not observations."""

    name: str
    running: bool
    starts: int
    observations: int
    garbage: int
    last_words: str


class Observers:
    """One observer process per vantage, from start() to stop().

    `deliver` is called from the vantages' threads, as soon as a line is there; it must be quick and thread-safe, and
    must not raise (`queue.SimpleQueue().put` is all of these). A vantage whose process ends is started again, with
    growing pauses, and is unknown meanwhile: that is delivered at once. So is one that has fallen silent: its process
    is killed first.
    """

    def __init__(
        self, topology: Topology, deliver: Deliver, clock: Clock | None = None, *, patience_seconds: float = 15.0
    ) -> None:
        clock = clock or SystemClock()
        documents = _documents(topology)
        silence = max((staleness_seconds(check) for check in topology.probed.values()), default=0.0)
        self._observers = [
            _Observer(vantage, documents[name], deliver, clock, silence_seconds=silence + patience_seconds)
            for name, vantage in vantages_of(topology).items()
        ]
        self._stopping = threading.Event()
        self._watchdog = threading.Thread(target=self._watch_for_silence, name="observers", daemon=True)

    def start(self) -> Observers:
        for observer in self._observers:
            observer.start()
        self._watchdog.start()
        return self

    def stop(self) -> None:
        """End every process. Returns when they are gone, within a few seconds at most."""
        self._stopping.set()
        _end(self._observers)

    def states(self) -> tuple[VantageState, ...]:
        return tuple(observer.state() for observer in self._observers)

    def __enter__(self) -> Observers:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _watch_for_silence(self) -> None:
        while not self._stopping.wait(1.0):
            for observer in self._observers:
                observer.kill_if_silent()


class _Observer:
    """One vantage: its process, and the thread that reads it."""

    def __init__(
        self,
        vantage: Vantage,
        document: list[dict[str, Any]],
        deliver: Deliver,
        clock: Clock,
        *,
        silence_seconds: float,
        again: bool = True,
    ) -> None:
        self._vantage = vantage
        self._document = document
        self._asked = {(probe["region"], probe["check"]) for probe in document}
        self._deliver = deliver
        self._clock = clock
        self._silence_seconds = silence_seconds
        self._again = again
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._heard_at = clock.boot()
        self._told = False
        self._starts = self._observations = self._garbage = 0
        self._last_words = ""
        self._thread = threading.Thread(target=self._run, name=f"vantage {vantage.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_end(self) -> None:
        """Close its stdin, upon which it leaves. While it is still being told what to do, closing could wait: kill."""
        with self._lock:
            self._stopping.set()
            process, told = self._process, self._told
        if process is None or process.stdin is None:
            return
        if told:
            with contextlib.suppress(OSError):
                process.stdin.close()
        else:
            self._kill()

    def end(self, patience_seconds: float) -> None:
        """Wait for it to be gone; when patience is over, kill it."""
        self._thread.join(patience_seconds)
        if self._thread.is_alive():
            self._kill()
            self._thread.join(STOP_SECONDS)

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds)

    def state(self) -> VantageState:
        with self._lock:
            running = self._process is not None
        return VantageState(
            self._vantage.name, running, self._starts, self._observations, self._garbage, self._last_words
        )

    def kill_if_silent(self) -> None:
        """A process that was stopped, or whose answers come ever later, is replaced. Its silence is unknown anyhow."""
        if self._clock.boot() - self._heard_at > self._silence_seconds:
            self._last_words = "it fell silent and was ended"
            self._kill()

    def _kill(self) -> None:
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            before = self._observations
            self._one_life()
            if not self._again or self._stopping.is_set():
                return
            for region, check in sorted(self._asked):
                why = f"could not look: this vantage's observer ended ({self._last_words or 'without a word'})"
                self._deliver(
                    Observation(
                        self._vantage.name, region, check, Health.UNKNOWN, self._clock.boot(), detail=plain(why)
                    )
                )
            failures = failures + 1 if self._observations == before else 0
            self._stopping.wait(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    def _one_life(self) -> None:
        """Start the process, read it until it ends."""
        try:
            process = self._launch()
        except OSError as error:
            self._last_words = str(error)
            return
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        arrivals = Arrivals()
        newest: dict[tuple[str, str], float] = {}
        try:
            try:
                process.stdin.write(json.dumps(self._document).encode() + b"\n")
                process.stdin.flush()
                self._told = True
            except (OSError, ValueError) as error:  # it died at once, or stop() closed the pipe
                self._last_words = str(error)
            while line := process.stdout.readline(LINE_BYTES_MAX):
                self._take(line, arrivals, newest)
        finally:
            with contextlib.suppress(OSError):
                process.stdin.close()
            self._kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # a wrapper that is not ours to kill (sudo)
                process.wait(STOP_SECONDS)
            with self._lock:
                self._process = None
            process.stdout.close()

    def _launch(self) -> subprocess.Popen[bytes] | None:
        """In a session of its own: a Ctrl-C at the terminal ends us, and we end it; and a wrapper that starts children
        is killed with all of them. stderr joins stdout: the words of an ssh that failed are garbage worth keeping."""
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(
                [*self._vantage.command, sys.executable, "-P", "-m", "cloudfail.probes.observer"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._starts += 1
            self._told = False
            self._heard_at = self._clock.boot()
            return self._process

    def _take(self, line: bytes, arrivals: Arrivals, newest: dict[tuple[str, str], float]) -> None:
        """Deliver what a line says, in this vantage's name whatever it says of that. An observer looks at one target at
        a time, so of each target the next answer is later than the last: one that is not was told before."""
        arrived = self._clock.boot()
        try:
            said = json.loads(line)
            region, check, health = said["region"], said["check"], Health(said["health"])
            sent, took, detail = float(said["sent"]), float(said["took"]), str(said["detail"])
            if (region, check) not in self._asked or not math.isfinite(sent) or not 0 <= took < math.inf:
                raise ValueError("not what was asked")
            if sent <= newest.get((region, check), -math.inf):
                raise ValueError("told before")
        except (ValueError, TypeError, KeyError, RecursionError):
            self._garbage += 1
            self._last_words = plain(line.decode(errors="replace").strip()) or self._last_words
            return
        newest[region, check] = sent
        self._observations += 1
        seen_at = arrivals.seen_at(sent, arrived)
        self._heard_at = max(self._heard_at, seen_at)
        self._deliver(Observation(self._vantage.name, region, check, health, seen_at, took, plain(detail)))


def _end(observers: list[_Observer]) -> None:
    """Ask all, then wait for all, then kill those that stay."""
    for observer in observers:
        observer.ask_to_end()
    until = time.monotonic() + STOP_SECONDS
    for observer in observers:
        observer.end(max(0.0, until - time.monotonic()))


def _documents(
    topology: Topology,
    *,
    rounds: int = 0,
    every_seconds_max: float = math.inf,
    region: str | None = None,
    check: str | None = None,
) -> Mapping[str, list[dict[str, Any]]]:
    """What each vantage is told. The vantages look in turn: each has its own part of the interval as its phase."""
    asked = [item for item in targets(topology) if region in (None, item.region) and check in (None, item.check)]
    vantages = list(vantages_of(topology))
    documents: dict[str, list[dict[str, Any]]] = {}
    for index, vantage in enumerate(vantages):
        documents[vantage] = []
        for place, name, target in asked:
            rules = topology.checks[name]
            documents[vantage].append(
                {
                    "region": place,
                    "check": name,
                    "kind": rules.kind,
                    "target": target,
                    "every": min(rules.every_seconds, every_seconds_max),
                    "timeout": rules.timeout_seconds,
                    "phase": index / len(vantages),
                    "rounds": rounds,
                    "expect_status": list(rules.expect_status),
                    "expect_body": rules.expect_body,
                    "loopback": may_ask_loopback(topology.regions[place]),
                }
            )
    return documents


def sample_once(
    topology: Topology,
    rounds: int = 0,
    clock: Clock | None = None,
    *,
    every_seconds_max: float = 1.0,
    deadline_seconds: float = 60.0,
    region: str | None = None,
    check: str | None = None,
) -> tuple[Observation, ...]:
    """Look from every vantage `rounds` times (0: as often as the slowest check needs to fall or rise) and return what
    was seen, in the order in which it came. For `check` and `tick`, which do not stay. `region` and `check` narrow it.

    The looks are at most `every_seconds_max` apart, so that a person does not wait three intervals of ten seconds; how
    long a loss must last is the hold-down's business. A vantage that does not answer by the deadline is missing from
    the result, which `detect` takes for unknown.
    """
    clock = clock or SystemClock()
    rounds = rounds or max((max(check.fall, check.rise) for check in topology.probed.values()), default=1)
    seen: queue.SimpleQueue[Observation] = queue.SimpleQueue()
    documents = _documents(topology, rounds=rounds, every_seconds_max=every_seconds_max, region=region, check=check)
    observers = [
        _Observer(vantage, documents[name], seen.put, clock, silence_seconds=math.inf, again=False)
        for name, vantage in vantages_of(topology).items()
    ]
    until = time.monotonic() + deadline_seconds
    try:
        for observer in observers:
            observer.start()
        for observer in observers:
            observer.wait(max(0.0, until - time.monotonic()))
    finally:
        _end(observers)
    found: list[Observation] = []
    with contextlib.suppress(queue.Empty):
        while True:
            found.append(seen.get_nowait())
    return tuple(found)
