"""A cloud in memory behind the same ports: asynchronous promotions, conditions, marks, regions that die and return.

It is a real implementation: it passes the conformance suite that the providers pass. Faults are set from outside
(`lie`, `fail`, `lose_reply`), and every state change that took effect is in `effects`, so that a test can count them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cloudfail.clock import Clock
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import (
    ChangeState,
    ComputeState,
    ConsumersState,
    DatabaseState,
    DnsState,
    FenceOutcome,
    FenceState,
    LoadBalancerState,
    LossBound,
    Progress,
    Role,
    WriteProof,
)
from cloudfail.model.topology import PortName, Resource, Topology
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


@dataclass
class _Member:
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
    `unconditional`: verbs that a backend offers without a condition and without a mark, so that a late call lands."""

    def __init__(
        self,
        topology: Topology,
        clock: Clock,
        *,
        synchronous: bool = True,
        promote_seconds: float = 3.0,
        unconditional: Iterable[str] = (),
    ) -> None:
        self.topology = topology
        self.clock = clock
        self.synchronous = synchronous
        self.promote_seconds = promote_seconds
        self.unconditional = frozenset(unconditional)
        self.workers_start_seconds = 2.0
        self.effects: list[Effect] = []
        self.writers: list[tuple[float, str, frozenset[str]]] = []
        self.down: set[str] = set()
        self.cut: set[str] = set()
        self.unhealthy: set[str] = set()
        self.targets_down: set[str] = set()
        self.before_call: Callable[[str], None] = lambda _name: None
        self.before_effect: Callable[[str], None] = lambda _name: None
        self.after_effect: Callable[[str], None] = lambda _name: None
        self._lies: dict[str, int] = {}
        self._failures: dict[str, list[BaseException]] = {}
        self._lost_replies: dict[str, int] = {}
        self._version = 0
        primary = topology.primary
        self.databases: dict[str, dict[str, _Member]] = {}
        self.workers: dict[str, dict[str, tuple[int, float]]] = {}
        self.held: dict[tuple[str, str], bool] = {}
        self.weights: dict[str, dict[str, int]] = {}
        self.frozen: dict[tuple[str, str], bool] = {}
        self.enabled: dict[tuple[str, str], bool] = {}
        for name, resource in topology.resources.items():
            members = list(resource.members or topology.regions)
            if resource.port is PortName.DATABASE:
                self.databases[name] = {
                    region: _Member(Role.PRIMARY if region == primary else Role.REPLICA) for region in members
                }
                for region in members:
                    if region != primary:
                        self.databases[name][region].upstream = primary
            elif resource.port is PortName.COMPUTE:
                self.workers[name] = {region: (4 if region == primary else 1, 0.0) for region in members}
            elif resource.port in {PortName.DNS, PortName.LOADBALANCER}:
                self.weights[name] = {region: 100 if region == primary else 0 for region in members}
            elif resource.port is PortName.CONSUMERS:
                for region in members:
                    self.enabled[name, region] = region == primary
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
        return {
            "databases": {
                name: {region: (str(m.role), m.timeline, m.upstream, m.fenced) for region, m in members.items()}
                for name, members in self.databases.items()
            },
            "workers": {name: {r: w[0] for r, w in members.items()} for name, members in self.workers.items()},
            "held": {f"{name}/{region}": value for (name, region), value in self.held.items() if value},
            "weights": {name: dict(weights) for name, weights in self.weights.items()},
            "frozen": {f"{name}/{region}": value for (name, region), value in self.frozen.items() if value},
            "enabled": {f"{name}/{region}": value for (name, region), value in self.enabled.items()},
        }

    # ---- inside

    def _acknowledges(self, database: str, region: str) -> bool:
        members = self.databases[database]
        member = members[region]
        if member.role is not Role.PRIMARY or member.fenced or not member.running or region in self.down:
            return False
        if member.promoting_until is not None:
            return False
        if not self.synchronous:
            return True
        others = [other for name, other in members.items() if name != region]
        # A primary on the newest timeline was given leave to run alone; an older one waits for a replica it lost.
        return all(other.timeline <= member.timeline for other in others)

    def _note_writers(self) -> None:
        for name in self.databases:
            self.writers.append((self.clock.boot(), name, self.writable_regions(name)))

    def reachable(self, region: str) -> bool:
        return region not in self.down and region not in self.cut

    def version(self) -> str:
        return str(self._version)

    def mark(self, resource: str) -> int | None:
        return self._marks.get(resource)

    def effect(
        self,
        verb: str,
        resource: str,
        region: str,
        value: Any,
        call: Call,
        condition: Callable[[], None],
        change: Callable[[], None],
    ) -> None:
        """The one door through which everything changes: crash points, faults, the condition, the epoch's mark, the
        record. The condition is judged when the call lands, which may be long after it was made."""
        self.before_call(verb)
        call.check()
        self.before_effect(verb)
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
            condition()
        self._marks[resource] = max(call.epoch, self._marks.get(resource, 0))
        change()
        self._version += 1
        self.effects.append(Effect(verb, resource, region, value, call.epoch, self.clock.boot(), call.step))
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


