"""loadbalancer: forwarding-rule against a stand-in: its wire is Google's own description, its instances are real
listeners."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Topology
from cloudfail.testing.conformance import LoadBalancerSuite, known
from cloudfail_gcp.loadbalancer import KINDS
from cloudfail_gcp.loadbalancer.forwarding_rule import EPOCH, OWNER, ForwardingRule
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST, World, act, call, look, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.forwarding_rules import ForwardingRules
from tests.emulators.gcp.standins.operations import BASE
from tests.emulators.gcp.test_backend_service import instances
from tests.emulators.listening import listening
from tests.emulators.loopback import free_port

pytestmark = pytest.mark.timeout(300)
(KIND,) = (kind for kind in KINDS if kind.name == "forwarding-rule")
SET_TARGET, SET_LABELS = "globalForwardingRules.setTarget", "globalForwardingRules.setLabels"
RULE = f"projects/{PROJECT}/global/forwardingRules/edge"
TARGETS = {region: f"projects/{PROJECT}/global/targetHttpsProxies/web-{region}" for region in (EAST, WEST)}
STRANGER = f"projects/{PROJECT}/global/targetHttpsProxies/maintenance"
SERVICES = {region: f"projects/{PROJECT}/global/backendServices/web-{region}" for region in (EAST, WEST)}
GROUPS = {region: f"projects/{PROJECT}/regions/{region}/instanceGroups/web" for region in (EAST, WEST)}
MEMBERS = {region: {"target": TARGETS[region], "backend_services": [SERVICES[region]]} for region in (EAST, WEST)}


class Site(World):
    """A rule that leads to the east, and has a label of somebody's."""

    def __init__(self, google: Front, machine: ForwardingRules) -> None:
        super().__init__(google, KIND, self.made)
        self.machine = machine
        self.application = "shop"
        for region, service in SERVICES.items():
            machine.service(service, {GROUPS[region]: 1.0})
        machine.rule(RULE, TARGETS[EAST])
        machine.edit_rule(RULE, labels={"team": "web"})

    def made(self, members: dict[str, Any] | None = None) -> ForwardingRule:
        resource, whole = self.topology(members)
        return port_of(ForwardingRule, resource, replace(whole, application=self.application))

    def topology(self, members: dict[str, Any] | None = None) -> Any:
        return topology(KIND, members or MEMBERS, forwarding_rule=RULE)

    @property
    def whole(self) -> Topology:
        whole: Topology = self.topology()[1]
        return whole

    def leads(self) -> str:
        return self.machine.target(RULE)

    def ordered(self) -> list[str]:
        return [kind for kind, target in self.machine.orders if target == RULE]

    def settled(self) -> Any:
        """What is read once nothing is under way."""
        for _ in range(200):
            state = known(self.port().read())
            if not state.moving:
                return state
            time.sleep(0.05)
        raise AssertionError("it never came to an end")

    def shifted(self, to: str = WEST, epoch: int = 10) -> None:
        port = self.port()
        port.shift({to: 100}, expect=known(port.read()), call=call(epoch))
        self.settled()


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> ForwardingRules:
    made: ForwardingRules = serving("compute.v1", ForwardingRules())
    return made


@pytest.fixture
def world(google: Front, machine: ForwardingRules) -> Iterator[Site]:
    """Its east has two instances, its west one."""
    with contextlib.ExitStack() as stack:
        for region, count in ((EAST, 2), (WEST, 1)):
            ports = [stack.enter_context(listening()) for _ in range(count)]
            machine.members[GROUPS[region]] = instances(f"{region}-a", ports)
        yield Site(google, machine)


class TestForwardingRule(LoadBalancerSuite):
    """The world is the module's."""


def test_the_rule_leads_to_the_other_target_and_carries_the_epoch_beside_what_others_wrote(world: Site) -> None:
    world.shifted()
    assert world.leads() == TARGETS[WEST]
    assert world.machine.labels(RULE) == {"team": "web", OWNER: "shop", EPOCH: "10"}
    assert world.ordered() == ["setLabels", "SetTarget"]
    assert known(world.port().read()).epoch == 10
    world.shifted(EAST)
    assert world.ordered() == ["setLabels", "SetTarget", "SetTarget"], "the mark stood there already"


def test_healthy_targets_are_those_of_the_service_that_has_the_fewest(world: Site) -> None:
    world.machine.members[GROUPS[EAST]] |= instances(f"{EAST}-a", [free_port()])
    assert known(world.port().read()).healthy == {EAST: 2, WEST: 1}
    thin = SERVICES[EAST] + "-api"
    world.machine.service(thin, {GROUPS[EAST] + "-api": 1.0})
    with listening() as port:
        world.machine.members[GROUPS[EAST] + "-api"] = instances(f"{EAST}-a", [port])
        several = {"target": TARGETS[EAST], "backend_services": [SERVICES[EAST], thin]}
        assert known(world.made({**MEMBERS, EAST: several}).read()).healthy == {EAST: 1, WEST: 1}


