"""Two applications that write one list: each its own part, in a backend that replaces the whole without a condition.

In simulated time (the hub of the simulation), so that every wait is a place where the other may come between; or, as a
process of its own, in real time on a file.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cloudfail.actions import World
from cloudfail.actions.catalog import ACTIONS
from cloudfail.engine import Engine
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, StoreUnavailable
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import RunState
from cloudfail.journal import Journal
from cloudfail.model.codec import checksum_of, plan_document
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import Bounds, Plan, PlannedStep, StepFacts
from cloudfail.model.runbook import Mode
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Call, Store, StoredEntry
from cloudfail.resource_log import log_of
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.simulation.hub import Hub
from cloudfail.testing.simulation.machine import Machine, SimCalls

EAST, WEST = "east", "west"
LISTENER = "fake/listener"
CALL_SECONDS, LEASE_SECONDS = 10.0, 30.0
APPLICATIONS = ("billing", "shop")
WANTED = {EAST: 0, WEST: 100}


def topology(application: str) -> Topology:
    members = {EAST: f"{application}-east", WEST: f"{application}-west"}
    edge = Resource("edge", PortName.LOADBALANCER, "alb", "fake", None, members)
    regions = {name: Region(name, "fake") for name in (EAST, WEST)}
    return Topology(application, Objectives(900, 30), regions, EAST, "memory:", {"edge": edge})


def plan(application: str, *shared: str, settle_seconds: float = 0.0, limit_seconds: float = 300.0) -> Plan:
    """One step: all of its own traffic to the west."""
    facts = StepFacts(
        verb="shift", settle_seconds=settle_seconds, call_timeout_seconds=CALL_SECONDS, typical_seconds=1.0,
        shared=shared,
    )  # fmt: skip
    step = PlannedStep(
        "edge", "traffic.switch", None, {"name": "edge", "to": WEST}, (), limit_seconds, 0.0, 3,
        undo=("traffic.switch", {"name": "edge", "to": EAST}), resource="edge", facts=facts,
    )  # fmt: skip
    made = Plan(application, "move", Mode.SWITCHOVER, EAST, WEST, (step,), Bounds(30.0), "", 3600.0)
    return replace(made, checksum=checksum_of(made))


def open_run(store: Store, made: Plan, clock: Any) -> None:
    journal = Journal(store, made.application, clock, "alice")
    journal.append(
        Kind.OPENED,
        {"run": "r1", "plan": plan_document(made), "automation": "off", "reason": "moving", "preapproved": "alice"},
    )


@dataclass
class SharedList:
    """Group -> weight. `lost`: whose change was overwritten, each time that was done by who had not read it."""

    now: Callable[[], float]
    groups: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    writes: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for application in APPLICATIONS:
            self.groups |= {f"{application}-east": 100, f"{application}-west": 0}
        self.history = [(self.now(), dict(self.groups))]

    def as_it_was(self, at: float) -> dict[str, int]:
        return dict(next((groups for since, groups in reversed(self.history) if since <= at), self.history[0][1]))

    def replace(self, application: str, groups: Mapping[str, int]) -> None:
        others = {name for name in groups if not name.startswith(f"{application}-")}
        self.lost += sorted(name for name in others if groups[name] != self.groups[name])
        self.groups = dict(groups)
        self.history.append((self.now(), dict(groups)))
        self.writes.append((self.now(), application))

    def weights(self, application: str) -> dict[str, int]:
        return {EAST: self.groups[f"{application}-east"], WEST: self.groups[f"{application}-west"]}


class SharedBalancer:
    """The port of one application's part, asked from one machine. stale_seconds: how old a read may be."""

    def __init__(self, play: Play, machine: Machine, application: str) -> None:
        self.play, self.machine, self.application = play, machine, application

    def _read(self) -> dict[str, int]:
        draw = self.play.random
        self.machine.sleep(draw.uniform(0.0, 0.3))
        return self.play.shared.as_it_was(self.play.hub.now - draw.uniform(0.0, self.play.stale_seconds))

    def _own(self, groups: Mapping[str, int]) -> dict[str, int]:
        return {region: groups[f"{self.application}-{region}"] for region in (EAST, WEST)}

    def read(self) -> Known[LoadBalancerState] | Unknown:
        own = self._own(self._read())
        return Known(LoadBalancerState(own, {EAST: 1, WEST: 1}, str(own)), 0.0)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        self.machine.boundary("before read")
        groups = self._read()
        if self._own(groups) == dict(weights):
            return
        if str(self._own(groups)) != expect.version:
            raise Conflict("The weights are not as they were seen.")
        self.machine.boundary("before check")
        self.machine.sleep(self.play.random.uniform(0.0, 2.0))
        call.check()
        self.machine.boundary("after check")
        self.machine.sleep(self.play.random.uniform(0.0, 0.1))
        whole = {**groups, **{f"{self.application}-{region}": weights[region] for region in weights}}
        if self.play.late_seconds.get(self.application):
            self.play.hub.after(
                self.play.late_seconds[self.application].pop(),
                lambda: self.play.shared.replace(self.application, whole),
            )
            raise OutcomeUnknown("No answer.")
        self.play.shared.replace(self.application, whole)
        self.machine.boundary("after write")
        self.machine.sleep(self.play.random.uniform(0.0, 0.3))


