"""compute: instance-group against a stand-in: its wire is Google's own description, its instances are real
listeners."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, StepContext, Todo
from cloudfail.actions.compute import Scale
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.testing.conformance import ComputeSuite, known
from cloudfail_gcp.compute import KINDS
from cloudfail_gcp.compute.instance_group import InstanceGroup
from cloudfail_gcp.compute.options import InstanceGroupMember
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST, World, call, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.instance_groups import InstanceGroups

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "instance-group")
EAST_GROUP = f"projects/{PROJECT}/zones/{EAST}-a/instanceGroupManagers/web-e"
WEST_GROUP = f"projects/{PROJECT}/regions/{WEST}/instanceGroupManagers/web-w"
SERVICE = f"projects/{PROJECT}/global/backendServices/web"
POLICY = {"minNumReplicas": 1, "maxNumReplicas": 4, "mode": "ON"}
PATCH = "regionAutoscalers.patch"
ROOM = ("regions.get", "machineTypes.get", "reservations.list", "instanceTemplates.get")


class Site(World):
    """A zonal group in the east; a regional one in the west, whose load wants two, of at least one and at most four."""

    def __init__(self, google: Front, machine: InstanceGroups, policy: dict[str, Any] | None = None) -> None:
        super().__init__(google, KIND, self.made)
        self.machine = machine
        machine.group(EAST_GROUP, 3, policy=POLICY)
        machine.group(WEST_GROUP, 2, policy=POLICY if policy is None else policy or None, description="The shop's.")

    def made(self, **member: Any) -> InstanceGroup:
        """member: what the file says of the west's beside its path."""
        members = {EAST: EAST_GROUP, WEST: {"group": WEST_GROUP, **member}}
        resource, whole = topology(KIND, members)
        told = {region: InstanceGroupMember.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: InstanceGroup(asking, told), resource, whole)

    def scaler(self) -> tuple[int, int, str]:
        found = self.machine.at(WEST_GROUP).autoscaler
        assert found is not None
        policy = found["autoscalingPolicy"]
        return policy["minNumReplicas"], policy["maxNumReplicas"], policy["mode"]

    def description(self) -> str:
        found = self.machine.at(WEST_GROUP).autoscaler
        assert found is not None
        return str(found["description"])

    def size(self) -> int:
        return self.machine.at(WEST_GROUP).target

    def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(400):
            if holds():
                return
            time.sleep(0.05)
        raise AssertionError(f"it never came to that: {self.size()}, {self.scaler()}")

    def scaled(self, count: int, run_call: Any = None) -> None:
        port = self.port()
        port.scale(WEST, count, expect=known(port.read(WEST)), call=run_call or call())
        self.until(lambda: not self.pending() and known(self.port().read(WEST)).wanted == count)

    def held(self, held: bool) -> None:
        port = self.port()
        port.hold(WEST, held, expect=known(port.read(WEST)), call=call())
        self.until(lambda: not self.pending())

    def pending(self) -> bool:
        self.machine.settle()
        return bool(self.machine._pending)


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> Iterator[InstanceGroups]:
    with contextlib.closing(InstanceGroups()) as made:
        yield serving("compute.v1", made)


@pytest.fixture
def world(google: Front, machine: InstanceGroups) -> Site:
    return Site(google, machine)


class TestInstanceGroup(ComputeSuite):
    """The world is the module's."""


class TestAGroupThatAServiceCounts(ComputeSuite):
    """The same, with health counted by the backend service that sends it requests."""

    @pytest.fixture
    def world(self, google: Front, machine: InstanceGroups) -> Site:  # type: ignore[override]  (one that it narrows)
        site = Site(google, machine)
        site.machine.checked = False
        machine.service(SERVICE, {machine.instance_group(group): 1.0 for group in (EAST_GROUP, WEST_GROUP)})
        site._port = lambda: site.made(backend_services=[SERVICE])
        return site


def test_the_floor_is_what_is_ordered_and_the_autoscaler_makes_at_least_so_many(world: Site) -> None:
    world.scaled(6)
    assert world.scaler() == (6, 6, "ON")
    for _ in range(5):
        assert world.size() == 6, "and takes none of them away"
    assert [kind for kind, _ in world.machine.orders] == ["patch"]
    world.until(lambda: known(world.port().read(WEST)).healthy == 6)


