"""loadbalancer: backend-service against a stand-in: its wire is Google's own description, its instances are real
listeners."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Topology
from cloudfail.testing.conformance import Harness, LoadBalancerSuite, known
from cloudfail_gcp.loadbalancer import KINDS
from cloudfail_gcp.loadbalancer.backend_service import BackendService
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST, World, act, call, look, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.backend_services import BackendServices
from tests.emulators.gcp.standins.service_lb_policies import ServiceLbPolicies
from tests.emulators.listening import listening
from tests.emulators.loopback import free_port

pytestmark = pytest.mark.timeout(300)
(KIND,) = (kind for kind in KINDS if kind.name == "backend-service")
PATCH = "backendServices.patch"
GLOBAL = f"projects/{PROJECT}/global/backendServices/web"
EAST_GROUP = f"projects/{PROJECT}/regions/{EAST}/instanceGroups/web-e"
WEST_GROUP = f"projects/{PROJECT}/zones/{WEST}-b/networkEndpointGroups/web-w"
OTHER_GROUP = f"projects/{PROJECT}/zones/us-east4-a/instanceGroups/batch"
GROUPS = {EAST: EAST_GROUP, WEST: WEST_GROUP}


def instances(zone: str, ports: list[int]) -> dict[str, int]:
    return {f"projects/{PROJECT}/zones/{zone}/instances/web-{port}": port for port in ports}


class Site(World):
    """A backend service whose east takes all traffic; a third group is nobody's."""

    def __init__(self, google: Front, machine: BackendServices, service: str = GLOBAL) -> None:
        super().__init__(google, KIND, self.made)
        self.machine = machine
        self.service = machine.service(service, {EAST_GROUP: None, WEST_GROUP: 0.0, OTHER_GROUP: 0.5})

    def made(self, members: dict[str, Any] | None = None) -> BackendService:
        return port_of(BackendService, *self.topology(members))

    def topology(self, members: dict[str, Any] | None = None) -> Any:
        return topology(KIND, members or GROUPS, service=self.service)

    @property
    def whole(self) -> Topology:
        whole: Topology = self.topology()[1]
        return whole

    def scalers(self) -> dict[str, float]:
        return self.machine.scalers(self.service)

    def settled(self) -> Any:
        """What is read once nothing is under way."""
        for _ in range(200):
            state = known(self.port().read())
            if not state.moving:
                return state
            time.sleep(0.05)
        raise AssertionError("it never came to an end")


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> BackendServices:
    made: BackendServices = serving("compute.v1", BackendServices())
    return made


@pytest.fixture
def world(google: Front, machine: BackendServices) -> Iterator[Site]:
    """Its east has two instances, its west one."""
    with contextlib.ExitStack() as stack:
        for group, zone, count in ((EAST_GROUP, f"{EAST}-a", 2), (WEST_GROUP, f"{WEST}-b", 1)):
            ports = [stack.enter_context(listening()) for _ in range(count)]
            machine.members[group] = instances(zone, ports)
        yield Site(google, machine)


class TestBackendService(LoadBalancerSuite):
    """The world is the module's."""


def test_members_scalers_are_set_and_everything_else_stays_as_it_was(world: Site) -> None:
    before = world.machine.stands(GLOBAL)
    port = world.port()
    port.shift({EAST: 0, WEST: 70}, expect=known(port.read()), call=call())
    state = world.settled()
    assert state.weights == {EAST: 0, WEST: 70}
    assert world.scalers() == {EAST_GROUP: 0.0, WEST_GROUP: 0.7, OTHER_GROUP: 0.5}
    after = world.machine.stands(GLOBAL)
    for one in (before, after):
        del one["fingerprint"]
        for backend in one["backends"]:
            backend.pop("capacityScaler", None)
    assert after == before, "nothing else was changed"
    assert world.front.count(mutating=True) == 1


def test_healthy_instances_are_counted_by_group_as_the_balancer_counts_them(world: Site) -> None:
    down = free_port()
    world.machine.members[EAST_GROUP] |= instances(f"{EAST}-a", [down])
    assert known(world.port().read()).healthy == {EAST: 2, WEST: 1}


