"""consumers: event sources, rules and schedules, on ministack, with a network that fails."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest

from cloudfail.actions import Done, NotKnown, Owed
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import ConsumersState
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, ConsumersSuite, Harness, known
from cloudfail_aws.consumers import event_source, rule, schedule
from cloudfail_aws.consumers.schedule import DESCRIPTION_MAX, replaced
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import TARGET, OneResource, World, asking, kind_of, resource, sdk, step, unique
from tests.emulators.wire import Answer, Lost, Request, Upstream

MAKES: dict[str, tuple[Any, Any]] = {
    "event-source": (event_source.EventSource, event_source.EventSourceMember),
    "eventbridge-rule": (rule.Rule, rule.RuleMember),
    "schedule": (schedule.Schedule, schedule.ScheduleMember),
}


def port(front: Front, kind: str, member: Any) -> Any:
    of = resource(PortName.CONSUMERS, kind, {TARGET: member}, "mailer")
    adapter, model = MAKES[kind]
    return adapter(asking(front, of), {region: model.model_validate(one) for region, one in of.members.items()})


def a_mapping(front: Front) -> str:
    """A queue, a function, and what polls one for the other: enabled."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return None\n")
    name = unique("mailer")
    queue = sdk(front, "sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = sdk(front, "sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client = sdk(front, "lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role="arn:aws:iam::123456789012:role/mailer",
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
    )
    uuid: str = client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)["UUID"]
    return uuid


def a_rule(front: Front, **more: Any) -> str:
    name = unique("orders")
    said = {"EventPattern": '{"source": ["shop"]}', **more}
    sdk(front, "events").put_rule(Name=name, **{"State": "ENABLED", **said})
    return name


WHOLE = {
    "ScheduleExpression": "cron(0 3 * * ? *)",
    "ScheduleExpressionTimezone": "Europe/Berlin",
    "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
    "Target": {
        "Arn": "arn:aws:sqs:us-west-2:123456789012:books",
        "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
        "Input": '{"close": "books"}',
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 5},
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-west-2:123456789012:dead"},
    },
    "Description": "Closes the books.",
    "StartDate": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    "EndDate": datetime.datetime(2036, 1, 1, tzinfo=datetime.UTC),
    "KmsKeyArn": "arn:aws:kms:us-west-2:123456789012:key/14e0db71-5d35-4eb5-b481-8945cf9d10c2",
    "ActionAfterCompletion": "NONE",
}


def a_schedule(front: Front, **more: Any) -> str:
    """With every field that a schedule has."""
    client, name = sdk(front, "scheduler"), unique("nightly")
    client.create_schedule_group(Name=name)
    client.create_schedule(Name="books", GroupName=name, State="ENABLED", **{**WHOLE, **more})
    return f"{name}/books"


MADE: dict[str, Callable[[Front], str]] = {
    "event-source": a_mapping,
    "eventbridge-rule": a_rule,
    "schedule": a_schedule,
}


class TestEventSource(ConsumersSuite):
    kind = "event-source"

    @pytest.fixture
    def world(self, cloud: Front) -> Harness:
        return World(cloud, kind_of(PortName.CONSUMERS, self.kind), port(cloud, self.kind, MADE[self.kind](cloud)))


class TestRule(TestEventSource):
    kind = "eventbridge-rule"


class TestSchedule(TestEventSource):
    kind = "schedule"


def a_young_schedule(front: Front) -> str:
    return a_schedule(front, StartDate=datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1))


class TestRuleOnMoto(TestRule):
    """Both emulators serve rules and schedules."""

    made: Callable[[Front], str] = staticmethod(a_rule)

    @pytest.fixture
    def world(self, front: Front) -> Harness:
        front.serve("events", "moto")
        front.serve("scheduler", "moto")
        return World(front, kind_of(PortName.CONSUMERS, self.kind), port(front, self.kind, self.made(front)))


class TestScheduleOnMoto(TestRuleOnMoto):
    """moto takes no StartDate that has passed, as AWS does not."""

    kind = "schedule"
    made = staticmethod(a_young_schedule)


