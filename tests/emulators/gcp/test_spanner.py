"""database: spanner against a stand-in whose wire is Google's own description, and whose replicas vote."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import Role
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Call
from cloudfail.testing.conformance import Calls, known
from cloudfail.testing.many_writers_suite import ManyWritersSuite
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.budget import Budget
from cloudfail_gcp.database import KINDS
from cloudfail_gcp.database.spanner import Spanner
from cloudfail_gcp.sessions import Sessions
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.many_writers import refused, step_of
from tests.emulators.gcp.standins import spanner as standin

pytestmark = pytest.mark.timeout(300)
(KIND,) = (kind for kind in KINDS if kind.name == "spanner")
EAST, WEST = "us-east4", "europe-west1"
MEMBERS = {EAST: EAST, WEST: WEST}
WITNESS = "us-east1"
NAM_EUR = ((EAST, "READ_WRITE"), (EAST, "READ_WRITE"), (WEST, "READ_WRITE"), (WEST, "READ_WRITE"), (WITNESS, "WITNESS"))
DUAL = (*NAM_EUR[:4], (EAST, "WITNESS"), (WEST, "WITNESS"))
COMMIT = "projects.instances.databases.sessions.commit"
READ = "projects.instances.databases.sessions.read"
CREATE = "projects.instances.databases.sessions.create"
BRIEF = {"answer_within": "1500ms", "api_within": "1500ms"}


def topology(members: dict[str, Any] | None = None, **options: Any) -> tuple[Resource, Topology]:
    assert KIND.options is not None
    assert KIND.member is not None
    written = KIND.options(**{"path": standin.DATABASE, **options}).model_dump()
    whole = {region: KIND.member.model_validate(one).model_dump() for region, one in (members or MEMBERS).items()}
    resource = Resource("orders", PortName.DATABASE, "spanner", "gcp", None, whole, written)
    regions = {region: Region(region, "gcp", standin.PROJECT) for region in (EAST, WEST)}
    return resource, Topology("shop", Objectives(900, 30), regions, EAST, "memory:", {"orders": resource})


def made(members: dict[str, Any] | None = None, **options: Any) -> Spanner:
    resource, whole = topology(members, **options)
    clock = SystemClock()
    return Spanner(Asking(resource, whole, Sessions(), Budget(clock), clock))


class Site:
    """conformance.Harness. A region that is unreachable has lost its replicas; Spanner itself still answers."""

    source, target = EAST, WEST

    def __init__(self, front: Front, machine: standin.Spanner) -> None:
        self.front, self.machine = front, machine
        self._port = made(**BRIEF)

    def port(self) -> Spanner:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.machine.lost.add(region)

    def restore(self, region: str) -> None:
        self.machine.lost.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return KIND.verbs[verb].fencing


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> standin.Spanner:
    one: standin.Spanner = serving("spanner.v1", standin.Spanner(NAM_EUR))
    return one


@pytest.fixture
def world(google: Front, machine: standin.Spanner) -> Site:
    return Site(google, machine)


class TestSpanner(ManyWritersSuite):
    """The world is the module's."""


# ---- what a region proves


def test_a_region_whose_replicas_are_lost_is_unknown_though_the_database_takes_writes(world: Site) -> None:
    """The commit is acknowledged, by the others; which is no proof of this region."""
    world.machine.lost.add(EAST)
    database = world.port()
    assert isinstance(database.read(EAST), Unknown)
    assert world.machine.mutated, "the write was let in"
    assert isinstance(database.beat(EAST), Unknown)
    assert known(database.read(WEST)).writable


def test_a_region_that_is_behind_is_no_writer(world: Site) -> None:
    world.machine.behind[WEST] = {}
    state = known(world.port().read(WEST))
    assert (state.writable, state.in_sync, state.lag_seconds) == (False, False, None)
    assert "does not show it" in state.moving
    assert isinstance(world.port().beat(WEST), Unknown)


def test_every_read_is_strong_and_of_that_region_alone(world: Site) -> None:
    database = world.port()
    database.read(WEST)
    database.beat(WEST)
    database.read_canary(WEST, "r1/write")
    bodies = [one.body for one in world.front.seen(operation=READ)]
    assert len(bodies) == 3
    for body in bodies:
        assert body["transaction"] == {"singleUse": {"readOnly": {"strong": True}}}
        (selection,) = body["directedReadOptions"]["includeReplicas"]["replicaSelections"]
        assert selection == {"location": WEST, "type": "READ_WRITE"}
        assert body["directedReadOptions"]["includeReplicas"]["autoFailoverDisabled"] is True


