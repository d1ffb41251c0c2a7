"""The ports of a FakeCloud, and `actions.World` over them: what a provider's adapters are to a real cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.signal import SignalState
from cloudfail.model.states import (
    ChangeState,
    ComputeState,
    ConsumersState,
    CustomState,
    CustomWord,
    DatabaseState,
    DnsState,
    FenceOutcome,
    FenceState,
    LoadBalancerState,
    LossBound,
    NetworkState,
    Progress,
    Reached,
    Role,
    WriteProof,
)
from cloudfail.model.topology import PortName, Resource
from cloudfail.ports import Call
from cloudfail.testing.fakecloud import FakeCloud, Member, Order

FAKE_SIGNAL_SECONDS = 300.0


class FakeDatabase:
    def __init__(self, cloud: FakeCloud, name: str) -> None:
        self.cloud = cloud
        self.name = name

    def _member(self, region: str) -> Member:
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

        self.cloud.effect(Order("fence", self.name, source, True, call, condition, change))

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        def condition() -> None:
            self._expect(source, expect.version)
            if not self.cloud.reachable(source):
                raise OutcomeUnknown(f"{source} did not answer.")

        def change() -> None:
            self.cloud.databases[self.name][source].fenced = False

        self.cloud.effect(Order("unfence", self.name, source, False, call, condition, change))

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

        self.cloud.effect(Order("failover", self.name, target, "writer", call, condition, change))

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
        self.cloud.effect(Order("switchover", self.name, target, value, call, condition, change))

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

        self.cloud.effect(Order("follow", self.name, region, upstream, call, condition, change))

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

        self.cloud.effect(Order("canary", self.name, region, token, call, condition, change))


class FakeManyWriters:
    """A database that takes writes in each region: `Kind.many_writers`. What is written in one is replicated to those
    that are there; a heartbeat says how far that has come."""

    def __init__(self, cloud: FakeCloud, name: str) -> None:
        self._one = FakeDatabase(cloud, name)
        self.cloud = cloud
        self.name = name
        self._why = f"{name} takes writes in every region by design: there is nothing to fence, to promote or to follow"

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        return self._one.read(region)

    def beat(self, region: str) -> Known[float] | Unknown:
        return self._one.beat(region)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        return self._one.loss(source, target, acknowledged)

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        return self._one.read_canary(region, token)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        self._one.write_canary(region, token, call=call)

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        return Unknown(self._why, self.cloud.clock.wall())

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return Unknown(self._why, self.cloud.clock.wall())

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        return Unknown(self._why, self.cloud.clock.wall())

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        raise Permanent(f"{self._why}.")

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        raise Permanent(f"{self._why}.")

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        raise Permanent(f"{self._why}.")

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        raise Permanent(f"{self._why}.")

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        raise Permanent(f"{self._why}.")


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

    def room(self, region: str) -> Known[Room] | Unknown:
        if not self.cloud.reachable(region):
            return Unknown(f"{region} does not answer")
        limit = self.cloud.quotas.get(region, 1_000_000)
        used = sum(members[region][0] for members in self.cloud.workers.values() if region in members)
        own = self.cloud.workers[self.name][region][0]
        return Known(Room(f"the quota of {region}", limit, "workers", 1, own, used), self.cloud.clock.wall())

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
        self.cloud.effect(Order("scale", self.name, region, count, call, condition, change))

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        def change() -> None:
            self.cloud.held[self.name, region] = held

        condition = partial(self._expect, region, expect)
        self.cloud.effect(Order("hold", self.name, region, held, call, condition, change))


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
        self.cloud.effect(Order("shift", self.name, where, dict(weights), call, condition, change))

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
        state = LoadBalancerState(
            dict(weights),
            healthy,
            self._version(),
            self.cloud.mark(self.name),
            "a change has not reached every edge" if self.name in self.cloud.deploying else "",
            self.cloud.lingering.get(self.name),
        )
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

        self.cloud.effect(Order("freeze" if frozen else "unfreeze", self.name, region, frozen, call, condition, change))


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

        self.cloud.effect(
            Order("enable" if enabled else "disable", self.name, region, enabled, call, condition, change)
        )


class FakeNetwork:
    """One that stands in no region, as a balancer does. A `route-table` has two parts, all else one. A part is led by
    one effect, and an address is let go before it is given. Of the kinds whose names it knows each refuses a verb."""

    def __init__(self, cloud: FakeCloud, resource: Resource) -> None:
        self.cloud = cloud
        self.name = resource.name
        self.refuses = {"elastic-ip": "route", "route-table": "move_address", "prefix-list": "move_address"}.get(
            resource.kind
        )

    def _version(self) -> str:
        return repr(sorted(self.cloud.networks[self.name].items()))

    def read(self) -> Known[NetworkState] | Unknown:
        if not self.cloud.reachable(self.name):
            return Unknown(f"{self.name} does not answer", self.cloud.clock.wall())
        points = dict(self.cloud.networks[self.name])
        return Known(
            NetworkState(points, version=self._version(), epoch=self.cloud.mark(self.name)), self.cloud.clock.wall()
        )

    def reach(self, region: str) -> Known[Reached] | Unknown:
        leads = all(regions == (region,) for regions in self.cloud.networks[self.name].values())
        answers = leads and region not in self.cloud.down and self.name not in self.cloud.dark
        what = f"{region} answers" if answers else "nobody answers"
        return Known(Reached(answers, what), self.cloud.clock.wall())

    def route(self, points: Mapping[str, tuple[str, ...]], *, expect: NetworkState, call: Call) -> None:
        self._lead("route", points, expect, call)

    def move_address(self, points: Mapping[str, tuple[str, ...]], *, expect: NetworkState, call: Call) -> None:
        self._lead("move_address", points, expect, call)

    def _lead(self, verb: str, points: Mapping[str, tuple[str, ...]], expect: NetworkState, call: Call) -> None:
        if verb == self.refuses:
            raise Permanent(f"{self.name} has no {verb}.")
        now = self.cloud.networks[self.name]
        part = next((part for part, regions in points.items() if now[part] != regions), None)
        if part is None:
            return
        leads = () if verb == "move_address" and now[part] and points[part] else points[part]

        def condition() -> None:
            if not self.cloud.reachable(self.name):
                raise OutcomeUnknown(f"{self.name} did not answer.")
            if self._version() != expect.version:
                raise Conflict(f"{self.name} is not as it was seen.")

        def change() -> None:
            now[part] = leads

        where = ",".join(leads) or "nowhere"
        self.cloud.effect(Order(verb, self.name, where, f"{part} {where}", call, condition, change))


class FakeCustom:
    """It takes `custom_seconds` to be done; what takes another one back does so at once."""

    def __init__(self, cloud: FakeCloud, name: str) -> None:
        self.cloud = cloud
        self.name = name
        self._back = cloud.takes_back[name]

    def read(self, region: str, run: str) -> Known[CustomState] | Unknown:
        del run
        if not self.cloud.reachable(region):
            return Unknown(f"{region} does not answer")
        due = self.cloud.custom[self._back or self.name, region]
        if self._back:
            word = CustomWord.TODO if due is not None else CustomWord.DONE
        elif due is None:
            word = CustomWord.TODO
        else:
            word = CustomWord.DONE if self.cloud.clock.boot() >= due else CustomWord.MOVING
        state = CustomState(word, version=str(word), epoch=self.cloud.mark(self.name))
        return Known(state, self.cloud.clock.wall())

    def invoke(self, region: str, *, expect: CustomState, call: Call) -> None:
        def condition() -> None:
            now = self.read(region, call.run)
            if isinstance(now, Unknown):
                raise OutcomeUnknown(f"{region} did not answer.")
            if now.value.version != expect.version:
                raise Conflict(f"{self.name} in {region} is not as it was seen.")

        def change() -> None:
            due = None if self._back else self.cloud.clock.boot() + self.cloud.custom_seconds
            self.cloud.custom[self._back or self.name, region] = due

        if expect.word is CustomWord.TODO:
            self.cloud.effect(Order("run", self.name, region, not self._back, call, condition, change))


class FakeSignals:
    """Quiet, unless the cloud is told otherwise. `silent_since`: when the data of a region stopped."""

    def __init__(self, cloud: FakeCloud, name: str) -> None:
        self.cloud = cloud
        self.name = name

    def read(self, region: str) -> Known[SignalState] | Unknown:
        now = self.cloud.clock.wall()
        resource = self.cloud.topology.resources[self.name]
        if region not in (resource.members or self.cloud.topology.regions):
            return Unknown(f"{self.name} says nothing of {region}", now)
        if not self.cloud.reachable(region):
            return Unknown(f"{self.name} in {region} does not answer", now)
        firing = (self.name, region) in self.cloud.firing
        detail = f"{self.name} in {region} is {'firing' if firing else 'quiet'}"
        measured_at = self.cloud.silent_since.get((self.name, region), now)
        return Known(SignalState(firing, measured_at, FAKE_SIGNAL_SECONDS, detail), now)


class FakeWorld:
    """`actions.World` over a FakeCloud."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.topology = cloud.topology

    def database(self, name: str) -> FakeDatabase | FakeManyWriters:
        return FakeManyWriters(self.cloud, name) if name in self.cloud.many_writers else FakeDatabase(self.cloud, name)

    def dns(self, name: str) -> FakeDns:
        return FakeDns(self.cloud, self.topology.resources[name])

    def loadbalancer(self, name: str) -> FakeLoadBalancer:
        return FakeLoadBalancer(self.cloud, self.topology.resources[name])

    def compute(self, name: str) -> FakeCompute:
        return FakeCompute(self.cloud, name)

    def computes(self) -> Mapping[str, FakeCompute]:
        named = (name for name, one in self.topology.resources.items() if one.port is PortName.COMPUTE)
        return {name: FakeCompute(self.cloud, name) for name in named}

    def consumers(self, name: str) -> FakeConsumers:
        return FakeConsumers(self.cloud, name)

    def network(self, name: str) -> FakeNetwork:
        return FakeNetwork(self.cloud, self.topology.resources[name])

    def custom(self, name: str) -> FakeCustom:
        return FakeCustom(self.cloud, name)

    def signals(self, name: str) -> FakeSignals:
        return FakeSignals(self.cloud, name)

    def changes(self, region: str) -> Mapping[str, FakeChange]:
        named = [
            name
            for name, resource in self.topology.resources.items()
            if resource.port is PortName.CHANGE and region in resource.members
        ]
        return {name: FakeChange(self.cloud, name) for name in named or ["deploys"]}

    def preflight(self, name: str) -> Known[tuple[str, ...]] | Unknown | None:
        return self.cloud.preflights.get(name)

    def healthy(self, check: str, region: str) -> Known[bool] | Unknown:
        now = self.cloud.clock.wall()
        if region in self.cloud.cut:
            return Unknown(f"{region} does not answer", now)
        return Known(region not in self.cloud.down and region not in self.cloud.unhealthy, now)

    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        heartbeat = self.cloud.databases[database][region].heartbeat
        return Unknown("no heartbeat was acknowledged") if heartbeat is None else Known(heartbeat, heartbeat)
