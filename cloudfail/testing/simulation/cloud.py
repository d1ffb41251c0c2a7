"""SimCloud: FakeCloud with a way to it, a data plane under it, and clients in front of it.

The way: a request takes time, may be slow, refused, answered with any class of error, may land although its answer is
lost, and may land minutes after its caller died. The data plane: rows that clients wrote, replicated with a lag over
links that may be cut. The clients: some look the name up and honour its TTL, some keep an answer far too long, some use
the balancer, some stand inside of the region.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.states import Role
from cloudfail.model.topology import PortName, Topology
from cloudfail.testing.fakecloud import FakeCloud, Member, Order
from cloudfail.testing.simulation.hub import Hub
from cloudfail.testing.simulation.intervals import Spans, cut_off, subtract
from cloudfail.testing.simulation.machine import WALL_AT_START, Machine
from cloudfail.testing.simulation.network import CONTROL, EDGE, OUTSIDE, Network

CALL_SECONDS = 0.02
WRITES_PER_SECOND = 10
BEAT_SECONDS = 1.0

ERRORS = (
    "transient",
    "throttled",
    "permanent",
    "conflict",
    "unknown",
    "lost reply",
    "lie",
    "exception before",
    "exception after",
)


class HubClock:
    """True time, as FakeCloud's clock."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def boot(self) -> float:
        return self.hub.now

    def wall(self) -> float:
        return WALL_AT_START + self.hub.now

    def sleep(self, seconds: float) -> None:
        self.hub.sleep(seconds)


@dataclass(frozen=True)
class Sent:
    """One mutating request that left a machine, when, and how many entries the log had then."""

    at: float
    seq: int
    machine: str
    epoch: int
    verb: str
    resource: str
    run: str
    step: str


@dataclass
class CloudFaults:
    """What is wrong with the clouds now. errors: what the next mutating calls meet, in order (of ERRORS). late: after
    how many seconds the next calls land, whatever became of their caller. The `_until`s are true seconds."""

    errors: list[str] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    expired_until: float = -1.0
    throttled_until: float = -1.0
    slow_until: float = -1.0
    slow_seconds: float = 0.0
    stale_until: float = -1.0
    partial_until: float = -1.0
    read_errors_until: float = -1.0
    capacity_short_until: float = -1.0


@dataclass(frozen=True)
class Group:
    """Clients that go one way. kind: "name" (a resolver that honours the TTL), "stuck" (one that keeps an answer for
    `keeps_seconds`), "balancer", or "inside" (they stand in `region` and know nothing else)."""

    name: str
    kind: str
    resource: str = ""
    region: str = ""
    keeps_seconds: float = 0.0
    phase: float = 0.0

    def ids(self, since: float, until: float) -> tuple[int, int]:
        """The numbers of the writes that these clients begin in that time, as a half-open range."""
        first = math.ceil((since - self.phase) * WRITES_PER_SECOND - 1e-9)
        return first, max(first, math.ceil((until - self.phase) * WRITES_PER_SECOND - 1e-9))

    def moment(self, number: int) -> float:
        return number / WRITES_PER_SECOND + self.phase


@dataclass
class Rows:
    """What one member of a database holds: group -> spans of write numbers; and up to which true second it has all that
    its upstream committed."""

    spans: dict[str, Spans] = field(default_factory=dict)
    complete_to: float = 0.0