def seen(consumers: Any) -> ConsumersState:
    state: ConsumersState = known(consumers.read(TARGET))
    return state


def changes(front: Front) -> int:
    return front.count(mutating=True)


# ---- what holds for all of them


@pytest.mark.parametrize("kind", list(MADE))
def test_a_lost_answer_is_in_doubt_and_the_order_is_given_once(cloud: Front, kind: str) -> None:
    consumers = port(cloud, kind, MADE[kind](cloud))
    state = seen(consumers)
    cloud.forget()
    cloud.outages.lose(mutating=True, times=1)
    with pytest.raises(OutcomeUnknown):
        consumers.enable(TARGET, False, expect=state, call=Calls().make())
    state = seen(consumers)
    assert state.enabled is False
    consumers.enable(TARGET, False, expect=state, call=Calls().make())
    assert changes(cloud) == 1


@pytest.mark.parametrize("kind", list(MADE))
def test_a_throttled_order_is_given_once_it_is_let_through(cloud: Front, kind: str) -> None:
    consumers = port(cloud, kind, MADE[kind](cloud))
    state = seen(consumers)
    fault = cloud.outages.throttle(mutating=True, times=1)
    consumers.enable(TARGET, False, expect=state, call=Calls().make())
    assert fault.hits == 1
    assert seen(consumers).enabled is False


@pytest.mark.parametrize("kind", list(MADE))
def test_what_is_not_there_is_unknown_and_takes_no_order(cloud: Front, kind: str) -> None:
    gone = {"event-source": "14e0db71-5d35-4eb5-b481-8945cf9d10c2", "eventbridge-rule": "gone", "schedule": "gone"}
    consumers = port(cloud, kind, gone[kind])
    assert isinstance(consumers.read(TARGET), Unknown)
    with pytest.raises(Permanent):
        consumers.enable(TARGET, False, expect=ConsumersState(True), call=Calls().make())


def test_the_api_said_done_and_the_answer_is_as_before_so_the_step_does_not_complete(cloud: Front) -> None:
    """A read that is stale for long: DisableRule was accepted, DescribeRule still says ENABLED."""
    world, disable = OneResource(port(cloud, "eventbridge-rule", a_rule(cloud))), ACTIONS["consumers.disable"]
    context = step("consumers.disable", consumers="mailer", where=TARGET)
    todo = disable.observe(world, context)  # type: ignore[arg-type]
    cloud.outages.stale(600.0, operation="DescribeRule")
    disable.act(world, context, todo, Calls().make())  # type: ignore[arg-type]
    assert not isinstance(disable.observe(world, context), Done)  # type: ignore[arg-type]
    cloud.outages.heal()
    assert isinstance(disable.observe(world, context), Done)  # type: ignore[arg-type]


def test_in_a_region_that_is_silent_it_is_owed_where_the_runbook_says_so(cloud: Front) -> None:
    world, disable = OneResource(port(cloud, "eventbridge-rule", a_rule(cloud))), ACTIONS["consumers.disable"]
    cloud.outages.silence(region=TARGET)
    context = step("consumers.disable", consumers="mailer", where=TARGET, unreachable="owe")
    assert isinstance(disable.observe(world, context), Owed)  # type: ignore[arg-type]


