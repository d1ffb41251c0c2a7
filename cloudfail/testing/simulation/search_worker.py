"""Who plays in a searched history: workers with the production engine, the requests they send, the cloud.

Each worker is a virtual machine of its own: a greenlet for its loop and one for each mutating call, so that it can be
left standing wherever it meets the outside: before an append, before its last check, with its request on the wire,
before a look, while it waits. Numbers are chosen so that intervals coincide, and few states are left.
"""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import greenlet

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.engine import Engine
from cloudfail.errors import LeaseLost, OutcomeUnknown, StoreUnavailable
from cloudfail.model.codec import plan_document
from cloudfail.model.plan import Plan
from cloudfail.model.topology import PortName, Topology
from cloudfail.plan import bind
from cloudfail.ports import Call, Kind, StoredEntry
from cloudfail.testing.fakecloud import FakeCloud, Order
from cloudfail.testing.provider import FakeProvider
from cloudfail.testing.simulation.hub import Gone

if TYPE_CHECKING:
    from cloudfail.testing.simulation.search_play import Play

GRID = 5.0
LEASE_SECONDS = 40.0
POLL_SECONDS = 10.0
SETTLE_SECONDS = 5.0
TYPICAL_SECONDS = 5.0
PROMOTE_SECONDS = 15.0
SHORT_SECONDS = 5.0
# Longer than a lease, its margin and the quiet time after it: whoever is cut off for so long is taken over.
LONG_SECONDS = 90.0
BOOT_AT_START = 1000.0
WALL_AT_START = 1_700_000_000.0
RUN = "r1"

TOPOLOGY = """\
application: shop
objectives: {{rto: 30m, rpo: 30s}}
regions: {{{regions}}}
primary: east
state: sqlite:state.db
resources:
  orders:  {{database: postgresql, members: {{{members}}}}}
  edge:    {{loadbalancer: haproxy, members: {{{members}}}}}
  deploys: {{change: flag, members: {{{members}}}}}
checks:
  shop: {{http: "http://${{address}}/healthz", every: 1s, timeout: 500ms, fall: 3, rise: 2, vantages: 2 of 3}}
policy: {{automation: stage-1, hold_down: 2m, cool_down: 1h}}
"""

RUNBOOK = """\
name: move
mode: failover
steps:
  freeze:  {action: change.freeze,     with: {where: "${to}"},                                          limit: 20m}
  fence:   {action: database.fence,    with: {database: orders},                     needs: [freeze],   limit: 20m}
  approve: {gate: approval,                                                          needs: [fence],    expires: 20m}
  promote: {action: database.failover, with: {database: orders},                     needs: [approve],  limit: 20m}
  traffic: {action: traffic.switch,    with: {name: edge, at_most: healthy, rest: shed}, needs: [promote], limit: 20m}
"""


class _Provider(FakeProvider):
    """Every verb is as quick as the grid allows, so that nobody polls for minutes."""

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return {
            name: replace(
                kind,
                settle_seconds=SETTLE_SECONDS,
                verbs={verb: replace(facts, typical_seconds=TYPICAL_SECONDS) for verb, facts in kind.verbs.items()},
            )
            for name, kind in super().kinds().items()
        }


@dataclass(frozen=True)
class Setting:
    """What is searched. unconditional: verbs that land whatever stands there (their double order shows, and a late one
    is put back by watching); the rest is refused by condition or mark, as their providers declare. stale: reads within
    the declared settle time show the state before."""

    regions: int = 2
    workers: int = 2
    unconditional: frozenset[str] = frozenset({"freeze", "unfreeze", "shift"})
    stale: bool = True


@cache
def loaded_for(regions: int) -> tuple[Topology, Plan, Mapping[str, Any]]:
    names = ("east", "west", "north")[:regions]
    text = TOPOLOGY.format(
        regions=", ".join(
            f"{name}: {{provider: local, variables: {{address: 198.18.{number}0.1}}}}"
            for number, name in enumerate(names, 1)
        ),
        members=", ".join(f"{name}: {name}" for name in names),
    )
    with tempfile.TemporaryDirectory() as folder:
        topology_file, runbook_file = Path(folder) / "cloudfail.yaml", Path(folder) / "move.yaml"
        topology_file.write_text(text)
        runbook_file.write_text(RUNBOOK)
        loaded = config.load(topology_file, [runbook_file], {"local": _Provider("local")})
    plan = bind(loaded, loaded.runbooks["move"], "east", "west", {}, ACTIONS)
    return loaded.topology, plan, plan_document(plan)