class SimCloud(FakeCloud):
    """lag_seconds: how far replicas are behind where replication is asynchronous. settle_seconds: how stale a read of a
    control plane may be while `faults.stale_until` lasts."""

    def __init__(
        self,
        topology: Topology,
        hub: Hub,
        network: Network,
        random: Random,
        *,
        synchronous: bool,
        promote_seconds: float,
        lag_seconds: float = 0.3,
        ttl_seconds: float = 5.0,
        stuck_seconds: float = 120.0,
        unconditional: Iterable[str] = (),
        control: Iterable[str] = (),
    ) -> None:
        self.hub = hub
        self.network = network
        self.random = random
        self.faults = CloudFaults()
        self.lag_seconds = lag_seconds
        self.ttl_seconds = ttl_seconds
        self.settle_seconds = 0.0
        self.landed_late = False
        self.lands_until = 0.0
        self._settling = False
        self.sent: list[Sent] = []
        self.landing = False
        self.fired: Callable[[str], None] = lambda _fault: None
        self.log_length: Callable[[], int] = lambda: 0
        self.sick_since: dict[str, float] = {}
        self.moves: list[tuple[float, str, str, float, bool]] = []
        self.past: dict[tuple[str, str], tuple[float, Any]] = {}
        self.remember: Callable[[str, str], None] = lambda _resource, _region: None
        self.weights_seen: list[tuple[float, str, dict[str, int]]] = []
        self._control = frozenset(control)
        self._flushed = hub.now
        self._writable: dict[str, frozenset[str]] = {}
        self._rows: dict[str, dict[str, Rows]] = {}
        self.groups: list[Group] = []
        self.goes: dict[str, str] = {}
        self.acked: dict[str, dict[str, Spans]] = {}
        self.acked_at: dict[str, list[tuple[float, float, str, str]]] = {}
        self.unknown: dict[str, dict[str, Spans]] = {}
        self.promotions: list[tuple[float, str, str, float]] = []
        self._beats: dict[tuple[str, str], list[tuple[float, float]]] = {}
        super().__init__(
            topology,
            HubClock(hub),
            synchronous=synchronous,
            promote_seconds=promote_seconds,
            unconditional=unconditional,
        )
        primary = topology.primary
        self._make_groups(primary, stuck_seconds)
        for name, members in self.databases.items():
            self._rows[name] = {region: Rows(complete_to=hub.now) for region in members}
            self.acked[name] = {group.name: [] for group in self.groups}
            self.unknown[name] = {group.name: [] for group in self.groups}
            self.acked_at[name] = []
        for name, weights in self.weights.items():
            self.weights_seen.append((hub.now, name, dict(weights)))
        self._writable = {name: self.writable_regions(name) for name in self.databases}

    # ---- who reaches what

    def node(self, name: str) -> str:
        if name in self.topology.regions:
            return name
        return CONTROL if name in self._control else EDGE

    def asking(self) -> str:
        """The place that the running code stands in."""
        task = self.hub.current
        owner = task.owner if task is not None else None
        return owner.place if isinstance(owner, Machine) else OUTSIDE

    def reachable(self, region: str) -> bool:
        if region in self.down or region in self.cut:
            return False
        if self.landing:
            return True  # its request is there already
        return self.network.answers(self.asking(), self.node(region))

    def clients_reach(self, region: str) -> bool:
        return region not in self.down

    def disturb(self, change: Callable[[], None]) -> None:
        """Change links, lags or members from outside: what clients did until now is settled first."""
        self.flush()
        change()
        self._note_writers()

    # ---- clients and rows

    def _make_groups(self, primary: str, stuck_seconds: float) -> None:
        names = [r.name for r in self.topology.resources.values() if r.port is PortName.DNS]
        balancers = [r.name for r in self.topology.resources.values() if r.port is PortName.LOADBALANCER]
        if names:
            self.groups.append(Group("by name", "name", names[0], keeps_seconds=self.ttl_seconds, phase=0.01))
            self.groups.append(Group("by a stuck resolver", "stuck", names[0], keeps_seconds=stuck_seconds, phase=0.03))
        if balancers:
            self.groups.append(Group("by the balancer", "balancer", balancers[0], phase=0.05))
        self.groups.append(Group("inside", "inside", region=primary, phase=0.07))
        for group in self.groups:
            self.goes[group.name] = group.region or primary

    def _follow_weights(self, resource: str) -> None:
        for group in self.groups:
            if group.resource != resource:
                continue
            wait = 0.0
            if group.kind == "stuck":
                self.fired("stuck resolver")
            if group.keeps_seconds:
                wait = group.keeps_seconds * (self.random.random() if group.kind == "name" else 1.0)
            self.hub.after(wait, lambda group=group: self._look_up(group))  # type: ignore[misc]

    def _look_up(self, group: Group) -> None:
        weights = self.weights[group.resource]
        region = max(weights, key=lambda name: weights[name])
        if weights[region] > 0 and self.goes[group.name] != region:
            self.flush()
            self.goes[group.name] = region

    def flush(self) -> None:
        """Settle what clients did, what was replicated and which heartbeats were acknowledged since the last time; in
        all of it nothing changed."""
        since, until = self._flushed, self.hub.now
        if until <= since:
            return
        self._flushed = until
        for name, writable in self._writable.items():
            rows = self._rows[name]
            for region in writable:
                if region in self.down:
                    continue
                seen = region not in self.cut and self.network.answers(OUTSIDE, region)
                self._beats.setdefault((name, region), [])
                if seen:
                    self._beats[name, region].append((since, until))
                for group in self.groups:
                    if self.goes[group.name] != region:
                        continue
                    first, last = group.ids(since, until)
                    if last > first:
                        _add(self.acked[name][group.name], first, last)
                        _add(rows[region].spans.setdefault(group.name, []), first, last)
                        self.acked_at[name].append((since, until, region, group.name))
                rows[region].complete_to = until
            self._replicate(name, until)

    def _replicate(self, name: str, until: float) -> None:
        members, rows = self.databases[name], self._rows[name]
        for region, member in members.items():
            upstream = member.upstream
            if upstream is None or not self._streams(name, region):
                continue
            reach = until if self.synchronous else max(rows[region].complete_to, until - self.lag_seconds)
            own = rows[region]
            own.complete_to = reach
            own.spans = {
                group.name: cut_off(rows[upstream].spans.get(group.name, []), group.ids(0.0, reach)[1])
                for group in self.groups
            }

    def _streams(self, name: str, region: str) -> bool:
        """Whether the member in `region` receives what its upstream writes, now."""
        member = self.databases[name][region]
        upstream = member.upstream
        if upstream is None or member.role is not Role.REPLICA or member.promoting_until is not None:
            return False
        other = self.databases[name][upstream]
        if not (member.running and other.running) or {region, upstream} & self.down:
            return False
        if other.timeline != member.timeline or other.role is not Role.PRIMARY:
            return False
        return self.network.answers(upstream, region)

    def rows(self, name: str, region: str) -> Rows:
        self.flush()
        return self._rows[name][region]

    def lost(self, name: str, region: str) -> int:
        """How many acknowledged writes the member in `region` does not hold now."""
        self.flush()
        held = self._rows[name][region].spans
        return sum(
            last - first
            for group in self.groups
            for first, last in subtract(self.acked[name][group.name], held.get(group.name, []))
        )

    def unexpected(self, name: str, region: str) -> int:
        """How many writes it holds that no client ever tried."""
        self.flush()
        now = self.hub.now
        return sum(
            last - first
            for group in self.groups
            for first, last in subtract(
                self._rows[name][region].spans.get(group.name, []), [(0, group.ids(0.0, now)[1])]
            )
        )

    def recovered(self, name: str, region: str) -> int:
        """How many writes whose outcome the client does not know are there."""
        self.flush()
        held = self._rows[name][region].spans
        total = 0
        for group in self.groups:
            spans = self.unknown[name][group.name]
            total += sum(b - a for a, b in spans)
            total -= sum(b - a for a, b in subtract(spans, held.get(group.name, [])))
        return total

    def _last_beat(self, name: str, region: str, before: float) -> float | None:
        """True time of the newest heartbeat written in `region` not after `before`."""
        best = None
        for since, until in self._beats.get((name, region), []):
            moment = math.floor(min(until - 1e-9, before) / BEAT_SECONDS) * BEAT_SECONDS
            if moment >= since and (best is None or moment > best):
                best = moment
        return best

    def acknowledged_beat(self, name: str, region: str) -> float | None:
        self.flush()
        return self._last_beat(name, region, self.hub.now)

    def replayed_beat(self, name: str, region: str, source: str) -> float | None:
        self.flush()
        return self._last_beat(name, source, self._rows[name][region].complete_to)

    # ---- writers

    def _acknowledges(self, database: str, region: str) -> bool:
        members = self.databases[database]
        member = members[region]
        if member.role is not Role.PRIMARY or member.fenced or not member.running or region in self.down:
            return False
        if member.promoting_until is not None:
            return False
        if not self.synchronous:
            return True
        return all(
            other.timeline < member.timeline or (other.timeline == member.timeline and self._streams(database, name))
            for name, other in members.items()
            if name != region
        )

    def _note_writers(self) -> None:
        if not self._rows and self.databases:
            super()._note_writers()
            return
        self.flush()
        for name in self.databases:
            now = self.writable_regions(name)
            before = self._writable[name]
            if now != before:
                self.writers.append((self.hub.now, name, now))
                for region in before - now:
                    self._in_flight(name, region)
                self._writable[name] = now

    def _in_flight(self, name: str, region: str) -> None:
        """The write that was on its way when the writer stopped: its client never learns, and it may be there."""
        for group in self.groups:
            if self.goes[group.name] != region:
                continue
            number = group.ids(0.0, self.hub.now)[1]
            _add(self.unknown[name][group.name], number, number + 1)
            # A server that is stopped cleanly, or fenced, finishes what it began, and ships it.
            if self.random.random() < 0.5 and region in self.down:
                _add(self._rows[name][region].spans.setdefault(group.name, []), number, number + 1)

    def settle_promotions(self) -> None:
        if self._settling:
            return
        self._settling = True
        try:
            self._settle_promotions()
        finally:
            self._settling = False

    def _settle_promotions(self) -> None:
        for name, members in self.databases.items():
            for region, member in members.items():
                if member.promoting_until is not None and self.hub.now >= member.promoting_until:
                    self.flush()
                    self.remember(name, region)
                    super().settle_promotions()
                    complete = self._rows[name][region].complete_to
                    self.promotions.append((self.hub.now, name, region, complete))
                    return

    # ---- the door through which everything changes

    def effect(self, order: Order) -> None:
        verb, resource, region, call = order.verb, order.resource, order.region, order.call
        task = self.hub.current
        assert task is not None
        machine = task.owner
        assert isinstance(machine, Machine)
        machine.boundary(f"before {verb}")
        call.check()
        self.sent.append(
            Sent(self.hub.now, self.log_length(), machine.name, call.epoch, verb, resource, call.run, call.step)
        )
        ends = self.hub.now + call.timeout_seconds
        node = self.node(resource) if resource in self.weights else region

        def land() -> None:
            self.landing = True
            try:
                self._changed(order)
            finally:
                self.landing = False

        fault = self._meets(verb)
        if self.faults.late:
            self.fired("late effect")
            self._land_late(self.faults.late.pop(), land)
            machine.sleep(max(0.0, ends - self.hub.now))
            raise OutcomeUnknown("No answer came within the call's time.")
        machine.sleep(CALL_SECONDS)
        if self.faults.slow_until > self.hub.now:
            self.fired("slow calls")
            if self.faults.slow_seconds >= ends - self.hub.now:
                self._land_late(self.faults.slow_seconds, land)
                machine.sleep(max(0.0, ends - self.hub.now))
                raise OutcomeUnknown("No answer came within the call's time.")
            machine.sleep(self.faults.slow_seconds)
        if not self.network.passes(machine.place, node):
            machine.sleep(max(0.0, ends - self.hub.now))
            raise OutcomeUnknown(f"{node} did not answer.")
        self._refuse(fault)
        if fault == "lie":
            return
        land()
        machine.boundary(f"after {verb}")
        if fault == "exception after":
            raise RuntimeError("the client library broke on the answer")
        if fault == "lost reply" or not self.network.passes(node, machine.place):
            machine.sleep(max(0.0, ends - self.hub.now))
            raise OutcomeUnknown("The answer was lost.")

    def _land_late(self, seconds: float, land: Callable[[], None]) -> None:
        """It takes effect when its caller no longer waits for it."""
        self.landed_late = True
        self.lands_until = max(self.lands_until, self.hub.now + seconds)
        self.hub.after(seconds, lambda: _quietly(land))

    def _meets(self, verb: str) -> str:
        faults, now = self.faults, self.hub.now
        if faults.expired_until > now:
            self.fired("expired credentials")
            return "expired"
        if faults.throttled_until > now and self.random.random() < 0.5:
            self.fired("throttling")
            return "throttled"
        if faults.errors:
            fault = faults.errors.pop()
            self.fired(f"error: {fault}")
            return fault
        return ""

    def _refuse(self, fault: str) -> None:
        match fault:
            case "expired":
                raise Permanent("The credentials have expired.")
            case "throttled":
                raise Transient("Too many requests.", retry_after_seconds=1.0 + 4.0 * self.random.random())
            case "transient":
                raise Transient("The service is busy.")
            case "permanent":
                raise Permanent("The request is not allowed.")
            case "conflict":
                raise Conflict("Another operation is under way.")
            case "unknown":
                raise OutcomeUnknown("The connection was closed.")
            case "exception before":
                raise RuntimeError("the client library broke before it sent anything")

    def _changed(self, order: Order) -> None:
        verb, resource, region = order.verb, order.resource, order.region

        def settled_change() -> None:
            self.flush()
            for where in self.topology.regions:
                self.remember(resource, where)
            order.change()

        before = {name: dict(weights) for name, weights in self.weights.items()} if verb == "shift" else {}
        if region in self.down:
            raise OutcomeUnknown(f"{region} is gone.")
        self._land(replace(order, change=settled_change))
        if verb == "shift" and before[resource] != self.weights[resource]:
            self.weights_seen.append((self.hub.now, resource, dict(self.weights[resource])))
            self._note_traffic(resource, before[resource])
            self._follow_weights(resource)
        if verb in self.unconditional:
            self.fired("calls without condition")
        if verb == "scale" and self.workers_start_seconds >= 8.0:
            self.fired("capacity late")
        if verb in {"failover", "switchover"}:
            if self.promote_seconds >= 5.0:
                self.fired("slow promotion")
            for members in self.databases.values():
                for member in members.values():
                    if member.promoting_until is not None:
                        self.hub.at(member.promoting_until, self.settle_promotions)
        if verb == "follow":
            self._rows[resource][region] = Rows(
                {name: list(spans) for name, spans in self._rows[resource][str(order.value)].spans.items()},
                self._rows[resource][str(order.value)].complete_to,
            )

    def _note_traffic(self, resource: str, before: dict[str, int]) -> None:
        """Invariant I5, judged at the moment: where does traffic go that did not go there before?"""
        for region, weight in self.weights[resource].items():
            if weight <= before[region]:
                continue
            sick = self.hub.now - self.sick_since.get(region, self.hub.now)
            writable = all(region in now for now in self._writable.values())
            self.moves.append((self.hub.now, resource, region, sick, writable))

    def member(self, name: str, region: str) -> Member:
        return self.databases[name][region]


def _add(spans: Spans, first: int, last: int) -> None:
    if spans and spans[-1][1] >= first:
        spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
    else:
        spans.append((first, last))


def _quietly(land: Callable[[], None]) -> None:
    """Nobody waits for this answer any more."""
    with contextlib.suppress(Exception):
        land()
