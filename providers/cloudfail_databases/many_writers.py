"""What there is not of a database that takes writes in each region by design (`Kind.many_writers`, ADR 0014)."""

from __future__ import annotations

import time

from cloudfail.errors import Permanent
from cloudfail.model.observation import Unknown
from cloudfail.model.states import DatabaseState, FenceState, Progress
from cloudfail.ports import Call


class ManyWriters:
    """The part of ports.Database that fences and moves. name: the resource's; is_a: what it is, for people."""

    def __init__(self, name: str, is_a: str) -> None:
        self.name = name
        self._is_a = is_a

    def fence_state(self, source: str, target: str) -> Unknown:
        return self._none()

    def switchover_state(self, source: str, target: str) -> Unknown:
        return self._none()

    def follow_state(self, region: str, upstream: str) -> Unknown:
        return self._none()

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        raise self._refused("fenced")

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        raise self._refused("unfenced")

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        raise self._refused("promoted")

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        raise self._refused("promoted")

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        raise self._refused("made a replica of another")

    def _none(self) -> Unknown:
        return Unknown(f"{self.name} is {self._is_a}: each region takes writes by design", time.time())

    def _refused(self, what: str) -> Permanent:
        return Permanent(
            f"{self.name} is {self._is_a}, and none of its regions is {what}: each takes writes by design.",
            "Nothing was changed.",
            f"Write {{action: verify.write, with: {{database: {self.name}}}}} into the runbook instead.",
        )
