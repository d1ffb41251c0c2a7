"""database: dynamodb-global against ministack, which replicates a table's items between its regions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep, StepFacts
from cloudfail.model.states import DatabaseState, Role
from cloudfail.ports import Call
from cloudfail.testing.conformance import Calls, eventually, known
from cloudfail.testing.many_writers_suite import ManyWritersSuite
from cloudfail_aws.database.dynamodb_global import DynamoDBGlobal
from tests.emulators.aws import databases
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.front import Front
from tests.emulators.wire import Answer

TABLE = "sessions"
PATIENT = {"answer_within": "20s", "api_within": "25s"}
KEYS = {
    "one text": [("session", "HASH", "S")],
    "text and number": [("session", "HASH", "S"), ("at", "RANGE", "N")],
    "number and text": [("number", "HASH", "N"), ("sort", "RANGE", "S")],
    "bytes": [("digest", "HASH", "B")],
}


def create(client: Callable[[str], Any], key: list[tuple[str, str, str]], *others: str) -> None:
    """A table in us-east-1, with replicas in these regions."""
    client(EAST).create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, _, kind in key],
        KeySchema=[{"AttributeName": name, "KeyType": part} for name, part, _ in key],
    )
    if others:
        updates = [{"Create": {"RegionName": region}} for region in others]
        client(EAST).update_table(TableName=TABLE, ReplicaUpdates=updates)


@pytest.fixture
def dynamodb(front: Front) -> Callable[[str], Any]:
    clients = WorldClients()
    return lambda region: clients.get("dynamodb", region)


def made(clients: WorldClients, table: str = TABLE, **options: Any) -> DynamoDBGlobal:
    one = databases.resource("dynamodb-global", {EAST: table, WEST: table}, **{**PATIENT, **options})
    return DynamoDBGlobal(one, databases.topology(one), clients)


class World:
    """conformance.Harness. A region that is unreachable has an endpoint where nobody listens."""

    source, target = EAST, WEST

    def __init__(self, clients: WorldClients) -> None:
        self.clients = clients
        self._port = made(clients)

    def port(self) -> DynamoDBGlobal:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.clients.gone.add(region)

    def restore(self, region: str) -> None:
        self.clients.gone.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))

    def fencing(self, verb: str) -> str:
        return databases.provider.kinds()[databases.PortName.DATABASE, "dynamodb-global"].verbs[verb].fencing


@pytest.fixture
def world(dynamodb: Callable[[str], Any]) -> World:
    create(dynamodb, KEYS["text and number"], WEST)
    return World(WorldClients())


class TestDynamoDBGlobal(ManyWritersSuite):
    @pytest.fixture
    def world(self, world: World) -> World:
        return world


# ---- what stands in the table


@pytest.mark.parametrize("key", KEYS.values(), ids=list(KEYS))
def test_items_of_ours_fit_every_key_and_none_of_the_applications(
    dynamodb: Callable[[str], Any], key: list[tuple[str, str, str]]
) -> None:
    create(dynamodb, key, WEST)
    database = made(WorldClients())
    database.write_canary(WEST, "r1/write", call=Calls().make())
    assert known(database.read_canary(WEST, "r1/write")) is not None
    assert known(database.read_canary(WEST, "r2/write")) is None
    (item,) = dynamodb(WEST).scan(TableName=TABLE)["Items"]
    for name, _, kind in key:
        value = item[name][kind]
        assert str(value).startswith(("cloudfail#", "b'cloudfail#", "-"))
    assert item["cloudfail_by"] == {"S": "10 r1"}, "who looks at the table sees whose item it is"


def test_a_canary_that_arrived_by_replication_is_no_proof_of_a_write_here(world: World) -> None:
    database = world.port()
    database.write_canary(EAST, "r1/write", call=Calls().make())
    time.sleep(0.5)
    assert known(database.read_canary(WEST, "r1/write")) is None


def test_a_table_that_is_not_replicated_to_the_other_region_is_unknown(dynamodb: Callable[[str], Any]) -> None:
    create(dynamodb, KEYS["one text"])
    read = made(WorldClients()).read(EAST)
    assert isinstance(read, Unknown)
    assert "no replica in us-west-2" in read.reason


def test_a_table_that_is_not_there_is_unknown_and_takes_no_canary(dynamodb: Callable[[str], Any]) -> None:
    database = made(WorldClients(), "others")
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.beat(WEST), Unknown)
    with pytest.raises(Permanent):
        database.write_canary(WEST, "r1/write", call=Calls().make())


def test_two_tables_are_no_global_table() -> None:
    one = databases.resource("dynamodb-global", {EAST: "sessions", WEST: "sessions-w"})
    with pytest.raises(Permanent, match="one name in all regions"):
        DynamoDBGlobal(one, databases.topology(one), WorldClients())


def test_a_table_named_by_the_kinds_own_models_has_strict_keys() -> None:
    with pytest.raises(ValueError, match="forbidden"):
        databases.resource("dynamodb-global", {EAST: {"table": "sessions", "name": "x"}})
    with pytest.raises(ValueError, match="pattern"):
        databases.resource("dynamodb-global", {EAST: "no such name"})


# ---- how far the other region is behind


def amended(front: Front, **fields: Any) -> None:
    """DescribeTable's answer, with fields that the emulator does not know."""

    def happen(request: Any, asked: Any, forward: Any) -> Answer:
        answer = forward(request)
        document = json.loads(answer.body)
        document["Table"].update(fields)
        body = json.dumps(document).encode()
        headers = [
            (name, value) for name, value in answer.headers if name.lower() not in ("content-length", "x-amz-crc32")
        ]
        return Answer(answer.status, (*headers, ("content-length", str(len(body)))), body)

    front.outages._add(happen, {"service": "dynamodb", "operation": "DescribeTable"})


