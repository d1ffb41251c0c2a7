"""What the observers say now: shared between the threads that see, and the one that decides."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from cloudfail import detect
from cloudfail.clock import Clock
from cloudfail.model.observation import Health, Known, Observation, Unknown, Verdict
from cloudfail.model.topology import Topology

SEEN_WITHIN_SECONDS = 60.0


class Live:
    """Folds observations as they arrive. `changed` is set with each one, for whoever waits."""

    def __init__(self, topology: Topology, clock: Clock) -> None:
        self.topology = topology
        self.clock = clock
        self.changed = threading.Event()
        self._lock = threading.Lock()
        self._state = detect.Detection(topology.checks)

    def deliver(self, observation: Observation) -> None:
        with self._lock:
            self._state = detect.observe(self._state, observation)
        self.changed.set()

    def wait(self, seconds: float) -> None:
        """Return with the next observation, or after `seconds`."""
        self.changed.wait(seconds)
        self.changed.clear()

    def verdicts(self) -> Mapping[str, Verdict]:
        with self._lock:
            state = self._state
        return detect.verdicts(state, self.topology, self.clock.boot())

    def calm(self) -> bool:
        """Every region is healthy, and no vantage that calls one so has just seen it fail: nothing is being counted."""
        with self._lock:
            counts = self._state.counts.values()
        counting = any(count.health is Health.HEALTHY and count.last is Health.DOWN for count in counts)
        return not counting and all(verdict.health is Health.HEALTHY for verdict in self.verdicts().values())

    def healthy(self, check: str, region: str) -> Known[bool] | Unknown:
        """Whether `region` was itself seen healthy within the last minute (invariant I5)."""
        verdict = self.verdicts()[region]
        if verdict.health is Health.UNKNOWN:
            return Unknown("; ".join(verdict.reasons) or f"nobody looked at {check}")
        if self.clock.boot() - verdict.at > SEEN_WITHIN_SECONDS:
            return Unknown(f"{check} in {region} was last seen {self.clock.boot() - verdict.at:.0f} s ago")
        return Known(verdict.health is Health.HEALTHY, self.clock.wall())
