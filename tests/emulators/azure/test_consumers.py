"""consumers: service-bus-subscription and event-grid-subscription against stand-ins whose wire is what Microsoft's
packages say. What both share with a queue, and with each other, is shown in test_service_bus_queue.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail.errors import Conflict, Permanent
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.probes.reach import ALLOW_LOOPBACK
from cloudfail.testing.conformance import Calls, ConsumersSuite, Harness, known
from cloudfail_azure import provider
from cloudfail_azure.consumers.event_grid import EventGridSubscription
from cloudfail_azure.consumers.options import EventsMember, FunctionMember, TopicMember
from cloudfail_azure.consumers.service_bus import ServiceBus as Port
from tests.emulators.azure.balancing import NORTH, WEST, World, port_of, topology
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.arm import GROUP
from tests.emulators.azure.standins.event_grid import EventGrid
from tests.emulators.azure.standins.service_bus import NAMESPACES, ServiceBus

pytestmark = pytest.mark.timeout(300)
Serve = Callable[[str, Any], Any]
TOPICS = provider.kinds()[PortName.CONSUMERS, "service-bus-subscription"]
EVENTS = provider.kinds()[PortName.CONSUMERS, "event-grid-subscription"]
PUTS = {
    "service-bus-subscription": "subscriptions.create_or_update",
    "event-grid-subscription": "queues.create_or_update",
}
SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
BESIDE = f"{SCOPE}/Microsoft.Storage/storageAccounts/shop/providers/Microsoft.EventGrid/eventSubscriptions"


class Topics(World):
    """One subscription of a topic in each region, with the status that is said."""

    def __init__(self, front: Front, machine: ServiceBus, status: str = "Active") -> None:
        super().__init__(front, TOPICS, self.made)
        self.machine = machine
        self.turned = {region: machine.subscription(f"shop-{region}", region, status) for region in (WEST, NORTH)}

    def topology(self, **member: Any) -> tuple[Resource, Topology]:
        return topology(TOPICS, {region: {"subscription": one, **member} for region, one in self.turned.items()})

    def made(self, **member: Any) -> Port:
        resource, whole = self.topology(**member)
        told = {region: TopicMember.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: Port(asking, told), resource, whole)

    def stands(self) -> dict[str, Any]:
        return dict(self.machine.at(self.turned[NORTH])["properties"])

    def set(self, **properties: Any) -> None:
        self.machine.at(self.turned[NORTH])["properties"].update(properties)

    def delivers(self, *, expected: bool) -> bool:
        return self.machine.delivers(self.turned[NORTH], expected=expected)

    def turn(self, enabled: bool, epoch: int = 10) -> None:
        port = self.port()
        port.enable(NORTH, enabled, expect=known(port.read(NORTH)), call=Calls().make(epoch))


class Events(Topics):
    """One event subscription in each region, which delivers to a queue there."""

    def __init__(self, front: Front, machine: ServiceBus, grid: EventGrid, status: str = "Active") -> None:
        World.__init__(self, front, EVENTS, self.made)
        self.machine, self.grid = machine, grid
        self.turned = {region: machine.queue(f"shop-{region}", region, status) for region in (WEST, NORTH)}
        self.events = {region: f"{BESIDE}/orders-{region}" for region in (WEST, NORTH)}
        for region, id_ in self.events.items():
            self.leads(id_, "ServiceBusQueue", self.turned[region], by_identity=region == NORTH)

    def leads(self, id_: str, kind: str, to: str, *, by_identity: bool = False) -> None:
        destination = {"endpointType": kind, "properties": {"resourceId": to}}
        self.grid.subscription(id_, destination, by_identity=by_identity)

    def topology(self, queues: Mapping[str, str] | None = None, **member: Any) -> tuple[Resource, Topology]:
        named = {region: {"queue": one} for region, one in (queues or {}).items()}
        each = {region: {"events": one, **named.get(region, {}), **member} for region, one in self.events.items()}
        return topology(EVENTS, each)

    def made(self, **member: Any) -> EventGridSubscription:
        resource, whole = self.topology(**member)
        told = {region: EventsMember.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: EventGridSubscription(asking, told), resource, whole)


@pytest.fixture
def machine(serving: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceBus]:
    monkeypatch.setenv(ALLOW_LOOPBACK, "1")
    made: ServiceBus = serving("azure.mgmt.servicebus", ServiceBus())
    yield made
    made.close()


@pytest.fixture
def topics(azure: Front, machine: ServiceBus) -> Topics:
    return Topics(azure, machine)


@pytest.fixture
def events(azure: Front, machine: ServiceBus, serving: Serve) -> Events:
    return Events(azure, machine, serving("azure.mgmt.eventgrid", EventGrid()))


@pytest.fixture(params=["topics", "events"])
def world(request: pytest.FixtureRequest) -> Topics:
    site: Topics = request.getfixturevalue(request.param)
    return site


class TestServiceBusSubscription(ConsumersSuite):
    @pytest.fixture
    def world(self, topics: Topics) -> Harness:
        return topics


class TestEventGridSubscription(ConsumersSuite):
    @pytest.fixture
    def world(self, events: Events) -> Harness:
        return events


def test_what_is_turned_off_keeps_what_comes_and_hands_it_out_once_it_is_on(world: Topics) -> None:
    assert world.delivers(expected=True)
    world.turn(False)
    assert not world.delivers(expected=False)
    kept = len(world.machine.receiver.got)
    world.turn(True, 11)
    assert world.delivers(expected=True)
    assert len(world.machine.receiver.got) >= kept + 2, "what waited comes too"
    assert {one.operation for one in world.front.seen(mutating=True)} == {PUTS[world.kind.name]}


def test_all_else_of_it_goes_back_as_it_was(world: Topics) -> None:
    before = world.stands()
    world.turn(False)
    mark = f"{before.get('userMetadata', '')} [cloudfail app=shop epoch=10 run=r1]".strip()
    assert world.stands() == before | {"status": "ReceiveDisabled", "userMetadata": mark}
    with pytest.raises(Conflict, match="epoch 10"):
        world.turn(True, 9)


# ---- topics' subscriptions


def test_one_that_azure_deletes_while_nobody_receives_is_named_beforehand(topics: Topics) -> None:
    assert known(topics.port().preflight()) == ()
    topics.set(autoDeleteOnIdle="P7D")
    (sentence,) = known(topics.port().preflight())
    assert "is deleted, with all that it keeps, once it was idle for P7D" in sentence


def test_one_that_somebody_suspended_is_left_so(topics: Topics) -> None:
    topics.set(status="Disabled")
    with pytest.raises(Permanent, match="suspended it") as raised:
        topics.turn(True)
    assert "az servicebus topic subscription update" in str(raised.value.to_do)


# What Microsoft gives as the answer of Subscriptions - Get (Azure/azure-rest-api-specs, specification/servicebus/
# resource-manager/Microsoft.ServiceBus/ServiceBus/stable/2024-01-01/examples/Subscriptions/SBSubscriptionGet.json).
EXAMPLE = {
    "lockDuration": "PT1M",
    "requiresSession": False,
    "defaultMessageTimeToLive": "P10675199DT2H48M5.4775807S",
    "deadLetteringOnMessageExpiration": True,
    "deadLetteringOnFilterEvaluationExceptions": True,
    "messageCount": 0,
    "maxDeliveryCount": 10,
    "status": "Active",
    "enableBatchedOperations": True,
    "createdAt": "2021-01-04T18:02:20.5992764Z",
    "updatedAt": "2021-01-04T18:02:20.5992764Z",
    "accessedAt": "2021-01-04T18:02:20.5992764Z",
    "countDetails": {"activeMessageCount": 0, "deadLetterMessageCount": 0, "scheduledMessageCount": 0},
    "autoDeleteOnIdle": "P10675199DT2H48M5.4775807S",
    "forwardTo": "sdk-Topics-3065",
    "forwardDeadLetteredMessagesTo": "sdk-Topics-3065",
}


def test_microsofts_own_example_is_turned_and_turned_back(topics: Topics) -> None:
    topics.machine.at(topics.turned[NORTH])["properties"] = dict(EXAMPLE)
    topics.turn(False)
    topics.turn(True, 11)
    (off, on) = (one.body["properties"] for one in topics.front.seen(mutating=True))
    read_only = {"messageCount", "createdAt", "updatedAt", "accessedAt", "countDetails"}
    whole = {key: value for key, value in EXAMPLE.items() if key not in read_only}
    assert {**off, "status": "Active"} == whole | {"userMetadata": "[cloudfail app=shop epoch=10 run=r1]"}
    assert on == whole | {"userMetadata": "[cloudfail app=shop epoch=11 run=r1]"}


# ---- event subscriptions


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("AzureFunction", "consumers: function-app"),
        ("ServiceBusTopic", "consumers: service-bus-subscription"),
        ("EventHub", "Let it deliver to a queue of Service Bus"),
    ],
)
def test_one_that_leads_to_no_queue_is_refused_by_name_and_before_the_bad_day(
    events: Events, kind: str, said: str
) -> None:
    events.leads(events.events[NORTH], kind, f"{SCOPE}/Microsoft.Web/sites/books/functions/close")
    read = events.port().read(NORTH)
    assert isinstance(read, Unknown)
    assert f"delivers to {kind}" in read.reason
    (sentence,) = known(events.port().preflight())
    assert said in sentence


def test_microsofts_own_example_of_one_leads_to_its_queue(events: Events) -> None:
    """Azure/azure-rest-api-specs, specification/eventgrid/resource-manager/Microsoft.EventGrid/EventGrid/stable/
    2025-02-15/examples/EventSubscriptions_GetForCustomTopic_ServiceBusQueueDestination.json, with a queue of ours."""
    id_ = f"{SCOPE}/Microsoft.EventGrid/topics/exampletopic2/providers/Microsoft.EventGrid/eventSubscriptions/example1"
    example = {
        "destination": {"properties": {"resourceId": events.turned[NORTH]}, "endpointType": "ServiceBusQueue"},
        "filter": {
            "isSubjectCaseSensitive": False,
            "subjectBeginsWith": "ExamplePrefix",
            "subjectEndsWith": "ExampleSuffix",
        },
        "labels": ["label1", "label2"],
        "provisioningState": "Succeeded",
        "topic": f"{SCOPE}/microsoft.eventgrid/topics/exampletopic2",
    }
    events.grid.put(id_, {"type": "Microsoft.EventGrid/eventSubscriptions", "properties": example})
    events.events[NORTH] = id_
    events.turn(False)
    assert events.stands()["status"] == "ReceiveDisabled"
    assert events.grid.at(id_)["properties"] == example


def test_one_that_was_led_to_another_queue_is_turned_there(events: Events) -> None:
    other = events.machine.queue("shop-2", NORTH, "Active", "second")
    events.leads(events.events[NORTH], "ServiceBusQueue", other)
    events.turn(False)
    assert events.machine.at(other)["properties"]["status"] == "ReceiveDisabled"
    assert events.stands()["status"] == "Active"


def test_one_that_was_led_to_another_queue_than_the_file_names_is_not_turned(events: Events) -> None:
    port = events.made(queue=events.turned[NORTH].upper())
    seen = known(port.read(NORTH))
    other = events.machine.queue("shop-2", NORTH, "Active", "second")
    events.leads(events.events[NORTH], "ServiceBusQueue", other)
    with pytest.raises(Permanent, match=r"and not to .*, which is written for northeurope"):
        port.enable(NORTH, False, expect=seen, call=Calls().make())
    assert any("delivers to" in one for one in known(port.preflight()))
    assert events.front.count(mutating=True) == 0


def test_a_queue_in_another_region_is_refused(events: Events) -> None:
    events.leads(events.events[NORTH], "ServiceBusQueue", events.turned[WEST])
    with pytest.raises(Permanent, match=f"written for {NORTH}, stands in {WEST}"):
        events.port().enable(NORTH, False, expect=known(events.port().read(WEST)), call=Calls().make())
    assert events.front.count(mutating=True) == 0


def test_one_below_a_system_topic_is_read_there_and_asked_for_so(azure: Front, events: Events) -> None:
    below = f"{SCOPE}/Microsoft.EventGrid/systemTopics/blobs/eventSubscriptions/orders-n"
    events.events[NORTH] = below
    events.leads(below, "ServiceBusQueue", events.turned[NORTH])
    assert known(events.port().read(NORTH)).enabled is True
    assert azure.count(operation="system_topic_event_subscriptions.get") == 1
    assert EVENTS.permissions is not None
    said = EVENTS.permissions(*events.topology(), [NORTH])
    assert said.watch[0].actions == ("Microsoft.EventGrid/systemTopics/eventSubscriptions/read",)


def test_the_contract_tells_destinations_apart() -> None:
    told = contract("azure.mgmt.eventgrid")
    destination = {"endpointType": "ServiceBusQueue", "properties": {"resourceId": "x", "endpointUrl": "y"}}
    (mistake,) = told.offences("EventSubscription", {"properties": {"destination": destination}}, asked=False)
    assert mistake.startswith("/properties/destination/properties/endpointUrl")


@pytest.mark.parametrize(
    ("model", "member"),
    [
        (TopicMember, f"{NAMESPACES}/shop/topics/orders"),
        (EventsMember, f"{SCOPE}/Microsoft.EventGrid/namespaces/shop/topics/orders/eventSubscriptions/one"),
        (EventsMember, f"{SCOPE}/Microsoft.EventGrid/topics/orders"),
        (FunctionMember, f"{SCOPE}/Microsoft.Web/sites/books"),
        (FunctionMember, {"function": f"{SCOPE}/Microsoft.Web/sites/books/functions/close", "quite": "https://x"}),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(model: Any, member: Any) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(member)