def test_rows_of_ours_stand_in_a_table_of_our_own(world: Site) -> None:
    world.port().write_canary(WEST, "r1/write", call=Calls().make())
    (mutation,) = world.machine.mutated
    assert mutation["insertOrUpdate"]["table"] == "cloudfail"
    (key,) = world.machine.rows
    assert key == f"canary#{WEST}#r1/write"
    assert "10 r1" in world.machine.rows[key], "who looks at the table sees whose row it is"


def test_a_row_that_somebody_else_wrote_is_not_guessed_at(world: Site) -> None:
    world.machine.rows[f"canary#{WEST}#r1/write"] = "yes"
    read = world.port().read_canary(WEST, "r1/write")
    assert isinstance(read, Unknown)
    assert "none that cloudfail wrote" in read.reason


def test_without_its_table_nothing_is_known_and_nothing_is_written(world: Site) -> None:
    world.machine.has_table = False
    database = world.port()
    read = database.read(WEST)
    assert isinstance(read, Unknown)
    assert "Table not found: cloudfail" in read.reason
    with pytest.raises(Permanent, match="Table not found"):
        database.write_canary(WEST, "r1/write", call=Calls().make())


def test_a_location_that_the_configuration_has_not_is_unknown_and_named(world: Site) -> None:
    database = made({EAST: EAST, WEST: "europe-west3"}, **BRIEF)
    assert isinstance(database.read(WEST), Unknown)
    told = known(database.preflight())
    assert any("no read-write replica in europe-west3" in one for one in told)


def test_a_witness_is_no_region_that_serves(world: Site) -> None:
    read = made({EAST: EAST, WEST: WITNESS}, **BRIEF).read(WEST)
    assert isinstance(read, Unknown)


def test_two_regions_with_one_location_are_refused() -> None:
    with pytest.raises(Permanent, match="one location"):
        made({EAST: EAST, WEST: EAST})


def test_a_session_that_has_ended_is_made_anew(world: Site) -> None:
    database = world.port()
    known(database.read(WEST))
    world.machine.end_sessions()
    known(database.read(WEST))
    world.machine.end_sessions()
    database.write_canary(WEST, "r1/write", call=Calls().make())
    assert known(database.read_canary(WEST, "r1/write")) is not None
    assert world.front.count(operation=CREATE) == 3


# ---- what can be lost


def test_nothing_is_lost_where_the_others_hold_a_majority(world: Site) -> None:
    bound = world.port().loss(EAST, WEST, Unknown("nobody saw one"))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (0.0, 0.0)
    assert known(world.port().preflight()) == ()


def test_where_the_others_hold_half_nothing_is_promised(world: Site) -> None:
    """And nothing is: without the region no write is let in."""
    world.machine.replicas, world.machine.quorum = DUAL, "DUAL_REGION"
    database = world.port()
    assert database.loss(EAST, WEST, Unknown("-")).if_dead_seconds is None
    told = known(database.preflight())
    assert len(told) == 2
    assert all("takes no writes" in one for one in told)
    world.machine.lost.add(EAST)
    assert isinstance(database.read(WEST), Unknown)


def test_a_configuration_that_is_not_told_promises_nothing(world: Site) -> None:
    world.machine.replicas = ()
    assert world.port().loss(EAST, WEST, Unknown("-")).if_dead_seconds is None
    assert isinstance(world.port().preflight(), Unknown)


# ---- verify.write, and what Google says


def test_a_write_in_the_survivor_is_proven_while_the_other_region_is_gone(world: Site) -> None:
    world.make_unreachable(EAST)
    look, act = step_of(world.port(), EAST, WEST)
    first = look()
    assert isinstance(first, Todo)
    act(first, Calls().make())
    assert isinstance(look(), Done)


def test_a_write_that_was_acknowledged_and_is_not_there_completes_no_step(world: Site) -> None:
    world.machine.keeping = False
    look, act = step_of(world.port(), EAST, WEST)
    for _ in range(3):
        seen = look()
        assert isinstance(seen, Todo), seen
        act(seen, Calls().make())
    world.machine.keeping = True
    act(seen, Calls().make())
    assert isinstance(look(), Done)


