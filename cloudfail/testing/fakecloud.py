"""A cloud in memory behind the same ports: asynchronous promotions, conditions, marks, regions that die and return.

It is a real implementation: it passes the conformance suite that the providers pass. Faults are set from outside
(`lie`, `fail`, `lose_reply`), and every state change that took effect is in `effects`, so that a test can count them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cloudfail.clock import Clock
from cloudfail.errors import Conflict, OutcomeUnknown
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import (
    Role,
)
from cloudfail.model.topology import PortName, Topology
from cloudfail.ports import Call


@dataclass(frozen=True)
class Effect:
    """One state change that took effect: which verb, on what, under which epoch, at which boot second, for which step
    (`undo fence` for the compensation of fence)."""

    verb: str
    resource: str
    region: str
    value: Any
    epoch: int
    at: float
    step: str = ""


@dataclass(frozen=True)
class Order:
    """One change as a port's verb asks for it: what it sets where, under which call; `condition` raises Conflict if the
    world is not as it was seen, `change` makes it so."""

    verb: str
    resource: str
    region: str
    value: Any
    call: Call
    condition: Callable[[], None]
    change: Callable[[], None]


@dataclass
class Member:
    """One member of a database. `acknowledges`: whether a client's write would be acknowledged here now."""

    role: Role
    position: int = 100
    timeline: int = 1
    upstream: str | None = None
    fenced: bool = False
    fence_epoch: int | None = None
    diverged: bool = False
    running: bool = True
    promoting_until: float | None = None
    canaries: set[str] = field(default_factory=set)
    heartbeat: float | None = None


