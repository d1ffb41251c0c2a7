"""database: alloydb against a stand-in for its API, and real PostgreSQL servers behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.ports import Call
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_gcp.database.alloydb import AlloyDb
from cloudfail_gcp.database.marks import LABEL
from tests.emulators.gcp import alloydb_world
from tests.emulators.gcp.alloydb_world import CENTRAL, NAMES, PATHS, WEST, World
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import alloydb as standin
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]
PROMOTE = "projects.locations.clusters.promote"
SWITCHOVER = "projects.locations.clusters.switchover"
pytestmark = pytest.mark.beside


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> Iterator[standin.AlloyDb]:
    made: standin.AlloyDb = serving("alloydb.v1", alloydb_world.machine())
    yield made
    made.close()


@pytest.fixture
def world(google: Front, machine: standin.AlloyDb, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    made = World(google, machine, pair())
    yield made
    made.close()


def call(epoch: int, seconds: float) -> Call:
    return Call("r1", "step", epoch, "r1/step", seconds, lambda: None)


# ---- the fence by stopping the instance


@pytest.fixture
def stopping(machine: standin.AlloyDb) -> AlloyDb:
    members = {**NAMES, CENTRAL: {"cluster": "orders-c", "instance": "main"}}
    return alloydb_world.port(members, api_within="4s")


def test_a_stopped_instance_is_evidence_and_proves_nothing(stopping: AlloyDb, machine: standin.AlloyDb) -> None:
    seen = known(stopping.fence_state(CENTRAL, WEST))
    assert (seen.outcome, seen.methods_left) == (FenceOutcome.NONE, ("stop",))
    stopping.fence(CENTRAL, WEST, expect=seen, call=Calls().make())
    machine.end()
    after = known(stopping.fence_state(CENTRAL, WEST))
    assert (after.outcome, after.methods_left) == (FenceOutcome.OWED, ())
    assert "stop stands, and proves nothing by itself" in after.evidence
    stopping.unfence(CENTRAL, expect=after, call=Calls().make())
    machine.end()
    assert machine.instances[f"{PATHS[CENTRAL]}/instances/main"]["state"] == "READY"


def test_an_instance_on_its_way_is_neither_stopped_nor_ordered_again(
    stopping: AlloyDb, machine: standin.AlloyDb
) -> None:
    machine.seconds = 30.0
    seen = known(stopping.fence_state(CENTRAL, WEST))
    stopping.fence(CENTRAL, WEST, expect=seen, call=Calls().make())
    between = known(stopping.fence_state(CENTRAL, WEST))
    assert (between.outcome, between.methods_left) == (FenceOutcome.OWED, ())
    assert "STOPPING" in between.evidence
    with pytest.raises(Conflict):
        stopping.fence(CENTRAL, WEST, expect=seen, call=Calls().make())
    assert [verb for verb, _ in machine.orders] == ["stop"]


def test_what_somebody_else_stopped_is_not_started(stopping: AlloyDb, machine: standin.AlloyDb) -> None:
    main = machine.instances[f"{PATHS[CENTRAL]}/instances/main"]
    main.update(state="STOPPED", activationPolicy="NEVER")
    seen = known(stopping.fence_state(CENTRAL, WEST))
    stopping.unfence(CENTRAL, expect=seen, call=Calls().make())
    assert machine.orders == []


def test_a_newer_run_keeps_an_older_one_from_stopping_and_starting(stopping: AlloyDb, machine: standin.AlloyDb) -> None:
    machine.instances[f"{PATHS[CENTRAL]}/instances/main"]["labels"] = {LABEL: "20_r0"}
    seen = known(stopping.fence_state(CENTRAL, WEST))
    with pytest.raises(Conflict, match="epoch 20"):
        stopping.fence(CENTRAL, WEST, expect=seen, call=Calls().make(19))
    assert machine.orders == []


def test_what_somebody_else_changed_of_the_instance_meanwhile_refuses_the_stop(
    stopping: AlloyDb, machine: standin.AlloyDb, google: Front
) -> None:
    held = google.outages.hold(operation="projects.locations.clusters.instances.patch", times=1)
    with pytest.raises((OutcomeUnknown, Transient)):
        stopping.fence(CENTRAL, WEST, expect=known(stopping.fence_state(CENTRAL, WEST)), call=call(10, 4.0))
    machine.touch(f"{PATHS[CENTRAL]}/instances/main")
    held.land()
    assert machine.orders == []


def test_read_pools_are_stopped_before_the_instance_and_started_after_it(
    machine: standin.AlloyDb, google: Front
) -> None:
    pool = f"{PATHS[CENTRAL]}/instances/pool"
    machine.instances[pool] = {"name": pool, "instanceType": "READ_POOL", "state": "READY", "etag": "e"}
    database = alloydb_world.port(
        {**NAMES, CENTRAL: {"cluster": "orders-c", "instance": "main", "read_pools": ["pool"]}}
    )
    for _ in range(2):
        database.fence(CENTRAL, WEST, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make())
        machine.end()
    stood = [machine.instances[one]["state"] for one in (pool, f"{PATHS[CENTRAL]}/instances/main")]
    assert stood == ["STOPPED", "STOPPED"]
    for _ in range(2):
        database.unfence(CENTRAL, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make())
        machine.end()
    assert machine.instances[pool]["state"] == "READY"
    asked = [(one.body["activationPolicy"]) for one in google.seen(mutating=True)]
    assert asked == ["NEVER", "NEVER", "ALWAYS", "ALWAYS"]


# ---- with servers


@pytest.mark.lab
class TestAlloyDb(DatabaseSuite):
    @pytest.fixture
    def world(self, world: World) -> World:
        return world


@pytest.mark.lab
def test_a_cluster_that_the_api_calls_a_primary_is_a_replica_while_its_server_is_in_recovery(world: World) -> None:
    """Failover and switchover: the API says done, the server never follows, and no step is done."""
    world.moves = False
    database = world.port()
    database.failover(CENTRAL, WEST, expect=known(database.read(WEST)), call=Calls().make())
    assert known(database.read(WEST)).moving, "under way, says the API"
    world.machine.end()
    for _ in range(3):
        seen = known(database.read(WEST))
        assert (seen.role, seen.writable) == (Role.REPLICA, False)
        assert "in recovery still" in seen.moving
        database.failover(CENTRAL, WEST, expect=seen, call=Calls().make())
        progress = known(database.switchover_state(CENTRAL, WEST))
        assert (progress.done, progress.next) == (False, None)
    assert [verb for verb, _ in world.machine.orders] == ["update", "promote"]


@pytest.mark.lab
def test_a_switchover_is_not_done_before_the_servers_changed_places(world: World) -> None:
    world.moves = False
    database = world.port()
    first = known(database.switchover_state(CENTRAL, WEST))
    assert first.next is not None
    database.switchover(CENTRAL, WEST, expect=first, call=Calls().make())
    world.machine.end()
    stuck = known(database.switchover_state(CENTRAL, WEST))
    assert (stuck.done, stuck.next) == (False, None)
    world.moves = True
    world.moved("switchover", PATHS[WEST])
    eventually(world, lambda: database.switchover_state(CENTRAL, WEST), lambda seen: seen.done)
    assert [verb for verb, _ in world.machine.orders] == ["update", "switchover"]


@pytest.mark.lab
def test_a_switchover_comes_home_again_and_an_older_run_moves_nothing(world: World) -> None:
    database = world.port()
    for source, target, epoch in ((CENTRAL, WEST, 20), (WEST, CENTRAL, 21)):
        seen = known(database.switchover_state(source, target))
        database.switchover(source, target, expect=seen, call=Calls().make(epoch))
        world.machine.end()
        eventually(world, lambda s=source, t=target: database.switchover_state(s, t), lambda one: one.done)  # type: ignore[misc]
    # The newest mark stands on the cluster that is the source now.
    seen = known(database.switchover_state(CENTRAL, WEST))
    with pytest.raises(Conflict, match="epoch 21"):
        database.switchover(CENTRAL, WEST, expect=seen, call=Calls().make(20))
    assert [verb for verb, _ in world.machine.orders].count("switchover") == 2


@pytest.mark.lab
@pytest.mark.parametrize("how", ["closed", "busy"])
def test_a_switchover_whose_answer_was_lost_is_looked_at_and_not_ordered_again(world: World, how: str) -> None:
    database = world.port()
    first = known(database.switchover_state(CENTRAL, WEST))
    world.front.outages.lose(how, operation=SWITCHOVER, after=1, times=1)
    with pytest.raises(OutcomeUnknown):
        database.switchover(CENTRAL, WEST, expect=first, call=Calls().make())
    eventually(world, lambda: database.switchover_state(CENTRAL, WEST), lambda seen: seen.done)
    assert [verb for verb, _ in world.machine.orders].count("switchover") == 1


@pytest.mark.lab
def test_a_switchover_that_is_answered_with_success_and_not_made_stays_to_be_done(world: World) -> None:
    database = world.port()
    first = known(database.switchover_state(CENTRAL, WEST))
    lie = world.front.outages.lie(operation=SWITCHOVER)
    database.switchover(CENTRAL, WEST, expect=first, call=Calls().make())
    lie.lift()
    again = eventually(world, lambda: database.switchover_state(CENTRAL, WEST), lambda seen: seen.next is not None)
    assert not again.done
    database.switchover(CENTRAL, WEST, expect=again, call=Calls().make())
    eventually(world, lambda: database.switchover_state(CENTRAL, WEST), lambda seen: seen.done)


@pytest.mark.lab
def test_throttled_reads_are_unknown_and_order_nothing(world: World) -> None:
    database = world.port()
    seen = known(database.switchover_state(CENTRAL, WEST))
    world.front.outages.throttle(service="alloydb")
    assert isinstance(database.switchover_state(CENTRAL, WEST), Unknown)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.switchover(CENTRAL, WEST, expect=seen, call=Calls().make())
    assert world.machine.orders == []


@pytest.mark.lab
def test_after_a_promotion_the_old_primary_is_owed_to_a_person_who_is_told_how(world: World) -> None:
    database = world.port()
    promoted(world, database)
    told = database.follow_state(CENTRAL, WEST)
    assert isinstance(told, Unknown), "nothing of it moves by itself, and nothing is ordered"
    for words in (
        "is a primary of its own",
        "holds what europe-west1 never had",
        "gcloud alloydb backups create cloudfail-tail-orders-c",
        "gcloud alloydb clusters delete orders-c --region=us-central1 --force",
        f"create-secondary orders-c --region=us-central1 --primary-cluster={PATHS[WEST]}",
    ):
        assert words in told.reason
    assert {verb for verb, _ in world.machine.orders} == {"update", "promote"}
    world.create_again()
    done = eventually(world, lambda: database.follow_state(CENTRAL, WEST), lambda seen: seen.done)
    assert "is a secondary of europe-west1" in done.detail
    assert known(database.read(CENTRAL)).upstream == WEST


@pytest.mark.lab
def test_an_old_primary_that_was_dropped_is_to_be_created(world: World) -> None:
    database = world.port()
    promoted(world, database)
    del world.machine.clusters[PATHS[CENTRAL]]
    told = database.follow_state(CENTRAL, WEST)
    assert isinstance(told, Unknown)
    assert "knows no cluster orders-c" in told.reason
    assert "create-secondary orders-c" in told.reason


@pytest.mark.lab
def test_an_old_primary_that_still_takes_writes_is_fenced_before_anything_is_said_of_replacing_it(
    world: World,
) -> None:
    database = world.port()
    database.failover(CENTRAL, WEST, expect=known(database.read(WEST)), call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    progress = known(database.follow_state(CENTRAL, WEST))
    assert (progress.done, progress.next) == (False, None)
    assert "fence it first" in progress.detail


@pytest.mark.lab
def test_googles_own_logins_are_not_taken_and_do_not_count_as_clients(world: World) -> None:
    """Google runs the server by them: they cannot be altered there, and come back when they are ended."""
    world.pair.east.ask("CREATE ROLE alloydbagent LOGIN CREATEROLE")
    world.pair.east.ask("CREATE ROLE another LOGIN")
    database = world.port()
    known(database.read(CENTRAL))
    seen = known(database.fence_state(CENTRAL, WEST))
    database.fence(CENTRAL, WEST, expect=seen, call=Calls().make())
    assert known(database.fence_state(CENTRAL, WEST)).outcome is FenceOutcome.PROVEN
    logins = dict(world.pair.east.ask("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname !~ '^pg_'"))
    assert logins["alloydbagent"]
    assert not logins["another"]
    assert not logins["shop"]


@pytest.mark.lab
def test_a_fence_by_a_stopped_instance_is_owed_where_sql_is_silent(
    google: Front, machine: standin.AlloyDb, pair: Callable[..., servers.Pair]
) -> None:
    """A region whose API answers and whose server does not: what the API says of it is no proof."""
    world = World(google, machine, pair(), **{CENTRAL: {"instance": "main"}})
    try:
        database = world.port()
        known(database.read(CENTRAL))
        world.servers[CENTRAL].freeze()
        first = known(database.fence_state(CENTRAL, WEST))
        assert (first.outcome, first.methods_left) == (FenceOutcome.NONE, ("stop",))
        database.fence(CENTRAL, WEST, expect=first, call=Calls().make())
        machine.end()
        after = known(database.fence_state(CENTRAL, WEST))
        assert (after.outcome, after.methods_left) == (FenceOutcome.OWED, ())
        assert known(database.read(CENTRAL)).role is Role.PRIMARY
    finally:
        world.close()


def promoted(world: World, database: AlloyDb) -> None:
    """Fenced, promoted, and open to clients."""
    for _ in range(4):
        fence = known(database.fence_state(CENTRAL, WEST))
        if fence.outcome is FenceOutcome.PROVEN:
            break
        database.fence(CENTRAL, WEST, expect=fence, call=Calls().make())
    for _ in range(60):
        read = database.read(WEST)
        if isinstance(read, Known) and read.value.writable:
            return
        if isinstance(read, Known) and not read.value.moving:
            try:
                database.failover(CENTRAL, WEST, expect=read.value, call=Calls().make())
            except CloudfailError as error:
                assert isinstance(error, Conflict | Transient)
        world.wait(0.3)
    raise AssertionError(f"never promoted: {read}")
