"""compute: gke-node-pool against stand-ins of GKE and of Compute Engine: the wire is Google's own descriptions, nodes
are real listeners."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, StepContext, Todo
from cloudfail.actions.compute import Hold, Scale
from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.ports import Kind
from cloudfail.testing.conformance import ComputeSuite, known
from cloudfail_gcp.compute import KINDS
from cloudfail_gcp.compute.node_pool import NodePool
from cloudfail_gcp.compute.options import NodePoolMember
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST, World, call, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.node_pools import NodePools

pytestmark = pytest.mark.timeout(300)
KIND: Kind = next(kind for kind in KINDS if kind.name == "gke-node-pool")
EAST_POOL = f"projects/{PROJECT}/locations/{EAST}-a/clusters/shop/nodePools/web"
WEST_POOL = f"projects/{PROJECT}/locations/{WEST}/clusters/shop/nodePools/web"
ZONES = (f"{WEST}-b", f"{WEST}-c")
SERVICE = f"projects/{PROJECT}/global/backendServices/web"
SIZE, BOUNDS = "projects.locations.clusters.nodePools.setSize", "projects.locations.clusters.nodePools.setAutoscaling"
PER_ZONE = {"minNodeCount": 1, "maxNodeCount": 3, "locationPolicy": "BALANCED"}
IN_ALL = {"totalMinNodeCount": 2, "totalMaxNodeCount": 6}


class Site(World):
    """A pool of a zonal cluster in the east; one over two zones in the west, two nodes in each, which pods need."""

    def __init__(self, google: Front, machine: NodePools, autoscaling: dict[str, Any] | None = None) -> None:
        super().__init__(google, KIND, self.made)
        self.machine = machine
        machine.pool(EAST_POOL, (f"{EAST}-a",), 3)
        machine.pool(WEST_POOL, ZONES, 2, **(PER_ZONE if autoscaling is None else autoscaling))

    def make_unreachable(self, region: str) -> None:
        self.front.outages.refuse(**({"region": region} if region else {"service": "container"}))

    def made(self, **member: Any) -> NodePool:
        """member: what the file says of the west's beside its path."""
        members = {EAST: EAST_POOL, WEST: {"pool": WEST_POOL, "floor": 1, **member}}
        resource, whole = topology(KIND, members)
        told = {region: NodePoolMember.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: NodePool(asking, told), resource, whole)

    def bounds(self) -> tuple[Any, ...]:
        scaler = self.machine.at(WEST_POOL).autoscaling
        names = ("minNodeCount", "maxNodeCount", "totalMinNodeCount", "totalMaxNodeCount")
        return tuple(scaler[name] for name in names if name in scaler)

    def sizes(self) -> list[int]:
        return self.machine.sizes(WEST_POOL)

    def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(400):
            if holds():
                return
            time.sleep(0.05)
        raise AssertionError(f"it never came to that: {self.sizes()}, {self.bounds()}")

    def scaled(self, count: int, **of_call: Any) -> None:
        """As a run does it: ordered until it is wanted."""
        for _ in range(40):
            port = self.port()
            state = known(port.read(WEST))
            if state.wanted == count:
                return
            if not state.moving:
                port.scale(WEST, count, expect=state, call=call(**of_call))
            time.sleep(0.05)
        raise AssertionError(f"it never came to {count}: {self.sizes()}, {self.bounds()}")

    def held(self, held: bool) -> None:
        port = self.port()
        port.hold(WEST, held, expect=known(port.read(WEST)), call=call())
        self.until(lambda: known(self.port().read(WEST)).scale_in_held is held)


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> Iterator[NodePools]:
    with contextlib.closing(InstanceGroups()) as compute:
        serving("compute.v1", compute)
        yield serving("container.v1", NodePools(compute))


@pytest.fixture
def world(google: Front, machine: NodePools) -> Site:
    return Site(google, machine)


class TestNodePool(ComputeSuite):
    """The world is the module's."""


class TestAPoolBoundedInAll(ComputeSuite):
    """Its bounds are for the whole pool."""

    @pytest.fixture
    def world(self, google: Front, machine: NodePools) -> Site:  # type: ignore[override]  (one that it narrows)
        return Site(google, machine, IN_ALL)