class FakeDatabase:
    def __init__(self, cloud: FakeCloud, name: str) -> None:
        self.cloud = cloud
        self.name = name

    def _member(self, region: str) -> _Member:
        self.cloud.settle_promotions()
        return self.cloud.databases[self.name][region]

    def _version(self, region: str) -> str:
        member = self.cloud.databases[self.name][region]
        return f"{member.role}/{member.timeline}/{member.fenced}/{member.upstream}/{member.running}"

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        member = self._member(region)
        if not self.cloud.reachable(region) or not member.running:
            return Unknown(f"{self.name} in {region} does not answer", self.cloud.clock.wall())
        replica = member.role is Role.REPLICA
        state = DatabaseState(
            role=member.role,
            writable=self.cloud._acknowledges(self.name, region),
            position=member.position,
            timeline=member.timeline,
            lag_seconds=0.0 if replica and member.upstream else None,
            upstream=member.upstream,
            in_sync=any(o.upstream == region and o.running for o in self.cloud.databases[self.name].values()),
            moving="promoting" if member.promoting_until is not None else "",
            version=self._version(region),
            epoch=self.cloud.mark(self.name),
        )
        return Known(state, self.cloud.clock.wall())

    def beat(self, region: str) -> Known[float] | Unknown:
        if not self.cloud.reachable(region) or not self.cloud._acknowledges(self.name, region):
            return Unknown(f"{self.name} in {region} does not acknowledge")
        now = self.cloud.clock.wall()
        for member in self.cloud.databases[self.name].values():
            member.heartbeat = now
        return Known(now, now)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        heartbeat = self._member(target).heartbeat
        if self.cloud.synchronous:
            return LossBound(0.0, 0.0, ("the source cannot acknowledge without the target",))
        if heartbeat is None or isinstance(acknowledged, Unknown):
            return LossBound(None, None, ("no heartbeat was replayed",))
        return LossBound(acknowledged.value - heartbeat, self.cloud.clock.wall() - heartbeat, ("heartbeats",))

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        member = self._member(source)
        now = self.cloud.clock.wall()
        mark = self.cloud.mark(self.name)
        reachable = self.cloud.reachable(source) and member.running
        if reachable and member.role is Role.REPLICA:
            return Known(FenceState(FenceOutcome.PROVEN, f"{source} is a replica", self._version(source), mark), now)
        if reachable and member.fenced:
            evidence = "a write over an old and over a new connection was refused"
            return Known(FenceState(FenceOutcome.PROVEN, evidence, self._version(source), mark), now)
        if reachable:
            state = FenceState(FenceOutcome.NONE, "takes writes", self._version(source), mark, ("logins",))
            return Known(state, now)
        if self.cloud.synchronous:
            evidence = f"{source} cannot acknowledge without {target}"
            return Known(FenceState(FenceOutcome.PREVENTED, evidence, self._version(source), mark), now)
        return Known(FenceState(FenceOutcome.OWED, f"{source} does not answer", self._version(source), mark), now)

    def _expect(self, region: str, version: str) -> None:
        if self._version(region) != version:
            raise Conflict(f"{self.name} in {region} is not as it was seen.")

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        def condition() -> None:
            self._expect(source, expect.version)
            if not self.cloud.reachable(source):
                raise OutcomeUnknown(f"{source} did not answer.")

        def change() -> None:
            member = self.cloud.databases[self.name][source]
            member.fenced, member.fence_epoch = True, call.epoch

        self.cloud.effect("fence", self.name, source, True, call, condition, change)

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        def condition() -> None:
            self._expect(source, expect.version)
            if not self.cloud.reachable(source):
                raise OutcomeUnknown(f"{source} did not answer.")

        def change() -> None:
            self.cloud.databases[self.name][source].fenced = False

        self.cloud.effect("unfence", self.name, source, False, call, condition, change)

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        def condition() -> None:
            self._expect(target, expect.version)
            member = self.cloud.databases[self.name][target]
            if member.promoting_until is not None or member.role is Role.PRIMARY:
                raise Conflict(f"{self.name} in {target} is being promoted already.")
            if not self.cloud.reachable(target):
                raise OutcomeUnknown(f"{target} did not answer.")

        def change() -> None:
            member = self.cloud.databases[self.name][target]
            member.promoting_until = self.cloud.clock.boot() + self.cloud.promote_seconds

        self.cloud.effect("failover", self.name, target, "writer", call, condition, change)

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        member, old = self._member(target), self._member(source)
        now = self.cloud.clock.wall()
        if member.role is Role.PRIMARY and self.cloud._acknowledges(self.name, target):
            return Known(Progress(None, True, f"{target} is the writer"), now)
        if member.promoting_until is not None:
            return Known(Progress(None, False, "promoting"), now)
        if not (self.cloud.reachable(source) and self.cloud.reachable(target)):
            return Unknown("both sides must answer")
        if old.running:
            return Known(Progress(f"stop {self.name} in {source} cleanly", version=self._version(source)), now)
        version = f"{self._version(source)}+{self._version(target)}"
        return Known(Progress(f"promote {self.name} in {target}", version=version), now)

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        members = self.cloud.databases[self.name]

        def condition() -> None:
            seen = self.switchover_state(source, target)
            if isinstance(seen, Unknown):
                raise OutcomeUnknown(seen.reason)
            if seen.value.version != expect.version:
                raise Conflict("The move is not where it was seen.")

        def change() -> None:
            if members[source].running:
                members[source].running = False
                members[target].position = members[source].position
            else:
                members[target].promoting_until = self.cloud.clock.boot() + self.cloud.promote_seconds

        value = "stop" if members[source].running else "promote"
        self.cloud.effect("switchover", self.name, target, value, call, condition, change)

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        member = self._member(region)
        now = self.cloud.clock.wall()
        if not self.cloud.reachable(region) or not self.cloud.reachable(upstream):
            return Unknown(f"{region} does not answer")
        if member.role is Role.REPLICA and member.upstream == upstream and member.running:
            return Known(Progress(None, True, f"{region} follows {upstream}"), now)
        return Known(Progress(f"make {region} follow {upstream}", version=self._version(region)), now)

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        def condition() -> None:
            self._expect(region, expect.version)
            if not self.cloud.reachable(region) or not self.cloud.reachable(upstream):
                raise OutcomeUnknown(f"{region} or {upstream} did not answer.")

        def change() -> None:
            members = self.cloud.databases[self.name]
            members[region] = replace(
                members[region],
                role=Role.REPLICA,
                upstream=upstream,
                fenced=False,
                running=True,
                timeline=members[upstream].timeline,
            )

        self.cloud.effect("follow", self.name, region, upstream, call, condition, change)

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        member = self._member(region)
        if not self.cloud.reachable(region) or not member.running:
            return Unknown(f"{self.name} in {region} does not answer")
        return Known(WriteProof(token, region) if token in member.canaries else None, self.cloud.clock.wall())

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        def condition() -> None:
            if not self.cloud.reachable(region):
                raise OutcomeUnknown(f"{region} did not answer.")
            if not self.cloud._acknowledges(self.name, region):
                raise Permanent(f"{self.name} in {region} takes no writes.")

        def change() -> None:
            self._member(region).canaries.add(token)

        self.cloud.effect("canary", self.name, region, token, call, condition, change)