def test_before_the_bad_day_it_is_said_what_would_refuse_to_be_turned(cloud: Front) -> None:
    managed = a_rule(cloud, State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    (sentence,) = known(port(cloud, "eventbridge-rule", managed).preflight())
    assert "read-only management events" in sentence
    assert known(port(cloud, "eventbridge-rule", a_rule(cloud)).preflight()) == ()
    assert "gone" in known(port(cloud, "eventbridge-rule", "gone").preflight())[0]


# ---- event sources


@pytest.fixture
def on_its_way(cloud: Front, ministack: Emulator) -> Iterator[Callable[[str, str], Any]]:
    """A mapping as Lambda describes it while it is on its way: ministack turns it in an instant."""
    really = Upstream(ministack.port)

    def make(uuid: str, state: str) -> Any:
        def answers(request: Request) -> Answer | Lost:
            said = really(request)
            if isinstance(said, Lost):
                return said
            body = json.dumps({**json.loads(said.body), "State": state}).encode()
            kept = tuple((name, value) for name, value in said.headers if name.lower() != "content-length")
            return Answer(said.status, kept, body)

        cloud.serve("lambda", answers, "GetEventSourceMapping")
        return port(cloud, "event-source", uuid)

    yield make
    cloud.serve("lambda", "ministack", "GetEventSourceMapping")


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Disabling", "Updating", "Deleting"])
def test_what_is_on_its_way_is_neither_on_nor_off(cloud: Front, on_its_way: Any, state: str) -> None:
    world = OneResource(on_its_way(a_mapping(cloud), state))
    read = world.made.read(TARGET)
    assert isinstance(read, Unknown)
    assert state in read.reason
    for action in ("consumers.enable", "consumers.disable"):
        look = ACTIONS[action].observe(world, step(action, consumers="mailer", where=TARGET))  # type: ignore[arg-type]
        assert isinstance(look, NotKnown), "a step was done before its pollers were"


def test_what_goes_the_wanted_way_is_not_ordered_again_and_what_goes_the_other_waits(
    cloud: Front, on_its_way: Any
) -> None:
    consumers = on_its_way(a_mapping(cloud), "Disabling")
    cloud.forget()
    consumers.enable(TARGET, False, expect=ConsumersState(True), call=Calls().make())
    with pytest.raises(Transient, match="takes no order until"):
        consumers.enable(TARGET, True, expect=ConsumersState(True), call=Calls().make())
    assert changes(cloud) == 0


def test_lambda_that_is_still_busy_with_it_had_no_effect(cloud: Front) -> None:
    consumers = port(cloud, "event-source", a_mapping(cloud))
    state = seen(consumers)
    cloud.outages.fail("ResourceInUseException", 400, operation="UpdateEventSourceMapping")
    with pytest.raises(Transient):
        consumers.enable(TARGET, False, expect=state, call=Calls().make())
    assert seen(consumers).enabled is True


# ---- rules


def test_a_rule_that_sees_more_than_enable_rule_gives_back_is_not_turned_off(cloud: Front) -> None:
    name = a_rule(cloud)
    sdk(cloud, "events").put_rule(Name=name, EventPattern='{"source": ["shop"]}', State=rule.ALL_EVENTS)
    consumers = port(cloud, "eventbridge-rule", name)
    state = seen(consumers)
    assert state.enabled is True
    with pytest.raises(Permanent, match="would come back without them"):
        consumers.enable(TARGET, False, expect=state, call=Calls().make())
    assert seen(consumers).enabled is True


def test_a_rule_of_a_bus_of_ones_own_is_found_there_alone(cloud: Front) -> None:
    bus = unique("shop-bus")
    sdk(cloud, "events").create_event_bus(Name=bus)
    name = a_rule(cloud, EventBusName=bus)
    sdk(cloud, "events").put_rule(Name=name, EventPattern='{"source": ["other"]}', State="ENABLED")
    consumers, default = port(cloud, "eventbridge-rule", f"{bus}/{name}"), port(cloud, "eventbridge-rule", name)
    consumers.enable(TARGET, False, expect=seen(consumers), call=Calls().make())
    assert (seen(consumers).enabled, seen(default).enabled) == (False, True)


# ---- schedules: an update replaces the whole


def whole(front: Front, name: str) -> dict[str, Any]:
    group, _, schedule_name = name.partition("/")
    found: dict[str, Any] = sdk(front, "scheduler").get_schedule(Name=schedule_name, GroupName=group)
    return {key: found[key] for key in WHOLE}


def test_all_of_a_schedule_but_its_state_stays(cloud: Front) -> None:
    name = a_schedule(cloud)
    consumers = port(cloud, "schedule", name)
    consumers.enable(TARGET, False, expect=seen(consumers), call=Calls().make(7))
    assert whole(cloud, name) == {**WHOLE, "Description": "Closes the books. [cloudfail epoch 7]"}
    consumers.enable(TARGET, True, expect=seen(consumers), call=Calls().make(8))
    assert whole(cloud, name) == {**WHOLE, "Description": "Closes the books. [cloudfail epoch 8]"}
    assert seen(consumers).epoch == 8


def test_no_field_that_the_sdk_knows_is_left_out_of_an_update() -> None:
    """By AWS's own model: what can be said of a schedule is said again, but for what names the request."""
    model = botocore.session.Session().get_service_model("scheduler")
    takes = set(model.operation_model("UpdateSchedule").input_shape.members)
    says = set(model.operation_model("GetSchedule").output_shape.members)
    sent = set(replaced({key: key for key in says | {"ResponseMetadata"}}, True, 7))
    assert takes - sent == {"ClientToken"}
    assert sent <= takes


def test_a_start_that_has_passed_is_left_out_where_scheduler_takes_it_no_more(cloud: Front) -> None:
    made = a_schedule(cloud)
    consumers = port(cloud, "schedule", made)
    told = "The StartDate you specify cannot be earlier than 5 minutes ago."
    cloud.outages.fail("ValidationException", 400, told, operation="UpdateSchedule", times=1)
    state, lines = seen(consumers), []
    call = dataclasses.replace(Calls().make(), log=lines.append)
    consumers.enable(TARGET, False, expect=state, call=call)
    group, name = made.split("/")
    now = sdk(cloud, "scheduler").get_schedule(Name=name, GroupName=group)
    assert now["State"] == "DISABLED"
    assert "StartDate" not in now
    assert now["EndDate"] == WHOLE["EndDate"]
    assert any("counts anew" in line for line in lines)


def test_another_refusal_of_an_update_is_handed_on(cloud: Front) -> None:
    consumers = port(cloud, "schedule", a_schedule(cloud))
    cloud.outages.fail("ValidationException", 400, "Invalid target.", operation="UpdateSchedule", times=1)
    with pytest.raises(Permanent, match="Invalid target"):
        consumers.enable(TARGET, False, expect=seen(consumers), call=Calls().make())
    assert seen(consumers).enabled


def test_a_schedule_that_somebody_else_changed_since_is_left_alone(cloud: Front) -> None:
    name = a_schedule(cloud)
    consumers = port(cloud, "schedule", name)
    state = seen(consumers)
    group, _, schedule_name = name.partition("/")
    other = {**WHOLE, "ScheduleExpression": "cron(0 4 * * ? *)"}
    sdk(cloud, "scheduler").update_schedule(Name=schedule_name, GroupName=group, State="ENABLED", **other)
    with pytest.raises(Conflict):
        consumers.enable(TARGET, False, expect=state, call=Calls().make())
    assert whole(cloud, name) == other


def test_a_worker_of_an_older_epoch_changes_no_schedule(cloud: Front) -> None:
    consumers = port(cloud, "schedule", a_schedule(cloud))
    consumers.enable(TARGET, False, expect=seen(consumers), call=Calls().make(20))
    with pytest.raises(Conflict, match="epoch 20"):
        consumers.enable(TARGET, True, expect=seen(consumers), call=Calls().make(19))
    assert seen(consumers).enabled is False


def test_a_description_without_room_for_the_mark_is_not_cut(cloud: Front) -> None:
    name = a_schedule(cloud, Description="x" * DESCRIPTION_MAX)
    consumers = port(cloud, "schedule", name)
    with pytest.raises(Permanent, match="leaves no room") as refused:
        consumers.enable(TARGET, False, expect=seen(consumers), call=Calls().make())
    assert f"{DESCRIPTION_MAX - len('[cloudfail epoch 10]') - 1} characters" in refused.value.to_do
    assert seen(consumers).enabled is True