def test_without_a_heartbeat_nobody_knows_how_far_it_is_behind(world: World) -> None:
    database = world.port()
    bound = database.loss(EAST, WEST, Unknown("nobody saw one"))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (None, None)
    assert known(database.read(WEST)).lag_seconds is None
    database.beat(EAST)
    state = eventually(world, lambda: database.read(WEST), lambda seen: seen.lag_seconds is not None)
    assert state.lag_seconds is not None
    assert 0 <= state.lag_seconds <= 10
    assert not state.in_sync, "it waits for nobody before it acknowledges"
    bound = database.loss(EAST, WEST, Unknown("nobody saw one"))
    assert bound.if_dead_seconds is None
    assert bound.if_alive_seconds is not None
    assert any("no bound" in part for part in bound.parts)


def test_an_old_heartbeat_says_nothing_of_the_lag(world: World) -> None:
    database = made(world.clients, heartbeat_stale="1s")
    database.beat(EAST)
    eventually(world, lambda: database.read(WEST), lambda seen: seen.lag_seconds is None)


def test_a_table_that_is_strongly_consistent_across_regions_is_behind_by_nothing(front: Front, world: World) -> None:
    amended(front, MultiRegionConsistency="STRONG")
    database = world.port()
    bound = database.loss(EAST, WEST, Unknown("nobody saw one"))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (0.0, 0.0)
    state = known(database.read(WEST))
    assert (state.lag_seconds, state.in_sync) == (0.0, True)


@pytest.mark.parametrize("status", ["INACCESSIBLE_ENCRYPTION_CREDENTIALS", "REGION_DISABLED", "ARCHIVED"])
def test_a_replica_that_does_not_serve_takes_no_writes_whatever_one_write_said(
    front: Front, world: World, status: str
) -> None:
    replicas = [{"RegionName": EAST, "ReplicaStatus": "ACTIVE"}, {"RegionName": WEST, "ReplicaStatus": status}]
    amended(front, Replicas=replicas)
    state = known(world.port().read(WEST))
    assert not state.writable
    assert status in state.moving


# ---- verify.write, and what AWS says


class _World:
    def __init__(self, database: DynamoDBGlobal) -> None:
        self._database = database

    def database(self, name: str) -> DynamoDBGlobal:
        return self._database


def step_of(database: DynamoDBGlobal) -> tuple[Callable[[], Any], Callable[[Todo, Call], None]]:
    """The step verify.write of a run: how it looks, how it acts."""
    arguments = {"database": "orders", "where": WEST}
    step = PlannedStep(
        name="write", action="verify.write", gate=None, arguments=arguments, needs=(), limit_seconds=60.0,
        expires_seconds=0.0, retries=3, pre=(), post=(), undo=None, resource="orders", identifiers={},
        facts=StepFacts("canary"), point_of_no_return=False,
    )  # fmt: skip
    action, context, seen_by = ACTIONS["verify.write"], StepContext(step, "r1", EAST, WEST), _World(database)

    def look() -> Any:
        return action.observe(seen_by, context)  # type: ignore[arg-type]  # it asks for a database, and no more

    def act(seen: Todo, call: Call) -> None:
        action.act(seen_by, context, seen, call)  # type: ignore[arg-type]

    return look, act


def test_a_write_in_the_survivor_is_proven_while_the_other_region_is_gone(world: World) -> None:
    world.make_unreachable(EAST)
    look, act = step_of(world.port())
    first = look()
    assert isinstance(first, Todo)
    act(first, Calls().make())
    done = look()
    assert isinstance(done, Done)
    assert "r1/write" in done.detail


def acknowledged_only(front: Front) -> None:
    """PutItem succeeds, and nothing is written."""
    front.outages._add(
        lambda request, asked, forward: Answer(200, (("content-type", "application/x-amz-json-1.0"),), b"{}"),
        {"service": "dynamodb", "operation": "PutItem"},
    )