def test_a_group_that_lists_nothing_is_unknown_and_not_nothing(world: Site) -> None:
    world.machine.members[WEST_GROUP] = {}
    assert known(world.port().read()).healthy == {EAST: 2}


def test_health_that_is_not_told_leaves_the_weights_known(world: Site) -> None:
    world.front.outages.fail("backendError", 503, operation="backendServices.getHealth")
    state = known(world.port().read())
    assert (state.weights, state.healthy) == ({EAST: 100, WEST: 0}, {})


def test_a_region_may_have_a_group_in_each_zone_and_all_of_them_follow(world: Site) -> None:
    second = WEST_GROUP.replace(f"{WEST}-b", f"{WEST}-c")
    with listening() as port:
        world.machine.members[second] = instances(f"{WEST}-c", [port])
        several = world.machine.stands(GLOBAL)["backends"]
        several.append(several[1] | {"group": several[1]["group"].replace(WEST_GROUP, second)})
        world.machine.edit(GLOBAL, backends=several)
        made = world.made({EAST: EAST_GROUP, WEST: [WEST_GROUP, second]})
        assert known(made.read()).healthy[WEST] == 2
        made.shift({EAST: 0, WEST: 100}, expect=known(made.read()), call=call())
        world.settled()
        assert (world.scalers()[WEST_GROUP], world.scalers()[second]) == (1.0, 1.0)


def test_a_region_of_which_a_part_is_drained_is_neither_drained_nor_whole(world: Site) -> None:
    made = world.made({EAST: EAST_GROUP, WEST: [WEST_GROUP, OTHER_GROUP.replace("us-east4-a", f"{WEST}-c")]})
    backends = world.machine.stands(GLOBAL)["backends"]
    backends[2]["group"] = backends[2]["group"].replace("us-east4-a", f"{WEST}-c")
    world.machine.edit(GLOBAL, backends=backends)
    assert known(made.read()).weights[WEST] == 25


@pytest.mark.parametrize("weight", [1, 9, 101, -1])
def test_a_weight_that_no_scaler_can_be_is_refused_here(world: Site, weight: int) -> None:
    port = world.port()
    with pytest.raises(Permanent, match="from 10 to 100"):
        port.shift({EAST: 100, WEST: weight}, expect=known(port.read()), call=call())
    assert world.front.count(mutating=True) == 0


def test_the_only_backend_is_never_drained(world: Site) -> None:
    """Whether it is the only one that the file knows, or the only one that is left of two."""
    world.machine.edit(GLOBAL, backends=world.machine.stands(GLOBAL)["backends"][:1])
    made = world.made({EAST: EAST_GROUP})
    state = known(made.read())
    with pytest.raises(Permanent, match="nothing to answer"):
        made.shift({EAST: 0}, expect=state, call=call())
    with pytest.raises(Permanent, match="has no backend"):
        world.port().shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.front.count(mutating=True) == 0


def test_a_group_of_another_region_is_refused_before_anything_is_asked(world: Site) -> None:
    with pytest.raises(Permanent, match=f"stands in {EAST}"):
        world.made({EAST: WEST_GROUP.replace(f"{WEST}-b", f"{EAST}-b"), WEST: EAST_GROUP})
    assert world.front.count() == 0


@pytest.mark.parametrize(("scheme", "service"), [("INTERNAL", GLOBAL), ("EXTERNAL", "regional")])
def test_a_passthrough_balancer_is_refused(world: Site, scheme: str, service: str) -> None:
    path = f"projects/{PROJECT}/regions/{EAST}/backendServices/net" if service == "regional" else service
    world.service = world.machine.service(path, {EAST_GROUP: None, WEST_GROUP: None}, loadBalancingScheme=scheme)
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert "passthrough" in read.reason


def test_a_regional_service_is_commanded_in_its_own_region(world: Site) -> None:
    path = f"projects/{PROJECT}/regions/{EAST}/backendServices/inner"
    scalers: dict[str, float | None] = {EAST_GROUP: 1.0, WEST_GROUP: 0.0}
    world.service = world.machine.service(path, scalers, loadBalancingScheme="INTERNAL_MANAGED")
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    world.settled()
    assert world.scalers() == {EAST_GROUP: 0.0, WEST_GROUP: 1.0}
    assert {one.region for one in world.front.seen()} == {EAST}
    resource, _ = world.topology()
    assert KIND.facts("shift", resource).home == EAST