def test_a_group_that_its_load_has_grown_runs_more_than_is_wanted(world: Site) -> None:
    world.machine.at(WEST_GROUP).load = 4
    world.until(lambda: known(world.port().read(WEST)).running == 4)
    state = known(world.port().read(WEST))
    assert (state.wanted, state.running, state.ceiling) == (1, 4, 4)
    world.scaled(3)
    assert world.size() == 4
    assert world.scaler() == (3, 4, "ON")


def test_a_zonal_group_is_ordered_in_the_same_way(world: Site) -> None:
    """Google would take a resize there, and the autoscaler would undo it."""
    port = world.port()
    port.scale(EAST, 5, expect=known(port.read(EAST)), call=call())
    world.until(lambda: world.machine.at(EAST_GROUP).target == 5)
    assert world.front.count(operation="autoscalers.patch") == 1
    assert world.front.count(mutating=True) == 1


def test_taken_back_by_its_own_run_the_group_is_as_it_was(world: Site) -> None:
    world.scaled(6)
    assert world.description() == "The shop's. [cloudfail epoch=10 run=r1 floor=1 ceiling=4]"
    world.scaled(1)
    assert world.scaler() == (1, 4, "ON")
    assert world.description() == "The shop's. [cloudfail epoch=10]"
    assert world.size() == 2, "what its load wants"


def test_scaled_twice_by_one_run_it_still_goes_back_to_what_stood_before(world: Site) -> None:
    world.scaled(6)
    world.scaled(7)
    world.scaled(1)
    assert world.scaler() == (1, 4, "ON")


def test_an_autoscaler_that_was_attached_meanwhile_is_a_conflict(google: Front, machine: InstanceGroups) -> None:
    site = Site(google, machine, policy={})
    port = site.port()
    state = known(port.read(WEST))
    site.front.outages.stale(3600, operation="regionInstanceGroupManagers.get")
    known(port.read(WEST))
    machine.at(WEST_GROUP).autoscaler = {"autoscalingPolicy": POLICY, "selfLink": "", "name": "web-w"}
    with pytest.raises(Conflict, match="not allowed"):
        port.scale(WEST, 5, expect=state, call=call())


def test_a_group_without_an_autoscaler_is_resized_and_carries_no_epoch(google: Front, machine: InstanceGroups) -> None:
    site = Site(google, machine, policy={})
    port = site.port()
    state = known(port.read(WEST))
    assert (state.wanted, state.ceiling, state.epoch, state.scale_in_held) == (2, None, None, False)
    port.scale(WEST, 5, expect=state, call=call())
    site.until(lambda: site.size() == 5)
    assert [kind for kind, _ in machine.orders] == ["resize"]
    with pytest.raises(Permanent, match="no autoscaler"):
        port.hold(WEST, True, expect=known(port.read(WEST)), call=call())


def test_an_autoscaler_that_is_off_binds_nobody_and_scales_nothing_in(google: Front, machine: InstanceGroups) -> None:
    site = Site(google, machine, policy=POLICY | {"mode": "OFF"})
    state = known(site.port().read(WEST))
    assert (state.ceiling, state.scale_in_held) == (None, True)
    site.scaled(9)
    assert site.scaler() == (1, 4, "OFF")


def test_a_hold_is_the_mode_and_letting_go_puts_back_what_it_replaced(world: Site) -> None:
    world.held(True)
    assert world.scaler() == (1, 4, "ONLY_SCALE_OUT")
    world.machine.at(WEST_GROUP).load = 0
    assert world.size() == 2, "the autoscaler takes nothing away"
    world.held(False)
    assert world.scaler() == (1, 4, "ON")
    assert world.size() == 1
    assert world.description() == "The shop's. [cloudfail epoch=10]"


def test_a_hold_and_a_scale_of_one_run_keep_each_other_s_marks(world: Site) -> None:
    world.held(True)
    world.scaled(6)
    world.held(False)
    world.scaled(1)
    assert world.scaler() == (1, 4, "ON")


def test_a_restriction_of_somebody_else_is_not_let_go(google: Front, machine: InstanceGroups) -> None:
    site = Site(google, machine, policy=POLICY | {"mode": "ONLY_SCALE_OUT"})
    port = site.port()
    with pytest.raises(Permanent, match="not held by cloudfail"):
        port.hold(WEST, False, expect=known(port.read(WEST)), call=call())
    assert site.scaler() == (1, 4, "ONLY_SCALE_OUT")