class FakeCloud:
    """All resources of one topology. `synchronous`: the primary cannot acknowledge without its replica, so that a
    dead primary is `prevented` instead of `owed`. `promote_seconds`: how long a promotion takes (asynchronous).
    `unconditional`: verbs that a backend offers without a condition and without a mark, so that a late call lands.
    `dark`: paths that are set and carry nothing. `many_writers`: the databases every member of which takes writes by
    design (`Kind.many_writers`)."""

    def __init__(
        self,
        topology: Topology,
        clock: Clock,
        *,
        synchronous: bool = True,
        promote_seconds: float = 3.0,
        unconditional: Iterable[str] = (),
        many_writers: Iterable[str] = (),
    ) -> None:
        self.topology = topology
        self.clock = clock
        self.synchronous = synchronous
        self.promote_seconds = promote_seconds
        self.unconditional = frozenset(unconditional)
        self.many_writers = frozenset(many_writers)
        self.workers_start_seconds = 2.0
        self.effects: list[Effect] = []
        self.writers: list[tuple[float, str, frozenset[str]]] = []
        self.down: set[str] = set()
        self.cut: set[str] = set()
        self.unhealthy: set[str] = set()
        self.targets_down: set[str] = set()
        self.deploying: set[str] = set()
        self.lingering: dict[str, float] = {}
        self.preflights: dict[str, Known[tuple[str, ...]] | Unknown] = {}
        self.firing: set[tuple[str, str]] = set()
        self.silent_since: dict[tuple[str, str], float] = {}
        self.before_call: Callable[[str], None] = lambda _name: None
        self.before_effect: Callable[[str], None] = lambda _name: None
        self.after_effect: Callable[[str], None] = lambda _name: None
        self._lies: dict[str, int] = {}
        self._failures: dict[str, list[BaseException]] = {}
        self._lost_replies: dict[str, int] = {}
        self._version = 0
        primary = topology.primary
        self.databases: dict[str, dict[str, Member]] = {}
        self.workers: dict[str, dict[str, tuple[int, float]]] = {}
        self.held: dict[tuple[str, str], bool] = {}
        # Region -> how many workers the account may run there, of all groups; a region without an entry has no bound.
        self.quotas: dict[str, int] = {}
        self.weights: dict[str, dict[str, int]] = {}
        self.frozen: dict[tuple[str, str], bool] = {}
        self.enabled: dict[tuple[str, str], bool] = {}
        self.networks: dict[str, dict[str, tuple[str, ...]]] = {}
        self.dark: set[str] = set()
        # Custom action -> when it will be done (boot seconds), None while it is not ordered; and what takes what back.
        self.custom: dict[tuple[str, str], float | None] = {}
        self.takes_back: dict[str, str] = {}
        self.custom_seconds = 2.0
        for name, resource in topology.resources.items():
            members = list(resource.members or topology.regions)
            if resource.port is PortName.DATABASE and name in self.many_writers:
                self.databases[name] = {region: Member(Role.PRIMARY) for region in members}
            elif resource.port is PortName.DATABASE:
                self.databases[name] = {
                    region: Member(Role.PRIMARY if region == primary else Role.REPLICA) for region in members
                }
                for region in members:
                    if region != primary:
                        self.databases[name][region].upstream = primary
            elif resource.port is PortName.COMPUTE:
                self.workers[name] = {region: (4 if region == primary else 1, 0.0) for region in members}
            elif resource.port in {PortName.DNS, PortName.LOADBALANCER}:
                self.weights[name] = {region: 100 if region == primary else 0 for region in members}
            elif resource.port is PortName.CUSTOM:
                # Of two that take each other back, the first is the one that begins undone.
                taken = (first for first in self.takes_back if topology.resources[first].options.get("undo") == name)
                self.takes_back[name] = next(taken, "")
                for region in members:
                    self.custom[name, region] = None
            elif resource.port is PortName.CONSUMERS:
                for region in members:
                    self.enabled[name, region] = region == primary
            elif resource.port is PortName.NETWORK:
                parts = (f"{name}/a", f"{name}/b") if resource.kind == "route-table" else (name,)
                self.networks[name] = dict.fromkeys(parts, (primary,))
        self._marks: dict[str, int] = {}
        self._note_writers()

    # ---- what a test does to it

    def kill(self, region: str) -> None:
        """The region is gone: it neither answers nor takes writes."""
        self.down.add(region)
        for members in self.databases.values():
            if region in members:
                members[region].running = False
        self._note_writers()

    def cut_off(self, region: str) -> None:
        """We cannot reach the region; clients inside still do, and its database still takes their writes. The name of
        a DNS name or a load balancer will do too: they stand in no region."""
        self.cut.add(region)

    def give_back(self, region: str, *, database: bool = True) -> None:
        """The region answers again; its database comes up as what it was (an old primary, say)."""
        self.down.discard(region)
        self.cut.discard(region)
        for members in self.databases.values():
            if region in members:
                members[region].running = database
        self._note_writers()

    def lie(self, verb: str, times: int = 1) -> None:
        """The next calls of `verb` report success, and the world does not follow."""
        self._lies[verb] = self._lies.get(verb, 0) + times

    def fail(self, verb: str, *errors: BaseException) -> None:
        """The next calls of `verb` raise these, without an effect."""
        self._failures.setdefault(verb, []).extend(errors)

    def lose_reply(self, verb: str, times: int = 1) -> None:
        """The next calls of `verb` take effect, and their reply is lost."""
        self._lost_replies[verb] = self._lost_replies.get(verb, 0) + times

    # ---- what a checker asks

    def writable_regions(self, database: str) -> frozenset[str]:
        """The regions whose member would acknowledge a client's write now."""
        return frozenset(region for region in self.databases[database] if self._acknowledges(database, region))

    def most_writers_at_once(self) -> int:
        return max((len(regions) for _, _, regions in self.writers), default=0)

    def snapshot(self) -> dict[str, Any]:
        """The end state, for comparing runs: no times, no versions."""
        leads = {name: dict(parts) for name, parts in self.networks.items()}
        begun = {f"{name}/{region}": value is not None for (name, region), value in self.custom.items()}
        return {
            **({"networks": leads} if leads else {}),
            "databases": {
                name: {region: (str(m.role), m.timeline, m.upstream, m.fenced) for region, m in members.items()}
                for name, members in self.databases.items()
            },
            "workers": {name: {r: w[0] for r, w in members.items()} for name, members in self.workers.items()},
            "held": {f"{name}/{region}": value for (name, region), value in self.held.items() if value},
            "weights": {name: dict(weights) for name, weights in self.weights.items()},
            "frozen": {f"{name}/{region}": value for (name, region), value in self.frozen.items() if value},
            "enabled": {f"{name}/{region}": value for (name, region), value in self.enabled.items()},
            **({"custom": begun} if begun else {}),
        }

    # ---- inside

    def _acknowledges(self, database: str, region: str) -> bool:
        members = self.databases[database]
        member = members[region]
        if member.role is not Role.PRIMARY or member.fenced or not member.running or region in self.down:
            return False
        if member.promoting_until is not None:
            return False
        if not self.synchronous or database in self.many_writers:
            return True
        others = [other for name, other in members.items() if name != region]
        # A primary on the newest timeline was given leave to run alone; an older one waits for a replica it lost.
        return all(other.timeline <= member.timeline for other in others)

    def _note_writers(self) -> None:
        for name in self.databases.keys() - self.many_writers:
            self.writers.append((self.clock.boot(), name, self.writable_regions(name)))

    def reachable(self, region: str) -> bool:
        return region not in self.down and region not in self.cut

    def version(self) -> str:
        return str(self._version)

    def mark(self, resource: str) -> int | None:
        return self._marks.get(resource)

    def effect(self, order: Order) -> None:
        """The one door through which everything changes: crash points, faults, the condition, the epoch's mark, the
        record. The condition is judged when the call lands, which may be long after it was made."""
        self.before_call(order.verb)
        order.call.check()
        self.before_effect(order.verb)
        self._land(order)

    def _land(self, order: Order) -> None:
        verb, resource, call = order.verb, order.resource, order.call
        failures = self._failures.get(verb)
        if failures:
            raise failures.pop(0)
        if self._lies.get(verb, 0) > 0:
            self._lies[verb] -= 1
            return
        if verb not in self.unconditional:
            if call.epoch < self._marks.get(resource, 0):
                raise Conflict(
                    f"{resource} carries the mark of epoch {self._marks[resource]}; this call is of {call.epoch}."
                )
            order.condition()
        self._marks[resource] = max(call.epoch, self._marks.get(resource, 0))
        order.change()
        self._version += 1
        self.effects.append(Effect(verb, resource, order.region, order.value, call.epoch, self.clock.boot(), call.step))
        self._note_writers()
        self.after_effect(verb)
        if self._lost_replies.get(verb, 0) > 0:
            self._lost_replies[verb] -= 1
            raise OutcomeUnknown("The reply was lost.")

    def settle_promotions(self) -> None:
        for members in self.databases.values():
            for member in members.values():
                if member.promoting_until is not None and self.clock.boot() >= member.promoting_until:
                    member.promoting_until = None
                    member.role, member.upstream = Role.PRIMARY, None
                    member.timeline = max(other.timeline for other in members.values()) + 1
        self._note_writers()