def test_a_global_service_needs_no_region(world: Site) -> None:
    world.front.outages.silence(region=EAST)
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    world.settled()
    resource, _ = world.topology()
    assert KIND.facts("shift", resource).home is None


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"sessionAffinity": "NONE"}, 0.0),
        ({"sessionAffinity": "CLIENT_IP"}, None),
        ({"sessionAffinity": "GENERATED_COOKIE", "affinityCookieTtlSec": 600}, 600.0),
        ({"sessionAffinity": "GENERATED_COOKIE", "affinityCookieTtlSec": 0}, None),
        (
            {"sessionAffinity": "STRONG_COOKIE_AFFINITY", "strongSessionAffinityCookie": {"ttl": {"seconds": "30"}}},
            30.0,
        ),
        ({"sessionAffinity": "HTTP_COOKIE", "consistentHash": {"httpCookie": {"ttl": {"seconds": "20"}}}}, 20.0),
    ],
)
def test_clients_that_are_kept_are_said(world: Site, settings: dict[str, Any], seconds: float | None) -> None:
    world.machine.edit(GLOBAL, **settings)
    assert known(world.port().read()).lingering_seconds == seconds


def test_somebody_else_s_change_is_a_conflict(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.machine.edit(GLOBAL, timeoutSec=7)
    with pytest.raises(Conflict):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.front.count(mutating=True) == 0


def test_the_condition_is_google_s_own(world: Site) -> None:
    """A read that is behind shows the fingerprint that was seen; the patch is refused all the same."""
    port = world.port()
    state = known(port.read())
    world.machine.edit(GLOBAL, timeoutSec=7)
    world.front.outages.stale(3600, operation="backendServices.get")
    with pytest.raises(Conflict):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.front.count(operation=PATCH) == 1
    assert world.scalers()[EAST_GROUP] == 1.0


def test_a_request_that_lands_late_has_no_effect(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    held = world.front.outages.hold(times=1, operation=PATCH)
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call(10, seconds=12.0))
    world.machine.edit(GLOBAL, description="edited under a newer lease")
    (answer,) = held.land()
    assert getattr(answer, "status", 0) == 412
    assert world.scalers()[EAST_GROUP] == 1.0
    assert KIND.verbs["shift"].fencing == "condition"


def test_while_an_operation_is_under_way_it_is_moving_and_nothing_is_ordered_on_top(world: Site) -> None:
    world.machine.seconds = 3600.0
    todo = look(world, world.whole)
    assert isinstance(todo, Todo)
    act(world, world.whole, todo)
    state = known(world.port().read())
    assert "RUNNING" in state.moving
    assert state.weights == {EAST: 100, WEST: 0}
    with pytest.raises(Transient, match="on top of it"):
        world.port().shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.machine.orders == [("patch", GLOBAL)]


def test_what_the_patch_led_to_completes_the_step_and_not_its_answer(world: Site) -> None:
    todo = look(world, world.whole)
    assert isinstance(todo, Todo)
    act(world, world.whole, todo)
    assert not isinstance(look(world, world.whole), Done)
    world.settled()
    assert isinstance(look(world, world.whole), Done)


def test_an_operation_that_is_done_and_led_to_nothing_completes_nothing(world: Site) -> None:
    """Google's word for it is given; what stands there is as before. The step would act again, and then does."""
    world.machine.obeying, world.machine.seconds = False, 0.0
    todo = look(world, world.whole)
    assert isinstance(todo, Todo)
    act(world, world.whole, todo)
    again = look(world, world.whole)
    assert isinstance(again, Todo)
    assert not isinstance(again, (Done, Moving))
    world.machine.obeying = True
    act(world, world.whole, again)
    assert isinstance(look(world, world.whole), Done), "the second order had an id of its own, and was carried out"


def test_an_operation_that_fails_later_is_seen_to_be_missing_and_is_ordered_again(world: Site) -> None:
    world.machine.failing = "RESOURCE_NOT_READY"
    port = world.port()
    state = known(port.read())
    port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.settled().weights == state.weights
    world.machine.failing = ""
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    assert world.settled().weights == {EAST: 0, WEST: 100}


def test_an_operation_that_failed_at_once_is_said_as_what_it_is(world: Site) -> None:
    world.machine.failing, world.machine.seconds = "QUOTA_EXCEEDED", 0.0
    port = world.port()
    with pytest.raises(Permanent, match="QUOTA_EXCEEDED"):
        port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())