def test_a_region_that_gives_the_canary_back_and_takes_no_writes_completes_no_step(world: Site) -> None:
    look, act = step_of(world.port(), EAST, WEST)
    act(look(), Calls().make())
    world.machine.keeping = False
    assert isinstance(look(), Moving)


def test_where_the_region_does_not_answer_no_canary_is_written_elsewhere(world: Site) -> None:
    world.machine.lost.add(WEST)
    with pytest.raises(Transient, match="nothing was written"):
        world.port().write_canary(WEST, "r1/write", call=Calls().make())
    assert world.machine.rows == {}


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_a_canary_whose_answer_was_lost_is_looked_at(world: Site, how: str) -> None:
    look, act = step_of(world.port(), EAST, WEST)
    first = look()
    world.front.outages.lose(how, operation=COMMIT, times=1)
    with pytest.raises(OutcomeUnknown):
        act(first, Calls().make())
    assert isinstance(look(), Done), "it had landed"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [("ABORTED", 409, Conflict), ("PERMISSION_DENIED", 403, Permanent), ("INVALID_ARGUMENT", 400, Permanent)],
)
def test_what_google_refuses_is_classed(world: Site, code: str, status: int, kind: type[CloudfailError]) -> None:
    database = world.port()
    known(database.read(WEST))
    refused(world.front, code, status, operation=COMMIT)
    with pytest.raises(kind):
        database.write_canary(WEST, "r1/write", call=Calls().make())
    assert f"canary#{WEST}#r1/write" not in world.machine.rows


Fail = Callable[[Front], Any]
FAULTS: dict[str, Fail] = {
    "black hole": lambda front: front.outages.silence(),
    "reset": lambda front: front.outages.refuse(),
    "throttled": lambda front: front.outages.throttle(),
    "server's own error": lambda front: front.outages.fail("backendError", 503),
    "reads are lost": lambda front: front.outages.silence(operation=READ),
    "commits are lost": lambda front: front.outages.silence(operation=COMMIT),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_what_does_not_answer_is_unknown(world: Site, fault: Fail) -> None:
    database = world.port()
    known(database.read(WEST))
    fault(world.front)
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.beat(WEST), Unknown)
    call = Call(run="r1", step="write", epoch=10, key="k", timeout_seconds=2.0, check=lambda: None)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.write_canary(WEST, "r1/write", call=call)
    look, _ = step_of(database, EAST, WEST)
    assert isinstance(look(), NotKnown | Todo)


def test_a_stale_answer_is_no_proof_of_another_write(world: Site) -> None:
    look, act = step_of(world.port(), EAST, WEST)
    first = look()
    act(first, Calls().make())
    stale = world.front.outages.stale(60.0, operation=READ)
    assert not isinstance(look(), Done)
    stale.lift()
    assert isinstance(look(), Done)


def test_the_state_says_of_each_region_that_it_is_a_writer(world: Site) -> None:
    states = [known(world.port().read(region)) for region in (EAST, WEST)]
    assert [state.role for state in states] == [Role.PRIMARY, Role.PRIMARY]
    assert [(state.in_sync, state.lag_seconds) for state in states] == [(True, 0.0)] * 2
    assert states[0].version != states[1].version


def test_the_permissions_are_of_what_is_asked(world: Site) -> None:
    resource, whole = topology()
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [EAST, WEST])
    granted = {action for one in (*said.watch, *said.execute) for action in one.actions}
    assert {action for one in said.execute for action in one.actions} == {
        "spanner.databases.write",
        "spanner.databases.beginOrRollbackReadWriteTransaction",
    }
    world.port().write_canary(WEST, "r1/write", call=Calls().make())
    world.port().preflight()
    asked = {one.operation for one in world.front.seen()}
    assert asked == {CREATE, READ, COMMIT, "projects.instances.get", "projects.instanceConfigs.get"}
    assert {"spanner.sessions.create", "spanner.databases.read", "spanner.instanceConfigs.get"} <= granted
    assert all(one.why for one in said.watch if one.on == (f"projects/{standin.PROJECT}",))


@pytest.mark.parametrize(
    ("options", "members"),
    [
        ({"path": "orders"}, MEMBERS),
        ({"table": "no such"}, MEMBERS),
        ({"leader": EAST}, MEMBERS),
        ({}, {EAST: "nam3", WEST: WEST}),
        ({}, {EAST: {"location": EAST, "name": "x"}, WEST: WEST}),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(options: dict[str, Any], members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pattern|forbidden"):
        topology(members, **options)