class TestAPoolThatAServiceCounts(ComputeSuite):
    """Its nodes are backends of a service, which counts the healthy."""

    @pytest.fixture
    def world(self, google: Front, machine: NodePools) -> Site:  # type: ignore[override]  (one that it narrows)
        site = Site(google, machine)
        compute = machine.compute
        groups = (compute.instance_group(group) for group in machine.at(WEST_POOL).groups)
        compute.service(SERVICE, dict.fromkeys(groups, 1.0))
        site._port = lambda: site.made(backend_services=[SERVICE])
        return site


def test_the_bounds_are_ordered_before_the_size_and_both_last(world: Site) -> None:
    port = world.port()
    port.scale(WEST, 8, expect=known(port.read(WEST)), call=call())
    assert [kind for kind, _ in world.machine.orders] == ["UPDATE_CLUSTER", "SET_NODE_POOL_SIZE"]
    world.until(lambda: known(world.port().read(WEST)).wanted == 8)
    assert (world.bounds(), world.sizes()) == ((4, 4), [4, 4])
    assert world.machine.at(WEST_POOL).autoscaling["locationPolicy"] == "BALANCED", (
        "what is not ours goes back as it was"
    )
    for _ in range(5):
        assert world.sizes() == [4, 4], "though no pod needs them, the autoscaler takes none away"
    world.until(lambda: known(world.port().read(WEST)).healthy == 8)


def test_a_size_without_a_floor_would_not_last_and_a_floor_without_a_size_makes_none(world: Site) -> None:
    """What both orders are for, as the stand-in has it."""
    world.machine.at(WEST_POOL).autoscaling |= {"minNodeCount": 3}
    assert world.sizes() == [2, 2]
    state = known(world.port().read(WEST))
    assert state.wanted == 4, "a floor above the size is not wanted yet"
    world.scaled(6)
    assert [kind for kind, _ in world.machine.orders] == ["SET_NODE_POOL_SIZE"]


def test_where_the_first_operation_takes_long_the_second_is_ordered_by_the_next_attempt(world: Site) -> None:
    world.machine.seconds = 3.0
    port = world.port()
    with pytest.raises(Transient, match="its size is not ordered yet"):
        port.scale(WEST, 8, expect=known(port.read(WEST)), call=call(seconds=1.5))
    assert isinstance(step(world, 8), Moving), "and until then nothing is ordered on top of it"
    world.machine.seconds = 0.0
    world.machine.end()
    assert isinstance(step(world, 8), Todo)
    world.scaled(8)
    assert [kind for kind, _ in world.machine.orders] == ["UPDATE_CLUSTER", "SET_NODE_POOL_SIZE"]


def test_a_count_is_rounded_up_to_a_multiple_of_the_zones(world: Site) -> None:
    port = world.port()
    port.scale(WEST, 5, expect=known(port.read(WEST)), call=call())
    world.until(lambda: world.sizes() == [3, 3])
    state = known(world.port().read(WEST))
    world.port().scale(WEST, 5, expect=state, call=call())
    world.port().scale(WEST, 6, expect=state, call=call())
    assert len(world.machine.orders) == 2, "it is so already"
    assert isinstance(step(world, 5), (Done, Moving))


def test_no_zone_is_made_smaller_than_it_is(world: Site) -> None:
    """`setSize` is for each zone: the one that load has made larger would lose nodes."""
    first = world.machine.at(WEST_POOL).groups[0]
    world.machine.idles = False
    world.machine.compute.at(first).target = 5
    state = known(world.port().read(WEST))
    assert state.wanted == 2, "the floor in each zone"
    world.scaled(6)
    assert world.sizes() == [5, 5]
    assert world.bounds() == (3, 3)


def test_of_bounds_in_all_the_total_is_raised(google: Front, machine: NodePools) -> None:
    site = Site(google, machine, IN_ALL)
    assert known(site.port().read(WEST)).ceiling == 6
    site.scaled(7)
    assert site.bounds() == (7, 7)
    for _ in range(5):
        assert sum(site.sizes()) == 7, "of the eight that two zones got, the autoscaler may take one"
    assert known(site.port().read(WEST)).wanted == 7


