"""database: cloud-sql against its Admin API's stand-in and real PostgreSQL servers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import FenceOutcome, Progress, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_postgres.session import Lost, Session, SqlError
from tests.emulators.gcp import sql_world
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.sql_world import CENTRAL, WEST, World
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]
Serve = Callable[[str, Any], Any]
pytestmark = pytest.mark.beside


@pytest.fixture
def world(google: Front, serving: Serve, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    made = World(google, serving("sqladmin.v1", sql_world.machine()), pair())
    yield made
    made.close()


@pytest.mark.lab
class TestCloudSql(DatabaseSuite):
    @pytest.fixture
    def world(self, world: World) -> World:
        return world


def ordered(world: World, kind: str) -> list[dict[str, str]]:
    """With which parameters it was ordered, each time that it was accepted."""
    return [query for one, _, query in world.machine.orders if one == kind]


def fail_over(world: World, epoch: int = 10, **more: Any) -> list[str]:
    """Order the promotion as it is seen now. Returns what was logged."""
    said: list[str] = []
    call = replace(Calls().make(epoch), log=said.append, **more)
    for _ in range(5):
        # A fence that has just arrived on the replica is a Conflict: it is looked at again, as a run would.
        with contextlib.suppress(Conflict):
            world.port().failover(CENTRAL, WEST, expect=known(world.port().read(WEST)), call=call)
            return said
    raise AssertionError("it was never as it was seen")


def promoted(world: World) -> None:
    eventually(world, lambda: world.port().read(WEST), lambda seen: seen.role is Role.PRIMARY)
    for _ in range(3):
        state = known(world.port().read(WEST))
        if state.writable:
            return
        world.port().failover(CENTRAL, WEST, expect=state, call=Calls().make())
    raise AssertionError("it never took writes")


def followed(world: World) -> Progress:
    return known(world.port().follow_state(CENTRAL, WEST))


@pytest.fixture
def plain(google: Front, serving: Serve, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    """A replica that nobody designated for disaster recovery."""
    made = World(google, serving("sqladmin.v1", sql_world.machine(dr=False)), pair())
    yield made
    made.close()


@pytest.mark.lab
def test_the_replica_for_disaster_recovery_is_failed_over_to_and_the_old_primary_comes_back_by_itself(
    world: World,
) -> None:
    world.make_unreachable(CENTRAL)
    said = fail_over(world)
    assert ordered(world, "PROMOTE_REPLICA") == [{"failover": "true"}]
    assert any("takes orders-c back" in line for line in said)
    promoted(world)
    assert isinstance(world.port().follow_state(CENTRAL, WEST), Unknown), "its server says nothing"
    world.servers[CENTRAL].thaw()
    alive = eventually(world, lambda: world.port().follow_state(CENTRAL, WEST), lambda _seen: True)
    assert "still takes writes" in alive.detail, "it is the old primary, and nobody fenced it"
    world.port().fence(CENTRAL, WEST, expect=known(world.port().fence_state(CENTRAL, WEST)), call=Calls().make())
    waits = followed(world)
    assert (waits.next, waits.done) == (None, False)
    assert "it has not begun to" in waits.detail
    world.restore(CENTRAL)
    done = eventually(world, lambda: world.port().follow_state(CENTRAL, WEST), lambda seen: seen.done)
    assert done.next is None
    old = known(world.port().read(CENTRAL))
    assert (old.role, old.upstream) == (Role.REPLICA, WEST)
    assert [one for one, _, _ in world.machine.orders].count("PROMOTE_REPLICA") == 1


@pytest.mark.lab
def test_any_other_replica_is_promoted_for_good_and_its_old_primary_is_built_anew_by_hand(plain: World) -> None:
    state = known(plain.port().fence_state(CENTRAL, WEST))
    plain.port().fence(CENTRAL, WEST, expect=state, call=Calls().make())
    said = fail_over(plain)
    assert ordered(plain, "PROMOTE_REPLICA") == [{}]
    assert any("replicates orders-c no more" in line for line in said)
    promoted(plain)
    stage = followed(plain)
    assert stage.next is not None
    assert "built anew by hand" in stage.next
    before = plain.front.count(mutating=True)
    with pytest.raises(Permanent, match="--master-instance-name=orders-w --region=us-central1"):
        plain.port().follow(CENTRAL, WEST, expect=stage, call=Calls().make())
    assert plain.front.count(mutating=True) == before
    assert known(plain.port().read(CENTRAL)).role is Role.PRIMARY


@pytest.mark.lab
def test_there_is_no_switchover_to_a_replica_that_was_not_designated(plain: World) -> None:
    stage = known(plain.port().switchover_state(CENTRAL, WEST))
    assert stage.next is not None
    assert "will not switch over" in stage.next
    with pytest.raises(Permanent, match="--failover-dr-replica-name=orders-w"):
        plain.port().switchover(CENTRAL, WEST, expect=stage, call=Calls().make())
    assert not plain.front.count(mutating=True)
    assert known(plain.port().read(CENTRAL)).writable


@pytest.mark.lab
def test_a_replica_that_the_api_calls_a_primary_is_one_still_while_its_server_is_in_recovery(world: World) -> None:
    """The API: done, a primary. The server: never promoted. The step is never done, and ordered once."""
    del world.machine.then["PROMOTE_REPLICA"], world.machine.then["RECONFIGURE_OLD_PRIMARY"]
    fail_over(world)
    world.machine.end()
    for _ in range(3):
        seen = known(world.port().read(WEST))
        assert (seen.role, seen.writable) == (Role.REPLICA, False)
        assert "in recovery still" in seen.moving
        with contextlib.suppress(Transient):
            world.port().failover(CENTRAL, WEST, expect=seen, call=Calls().make(11))
    assert len(ordered(world, "PROMOTE_REPLICA")) == 1


@pytest.mark.lab
def test_an_operation_that_ends_in_an_error_leaves_the_replica_to_be_promoted_again(world: World) -> None:
    """The mark ended well, and the promotion did not: the look says a replica, under way by nothing."""
    state = known(world.port().read(WEST))
    world.port().failover(CENTRAL, WEST, expect=state, call=Calls().make())
    world.machine.failing = "INTERNAL_ERROR"
    world.machine.end()
    seen = known(world.port().read(WEST))
    assert (seen.role, seen.moving) == (Role.REPLICA, "")
    world.machine.failing = ""
    world.port().failover(CENTRAL, WEST, expect=seen, call=Calls().make())
    promoted(world)


@pytest.mark.lab
def test_logins_that_the_fence_took_are_given_back_on_the_new_writer_and_not_on_the_old_one(world: World) -> None:
    world.machine.then.pop("RECONFIGURE_OLD_PRIMARY")
    state = known(world.port().fence_state(CENTRAL, WEST))
    world.port().fence(CENTRAL, WEST, expect=state, call=Calls().make())
    servers.until(lambda: not world.pair.west.one("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'shop'"))
    fail_over(world)
    shut = eventually(world, lambda: world.port().read(WEST), lambda seen: seen.role is Role.PRIMARY)
    assert (shut.writable, shut.moving) == (False, "")
    assert shut.next == "give back the logins that the fence took"
    world.port().failover(CENTRAL, WEST, expect=shut, call=Calls().make())
    let_in = known(world.port().read(WEST))
    assert (let_in.writable, let_in.next) == (True, "")
    assert known(world.port().fence_state(CENTRAL, WEST)).outcome is FenceOutcome.PROVEN


@pytest.mark.lab
def test_clients_are_let_in_as_soon_as_the_server_is_promoted_and_not_when_the_operation_ends(world: World) -> None:
    """Cloud SQL backs a new primary up before it calls the operation done, which takes many minutes."""
    state = known(world.port().fence_state(CENTRAL, WEST))
    world.port().fence(CENTRAL, WEST, expect=state, call=Calls().make())
    servers.until(lambda: not world.pair.west.one("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'shop'"))
    world.machine.instances["orders-w"]["settings"]["userLabels"]["cloudfail-epoch"] = "10_r1"
    world.machine.seconds = 3600.0
    fail_over(world)
    assert "PROMOTE_REPLICA is RUNNING" in known(world.port().read(WEST)).moving
    world.promote()
    shut = eventually(world, lambda: world.port().read(WEST), lambda seen: seen.role is Role.PRIMARY)
    assert (shut.writable, shut.moving) == (False, "")
    world.port().failover(CENTRAL, WEST, expect=shut, call=Calls().make())
    assert known(world.port().read(WEST)).writable
    assert len(ordered(world, "PROMOTE_REPLICA")) == 1


# ---- the switchover, and what is wrong between us and the API


@pytest.mark.lab
def test_a_switchover_is_cloud_sqls_own_and_waits_as_long_as_is_written(world: World) -> None:
    first = known(world.port().switchover_state(CENTRAL, WEST))
    world.port().switchover(CENTRAL, WEST, expect=first, call=Calls().make())
    assert ordered(world, "SWITCHOVER") == [{"dbTimeout": "600s"}]
    under_way = known(world.port().switchover_state(CENTRAL, WEST))
    assert (under_way.next, under_way.done) == (None, False)
    eventually(world, lambda: world.port().switchover_state(CENTRAL, WEST), lambda seen: seen.done)
    world.machine.end()
    assert known(world.port().read(WEST)).writable
    assert not known(world.port().read(CENTRAL)).writable


@pytest.mark.lab
def test_a_switchover_that_the_api_calls_done_is_not_done_before_the_servers_changed_places(world: World) -> None:
    del world.machine.then["SWITCHOVER"]
    first = known(world.port().switchover_state(CENTRAL, WEST))
    world.port().switchover(CENTRAL, WEST, expect=first, call=Calls().make())
    world.machine.end()
    for _ in range(2):
        seen = known(world.port().switchover_state(CENTRAL, WEST))
        assert (seen.next, seen.done) == (None, False)
        assert "its server takes no writes yet" in seen.detail
    assert known(world.port().read(CENTRAL)).writable


FAULTS: Mapping[str, Callable[[World], Any]] = {
    "503": lambda world: world.front.outages.fail("backendError", 503),
    "throttled": lambda world: world.front.outages.throttle(),
    "reset": lambda world: world.front.outages.refuse(),
    "a black hole": lambda world: world.front.outages.silence(),
}


@pytest.mark.lab
@pytest.mark.parametrize("what", FAULTS)
def test_a_switchover_that_was_not_taken_is_claimed_by_nobody_and_given_once(world: World, what: str) -> None:
    first = known(world.port().switchover_state(CENTRAL, WEST))
    fault = FAULTS[what](world)
    short = replace(Calls().make(), timeout_seconds=3.0)
    with pytest.raises((Transient, OutcomeUnknown)):
        world.port().switchover(CENTRAL, WEST, expect=first, call=short)
    fault.lift()
    assert known(world.port().read(CENTRAL)).writable
    again = eventually(world, lambda: world.port().switchover_state(CENTRAL, WEST), lambda seen: bool(seen.next))
    world.port().switchover(CENTRAL, WEST, expect=again, call=Calls().make())
    assert len(ordered(world, "SWITCHOVER")) == 1
    eventually(world, lambda: world.port().switchover_state(CENTRAL, WEST), lambda seen: seen.done)


@pytest.mark.lab
@pytest.mark.parametrize("how", ["closed", "busy"])
def test_a_switchover_whose_answer_was_lost_is_looked_at_and_not_given_again(world: World, how: str) -> None:
    first = known(world.port().switchover_state(CENTRAL, WEST))
    world.front.outages.lose(how, operation="instances.switchover", times=1)
    with pytest.raises(OutcomeUnknown):
        world.port().switchover(CENTRAL, WEST, expect=first, call=Calls().make())
    with contextlib.suppress(Conflict):
        world.port().switchover(CENTRAL, WEST, expect=first, call=Calls().make())
    eventually(world, lambda: world.port().switchover_state(CENTRAL, WEST), lambda seen: seen.done)
    assert len(ordered(world, "SWITCHOVER")) == 1


@pytest.mark.lab
def test_a_switchover_that_was_answered_and_never_begun_is_ordered_anew(world: World) -> None:
    first = known(world.port().switchover_state(CENTRAL, WEST))
    fault = world.front.outages.lie(operation="instances.switchover")
    world.port().switchover(CENTRAL, WEST, expect=first, call=Calls().make())
    world.machine.end()
    fault.lift()
    seen = known(world.port().switchover_state(CENTRAL, WEST))
    assert seen.next == first.next
    assert known(world.port().read(CENTRAL)).writable
    world.port().switchover(CENTRAL, WEST, expect=seen, call=Calls().make())
    eventually(world, lambda: world.port().switchover_state(CENTRAL, WEST), lambda done: done.done)


@pytest.mark.lab
def test_a_switchover_under_a_newer_epochs_mark_is_refused(world: World) -> None:
    first = known(world.port().switchover_state(CENTRAL, WEST))
    world.machine.instances["orders-w"]["settings"]["userLabels"]["cloudfail-epoch"] = "20_r0"
    with pytest.raises(Conflict):
        world.port().switchover(CENTRAL, WEST, expect=first, call=Calls().make(19))
    assert not world.front.count(mutating=True)


# ---- the fence


@pytest.fixture
def listed(google: Front, serving: Serve, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    """The old side may be kept from networks, too."""
    machine = serving("sqladmin.v1", sql_world.machine(networks=("192.0.2.0/24", "203.0.113.7/32")))
    more = {"authorized_networks": {"keep": ["203.0.113.7/32"]}}
    made = World(google, machine, pair(), **{CENTRAL: more})
    yield made
    made.close()


def entries(world: World) -> list[tuple[str, str]]:
    configuration = world.machine.instances["orders-c"]["settings"]["ipConfiguration"]
    return [(one["value"], one.get("name", "")) for one in configuration["authorizedNetworks"]]


LISTED = [("192.0.2.0/24", "office-0"), ("203.0.113.7/32", "office-1")]


def stop_logins(world: World) -> None:
    world.pair.east.ask("ALTER ROLE shop NOLOGIN")


Hand = Callable[[World], None]
FENCES: Mapping[str, tuple[tuple[Hand, ...], FenceOutcome, tuple[str, ...]]] = {
    "nothing stands": ((), FenceOutcome.NONE, ("logins", "authorized-networks")),
    "logins were revoked by somebody else, and an older session writes on": (
        (stop_logins,),
        FenceOutcome.NONE,
        ("logins", "authorized-networks"),
    ),
    "the networks are off the list, and writes are let in": (
        (lambda world: apply(world, "authorized-networks"),),
        FenceOutcome.FAILED,
        ("logins",),
    ),
    "logins are revoked and sessions ended": (
        (lambda world: apply(world, "logins"),),
        FenceOutcome.PROVEN,
        (),
    ),
    "both": (
        (lambda world: apply(world, "authorized-networks"), lambda world: apply(world, "logins")),
        FenceOutcome.PROVEN,
        (),
    ),
    "the server is silent, and its networks could be taken off": (
        (lambda world: world.servers[CENTRAL].freeze(),),
        FenceOutcome.NONE,
        ("authorized-networks",),
    ),
    "the server is silent, and its networks are off": (
        (lambda world: apply(world, "authorized-networks"), lambda world: world.servers[CENTRAL].freeze()),
        FenceOutcome.OWED,
        (),
    ),
    "nothing of the region answers": (
        (
            lambda world: world.servers[CENTRAL].freeze(),
            lambda world: world.front.outages.refuse(region=CENTRAL),  # type: ignore[func-returns-value]
        ),
        FenceOutcome.OWED,
        (),
    ),
}


def apply(world: World, method: str) -> None:
    state = known(world.port().fence_state(CENTRAL, WEST))
    wanted = replace(state, methods_left=(method,))
    world.port().fencing.apply(CENTRAL, wanted, Calls().make())


@pytest.mark.lab
@pytest.mark.parametrize("row", FENCES)
def test_what_counts_as_which_fence(listed: World, row: str) -> None:
    hands, outcome, left = FENCES[row]
    assert known(listed.port().read(CENTRAL)).writable, "the look opens the connection that is older than the fence"
    for hand in hands:
        hand(listed)
    state = known(listed.port().fence_state(CENTRAL, WEST))
    assert (state.outcome, state.methods_left) == (outcome, left), state.evidence
    assert state.evidence
    if outcome is FenceOutcome.PROVEN:
        assert "opened before" in state.evidence
        assert "a new connection" in state.evidence


@pytest.mark.lab
def test_cloud_sqls_own_users_keep_their_logins_and_sessions_and_no_other_does(world: World) -> None:
    """Nobody may change them: a fence that tried to would be refused as a whole."""
    east = world.pair.east
    for role in ("cloudsqlagent", "cloudsqlagents", "reports"):
        east.ask(f"CREATE ROLE {role} LOGIN CREATEDB")
    # As on Cloud SQL: cloudfail's own login is no superuser, and may change what it was given to change.
    east.ask("GRANT pg_signal_backend, pg_read_all_stats TO cloudfail")
    east.ask("GRANT CREATE ON DATABASE postgres TO cloudfail")
    if int(east.one("SHOW server_version_num")) >= 160000:
        east.ask("GRANT shop, cloudsqlagents, reports TO cloudfail WITH ADMIN OPTION")
    east.ask("ALTER ROLE cloudfail NOSUPERUSER CREATEROLE")
    sessions = [Session(east.dsn(role), name="x", seconds=5.0) for role in ("cloudsqlagent", "cloudsqlagents")]
    for session in sessions:
        session.open()
    state = known(world.port().fence_state(CENTRAL, WEST))
    world.port().fence(CENTRAL, WEST, expect=state, call=Calls().make())
    assert known(world.port().fence_state(CENTRAL, WEST)).outcome is FenceOutcome.PROVEN
    left = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND NOT rolreplication ORDER BY rolname"
    assert {row[0] for row in east.ask(left)} == {"cloudfail", "cloudsqlagent"}, "and cloudfail's own"
    agent, other = sessions
    assert agent.ask("SELECT 1").rows
    with pytest.raises((Lost, SqlError)):
        other.ask("SELECT 1")
    agent.close()
    assert not world.port().plane.peek(CENTRAL).replica


@pytest.mark.lab
def test_networks_are_put_back_as_they_were(listed: World) -> None:
    assert entries(listed) == LISTED
    for method in ("authorized-networks", "logins"):
        apply(listed, method)
    assert entries(listed) == LISTED[1:]
    state = known(listed.port().fence_state(CENTRAL, WEST))
    listed.port().unfence(CENTRAL, expect=state, call=Calls().make(11))
    assert sorted(entries(listed)) == LISTED
    labels = listed.machine.instances["orders-c"]["settings"]["userLabels"]
    assert {key: value for key, value in labels.items() if value} == {"team": "shop", "cloudfail-epoch": "11_r1"}
    assert known(listed.port().read(CENTRAL)).writable


@pytest.mark.lab
def test_the_way_to_the_old_side_is_opened_once_it_is_a_replica(listed: World) -> None:
    for method in ("authorized-networks", "logins"):
        apply(listed, method)
    fail_over(listed)
    promoted(listed)
    stage = eventually(listed, lambda: listed.port().follow_state(CENTRAL, WEST), lambda seen: bool(seen.next))
    assert stage.next == f"open the way to {CENTRAL} again: a replica takes no writes"
    listed.port().follow(CENTRAL, WEST, expect=stage, call=Calls().make())
    assert sorted(entries(listed)) == LISTED
    eventually(listed, lambda: listed.port().follow_state(CENTRAL, WEST), lambda seen: seen.done)