class Task:
    """One greenlet of a worker: its loop, or one mutating call. where: what it stands before, and what with."""

    __slots__ = ("deadline", "g", "main", "ready", "started_at", "where", "worker")

    def __init__(self, worker: Worker, *, main: bool) -> None:
        self.worker = worker
        self.main = main
        self.ready = True
        self.deadline: float | None = None
        self.started_at = worker.play.now
        self.where: tuple[Any, ...] = ("start",)
        self.g: Any = None


class Request:
    """One mutating request after its last check. It is on the wire: whatever becomes of its sender, it may land."""

    def __init__(self, task: Task, verb: str, call: Call, land: Callable[[], None]) -> None:
        self.task = task
        self.verb = verb
        self.call = call
        self.land = land
        self.started_at = task.started_at
        self.landed = False
        self.adrift = False
        self.reply: BaseException | None = None
        self.replied = False

    @property
    def deadline(self) -> float:
        return self.started_at + self.call.timeout_seconds


class Worker:
    """One process on one machine. Fulfils `Clock`, `Calls` and `Store` for its engine."""

    def __init__(self, play: Play, name: str) -> None:
        self.play = play
        self.name = name
        self.alive = True
        self.stopped_at: float | None = None
        self.cut_until = -1.0
        self.append_is: str = ""
        self.engine: Engine | None = None
        self.tasks: list[Task] = []
        self._back: list[Any] = []
        self.main = self._spawn(self._live, main=True)

    # ---- its life

    def _live(self) -> None:
        """As a process that a scheduler starts again: a new engine each time, since what one saw ends with it."""
        play = self.play
        while True:
            self.engine = play.engine(self)
            try:
                state = self.engine.drive()
            except (LeaseLost, StoreUnavailable):
                self.sleep(max(GRID, self.cut_until - play.now))
                continue
            run = state.runs[RUN]
            if run.phase.final:
                return
            if play.asked_seq <= self.engine.journal.seq:
                self._stand(("idle",), ready=False)

    def watch_over(self) -> None:
        self.engine = self.play.engine(self)
        self.engine.watch_over(RUN)

    def _spawn(self, call: Callable[[], None], *, main: bool) -> Task:
        task = Task(self, main=main)
        task.g = greenlet.greenlet(call)
        self.tasks.append(task)
        return task

    def restart_as(self, call: Callable[[], None]) -> None:
        self.tasks.clear()
        self.main = self._spawn(call, main=True)

    @property
    def runs(self) -> bool:
        return self.alive and self.stopped_at is None

    def end(self) -> None:
        """The process is gone at once; what it had sent stays on the wire."""
        self.alive = False
        for task in self.tasks:
            if task.g and not task.g.dead:
                task.g.parent = greenlet.getcurrent()
                with contextlib.suppress(Gone):
                    task.g.throw(Gone)
        self.tasks.clear()

    def _stand(self, where: tuple[Any, ...], *, ready: bool = True, seconds: float | None = None) -> None:
        """Stand here until the search lets this task go on."""
        task = self.play.running
        assert task is not None
        task.where, task.ready = where, ready
        task.deadline = None if seconds is None else self.play.on_grid(seconds)
        self.play.hub.switch()
        if not self.alive:
            raise Gone

    # ---- Clock

    def boot(self) -> float:
        return BOOT_AT_START + self.play.now

    def wall(self) -> float:
        return WALL_AT_START + self.play.now

    def sleep(self, seconds: float) -> None:
        if not self.alive:
            raise Gone
        self._stand(("sleep",), ready=False, seconds=seconds)

    # ---- Calls

    def submit(self, call: Callable[[], Any], then: Callable[[Any], Any] | None = None) -> None:
        if not self.alive:
            raise Gone
        if then is None:  # a look: it changes nothing, so it is made at once
            self._stand(("look",))
            self._back.append(self.play.cloud.seen_by(call))
            return

        def run() -> None:
            self._hand(call(), then)

        self._spawn(run, main=False)

    def _hand(self, back: Any, then: Callable[[Any], Any]) -> None:
        self._back.append(back)
        more = self.play.cloud.seen_by(partial(then, back))
        if more is not None:
            self._back.append(more)
        if self.main.where[0] == "wait":
            self.main.ready = True

    def finished(self) -> list[Any]:
        if not self.alive:
            raise Gone
        back, self._back = self._back, []
        return back

    def wait(self, seconds: float) -> None:
        if not self.alive:
            raise Gone
        if not self._back:
            self._stand(("wait",), ready=False, seconds=seconds)

    # ---- Store

    def read(self, log: str, after: int) -> list[StoredEntry]:
        if not self.alive:
            raise Gone
        if self.cut_until > self.play.now:
            raise StoreUnavailable("The state store did not answer.")
        return self.play.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if not self.alive:
            raise Gone
        play, sent_at = self.play, self.play.now
        self._stand(("append", body))
        becomes, self.append_is = self.append_is, ""
        if self.cut_until > play.now and becomes != "landed, then cut":
            raise StoreUnavailable("The state store did not answer.")
        done = play.store.append(log, seq, body)
        if done:
            play.landed_entry(self, seq, body, sent_at)
        if becomes == "landed, then still":
            self._stand(("appended", done))
        if self.cut_until > play.now:
            raise StoreUnavailable("The state store did not answer.")
        return done