class FakeCompute:
    def __init__(self, cloud: FakeCloud, name: str) -> None:
        self.cloud = cloud
        self.name = name

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        if not self.cloud.reachable(region):
            return Unknown(f"{self.name} in {region} does not answer")
        wanted, since = self.cloud.workers[self.name][region]
        running = wanted if self.cloud.clock.boot() >= since else 1
        held = self.cloud.held.get((self.name, region), False)
        state = ComputeState(wanted, running, running, None, held, f"{wanted}/{held}", self.cloud.mark(self.name))
        return Known(state, self.cloud.clock.wall())

    def _expect(self, region: str, expect: ComputeState) -> None:
        read = self.read(region)
        if isinstance(read, Unknown):
            raise OutcomeUnknown(f"{region} did not answer.")
        if read.value.version != expect.version:
            raise Conflict(f"{self.name} in {region} is not as it was seen.")

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        def change() -> None:
            self.cloud.workers[self.name][region] = (
                count,
                self.cloud.clock.boot() + self.cloud.workers_start_seconds,
            )

        condition = partial(self._expect, region, expect)
        self.cloud.effect("scale", self.name, region, count, call, condition, change)

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        def change() -> None:
            self.cloud.held[self.name, region] = held

        condition = partial(self._expect, region, expect)
        self.cloud.effect("hold", self.name, region, held, call, condition, change)


