"""What several tests need: an application on a FakeCloud under a virtual clock, and engines that drive it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.approval import Approvers
from cloudfail.calls import InlineCalls
from cloudfail.engine import Engine
from cloudfail.execution.state import LogState, RunState
from cloudfail.journal import Journal
from cloudfail.model.codec import plan_document
from cloudfail.model.journal import Kind
from cloudfail.plan import bind
from cloudfail.ports import Store
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.fakecloud import FakeCloud
from cloudfail.testing.fakeworld import FakeWorld
from cloudfail.testing.provider import FakeProvider

ROOT = Path(__file__).resolve().parent.parent
RUNBOOKS = ROOT / "runbooks"
EXAMPLE = ROOT / "tests/fixtures/config/cloudfail.yaml"
LOCAL = ROOT / "tests/fixtures/config/lab.yaml"


def load_example() -> config.Loaded:
    return config.load(EXAMPLE, [RUNBOOKS / "evacuate.yaml"], {"aws": FakeProvider("aws")})


def load_local() -> config.Loaded:
    names = ("evacuate-local", "restore-local", "failback-local")
    providers = {"local": FakeProvider("local")}
    return config.load(LOCAL, [RUNBOOKS / f"{name}.yaml" for name in names], providers)


@dataclass
class Stage:
    """One application on a FakeCloud. `open` plans and opens a run; `engine` makes a worker; `drive` runs one."""

    loaded: config.Loaded
    clock: VirtualClock = field(default_factory=VirtualClock)
    store: Store = field(default_factory=MemoryStore)
    synchronous: bool = True
    lease_seconds: float = 30.0
    approvers: Approvers | None = None
    cloud: FakeCloud = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.cloud = FakeCloud(self.loaded.topology, self.clock, synchronous=self.synchronous)

    @property
    def application(self) -> str:
        return self.loaded.topology.application

    def open(self, runbook: str, source: str, target: str, **data: Any) -> str:
        recorded = {"web": {source: 4, target: 4}}
        plan = bind(self.loaded, self.loaded.runbooks[runbook], source, target, recorded, ACTIONS)
        journal = Journal(self.store, self.application, self.clock, "alice")
        journal.refresh()
        self.count += 1
        run = f"r{self.count}"
        journal.append(
            Kind.OPENED,
            {
                "run": run,
                "plan": plan_document(plan),
                "automation": "off",
                "reason": f"{source} is lost",
                "preapproved": "alice",
                **data,
            },
        )
        return run

    def command(self, run: str, command: str, by: str = "bob", **data: Any) -> None:
        journal = Journal(self.store, self.application, self.clock, by)
        journal.refresh()
        journal.append(Kind.COMMAND, {"run": run, "command": command, "reason": "test", **data})

    def engine(self, worker: str = "w1", store: Store | None = None) -> Engine:
        own = store or self.store
        return Engine(
            store=own,
            application=self.application,
            world=FakeWorld(self.cloud),
            actions=ACTIONS,
            clock=self.clock,
            calls=InlineCalls(self.clock),
            worker=worker,
            lease_seconds=self.lease_seconds,
            known=(Journal(own, self.application, self.clock, worker), LogState(approvers=self.approvers)),
        )

    def drive(self, seconds: float = 3600.0, worker: str = "w1") -> LogState:
        return self.engine(worker).drive(until=self.clock.boot() + seconds)

    def run(self, run: str) -> RunState:
        return self.engine("reader").read().runs[run]