class SearchCloud(FakeCloud):
    """FakeCloud whose requests are on the wire between their last check and their landing, and whose reads are as old
    as the declared settle time allows."""

    def __init__(self, play: Play, topology: Topology, setting: Setting) -> None:
        self.play = play
        self._past: dict[str, tuple[float, Any]] = {}
        self.mute = False
        super().__init__(
            topology,
            play,
            synchronous=False,
            promote_seconds=PROMOTE_SECONDS,
            unconditional=setting.unconditional,
        )

    def effect(self, order: Order) -> None:
        verb, resource, call = order.verb, order.resource, order.call
        play = self.play
        task = play.running
        assert task is not None
        worker = task.worker
        worker._stand(("check", verb))
        call.check()

        def land() -> None:
            self.settle_promotions()
            before = self._copy(resource)
            count = len(self.effects)
            try:
                self._land(order)
            finally:
                if len(self.effects) > count:
                    self._past[resource] = (play.now, before)

        request = Request(task, verb, call, land)
        play.requests.append(request)
        play.checks.sent(request, order.value)
        worker._stand(("wire", verb), ready=False)
        if not request.replied:
            raise OutcomeUnknown(f"{verb} was not answered in time.")
        if request.reply is not None:
            raise request.reply

    def seen_by(self, look: Callable[[], Any]) -> Any:
        """Make a look with the eyes of the provider's reads."""
        self.settle_promotions()
        stale = self.play.setting.stale
        old = [name for name, (at, _) in self._past.items() if stale and self.play.now - at < SETTLE_SECONDS]
        now = {name: self._copy(name) for name in old}
        for name in old:
            self._put(name, copy.deepcopy(self._past[name][1]))
        if self.mute:
            self.cut = {*self.topology.regions, *self.topology.resources}
        try:
            return look()
        finally:
            self.mute, self.cut = False, set()
            for name in old:
                self._put(name, now[name])

    def _copy(self, resource: str) -> Any:
        match self.topology.resources[resource].port:
            case PortName.DATABASE:
                return copy.deepcopy(self.databases[resource])
            case PortName.LOADBALANCER:
                return dict(self.weights[resource])
            case _:
                return {key: frozen for key, frozen in self.frozen.items() if key[0] == resource}

    def _put(self, resource: str, value: Any) -> None:
        match self.topology.resources[resource].port:
            case PortName.DATABASE:
                self.databases[resource] = value
            case PortName.LOADBALANCER:
                self.weights[resource] = value
            case _:
                self.frozen = {key: frozen for key, frozen in self.frozen.items() if key[0] != resource} | value
