"""The ports of a SimCloud as one machine sees them: a read may be old, incomplete, refused, or never answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import (
    ChangeState,
    ComputeState,
    ConsumersState,
    CustomState,
    DatabaseState,
    DnsState,
    FenceState,
    LoadBalancerState,
    LossBound,
    NetworkState,
    Progress,
    Reached,
)
from cloudfail.model.topology import PortName, Resource
from cloudfail.testing.fakeworld import (
    FakeChange,
    FakeCompute,
    FakeConsumers,
    FakeCustom,
    FakeDatabase,
    FakeDns,
    FakeLoadBalancer,
    FakeNetwork,
    FakeSignals,
)
from cloudfail.testing.simulation.cloud import SimCloud
from cloudfail.testing.simulation.machine import WALL_AT_START, Machine
from cloudfail.testing.simulation.network import EDGE, OUTSIDE

State = TypeVar("State")
Healthy = Callable[[str, str], Known[bool] | Unknown]
Acknowledged = Callable[[str, str], Known[float] | Unknown]


class _Sight:
    """How a read may go wrong."""

    def __init__(self, cloud: SimCloud) -> None:
        self.cloud = cloud

    def of(
        self, resource: str, region: str, fresh: Known[State] | Unknown, *, ages: bool = True
    ) -> Known[Any] | Unknown:
        cloud = self.cloud
        faults, now = cloud.faults, cloud.hub.now
        if faults.read_errors_until > now and cloud.random.random() < 0.3:
            cloud.fired("failed reads")
            if cloud.random.random() < 0.3:
                raise RuntimeError("the client library could not parse the answer")
            return Unknown("The read was refused: too many requests.")
        if faults.expired_until > now:
            cloud.fired("expired credentials")
            return Unknown("The credentials have expired.")
        if ages and faults.stale_until > now:
            past = cloud.past.get((resource, region))
            # Less than the declared time, so that a look after it is fresh (design.md §4 rule 3).
            if past is not None and now - past[0] < cloud.settle_seconds * 0.95:
                cloud.fired("stale reads")
                return Known(past[1], WALL_AT_START + now)
        return fresh


class SimDatabase(FakeDatabase):
    cloud: SimCloud

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        return _Sight(self.cloud).of(self.name, region, super().read(region))

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        return _Sight(self.cloud).of(self.name, source, super().fence_state(source, target), ages=False)

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        seen = super().switchover_state(source, target)
        if isinstance(seen, Known) and (seen.value.next or "").startswith("promote"):
            rows = self.cloud.rows(self.name, target)
            if rows.spans != self.cloud.rows(self.name, source).spans:
                return Known(Progress(None, False, f"{target} has not received everything yet"), seen.at)
        return seen

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        if self.cloud.synchronous:
            return LossBound(0.0, 0.0, ("the source cannot acknowledge without the target",))
        if not self.cloud.reachable(target):
            return LossBound(None, None, (f"{target} does not answer",))
        replayed = self.cloud.replayed_beat(self.name, target, source)
        if replayed is None:
            return LossBound(None, None, ("no heartbeat was replayed",))
        # By the surviving server's own clock, as the PostgreSQL provider does it: ours may have jumped.
        alive = self.cloud.hub.now - replayed
        if isinstance(acknowledged, Unknown):
            return LossBound(None, alive, ("no heartbeat was seen acknowledged",))
        return LossBound(max(0.0, acknowledged.value - WALL_AT_START - replayed), alive, ("heartbeats",))


class SimCompute(FakeCompute):
    cloud: SimCloud

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        fresh = super().read(region)
        if isinstance(fresh, Known) and self.cloud.faults.capacity_short_until > self.cloud.hub.now:
            state = fresh.value
            few = min(state.healthy, max(1, state.wanted - 1))
            if few < state.healthy:
                self.cloud.fired("capacity short")
                short = ComputeState(
                    state.wanted, few, few, state.ceiling, state.scale_in_held, state.version, state.epoch
                )
                fresh = Known(short, fresh.at)
        return _Sight(self.cloud).of(self.name, region, fresh)


class SimDns(FakeDns):
    cloud: SimCloud

    def read(self) -> Known[DnsState] | Unknown:
        return _Sight(self.cloud).of(self.name, "", super().read(), ages=False)

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        """What a resolver outside answers: it keeps what it heard for the TTL."""
        if not self.cloud.network.answers(self.cloud.asking(), EDGE) or self.name in self.cloud.cut:
            return Unknown("the resolver does not answer")
        region = next((self.cloud.goes[g.name] for g in self.cloud.groups if g.kind == "name"), None)
        weights = {region: 1} if region else self.cloud.weights[self.name]
        return Known({"resolver": self.answers(weights)}, self.cloud.clock.wall())


class SimLoadBalancer(FakeLoadBalancer):
    cloud: SimCloud

    def read(self) -> Known[LoadBalancerState] | Unknown:
        fresh = super().read()
        if isinstance(fresh, Known) and self.cloud.faults.partial_until > self.cloud.hub.now:
            self.cloud.fired("partial pages")
            state = fresh.value
            fresh = Known(LoadBalancerState(state.weights, {}, state.version, state.epoch), fresh.at)
        return _Sight(self.cloud).of(self.name, "", fresh, ages=False)


class SimChange(FakeChange):
    cloud: SimCloud

    def read(self, region: str) -> Known[ChangeState] | Unknown:
        return _Sight(self.cloud).of(self.name, region, super().read(region))


class SimConsumers(FakeConsumers):
    cloud: SimCloud

    def read(self, region: str) -> Known[ConsumersState] | Unknown:
        return _Sight(self.cloud).of(self.name, region, super().read(region))


class SimNetwork(FakeNetwork):
    cloud: SimCloud

    def read(self) -> Known[NetworkState] | Unknown:
        return _Sight(self.cloud).of(self.name, "", super().read(), ages=False)

    def reach(self, region: str) -> Known[Reached] | Unknown:
        """Packets from where the asking machine stands."""
        if not self.cloud.network.answers(self.cloud.asking(), region):
            return Known(Reached(False, "no answer"), self.cloud.clock.wall())
        return super().reach(region)


class SimCustom(FakeCustom):
    cloud: SimCloud

    def read(self, region: str, run: str) -> Known[CustomState] | Unknown:
        return _Sight(self.cloud).of(self.name, region, super().read(region, run), ages=False)


class SimWorld:
    """Fulfils `world.Ports` for one machine. healthy and acknowledged come from whoever watches there."""

    def __init__(self, cloud: SimCloud, healthy: Healthy, acknowledged: Acknowledged) -> None:
        self.cloud = cloud
        self.topology = cloud.topology
        self.healthy = healthy
        self.acknowledged = acknowledged
        self._built: dict[str, Any] = {}

    def database(self, name: str) -> SimDatabase:
        return SimDatabase(self.cloud, name)

    def dns(self, name: str) -> SimDns:
        return SimDns(self.cloud, self.topology.resources[name])

    def loadbalancer(self, name: str) -> SimLoadBalancer:
        return SimLoadBalancer(self.cloud, self.topology.resources[name])

    def compute(self, name: str) -> SimCompute:
        return SimCompute(self.cloud, name)

    def consumers(self, name: str) -> SimConsumers:
        return SimConsumers(self.cloud, name)

    def network(self, name: str) -> SimNetwork:
        return SimNetwork(self.cloud, self.topology.resources[name])

    def custom(self, name: str) -> SimCustom:
        return SimCustom(self.cloud, name)

    def signals(self, name: str) -> FakeSignals:
        return FakeSignals(self.cloud, name)

    def changes(self, region: str) -> Mapping[str, SimChange]:
        return {r.name: SimChange(self.cloud, r.name) for r in self._of(PortName.CHANGE) if region in r.members}

    def databases(self) -> Mapping[str, SimDatabase]:
        return {resource.name: self.database(resource.name) for resource in self._of(PortName.DATABASE)}

    def computes(self) -> Mapping[str, SimCompute]:
        return {resource.name: self.compute(resource.name) for resource in self._of(PortName.COMPUTE)}

    def preflight(self, _name: str) -> None:
        """Nothing there refuses what a plan asks for."""

    def warm(self) -> None:
        """There is nothing to open."""

    def _of(self, port: PortName) -> list[Resource]:
        return [resource for resource in self.topology.resources.values() if resource.port is port]


def remember_before_changes(cloud: SimCloud) -> None:
    """Keep what a read would have said just before each change, for stale reads."""

    def remember(resource: str, region: str) -> None:
        if not cloud.settle_seconds:
            return
        port = cloud.topology.resources[resource].port
        reads: Mapping[PortName, Callable[[], Known[Any] | Unknown]] = {
            PortName.DATABASE: lambda: FakeDatabase(cloud, resource).read(region),
            PortName.COMPUTE: lambda: FakeCompute(cloud, resource).read(region),
            PortName.CHANGE: lambda: FakeChange(cloud, resource).read(region),
            PortName.CONSUMERS: lambda: FakeConsumers(cloud, resource).read(region),
        }
        members = cloud.topology.resources[resource].members
        if port not in reads or (members and region not in members):
            return
        before = reads[port]()
        if isinstance(before, Known):
            cloud.past[resource, region] = (cloud.hub.now, before.value)

    cloud.remember = remember


class Sample:
    """What a fresh look from every vantage says: the truth, as far as enough of them can see and tell it."""

    def __init__(self, cloud: SimCloud, machine: Machine, vantages: Mapping[str, str], needed: int) -> None:
        self.cloud = cloud
        self.machine = machine
        self.vantages = vantages
        self.needed = needed

    def healthy(self, check: str, region: str) -> Known[bool] | Unknown:
        cloud, network = self.cloud, self.cloud.network
        votes = {True: 0, False: 0}
        for vantage, place in self.vantages.items():
            if place in cloud.down or not network.answers(vantage, self.machine.place):
                continue
            votes[sees_healthy(cloud, vantage, place, region)] += 1
        for said, count in votes.items():
            if count >= self.needed:
                return Known(said, WALL_AT_START + cloud.hub.now)
        return Unknown(f"{votes[True]} vantages say healthy, {votes[False]} down, {self.needed} must agree")

    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        beat = self.cloud.acknowledged_beat(database, region)
        if beat is None:
            return Unknown("no heartbeat was acknowledged")
        return Known(WALL_AT_START + beat, WALL_AT_START + beat)


def sees_healthy(cloud: SimCloud, vantage: str, place: str, region: str) -> bool:
    """Whether a probe from that vantage passes: the region serves, and the way there and back is open."""
    if region in cloud.down or region in cloud.unhealthy or region in cloud.cut:
        return False
    there = (place if place != OUTSIDE else vantage, region)
    return cloud.network.answers(*there) and cloud.network.answers(vantage, region)