class _FakeTraffic:
    def __init__(self, cloud: FakeCloud, resource: Resource) -> None:
        self.cloud = cloud
        self.resource = resource
        self.name = resource.name

    def _shift(self, weights: Mapping[str, int], version: str, call: Call) -> None:
        if not any(weights.values()):
            raise Permanent(f"{self.name} would answer nobody; that is never published.")

        def condition() -> None:
            if not self.cloud.reachable(self.name):
                raise OutcomeUnknown(f"{self.name} did not answer.")
            if self._version() != version:
                raise Conflict(f"{self.name} is not as it was seen.")

        def change() -> None:
            self.cloud.weights[self.name] = dict(weights)

        where = ",".join(region for region, weight in weights.items() if weight)
        self.cloud.effect("shift", self.name, where, dict(weights), call, condition, change)

    def _version(self) -> str:
        return ",".join(f"{region}={weight}" for region, weight in sorted(self.cloud.weights[self.name].items()))


class FakeDns(_FakeTraffic):
    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return tuple(
            str(self.resource.members.get(region, region)) for region, weight in sorted(weights.items()) if weight
        )

    def read(self) -> Known[DnsState] | Unknown:
        if not self.cloud.reachable(self.name):
            return Unknown(f"{self.name} does not answer", self.cloud.clock.wall())
        weights = self.cloud.weights[self.name]
        state = DnsState(dict(weights), self.answers(weights), 1.0, self._version(), self.cloud.mark(self.name))
        return Known(state, self.cloud.clock.wall())

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        if not self.cloud.reachable(self.name):
            return Unknown(f"{self.name} does not answer", self.cloud.clock.wall())
        return Known({"resolver": self.answers(self.cloud.weights[self.name])}, self.cloud.clock.wall())

    def shift(self, weights: Mapping[str, int], *, expect: DnsState, call: Call) -> None:
        self._shift(weights, expect.version, call)