def test_a_write_that_was_acknowledged_and_is_not_there_completes_no_step(front: Front, world: World) -> None:
    acknowledged_only(front)
    database = world.port()
    state = known(database.read(WEST))
    assert not state.writable
    assert "does not show it" in state.moving
    look, act = step_of(database)
    for _ in range(3):
        seen = look()
        assert isinstance(seen, Todo), seen
        act(seen, Calls().make())
    front.outages.heal()
    act(seen, Calls().make())
    assert isinstance(look(), Done)


def test_a_region_that_gives_the_canary_back_and_takes_no_writes_completes_no_step(front: Front, world: World) -> None:
    look, act = step_of(world.port())
    act(look(), Calls().make())
    acknowledged_only(front)
    assert isinstance(look(), Moving)


def test_what_is_active_and_refuses_writes_is_not_writable(front: Front, world: World) -> None:
    front.outages.fail("AccessDeniedException", 400, service="dynamodb", operation="PutItem")
    database = world.port()
    assert isinstance(database.read(WEST), Unknown)
    look, act = step_of(database)
    with pytest.raises(Permanent):
        act(look(), Calls().make())
    assert isinstance(look(), Todo)


# ---- the network between


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_a_canary_whose_answer_was_lost_is_looked_at(front: Front, world: World, how: str) -> None:
    look, act = step_of(world.port())
    first = look()
    front.outages.lose(how, service="dynamodb", operation="PutItem", times=1)
    with pytest.raises(OutcomeUnknown):
        act(first, Calls().make())
    assert isinstance(look(), Done), "it had landed"


@pytest.mark.parametrize("code", ["ReplicatedWriteConflictException", "ThrottlingException"])
def test_a_write_that_meets_another_or_a_throttle_is_tried_again(front: Front, world: World, code: str) -> None:
    database = world.port()
    known(database.read(WEST))
    front.outages.fail(code, 400, service="dynamodb", operation="PutItem", times=1)
    assert isinstance(database.beat(WEST), Known)
    front.outages.fail(code, 400, service="dynamodb", operation="PutItem", times=1)
    database.write_canary(WEST, "r1/write", call=Calls().make())
    assert known(database.read_canary(WEST, "r1/write")) is not None


Fail = Callable[[Front], Any]
FAULTS: dict[str, Fail] = {
    "black hole": lambda front: front.outages.silence(region=WEST),
    "reset": lambda front: front.outages.refuse(region=WEST),
    "throttled": lambda front: front.outages.throttle(region=WEST),
    "server's own error": lambda front: front.outages.fail("InternalServerError", 500, region=WEST),
    "cut answers": lambda front: front.outages.cut(region=WEST),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_what_does_not_answer_is_unknown_and_never_written(front: Front, world: World, fault: Fail) -> None:
    database = made(world.clients, answer_within="1s", api_within="1s")
    fault(front)
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.beat(WEST), Unknown)
    assert isinstance(database.read_canary(WEST, "r1/write"), Unknown)
    assert database.loss(EAST, WEST, Known(time.time(), 0.0)).if_dead_seconds is None
    look, _ = step_of(database)
    assert isinstance(look(), NotKnown)
    call = Call(run="r1", step="write", epoch=10, key="k", timeout_seconds=1.0, check=lambda: None)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.write_canary(WEST, "r1/write", call=call)
    assert known(database.read(EAST)).writable, "the other region has nothing to do with it"


def test_a_stale_read_of_the_canary_is_no_proof_of_another(front: Front, world: World) -> None:
    """Each get is strongly consistent; one that is answered as it was asked before shows the canary as absent."""
    look, act = step_of(world.port())
    first = look()
    act(first, Calls().make())
    stale = front.outages.stale(60.0, service="dynamodb", operation="GetItem")
    seen = look()
    assert not isinstance(seen, Done)
    stale.lift()
    assert isinstance(look(), Done)


def test_every_get_is_strongly_consistent_within_its_region(world: World) -> None:
    asked: list[bool] = []
    client = world.clients.get("dynamodb", WEST)
    client.meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params.get("ConsistentRead", False))
    )
    database = world.port()
    database.read(WEST)
    database.read_canary(WEST, "r1/write")
    database.loss(EAST, WEST, Unknown("-"))
    assert asked
    assert all(asked)


def test_the_state_says_of_each_region_that_it_is_a_writer(world: World) -> None:
    states: list[DatabaseState] = [known(world.port().read(region)) for region in (EAST, WEST)]
    assert [state.role for state in states] == [Role.PRIMARY, Role.PRIMARY]
    assert states[0].version != states[1].version


def test_what_it_has_not_is_refused_with_what_to_write(world: World) -> None:
    with pytest.raises(CloudfailError) as refused:
        world.port().failover(EAST, WEST, expect=known(world.port().read(WEST)), call=Calls().make())
    assert "verify.write" in str(refused.value.to_do)