def test_a_schedule_is_another_hand_on_the_size_and_is_named_and_left(google: Front, machine: InstanceGroups) -> None:
    schedules = {
        "lunch": {"minRequiredReplicas": 5, "schedule": "0 11 * * *", "durationSec": 7200},
        "off": {"minRequiredReplicas": 9, "schedule": "0 0 * * *", "durationSec": 7200, "disabled": True},
    }
    site = Site(google, machine, POLICY | {"scalingSchedules": schedules})
    said: list[str] = []
    site.scaled(3, call(log=said.append))
    port = site.port()
    port.hold(WEST, True, expect=known(port.read(WEST)), call=call(log=said.append))
    named = [line for line in said if "lunch (at least 5)" in line]
    assert len(named) == 2
    assert not [line for line in said if "off (" in line]
    found = machine.at(WEST_GROUP).autoscaler
    assert found is not None
    assert found["autoscalingPolicy"]["scalingSchedules"] == schedules


def test_nothing_is_asked_of_the_other_region(world: Site) -> None:
    world.front.outages.silence(region=EAST)
    world.front.forget()
    world.scaled(3)
    world.held(True)
    assert world.front.count(region=EAST) == 0


def test_done_is_not_running_and_running_is_not_healthy(world: Site) -> None:
    """The operation is DONE, and no instance exists: the step does not complete. Then one runs and is sick."""
    world.machine.boots = False
    world.scaled(3)
    state = known(world.port().read(WEST))
    assert (state.wanted, state.running, state.healthy) == (3, 2, 2)
    assert isinstance(step(world, 3), Moving)
    world.machine.boots = True
    sick = world.machine.sicken(WEST_GROUP)
    world.until(lambda: known(world.port().read(WEST)).running == 3)
    assert known(world.port().read(WEST)).healthy == 2
    assert isinstance(step(world, 3), Moving)
    world.machine.at(WEST_GROUP).instances = [one for one in world.machine.at(WEST_GROUP).instances if one.path != sick]
    world.until(lambda: isinstance(step(world, 3), Done))


def test_an_operation_that_is_done_and_led_to_nothing_completes_nothing(world: Site) -> None:
    world.machine.obeying, world.machine.seconds = False, 0.0
    port = world.port()
    port.scale(WEST, 3, expect=known(port.read(WEST)), call=call())
    assert isinstance(step(world, 3), Todo)
    world.machine.obeying = True
    world.scaled(3)
    world.until(lambda: isinstance(step(world, 3), Done))


def test_the_same_count_is_ordered_again_after_somebody_took_it_back(world: Site) -> None:
    """Each order has a request id of its own: under one of old, Google would do nothing."""
    world.machine.at(WEST_GROUP).autoscaler = None
    for _ in range(2):
        port = world.port()
        port.scale(WEST, 4, expect=known(port.read(WEST)), call=call())
        world.until(lambda: world.size() == 4)
        world.machine.at(WEST_GROUP).target = 2


def test_without_a_health_check_nothing_is_known_and_the_reason_says_what_to_write(world: Site) -> None:
    world.machine.checked = False
    read = world.port().read(WEST)
    assert isinstance(read, Unknown)
    assert "backend_services" in read.reason


def test_a_backend_service_that_lists_nobody_says_nothing(world: Site) -> None:
    other = f"projects/{PROJECT}/zones/{EAST}-c/instanceGroups/other"
    world.machine.service(SERVICE, {other: 1.0, world.machine.instance_group(WEST_GROUP): 1.0})
    world.machine.unlisted.add(world.machine.instance_group(WEST_GROUP))
    read = world.made(backend_services=[SERVICE]).read(WEST)
    assert isinstance(read, Unknown)
    assert "lists none" in read.reason


def test_a_group_that_is_no_backend_of_the_service_is_unknown(world: Site) -> None:
    world.machine.service(SERVICE, {world.machine.instance_group(EAST_GROUP): 1.0})
    assert isinstance(world.made(backend_services=[SERVICE]).read(WEST), Unknown)


def test_all_pages_of_instances_are_counted(world: Site) -> None:
    world.machine.page = 2
    world.scaled(5)
    world.until(lambda: known(world.port().read(WEST)).healthy == 5)