def test_what_somebody_undid_is_ordered_again_under_the_same_lease(world: Site) -> None:
    """The fingerprint is a hash: what was put back has the old one, and a request id of old would be swallowed."""
    for _ in range(2):
        port = world.port()
        port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
        assert world.settled().weights == {EAST: 0, WEST: 100}
        backends = world.machine.stands(GLOBAL)["backends"]
        del backends[0]["capacityScaler"]
        backends[1]["capacityScaler"] = 0.0
        world.machine.edit(GLOBAL, backends=backends)


def test_the_permissions_are_of_what_is_asked_and_no_more(world: Site) -> None:
    resource, whole = world.topology()
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [EAST, WEST])
    assert {(action, one.on) for one in said.watch for action in one.actions} == {
        ("compute.backendServices.get", (GLOBAL,)),
        ("compute.globalOperations.list", (f"projects/{PROJECT}",)),
        ("networkservices.serviceLbPolicies.get", (f"projects/{PROJECT}",)),
    }
    assert {(action, one.on) for one in said.execute for action in one.actions} == {
        ("compute.backendServices.update", (GLOBAL,)),
        ("compute.instanceGroups.use", (f"projects/{PROJECT}",)),
        ("compute.networkEndpointGroups.use", (f"projects/{PROJECT}",)),
    }
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    world.settled()
    asked = {one.operation for one in world.front.seen()}
    assert asked == {"backendServices.get", "backendServices.getHealth", PATCH, "globalOperations.list"}


POLICY = f"projects/{PROJECT}/locations/global/serviceLbPolicies/edge"


@pytest.fixture
def policies(world: Site, serving: Callable[[str, Any], Any]) -> ServiceLbPolicies:
    """The service has a policy."""
    world.machine.edit(GLOBAL, serviceLbPolicy=f"//networkservices.googleapis.com/{POLICY}")
    made: ServiceLbPolicies = serving("networkservices.v1", ServiceLbPolicies())
    return made


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"autoCapacityDrain": {"enable": True}}, "another owner of the same lever"),
        ({"isolationConfig": {"isolationGranularity": "REGION", "isolationMode": "STRICT"}}, "is drained fails"),
        ({"autoCapacityDrain": {"enable": False}, "failoverConfig": {"failoverHealthThreshold": 70}}, ""),
        ({"isolationConfig": {"isolationGranularity": "REGION", "isolationMode": "NEAREST"}}, ""),
        ({}, ""),
    ],
)
def test_a_policy_that_moves_the_same_capacity_is_named_before_the_bad_day(
    world: Site, policies: ServiceLbPolicies, says: dict[str, Any], words: str
) -> None:
    policies.policies[POLICY] = says
    told = known(world.port().preflight())
    assert len(told) == (1 if words else 0)
    assert all(words in one and POLICY in one for one in told)
    assert world.front.count(mutating=True) == 0


def test_a_policy_that_cannot_be_read_is_unknown_and_no_sentence(world: Site, policies: ServiceLbPolicies) -> None:
    assert isinstance(world.port().preflight(), Unknown), "it is not there"
    policies.policies[POLICY] = {}
    assert known(world.port().preflight()) == ()
    world.front.outages.refuse(service="networkservices")
    assert isinstance(world.port().preflight(), Unknown)
    assert isinstance(world.port().read(), Known), "what it asks for the weights needs no policy"


def test_without_a_policy_none_is_asked_for(world: Site) -> None:
    assert known(world.port().preflight()) == ()
    assert world.front.count(service="networkservices") == 0


def test_a_balancer_that_does_not_answer_is_unknown(world: Harness) -> None:
    world.make_unreachable("")
    assert not isinstance(world.port().read(), Known)