def test_a_pool_without_an_autoscaler_is_resized_and_cannot_be_held(google: Front, machine: NodePools) -> None:
    site = Site(google, machine, {})
    state = known(site.port().read(WEST))
    assert (state.wanted, state.ceiling, state.scale_in_held) == (4, None, False)
    site.scaled(6)
    site.scaled(4)
    assert site.sizes() == [2, 2]
    assert [kind for kind, _ in machine.orders] == ["SET_NODE_POOL_SIZE"] * 2
    port = site.port()
    with pytest.raises(Permanent, match="no autoscaler"):
        port.hold(WEST, True, expect=known(port.read(WEST)), call=call())


def test_taken_back_the_floor_is_as_it_was_and_the_autoscaler_empties_what_idles(world: Site) -> None:
    world.scaled(8)
    world.scaled(2)
    assert world.bounds() == (1, 4), "a ceiling that was raised stays"
    world.until(lambda: world.sizes() == [2, 2])
    assert world.front.count(operation=SIZE) == 1


def test_a_hold_is_a_floor_as_high_as_the_size_and_letting_go_puts_back_the_file_s(world: Site) -> None:
    world.held(True)
    assert world.bounds() == (2, 3)
    world.machine.at(WEST_POOL).load = 0
    assert world.sizes() == [2, 2], "the autoscaler takes nothing away"
    world.held(False)
    assert world.bounds() == (1, 3)
    world.until(lambda: world.sizes() == [1, 1])


def test_held_and_scaled_and_both_taken_back_it_is_as_it_was(world: Site) -> None:
    world.held(True)
    world.scaled(8)
    world.scaled(4)
    world.held(False)
    assert world.bounds() == (1, 4)


def test_without_a_floor_in_the_file_nothing_is_held(world: Site) -> None:
    port = world.made(floor=None)
    with pytest.raises(Permanent, match="is not written") as raised:
        port.hold(WEST, True, expect=known(port.read(WEST)), call=call())
    assert "floor: 1" in str(raised.value)
    assert world.machine.orders == []


def test_a_pool_that_has_come_down_to_its_usual_floor_is_free(world: Site) -> None:
    world.held(True)
    world.machine.at(WEST_POOL).load = 0
    world.held(False)
    world.until(lambda: world.sizes() == [1, 1])
    assert not known(world.port().read(WEST)).scale_in_held
    world.held(True)
    assert (world.bounds(), world.sizes()) == ((2, 3), [1, 1]), "held, and no node made for it"
    world.held(False)
    assert world.bounds() == (1, 3)


@pytest.mark.parametrize("target", [WEST_POOL, WEST_POOL.partition("/nodePools/")[0]])
def test_while_another_operation_is_under_way_nothing_is_ordered(world: Site, target: str) -> None:
    """Of the pool, or of its cluster."""
    before = known(world.port().read(WEST))
    world.machine.begin(target)
    assert isinstance(step(world, 8), Moving)
    assert isinstance(hold(world), Moving)
    for order in (
        lambda port: port.scale(WEST, 8, expect=before, call=call()),
        lambda port: port.hold(WEST, True, expect=before, call=call()),
    ):
        with pytest.raises(Transient, match="UPGRADE_NODES operation-1 is RUNNING"):
            order(world.port())
    assert world.front.count(mutating=True) == 0
    world.machine.end()
    assert isinstance(step(world, 8), Todo)


def test_one_of_another_cluster_is_nobody_s_concern(world: Site) -> None:
    world.machine.begin(WEST_POOL.replace("/shop/", "/shop-2/"))
    assert known(world.port().read(WEST)).moving == ""


def test_one_that_began_after_the_look_is_refused_by_gke_and_looked_at_again(world: Site) -> None:
    port = world.port()
    state = known(port.read(WEST))
    world.front.outages.stale(3600, operation="projects.locations.operations.list")
    known(port.read(WEST))
    world.machine.begin(WEST_POOL)
    with pytest.raises(Transient, match="Please wait"):
        port.scale(WEST, 8, expect=state, call=call())
    assert world.machine.orders == []


