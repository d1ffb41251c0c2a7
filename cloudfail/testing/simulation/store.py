"""The application log as one machine reaches it: unavailable, answers lost, appends that land after their caller gave
up. What is stored is a real store; only the way there is simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from cloudfail.errors import StoreUnavailable
from cloudfail.ports import Store, StoredEntry
from cloudfail.testing.simulation.machine import Machine
from cloudfail.testing.simulation.network import STORE, Network

APPEND_SECONDS = 0.004
TIMEOUT_SECONDS = 2.0


@dataclass
class StoreFaults:
    """out: the store answers nobody. lose_reply, land_late: what becomes of the next appends (how many, and for
    land_late how many seconds later). landed(seq): told of each append that landed; hit(fault): of each that fired."""

    out: bool = False
    lose_reply: int = 0
    land_late: list[float] = field(default_factory=list)
    landed: Callable[[int, bytes], None] = lambda _seq, _body: None
    hit: Callable[[str], None] = lambda _fault: None


class SimStore:
    """Fulfils `Store` for one machine. A read gives what is stored when its reply is made, at once: so in true time no
    entry stands between what a check read and the request that it let through."""

    def __init__(self, machine: Machine, truth: Store, network: Network, faults: StoreFaults) -> None:
        self.machine = machine
        self.truth = truth
        self.network = network
        self.faults = faults

    def read(self, log: str, after: int) -> list[StoredEntry]:
        if self.faults.out or not self.network.answers(self.machine.place, STORE):
            self._time_out()
        if not self.machine.alive:
            self.machine.sleep(0.0)
        return self.truth.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        machine, faults = self.machine, self.faults
        machine.boundary("before append")
        machine.sleep(APPEND_SECONDS)
        if faults.out or not self.network.passes(machine.place, STORE):
            self._time_out()
        if faults.land_late:
            seconds = faults.land_late.pop()
            faults.hit("late append")
            machine.hub.after(seconds, partial(self._land_late, log, seq, body))
            self._time_out()
        done = self._land(log, seq, body)
        machine.boundary("after append")
        if faults.lose_reply > 0 or not self.network.passes(STORE, machine.place):
            if faults.lose_reply > 0:
                faults.lose_reply -= 1
                faults.hit("lost append reply")
            self._time_out()
        return done

    def _land_late(self, log: str, seq: int, body: bytes) -> None:
        self._land(log, seq, body)

    def _land(self, log: str, seq: int, body: bytes) -> bool:
        done = self.truth.append(log, seq, body)
        if done:
            self.faults.landed(seq, body)
        return done

    def _time_out(self) -> None:
        self.machine.sleep(TIMEOUT_SECONDS)
        raise StoreUnavailable("The state store did not answer in time.")