def test_an_empty_list_of_a_group_that_should_have_instances_is_unknown(world: Site) -> None:
    world.machine.lists = False
    read = world.port().read(WEST)
    assert isinstance(read, Unknown)
    assert "none is listed" in read.reason


def test_pages_of_instances_that_do_not_end_are_unknown(world: Site) -> None:
    world.machine.page = 0
    read = world.port().read(WEST)
    assert isinstance(read, Unknown)
    assert "the same page" in read.reason


def test_a_newer_epoch_stops_an_older_worker_that_looks(world: Site) -> None:
    world.scaled(3, call(11))
    port = world.port()
    with pytest.raises(Conflict, match="epoch 11"):
        port.scale(WEST, 2, expect=known(port.read(WEST)), call=call(10))
    assert world.scaler()[0] == 3


def test_an_order_that_lands_late_is_seen_and_put_right(world: Site) -> None:
    """It has no condition: nothing stops it, and the next look finds it."""
    port = world.port()
    late = world.front.outages.hold(times=1, operation=PATCH)
    with pytest.raises(OutcomeUnknown):
        port.scale(WEST, 4, expect=known(port.read(WEST)), call=call(10, seconds=12.0))
    world.scaled(5, call(11))
    late.land()
    world.until(lambda: not world.pending())
    assert world.scaler()[0] == 4
    assert KIND.verbs["scale"].fencing == "watching"
    assert isinstance(step(world, 5), Todo)
    world.scaled(5, call(11))
    assert world.scaler()[0] == 5


def test_a_world_that_changed_since_it_was_seen_is_left_alone(world: Site) -> None:
    port = world.port()
    state = known(port.read(WEST))
    found = world.machine.at(WEST_GROUP).autoscaler
    assert found is not None
    found["autoscalingPolicy"]["maxNumReplicas"] = 9
    with pytest.raises(Conflict):
        port.scale(WEST, 4, expect=state, call=call())
    with pytest.raises(Conflict):
        port.hold(WEST, True, expect=state, call=call())
    assert world.machine.orders == []


def test_a_region_without_a_member_is_unknown_and_takes_no_order(world: Site) -> None:
    port = world.port()
    assert isinstance(port.read("us-east4"), Unknown)
    with pytest.raises(Transient):
        port.scale("us-east4", 3, expect=known(port.read(WEST)), call=call())


def test_the_permissions_are_of_what_is_asked_and_no_more(world: Site) -> None:
    resource, whole = topology(KIND, {EAST: EAST_GROUP, WEST: {"group": WEST_GROUP, "backend_services": [SERVICE]}})
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [WEST])
    autoscalers = f"projects/{PROJECT}/regions/{WEST}/autoscalers/*"
    assert {(action, one.on) for one in said.watch for action in one.actions} == {
        ("compute.instanceGroupManagers.get", (WEST_GROUP,)),
        ("compute.autoscalers.get", (autoscalers,)),
        ("compute.backendServices.get", (SERVICE,)),
        *((f"compute.{one}", (f"projects/{PROJECT}",)) for one in ROOM),
    }
    assert {(action, one.on, one.verbs) for one in said.execute for action in one.actions} == {
        ("compute.instanceGroupManagers.update", (WEST_GROUP,), ("scale",)),
        ("compute.instanceGroupManagers.use", (WEST_GROUP,), ("scale", "hold")),
        ("compute.autoscalers.update", (autoscalers,), ("scale", "hold")),
    }
    world.scaled(3)
    world.held(True)
    assert {one.operation for one in world.front.seen()} == {
        "regionInstanceGroupManagers.get",
        "regionInstanceGroupManagers.listManagedInstances",
        "regionAutoscalers.get",
        PATCH,
    }


class Around:
    """The world as `compute.scale` looks at it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def compute(self, _name: str) -> InstanceGroup:
        made: InstanceGroup = self.site.port()
        return made


def step(site: Site, count: int) -> Any:
    """What the step that scales the west sees now."""
    arguments = {"group": "web", "where": WEST, "count": count}
    planned = PlannedStep("scale", "compute.scale", None, arguments, (), 300.0, 0.0, 0)
    around: Any = Around(site)
    return Scale().observe(around, StepContext(planned, "r1", EAST, WEST))