def test_where_the_operations_of_its_place_are_not_listed_it_is_unknown(world: Site) -> None:
    """Those of a regional cluster stand in the region, whichever of its zones is missing."""
    world.machine.missing = [f"{WEST}-b", f"{EAST}-a"]
    assert isinstance(world.port().read(EAST), Unknown)
    assert known(world.port().read(WEST)).wanted == 2


def test_a_zone_that_does_not_answer_makes_the_pool_unknown(world: Site) -> None:
    """What stands there is not taken for gone."""
    world.front.outages.fail("backendError", 503, operation="instanceGroupManagers.listManagedInstances")
    assert isinstance(world.port().read(WEST), Unknown)


@pytest.mark.parametrize("status", ["PROVISIONING", "ERROR", "STOPPING"])
def test_a_pool_that_has_no_nodes_to_count_is_unknown(world: Site, status: str) -> None:
    world.machine.at(WEST_POOL).status = status
    read = world.port().read(WEST)
    assert isinstance(read, Unknown)
    assert status in read.reason


def test_one_that_gke_repairs_is_moving(world: Site) -> None:
    world.machine.at(WEST_POOL).status = "RECONCILING"
    assert known(world.port().read(WEST)).moving


def test_done_is_not_running(world: Site) -> None:
    world.machine.compute.boots = False
    world.scaled(6)
    state = known(world.port().read(WEST))
    assert (state.wanted, state.running, state.healthy) == (6, 4, 4)
    assert isinstance(step(world, 6), Moving)
    world.machine.compute.boots = True
    world.until(lambda: isinstance(step(world, 6), Done))


@pytest.mark.parametrize(("failing", "seconds"), [(0, 0.0), (8, 0.0), (8, 0.2)])
def test_an_operation_that_failed_or_led_to_nothing_completes_nothing(
    world: Site, failing: int, seconds: float
) -> None:
    world.machine.obeying, world.machine.failing, world.machine.seconds = False, failing, seconds
    port = world.port()
    with contextlib.suppress(OutcomeUnknown):  # where the reply already says that it failed
        port.scale(WEST, 8, expect=known(port.read(WEST)), call=call())
    world.machine.end()
    assert isinstance(step(world, 8), Todo)
    assert world.sizes() == [2, 2]
    world.machine.obeying, world.machine.failing = True, 0
    world.scaled(8)


def test_without_a_service_a_node_that_runs_counts_and_with_one_it_must_serve(world: Site) -> None:
    compute, pool = world.machine.compute, world.machine.at(WEST_POOL)
    compute.service(SERVICE, {compute.instance_group(group): 1.0 for group in pool.groups})
    compute.sicken(pool.groups[0])
    assert known(world.port().read(WEST)).healthy == 4
    assert known(world.made(backend_services=[SERVICE]).read(WEST)).healthy == 3


def test_nothing_is_asked_of_the_other_region(world: Site) -> None:
    world.front.outages.silence(region=EAST)
    world.front.forget()
    world.held(True)
    world.scaled(6)
    assert world.front.count(region=EAST) == 0


def test_the_pool_of_a_zonal_cluster_has_one_zone(world: Site) -> None:
    port = world.port()
    state = known(port.read(EAST))
    assert (state.wanted, state.running) == (3, 3)
    port.scale(EAST, 5, expect=state, call=call())
    world.until(lambda: world.machine.sizes(EAST_POOL) == [5])


def test_a_world_that_changed_since_it_was_seen_is_left_alone(world: Site) -> None:
    port = world.port()
    state = known(port.read(WEST))
    world.machine.at(WEST_POOL).autoscaling["maxNodeCount"] = 9
    with pytest.raises(Conflict):
        port.scale(WEST, 8, expect=state, call=call())
    with pytest.raises(Conflict):
        port.hold(WEST, True, expect=state, call=call())
    assert world.machine.orders == []


