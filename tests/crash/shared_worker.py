"""A worker of one of two applications that write one list, as a process of its own: `python shared_worker.py STATE LIST
APPLICATION NOTES [stop|kill] [SECONDS]`. The list is a file that is replaced as a whole. It says what it is doing in
NOTES, a line each; with `stop` or `kill` it stops itself, or dies, where it holds the list and has sent nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import Engine
from cloudfail.errors import Conflict, LeaseLost
from cloudfail.model.observation import Known
from cloudfail.model.states import LoadBalancerState
from cloudfail.ports import Call
from cloudfail.stores.sqlite import SQLiteStore
from tests.crash.sharing import EAST, WEST, topology

# Calls are as long as the lease lets them be: 0.45 of it.
LEASE_SECONDS = 4.0


class FileBalancer:
    def __init__(self, file: Path, application: str, notes: Path, how: str, seconds: float) -> None:
        self.file, self.application, self.how, self.seconds = file, application, how, seconds
        self._notes = notes.open("a", buffering=1)

    def note(self, line: str) -> None:
        self._notes.write(f"{line}\n")

    def _groups(self) -> dict[str, int]:
        groups: dict[str, int] = json.loads(self.file.read_text())
        return groups

    def read(self) -> Known[LoadBalancerState]:
        groups = self._groups()
        own = {region: groups[f"{self.application}-{region}"] for region in (EAST, WEST)}
        return Known(LoadBalancerState(own, {EAST: 1, WEST: 1}, str(own)), 0.0)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        groups = self._groups()
        if self.read().value.version != expect.version:
            raise Conflict("The weights are not as they were seen.")
        self.note("holds")
        if self.how:
            how, self.how = self.how, ""
            os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGSTOP)
            self.note("woke")
        time.sleep(self.seconds)
        call.check()
        self.note("sends")
        draft = self.file.with_suffix(f".{self.application}")
        draft.write_text(json.dumps({**groups, **{f"{self.application}-{r}": w for r, w in weights.items()}}))
        draft.replace(self.file)


class FileWorld:
    def __init__(self, balancer: FileBalancer) -> None:
        self.topology, self._balancer = topology(balancer.application), balancer

    def loadbalancer(self, _name: str) -> FileBalancer:
        return self._balancer


def main(state: str, file: str, application: str, notes: str, how: str = "", seconds: str = "0.3") -> None:
    balancer = FileBalancer(Path(file), application, Path(notes), how, float(seconds))
    clock = SystemClock()
    world: Any = FileWorld(balancer)
    engine = Engine(
        store=SQLiteStore(state, busy_seconds=30.0),
        application=application,
        world=world,
        actions=ACTIONS,
        clock=clock,
        calls=ThreadCalls(),
        worker=f"{application}/{os.getpid()}",
        lease_seconds=LEASE_SECONDS,
    )
    try:
        engine.drive(until=clock.boot() + 120.0)
    except LeaseLost as error:
        balancer.note(f"lost: {error}")
    balancer.note("ended")


if __name__ == "__main__":
    main(*sys.argv[1:])