class SharedWorld:
    """`actions.World` of one application on one machine: its balancer, and no checks."""

    def __init__(self, play: Play, machine: Machine, application: str) -> None:
        self.topology = topology(application)
        self._balancer = SharedBalancer(play, machine, application)

    def loadbalancer(self, _name: str) -> SharedBalancer:
        return self._balancer

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


class WanderingStore:
    """The store as one machine reaches it: each way takes its time, and is a boundary at which the machine may die."""

    def __init__(self, play: Play, machine: Machine) -> None:
        self.play, self.machine = play, machine

    def read(self, log: str, after: int) -> list[StoredEntry]:
        self.machine.sleep(self.play.random.uniform(0.0, 0.02))
        return self.play.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        self.machine.boundary(f"before append {log.partition(':')[0]}")
        self.machine.sleep(self.play.random.uniform(0.0, 0.02))
        stored = self.play.store.append(log, seq, body)
        self.machine.boundary(f"after append {log.partition(':')[0]}")
        return stored


class Play:
    """One history: both applications move at about the same time, each from a machine of its own."""

    def __init__(
        self,
        seed: int,
        *,
        shared: bool = True,
        stale_seconds: float = 0.0,
        settle_seconds: float | None = None,
        store: Store | None = None,
        limit_seconds: float = 300.0,
    ) -> None:
        self.random = random.Random(seed)
        self.hub = Hub()
        self.store: Store = store or MemoryStore()
        self.stale_seconds = stale_seconds
        self.shared = SharedList(lambda: self.hub.now)
        # Of an application's next requests: how many seconds later each lands, after its caller gave up.
        self.late_seconds: dict[str, list[float]] = {}
        self.machines: dict[str, Machine] = {}
        self.running = 0
        self.errors: list[BaseException] = []
        names = (LISTENER,) if shared else ()
        settle = stale_seconds if settle_seconds is None else settle_seconds
        for application in APPLICATIONS:
            open_run(
                self.store,
                plan(application, *names, settle_seconds=settle, limit_seconds=limit_seconds),
                self.machine(f"opener of {application}"),
            )

    def machine(self, name: str) -> Machine:
        made = Machine(self.hub, name, "outside", drift=self.random.uniform(-1e-4, 1e-4))
        self.machines[name] = made
        return made

    def worker(self, application: str, name: str, *, after: float = 0.0, seconds: float = 900.0) -> Machine:
        """A machine that carries the application's run on, from `after` on."""
        machine = self.machine(name)

        def drive() -> None:
            machine.sleep(after)
            engine = self.engine(application, machine)
            self.running += 1
            try:
                engine.drive(until=machine.boot() + seconds)
            except (LeaseLost, StoreUnavailable) as error:
                self.errors.append(error)
            finally:
                self.running -= 1

        machine.spawn(drive)
        return machine

    def engine(self, application: str, machine: Machine) -> Engine:
        world: World = SharedWorld(self, machine, application)  # type: ignore[assignment]  # the parts that are used
        return Engine(
            store=WanderingStore(self, machine),
            application=application,
            world=world,
            actions=ACTIONS,
            clock=machine,
            calls=SimCalls(machine, lambda: self.random.uniform(0.0, 0.05)),
            worker=machine.name,
            lease_seconds=LEASE_SECONDS,
        )

    def both(self) -> None:
        for application in APPLICATIONS:
            self.worker(application, f"{application}-1", after=self.random.uniform(0.0, 1.5))

    def run(self, until: float = 900.0) -> None:
        self.hub.run(until, stop=lambda: False)
        self.hub.close()

    def end(self, application: str) -> RunState:
        engine = Engine(
            store=self.store, application=application, world=None, actions=ACTIONS,  # type: ignore[arg-type]  # it only reads
            clock=self.machines[f"opener of {application}"], calls=None, worker="reader", lease_seconds=30.0,  # type: ignore[arg-type]
        )  # fmt: skip
        return engine.read().runs["r1"]

    def entries(self, log: str) -> list[Entry]:
        return Journal(self.store, log, self.machines["opener of shop"], "reader").refresh()

    def ends_right(self) -> None:
        for application in APPLICATIONS:
            run = self.end(application)
            assert run.phase is Phase.DONE, (application, run.story[-1], run.tracks)
            assert self.shared.weights(application) == WANTED, (application, self.shared.groups, self.shared.writes)
        assert self.shared.lost == []

    def one_at_a_time(self) -> None:
        """What the resource's log itself says: nobody claims what is held, and each entry is the holder's own."""
        holder = 0
        for entry in self.entries(log_of(LISTENER)):
            if entry.kind is Kind.CLAIM:
                assert holder == 0, f"entry {entry.seq}: claimed while {holder} held it"
                assert entry.epoch == entry.seq
                holder = entry.seq
            else:
                assert entry.epoch == holder
                holder = 0