def test_two_who_order_at_once_come_to_one_of_both(world: Site) -> None:
    ports = world.port(), world.port()
    state = known(ports[0].read(WEST))
    said: list[CloudfailError | None] = []

    def order(port: Any, count: int) -> None:
        try:
            port.scale(WEST, count, expect=state, call=call())
            said.append(None)
        except CloudfailError as error:
            assert isinstance(error, (Conflict, Transient))
            said.append(error)

    both = [threading.Thread(target=order, args=(port, count)) for port, count in zip(ports, (6, 8), strict=True)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert len(said) == 2
    world.scaled(8)
    assert (world.bounds(), world.sizes()) == ((4, 4), [4, 4])


def test_an_order_that_lands_late_is_seen_and_put_right(world: Site) -> None:
    """It has no condition and carries no epoch: nothing stops it, and the next look finds it."""
    world.scaled(8)
    port = world.port()
    late = world.front.outages.hold(times=1, operation=BOUNDS)
    with pytest.raises(OutcomeUnknown):
        port.scale(WEST, 2, expect=known(port.read(WEST)), call=call(10, seconds=12.0))
    late.land()
    world.until(lambda: world.bounds() == (1, 4))
    assert KIND.verbs["scale"].fencing == "watching"
    world.until(lambda: isinstance(step(world, 8), Todo))
    world.scaled(8)
    assert world.sizes() == [4, 4]


def test_a_pool_of_another_region_is_refused_when_it_is_built() -> None:
    resource, whole = topology(KIND, {EAST: WEST_POOL})
    told = {EAST: NodePoolMember(pool=WEST_POOL)}
    with pytest.raises(Permanent, match="stands in europe-west1"):
        port_of(lambda asking: NodePool(asking, told), resource, whole)


def test_a_region_without_a_member_is_unknown_and_takes_no_order(world: Site) -> None:
    port = world.port()
    assert isinstance(port.read("us-east4"), Unknown)
    with pytest.raises(Transient):
        port.scale("us-east4", 3, expect=known(port.read(WEST)), call=call())


def test_the_permissions_are_of_what_is_asked_and_no_more(world: Site) -> None:
    resource, whole = topology(KIND, {EAST: EAST_POOL, WEST: {"pool": WEST_POOL, "backend_services": [SERVICE]}})
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [WEST])
    cluster, project = (WEST_POOL.partition("/nodePools/")[0],), (f"projects/{PROJECT}",)
    assert {(action, one.on) for one in said.watch for action in one.actions} == {
        ("container.clusters.get", cluster),
        ("container.operations.list", project),
        ("compute.instanceGroupManagers.get", project),
        ("compute.backendServices.get", (SERVICE,)),
        ("compute.regions.get", project),
        ("compute.machineTypes.get", project),
        ("compute.reservations.list", project),
    }
    assert {(action, one.on, one.verbs) for one in said.execute for action in one.actions} == {
        ("container.clusters.update", cluster, ("scale", "hold")),
    }
    world.held(True)
    world.scaled(6)
    assert {one.operation for one in world.front.seen()} == {
        "projects.locations.clusters.nodePools.get",
        "projects.locations.operations.list",
        "instanceGroupManagers.get",
        "instanceGroupManagers.listManagedInstances",
        SIZE,
        BOUNDS,
    }


class Around:
    """The world as the steps look at it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def compute(self, _name: str) -> NodePool:
        made: NodePool = self.site.port()
        return made


def step(site: Site, count: int) -> Any:
    """What the step that scales the west sees now."""
    arguments = {"group": "web", "where": WEST, "count": count}
    planned = PlannedStep("scale", "compute.scale", None, arguments, (), 300.0, 0.0, 0)
    around: Any = Around(site)
    return Scale().observe(around, StepContext(planned, "r1", EAST, WEST))


def hold(site: Site) -> Any:
    planned = PlannedStep("hold", "compute.hold", None, {"group": "web", "where": WEST}, (), 300.0, 0.0, 0)
    around: Any = Around(site)
    return Hold().observe(around, StepContext(planned, "r1", EAST, WEST))