def test_where_no_service_is_named_nothing_is_counted(world: Site) -> None:
    assert known(world.made(dict(TARGETS)).read()).healthy == {}


def test_a_service_with_a_group_in_another_region_stands_for_neither(world: Site) -> None:
    world.machine.service(SERVICES[WEST], {GROUPS[WEST]: 1.0, GROUPS[EAST]: 1.0})
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert f"has a group in {EAST}" in read.reason


def test_a_rule_that_leads_where_no_region_is_is_unknown(world: Site) -> None:
    world.machine.edit_rule(RULE, target=BASE + STRANGER)
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert STRANGER in read.reason


def test_it_leads_to_one_region_at_a_time(world: Site) -> None:
    port = world.port()
    with pytest.raises(Permanent, match="leads to one region"):
        port.shift({EAST: 50, WEST: 50}, expect=known(port.read()), call=call())
    assert world.front.count(mutating=True) == 0


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({EAST: TARGETS[EAST], WEST: TARGETS[EAST]}, "have the same target"),
        ({EAST: TARGETS[EAST], WEST: TARGETS[WEST].replace("Https", "Tcp")}, "of several types"),
    ],
)
def test_targets_that_cannot_take_turns_are_refused_before_anything_is_asked(
    world: Site, members: dict[str, Any], words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        world.made(members)
    assert world.front.count() == 0


def test_the_epoch_of_a_newer_lease_is_heeded(world: Site) -> None:
    world.shifted(epoch=12)
    port = world.port()
    with pytest.raises(Conflict, match="lease 12"):
        port.shift({EAST: 100}, expect=known(port.read()), call=call(11))
    assert world.leads() == TARGETS[WEST]


def test_a_newer_lease_that_marks_between_the_look_and_the_mark_wins(world: Site) -> None:
    """Its labels come between: ours are refused by Google, and the target is not touched."""
    port = world.port()
    state = known(port.read())
    world.front.outages.stale(3600, operation="globalForwardingRules.get")
    world.machine.edit_rule(RULE, labels={OWNER: "shop", EPOCH: "11"})
    with pytest.raises(Conflict):
        port.shift({WEST: 100}, expect=state, call=call(10))
    assert world.ordered() == []
    assert world.leads() == TARGETS[EAST]


def test_what_another_application_moves_is_left_alone(world: Site) -> None:
    world.shifted()
    world.application = "Billing.EU"
    port = world.port()
    with pytest.raises(Permanent, match="moved by the application shop"):
        port.shift({EAST: 100}, expect=known(port.read()), call=call(99))
    (told,) = known(port.preflight())
    assert "shop" in told


def test_an_application_whose_name_is_no_label_is_known_again(world: Site) -> None:
    world.application = "Billing.EU"
    world.shifted()
    world.shifted(EAST, 11)
    assert world.leads() == TARGETS[EAST]
    assert world.machine.labels(RULE)[OWNER].startswith("application-")


def test_where_the_labels_may_not_be_written_the_target_still_is(world: Site) -> None:
    world.front.outages.fail("forbidden", 403, operation=SET_LABELS)
    said: list[str] = []
    port = world.port()
    port.shift({WEST: 100}, expect=known(port.read()), call=call(log=said.append))
    world.settled()
    assert world.leads() == TARGETS[WEST]
    assert "could not be written" in said[0]


def test_a_mark_that_does_not_come_to_its_end_leaves_the_target_alone_and_is_not_ordered_twice(world: Site) -> None:
    world.machine.seconds = 3600.0
    port = world.port()
    with pytest.raises(Transient, match="on top of it"):
        port.shift({WEST: 100}, expect=known(port.read()), call=call(seconds=4.0))
    with pytest.raises(Transient, match="on top of it"):
        port.shift({WEST: 100}, expect=known(port.read()), call=call(seconds=4.0))
    assert world.ordered() == ["setLabels"]
    assert known(port.read()).moving


def test_a_mark_that_outlasts_its_call_is_waited_for_by_the_next(world: Site) -> None:
    world.machine.seconds = 4.0
    port = world.port()
    with pytest.raises(Transient):
        port.shift({WEST: 100}, expect=known(port.read()), call=call(seconds=4.0))
    port.shift({WEST: 100}, expect=known(port.read()), call=call(seconds=20.0))
    world.settled()
    assert world.leads() == TARGETS[WEST]
    assert world.ordered() == ["setLabels", "SetTarget"]


def test_somebody_else_s_change_is_a_conflict(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.shifted()
    world.shifted(EAST)
    world.front.forget()
    moved = replace(state, weights={EAST: 0, WEST: 100}, version=TARGETS[WEST])
    with pytest.raises(Conflict, match="as it was seen"):
        port.shift({WEST: 100}, expect=moved, call=call())
    assert world.front.count(mutating=True) == 0


def test_a_competing_writer_between_the_mark_and_the_target_is_seen(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    other = f"{TARGETS[WEST]}-2"

    class Meddled(ForwardingRule):
        def _mark(self, *words: Any) -> None:
            super()._mark(*words)
            world.machine.edit_rule(RULE, target=BASE + TARGETS[WEST])

    resource, whole = world.topology({EAST: TARGETS[EAST], WEST: TARGETS[WEST], "us-east4": other})
    meddled = port_of(Meddled, resource, whole)
    with pytest.raises(Conflict, match="somebody else"):
        meddled.shift({"us-east4": 100}, expect=state, call=call())
    assert world.ordered() == ["setLabels"]


def test_a_request_that_lands_late_is_found_by_watching(world: Site) -> None:
    """setTarget has no condition: so it says, and whoever looks later sees it."""
    port = world.port()
    state = known(port.read())
    held = world.front.outages.hold(times=1, operation=SET_TARGET)
    with pytest.raises(OutcomeUnknown):
        port.shift({WEST: 100}, expect=state, call=call(10, seconds=12.0))
    world.settled()
    held.land()
    assert world.settled().weights == {EAST: 0, WEST: 100}
    assert KIND.verbs["shift"].fencing == "watching"


def test_an_operation_that_is_done_and_led_to_nothing_completes_nothing(world: Site) -> None:
    world.machine.obeying, world.machine.seconds = False, 0.0
    todo = look(world, world.whole)
    assert isinstance(todo, Todo)
    act(world, world.whole, todo)
    again = look(world, world.whole)
    assert isinstance(again, Todo)
    world.machine.obeying = True
    act(world, world.whole, again)
    assert isinstance(look(world, world.whole), Done)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("resourceNotReady", 400, Transient),
        ("rateLimitExceeded", 429, Transient),
        ("forbidden", 403, Permanent),
        ("notFound", 404, Permanent),
        ("invalid", 400, Permanent),
    ],
)
def test_what_google_refuses_is_classed(world: Site, code: str, status: int, kind: type[Exception]) -> None:
    world.front.outages.fail(code, status, operation=SET_TARGET)
    port = world.port()
    with pytest.raises(kind):
        port.shift({WEST: 100}, expect=known(port.read()), call=call(seconds=8.0))
    assert world.leads() == TARGETS[EAST]


def test_an_address_that_is_lost_with_its_region_is_named_before_the_bad_day(world: Site) -> None:
    assert known(world.port().preflight()) == ()
    subnetwork = f"{BASE}projects/{PROJECT}/regions/{EAST}/subnetworks/web"
    world.machine.edit_rule(RULE, loadBalancingScheme="INTERNAL_MANAGED", subnetwork=subnetwork)
    (told,) = known(world.port().preflight())
    assert EAST in told
    world.front.outages.refuse(service="compute")
    assert isinstance(world.port().preflight(), Unknown)


def test_a_global_rule_needs_no_region(world: Site) -> None:
    world.front.outages.silence(region=EAST)
    world.shifted()
    assert KIND.facts("shift", world.topology()[0]).home is None


def test_the_permissions_are_of_what_is_asked_and_no_more(world: Site) -> None:
    resource, whole = world.topology()
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [EAST, WEST])
    assert {(action, one.on) for one in said.watch for action in one.actions} == {
        ("compute.globalForwardingRules.get", (RULE,)),
        ("compute.backendServices.get", tuple(SERVICES.values())),
        ("compute.globalOperations.list", (f"projects/{PROJECT}",)),
    }
    assert {(action, one.on) for one in said.execute for action in one.actions} == {
        ("compute.globalForwardingRules.setTarget", (RULE,)),
        ("compute.globalForwardingRules.setLabels", (RULE,)),
        ("compute.targetHttpsProxies.use", tuple(TARGETS.values())),
    }
    world.shifted()
    asked = {one.operation for one in world.front.seen()}
    assert asked == {
        "globalForwardingRules.get",
        SET_LABELS,
        SET_TARGET,
        "backendServices.get",
        "backendServices.getHealth",
        "globalOperations.list",
    }


def test_a_rule_that_does_not_answer_is_unknown(world: Site) -> None:
    world.make_unreachable("")
    assert not isinstance(world.port().read(), Known)
