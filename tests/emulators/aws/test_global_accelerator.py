"""loadbalancer: global-accelerator against a stand-in: its wire is botocore's model, its endpoints are real
listeners."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import botocore.session
import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import LoadBalancerSuite, known
from cloudfail_aws.loadbalancer.accelerator import GlobalAccelerator
from tests.emulators.aws.asked import Asked
from tests.emulators.aws.balancing import (
    EAST,
    RAMP,
    WEST,
    ControlClients,
    World,
    act,
    call,
    look,
    port_of,
    ramped,
    success_that_nothing_follows_completes_nothing,
    topology,
)
from tests.emulators.aws.front import Front
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.accelerators import Accelerators
from tests.emulators.listening import answers, listening

KIND = "global-accelerator"
SERVICE = "globalaccelerator"


class Machine(Accelerators):
    """An endpoint is named after a port on loopback, and healthy if something listens there. `obeying`: while it is not
    set, changes are accepted and have no effect."""

    obeying = True

    def update_endpoint_group(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        if self.obeying:
            return super().update_endpoint_group(given, what)
        return {"EndpointGroup": self._described(given["EndpointGroupArn"])}

    def disable(self, accelerator: str) -> None:
        self._accelerators[accelerator]["Enabled"] = False

    def _described(self, arn: str) -> dict[str, Any]:
        told = super()._described(arn)
        for one in told["EndpointDescriptions"]:
            one["HealthState"] = "HEALTHY" if answers(int(one["EndpointId"].rpartition("-")[2])) else "UNHEALTHY"
        return told


class Site(World):
    """An accelerator whose east takes all traffic."""

    def __init__(self, front: Front, machine: Machine, ports: dict[str, list[int]]) -> None:
        super().__init__(front, KIND, SERVICE, self.made)
        self.machine = machine
        self.sdk = botocore.session.Session().create_client(SERVICE, region_name="us-west-2")
        self.accelerator = machine.accelerator()
        self.groups = {
            region: machine.group(
                self.accelerator,
                region,
                {f"eipalloc-{port}": 77 for port in ports[region]},
                dial=100.0 if region == EAST else 0.0,
            )
            for region in (EAST, WEST)
        }
        self.clients = ControlClients()

    def made(self, members: dict[str, str] | None = None) -> GlobalAccelerator:
        return port_of(GlobalAccelerator, *topology(KIND, members or self.groups), self.clients)

    def dials(self) -> dict[str, float]:
        told = {
            region: self.sdk.describe_endpoint_group(EndpointGroupArn=group)["EndpointGroup"]
            for region, group in self.groups.items()
        }
        return {region: group["TrafficDialPercentage"] for region, group in told.items()}


@pytest.fixture
def machine(front: Front, stand_in: Callable[[str, Any], StandIn]) -> Machine:
    made = Machine()
    front.serve(SERVICE, stand_in(SERVICE, made).answer)
    return made


@pytest.fixture
def world(front: Front, machine: Machine) -> Iterator[Site]:
    """Its east has two endpoints, its west one."""
    with contextlib.ExitStack() as stack:
        ports = {region: [stack.enter_context(listening()) for _ in range(n)] for region, n in ((EAST, 2), (WEST, 1))}
        yield Site(front, machine, ports)


class TestGlobalAccelerator(LoadBalancerSuite):
    """The world is the module's."""


def test_healthy_endpoints_are_those_that_listen(front: Front, machine: Machine) -> None:
    with listening() as stays:
        with listening() as ends:
            site = Site(front, machine, {EAST: [stays, ends], WEST: []})
            state = known(site.port().read())
            assert state.healthy == {EAST: 2}, "a group without endpoints tells no health"
        assert known(site.port().read()).healthy == {EAST: 1}
    assert known(site.port().read()).healthy == {EAST: 0}


