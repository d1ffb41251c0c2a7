"""consumers: service-bus-queue against a stand-in that really hands messages out: its wire is what Microsoft's package
says."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail.actions import Done, NotKnown, Owed, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import PortName
from cloudfail.probes.reach import ALLOW_LOOPBACK
from cloudfail.testing.conformance import Calls, ConsumersSuite, Harness, known
from cloudfail_azure import provider
from cloudfail_azure.consumers.options import QueueMember
from cloudfail_azure.consumers.service_bus import ServiceBus as Port
from tests.emulators.aws.members import OneResource, step
from tests.emulators.azure.balancing import NORTH, WEST, World, port_of, topology
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.service_bus import NAMESPACES, ServiceBus

pytestmark = pytest.mark.timeout(300)
KIND = provider.kinds()[PortName.CONSUMERS, "service-bus-queue"]
PUT = "queues.create_or_update"


class Site(World):
    """One queue in each region, with the status that is said."""

    def __init__(self, front: Front, machine: ServiceBus, status: str = "Active") -> None:
        super().__init__(front, KIND, self.made)
        self.machine = machine
        self.queues = {region: machine.queue(f"shop-{region}", region, status) for region in (WEST, NORTH)}

    def made(self, **member: Any) -> Port:
        resource, whole = self.topology(**member)
        told = {region: QueueMember.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: Port(asking, told), resource, whole)

    def topology(self, **member: Any) -> Any:
        return topology(KIND, {region: {"queue": queue, **member} for region, queue in self.queues.items()})

    def stands(self) -> dict[str, Any]:
        return dict(self.machine.at(self.queues[NORTH])["properties"])

    def set(self, **properties: Any) -> None:
        self.machine.at(self.queues[NORTH])["properties"].update(properties)

    def delivers(self, *, expected: bool) -> bool:
        return self.machine.delivers(self.queues[NORTH], expected=expected)

    def turn(self, enabled: bool, epoch: int = 10) -> None:
        port = self.port()
        port.enable(NORTH, enabled, expect=known(port.read(NORTH)), call=Calls().make(epoch))


@pytest.fixture
def machine(serving: Callable[[str, Any], Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceBus]:
    monkeypatch.setenv(ALLOW_LOOPBACK, "1")
    made: ServiceBus = serving("azure.mgmt.servicebus", ServiceBus())
    yield made
    made.close()


@pytest.fixture
def world(azure: Front, machine: ServiceBus) -> Site:
    return Site(azure, machine)


class TestServiceBusQueue(ConsumersSuite):
    @pytest.fixture
    def world(self, azure: Front, machine: ServiceBus) -> Harness:
        return Site(azure, machine)


def looks(port: Any, action: str, **arguments: Any) -> Any:
    said = step(action, consumers="orders", where=NORTH, **arguments)
    return ACTIONS[action].observe(OneResource(port), said)  # type: ignore[arg-type]


def test_what_is_turned_off_hands_nothing_out_and_keeps_it_until_it_is_on(world: Site) -> None:
    assert world.delivers(expected=True)
    world.turn(False)
    assert not world.delivers(expected=False)
    kept = len(world.machine.receiver.got)
    world.turn(True, 11)
    assert world.delivers(expected=True)
    assert len(world.machine.receiver.got) >= kept + 2, "what waited comes too"


def test_all_else_of_the_queue_goes_back_as_it_was_and_the_mark_with_it(world: Site) -> None:
    before = world.stands()
    world.turn(False)
    mark = "of the team orders [cloudfail app=shop epoch=10 run=r1]"
    assert world.stands() == before | {"status": "ReceiveDisabled", "userMetadata": mark}
    world.turn(True, 11)
    assert world.stands() == before | {"userMetadata": mark.replace("10", "11")}
    assert world.front.count(mutating=True) == 2
    assert known(world.port().read(WEST)).enabled is True, "the other region is left as it is"


def test_it_says_off_and_goes_on_handing_out_so_the_step_is_never_done(world: Site) -> None:
    """Azure takes the order, tells it as done, and what hands out never hears of it."""
    world.machine.obeying = False
    world.machine.receiver.quiet_seconds = 60.0
    port = world.made(quiet=world.machine.receiver.url)
    todo = looks(port, "consumers.disable")
    assert isinstance(todo, Todo)
    port.enable(NORTH, False, expect=todo.expect, call=Calls().make())
    assert world.delivers(expected=True)
    assert isinstance(looks(port, "consumers.disable"), NotKnown), "the API's word completed it"
    assert isinstance(looks(port, "consumers.disable", unreachable="owe"), Owed)
    assert isinstance(looks(port, "consumers.enable"), Todo), "and nor is it on"
    world.machine.obeying = True
    world.machine.receiver.quiet_seconds = 0.2
    world.turn(True, 11)
    world.turn(False, 12)
    until = time.monotonic() + 30
    while not isinstance(looks(port, "consumers.disable"), Done):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert not world.delivers(expected=False)


@pytest.mark.parametrize(("status", "reads", "order"), [("Disabled", False, True), ("SendDisabled", True, False)])
def test_what_somebody_suspended_is_not_undone(world: Site, status: str, reads: bool, order: bool) -> None:
    world.set(status=status)
    assert known(world.port().read(NORTH)).enabled is reads
    with pytest.raises(Permanent, match="suspended it"):
        world.turn(order)
    assert world.stands()["status"] == status
    assert any("suspended it" in one for one in known(world.port().preflight()))


def test_one_that_is_being_made_is_neither(world: Site) -> None:
    world.set(status="Creating")
    read = world.port().read(NORTH)
    assert isinstance(read, Unknown)
    assert "is Creating" in read.reason


def test_somebody_else_turns_it_between_the_look_and_the_order(world: Site) -> None:
    port = world.port()
    seen = known(port.read(NORTH))
    world.set(maxDeliveryCount=3)
    with pytest.raises(Conflict, match="not as it was seen"):
        port.enable(NORTH, False, expect=seen, call=Calls().make())
    assert world.stands()["status"] == "Active"


def test_messages_that_come_are_no_change_of_the_queue(world: Site) -> None:
    port = world.port()
    seen = known(port.read(NORTH))
    world.set(messageCount=900)
    port.enable(NORTH, False, expect=seen, call=Calls().make())
    assert world.stands()["status"] == "ReceiveDisabled"


def test_a_worker_of_an_older_epoch_finds_the_newer_mark_and_changes_nothing(world: Site) -> None:
    world.turn(False, 20)
    assert known(world.port().read(NORTH)).epoch == 20
    with pytest.raises(Conflict, match="epoch 20"):
        world.turn(True, 19)
    assert world.stands()["status"] == "ReceiveDisabled"


def test_another_applications_queue_is_refused(world: Site) -> None:
    world.set(userMetadata="[cloudfail app=other epoch=1 run=r9]")
    with pytest.raises(Permanent, match="for the application other"):
        world.turn(False)
    assert world.front.count(mutating=True) == 0


def test_metadata_without_room_for_the_mark_is_refused(world: Site) -> None:
    world.set(userMetadata="x" * 1020)
    with pytest.raises(Permanent, match="no room"):
        world.turn(False)


def test_a_queue_that_stands_elsewhere_is_refused_by_name(world: Site) -> None:
    world.queues = {NORTH: world.queues[WEST], WEST: world.queues[NORTH]}
    read = world.port().read(NORTH)
    assert isinstance(read, Unknown)
    assert f"written for {NORTH}, stands in {WEST}" in read.reason


def test_a_lost_answer_is_in_doubt_and_a_look_settles_it(world: Site) -> None:
    world.front.outages.lose("closed", operation=PUT, times=1)
    with pytest.raises(OutcomeUnknown):
        world.turn(False)
    assert known(world.port().read(NORTH)).enabled is False
    world.turn(False)
    assert world.front.count(operation=PUT) == 1


def test_one_worker_at_a_time_replaces_a_queue(world: Site) -> None:
    assert KIND.shared["enable"](*world.topology(), NORTH) == (f"azure/{world.queues[NORTH].lower()}",)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("orders", "no id of a queue of Service Bus"),
        ({"queue": f"{NAMESPACES}/shop/queues/orders", "quiet": "orders"}, "is not an http"),
        ({"queue": f"{NAMESPACES}/shop/topics/orders"}, "no id of a queue of Service Bus"),
        ({"queue": f"{NAMESPACES}/shop/queues/orders", "quite": "https://orders.shop.example"}, "quite"),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(member: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        QueueMember.model_validate(member)


def test_naming_the_kind_brings_no_vendor_library() -> None:
    asked = (
        "import sys, cloudfail_azure, cloudfail_azure.consumers; "
        "print([one for one in ('azure.core', 'azure.identity', 'asyncio') if one in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"