class FakeLoadBalancer(_FakeTraffic):
    def read(self) -> Known[LoadBalancerState] | Unknown:
        if not self.cloud.reachable(self.name):
            return Unknown(f"{self.name} does not answer", self.cloud.clock.wall())
        weights = self.cloud.weights[self.name]
        healthy = {region: int(region not in self.cloud.down | self.cloud.targets_down) for region in weights}
        state = LoadBalancerState(dict(weights), healthy, self._version(), self.cloud.mark(self.name))
        return Known(state, self.cloud.clock.wall())

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        self._shift(weights, expect.version, call)


class FakeChange:
    def __init__(self, cloud: FakeCloud, name: str) -> None:
        self.cloud = cloud
        self.name = name

    def read(self, region: str) -> Known[ChangeState] | Unknown:
        if not self.cloud.reachable(region):
            return Unknown(f"{region} does not answer")
        frozen = self.cloud.frozen.get((self.name, region), False)
        return Known(
            ChangeState(frozen, version=str(frozen), epoch=self.cloud.mark(self.name)), self.cloud.clock.wall()
        )

    def freeze(self, region: str, frozen: bool, *, expect: ChangeState, call: Call) -> None:
        def condition() -> None:
            if not self.cloud.reachable(region):
                raise OutcomeUnknown(f"{region} did not answer.")
            if str(self.cloud.frozen.get((self.name, region), False)) != expect.version:
                raise Conflict(f"{self.name} in {region} is not as it was seen.")

        def change() -> None:
            self.cloud.frozen[self.name, region] = frozen

        self.cloud.effect("freeze" if frozen else "unfreeze", self.name, region, frozen, call, condition, change)


class FakeConsumers:
    def __init__(self, cloud: FakeCloud, name: str) -> None:
        self.cloud = cloud
        self.name = name

    def read(self, region: str) -> Known[ConsumersState] | Unknown:
        if not self.cloud.reachable(region):
            return Unknown(f"{region} does not answer")
        enabled = self.cloud.enabled[self.name, region]
        return Known(ConsumersState(enabled, str(enabled), self.cloud.mark(self.name)), self.cloud.clock.wall())

    def enable(self, region: str, enabled: bool, *, expect: ConsumersState, call: Call) -> None:
        def condition() -> None:
            if not self.cloud.reachable(region):
                raise OutcomeUnknown(f"{region} did not answer.")
            if str(self.cloud.enabled[self.name, region]) != expect.version:
                raise Conflict(f"{self.name} in {region} is not as it was seen.")

        def change() -> None:
            self.cloud.enabled[self.name, region] = enabled

        self.cloud.effect("enable" if enabled else "disable", self.name, region, enabled, call, condition, change)


class FakeWorld:
    """`actions.World` over a FakeCloud."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.topology = cloud.topology

    def database(self, name: str) -> FakeDatabase:
        return FakeDatabase(self.cloud, name)

    def dns(self, name: str) -> FakeDns:
        return FakeDns(self.cloud, self.topology.resources[name])

    def loadbalancer(self, name: str) -> FakeLoadBalancer:
        return FakeLoadBalancer(self.cloud, self.topology.resources[name])

    def compute(self, name: str) -> FakeCompute:
        return FakeCompute(self.cloud, name)

    def consumers(self, name: str) -> FakeConsumers:
        return FakeConsumers(self.cloud, name)

    def changes(self, region: str) -> Mapping[str, FakeChange]:
        named = [
            name
            for name, resource in self.topology.resources.items()
            if resource.port is PortName.CHANGE and region in resource.members
        ]
        return {name: FakeChange(self.cloud, name) for name in named or ["deploys"]}

    def healthy(self, check: str, region: str) -> Known[bool] | Unknown:
        now = self.cloud.clock.wall()
        if region in self.cloud.cut:
            return Unknown(f"{region} does not answer", now)
        return Known(region not in self.cloud.down and region not in self.cloud.unhealthy, now)

    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        heartbeat = self.cloud.databases[database][region].heartbeat
        return Unknown("no heartbeat was acknowledged") if heartbeat is None else Known(heartbeat, heartbeat)