def test_a_dial_is_all_that_is_sent_and_the_endpoints_stay(world: Site) -> None:
    """A list of endpoints would replace the one that stands."""
    before = world.sdk.describe_endpoint_group(EndpointGroupArn=world.groups[WEST])["EndpointGroup"]
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    assert [set(update) for update in world.machine.updates] == [{"EndpointGroupArn", "TrafficDialPercentage"}] * 2
    after = world.sdk.describe_endpoint_group(EndpointGroupArn=world.groups[WEST])["EndpointGroup"]
    assert after["EndpointDescriptions"] == before["EndpointDescriptions"]
    assert after["HealthCheckPort"] == before["HealthCheckPort"]
    assert [one["Weight"] for one in after["EndpointDescriptions"]] == [77]
    assert world.dials() == {EAST: 0.0, WEST: 100.0}


def test_what_gains_traffic_is_dialled_before_what_loses_it(world: Site) -> None:
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    assert [update["EndpointGroupArn"] for update in world.machine.updates] == [world.groups[WEST], world.groups[EAST]]


def test_what_is_as_wanted_is_not_sent_again(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    port.shift({EAST: 100, WEST: 0}, expect=state, call=call())
    assert world.machine.updates == []
    port.shift({EAST: 100, WEST: 30}, expect=state, call=call())
    assert [update["EndpointGroupArn"] for update in world.machine.updates] == [world.groups[WEST]]


def test_a_dial_that_is_open_by_a_hair_is_not_closed(world: Site) -> None:
    world.sdk.update_endpoint_group(EndpointGroupArn=world.groups[WEST], TrafficDialPercentage=0.2)
    state = known(world.port().read())
    assert state.weights == {EAST: 100, WEST: 1}
    world.port().shift({EAST: 100, WEST: 0}, expect=state, call=call())
    assert world.dials() == {EAST: 100.0, WEST: 0.0}


def test_while_it_is_not_deployed_it_is_moving_and_the_edge_does_as_before(world: Site) -> None:
    world.machine.deploy_seconds = None
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    state = known(port.read())
    assert (state.weights, "deployed" in state.moving) == ({EAST: 0, WEST: 100}, True)
    assert world.machine.at_edge(world.groups[EAST])["TrafficDialPercentage"] == 100.0
    world.machine.deploy_seconds = 0
    world.sdk.update_endpoint_group(EndpointGroupArn=world.groups[EAST], TrafficDialPercentage=0)
    assert known(port.read()).moving == ""
    assert world.machine.at_edge(world.groups[EAST])["TrafficDialPercentage"] == 0.0


def test_success_that_nothing_follows_completes_nothing(world: Site) -> None:
    world.machine.obeying = False
    success_that_nothing_follows_completes_nothing(world)


def test_the_step_waits_until_the_edge_has_the_dials(world: Site) -> None:
    world.machine.deploy_seconds = None
    todo = look(world)
    assert isinstance(todo, Todo)
    act(world, todo)
    assert isinstance(look(world), Moving)
    world.machine.deploy_seconds = 0
    world.sdk.update_endpoint_group(EndpointGroupArn=world.groups[EAST], TrafficDialPercentage=0)
    assert isinstance(look(world), Done)


def test_an_accelerator_that_is_disabled_is_unknown(world: Site) -> None:
    world.machine.disable(world.accelerator)
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert "disabled" in read.reason


def test_a_group_that_stands_in_another_region_than_is_written_is_refused(world: Site) -> None:
    swapped = world.made({EAST: world.groups[WEST], WEST: world.groups[EAST]})
    read = swapped.read()
    assert isinstance(read, Unknown)
    assert "stands in us-west-2" in read.reason
    state = known(world.port().read())
    with pytest.raises(Permanent, match="written for us-east-1 stands in us-west-2"):
        swapped.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.machine.updates == []


def test_groups_of_two_listeners_are_two_resources(world: Site) -> None:
    other = world.groups[WEST].replace("/listener/0001/", "/listener/0002/")
    with pytest.raises(Permanent, match="2 listeners") as raised:
        world.made({EAST: world.groups[EAST], WEST: other})
    assert "one resource for each listener" in raised.value.to_do
    with pytest.raises(Permanent, match="no ARN of an endpoint group"):
        world.made({EAST: world.accelerator})


@pytest.mark.parametrize("weights", [{EAST: 0, WEST: 101}, {EAST: -1, WEST: 100}, {"eu-west-1": 100}])
def test_a_dial_that_there_is_not_is_refused(world: Site, weights: dict[str, int]) -> None:
    port = world.port()
    with pytest.raises(Permanent):
        port.shift(weights, expect=known(port.read()), call=call())
    assert world.machine.updates == []


def test_a_group_that_is_not_there_is_unknown_and_permanent(world: Site) -> None:
    gone = world.made({EAST: world.groups[EAST], WEST: f"{world.groups[WEST]}9"})
    assert isinstance(gone.read(), Unknown)
    with pytest.raises(Permanent, match="EndpointGroupNotFoundException"):
        gone.shift({EAST: 0, WEST: 100}, expect=known(world.port().read()), call=call())


# ---- faults


def test_an_effect_whose_answer_was_lost_is_seen_by_the_next_look_and_finished(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.front.outages.lose(service=SERVICE, operation="UpdateEndpointGroup", times=1)
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    seen = known(port.read())
    assert seen.weights == {EAST: 100, WEST: 100}, "the first dial landed; no region was closed"
    port.shift({EAST: 0, WEST: 100}, expect=seen, call=call())
    assert world.dials() == {EAST: 0.0, WEST: 100.0}
    assert len(world.machine.updates) == 2


@pytest.mark.parametrize("code", ["AccessDeniedException", "LimitExceededException", "ThrottlingException"])
def test_a_refusal_halfway_is_told_as_half_done(world: Site, code: str) -> None:
    port = world.port()
    state = known(port.read())
    world.front.outages.fail(code, service=SERVICE, operation="UpdateEndpointGroup", after=1)
    with pytest.raises(OutcomeUnknown, match="us-west-2 was dialled, us-east-1 was not"):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call(seconds=10.0))
    assert world.dials() == {EAST: 100.0, WEST: 100.0}


def test_a_dial_that_somebody_else_turned_halfway_is_left_to_them(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    turned = threading.Event()

    def turn() -> None:
        # Right before the first request: what was seen of the other group is stale from here on.
        if not turned.is_set():
            turned.set()
            world.sdk.update_endpoint_group(EndpointGroupArn=world.groups[EAST], TrafficDialPercentage=60)

    with pytest.raises(OutcomeUnknown, match="changed by somebody else"):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=replace(call(), check=turn))
    assert world.dials() == {EAST: 60.0, WEST: 100.0}


def test_throttled_before_anything_was_dialled_is_transient_and_has_no_effect(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.front.outages.throttle(service=SERVICE, operation="UpdateEndpointGroup")
    with pytest.raises(Transient):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call(seconds=10.0))
    assert world.dials() == {EAST: 100.0, WEST: 0.0}


def test_silence_is_unknown_within_the_bound_of_the_call(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.front.outages.silence(service=SERVICE, operation="UpdateEndpointGroup")
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call(seconds=10.0))
    world.front.outages.silence(service=SERVICE)
    assert isinstance(port.read(), Unknown)


def test_a_stale_read_of_the_dials_is_no_permission_to_set_them(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.sdk.update_endpoint_group(EndpointGroupArn=world.groups[WEST], TrafficDialPercentage=10)
    with pytest.raises(Conflict):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.dials() == {EAST: 100.0, WEST: 10.0}


def test_the_api_is_asked_in_oregon_wherever_the_regions_are(world: Site) -> None:
    known(world.port().read())
    assert world.kind.verbs["shift"].home == "us-west-2"
    assert world.clients.asked == {(SERVICE, "us-west-2")}


def test_its_options_are_none(world: Site) -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        topology(KIND, world.groups, listener="x")


def test_a_ramp_turns_its_dials_in_turn(world: Site) -> None:
    assert ramped(world) == RAMP
    assert world.dials() == {EAST: 0.0, WEST: 100.0}
