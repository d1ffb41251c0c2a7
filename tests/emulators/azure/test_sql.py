"""database: sql-failover-group, and its siblings, against Resource Manager's stand-in and servers that speak TDS."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, FenceState, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_azure.database.tsql_plane import TsqlPlane
from cloudfail_azure.database.tsql_session import Lost, Session
from tests.emulators.azure import sql_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import Front
from tests.emulators.azure.sql_world import PACKAGE, World
from tests.emulators.azure.standins.tsql import until

Serve = Callable[[str, Any], Any]
Make = Callable[..., World]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def making(azure: Front, serving: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[World] = []

    def make(
        kind: str = sql_world.KIND, *, names: tuple[str, ...] = ("shop",), style: str = "status", **more: Any
    ) -> World:
        machine, ids = sql_world.machine(kind, style=style, **({"databases": names} if kind == sql_world.KIND else {}))
        servers = sql_world.pair(tmp_path, azure, monkeypatch, names)
        made.append(World(azure, serving(PACKAGE, machine), ids, servers, kind=kind, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


class TestSql(DatabaseSuite):
    @pytest.fixture
    def world(self, making: Make) -> World:
        return making(names=("shop", "stock"))


def fence(world: World, epoch: int = 10) -> FenceState:
    state = known(world.port().fence_state(WEST, NORTH))
    world.port().fence(WEST, NORTH, expect=state, call=Calls().make(epoch))
    return known(world.port().fence_state(WEST, NORTH))


def fail_over(world: World, epoch: int = 10) -> None:
    """Order it as it is seen now; what has just been replicated is a Conflict, and looked at again."""
    for _ in range(5):
        with contextlib.suppress(Conflict):
            world.port().failover(WEST, NORTH, expect=known(world.port().read(NORTH)), call=Calls().make(epoch))
            return
    raise AssertionError("it was never as it was seen")


def takes_writes(world: World) -> None:
    for _ in range(60):
        read = world.port().read(NORTH)
        if isinstance(read, Known) and read.value.writable:
            return
        if isinstance(read, Known) and read.value.role is Role.PRIMARY and not read.value.moving:
            world.port().failover(WEST, NORTH, expect=read.value, call=Calls().make(11))
        world.wait(0.2)
    raise AssertionError(f"it never took writes: {read}")


# ---- a region that is lost


def test_out_of_a_lost_region_what_was_not_replicated_is_gone_and_the_old_side_comes_back_by_itself(
    making: Make,
) -> None:
    world = making("sql-database", style="location")
    world.port().beat(WEST)
    assert known(world.port().read(NORTH)).upstream == WEST
    world.make_unreachable(WEST)
    assert known(world.port().fence_state(WEST, NORTH)).outcome is FenceOutcome.OWED
    fail_over(world)
    takes_writes(world)
    assert [kind for kind, _ in world.machine.orders] == ["forced"]
    assert isinstance(world.port().follow_state(WEST, NORTH), Unknown), "its server says nothing"
    rejoin = world.machine.then.pop("rejoin")
    world.restore(WEST)
    alive = eventually(world, lambda: world.port().follow_state(WEST, NORTH), lambda seen: bool(seen.detail))
    assert "still takes writes: fence it first" in alive.detail, "whatever Azure calls it"
    assert known(world.port().read(WEST)).writable
    fence(world, 12)
    rejoin()
    eventually(world, lambda: world.port().follow_state(WEST, NORTH), lambda seen: seen.done)
    old = known(world.port().read(WEST))
    assert (old.role, old.upstream) == (Role.REPLICA, NORTH)
    proven = known(world.port().fence_state(WEST, NORTH))
    assert proven.outcome is FenceOutcome.PROVEN
    assert "read-only" in proven.evidence, "the engine itself refuses"


def test_what_azure_calls_the_primary_is_none_before_it_takes_writes(making: Make) -> None:
    """Azure: succeeded, the primary. The databases: never turned. The step is never done, and ordered once."""
    world = making("sql-instance-group")
    world.machine.then.clear()
    fail_over(world)
    world.machine.end()
    for _ in range(2):
        seen = known(world.port().read(NORTH))
        assert (seen.role, seen.writable) == (Role.REPLICA, False)
        assert "its databases are secondaries still" in seen.moving
        world.port().failover(WEST, NORTH, expect=seen, call=Calls().make(11))
    assert len(world.machine.orders) == 1
    stage = known(world.port().switchover_state(WEST, NORTH))
    assert (stage.next, stage.done) == (None, False)


def test_a_newer_epochs_mark_that_was_replicated_refuses_an_older_order(making: Make) -> None:
    world = making()
    world.port().read(WEST)
    plane = world.port().plane
    assert isinstance(plane, TsqlPlane)
    plane.mark(WEST, Calls().make(20))
    state = known(world.port().read(NORTH))
    with pytest.raises(Conflict, match="epoch 20"):
        world.port().failover(WEST, NORTH, expect=state, call=Calls().make(19))
    stage = known(world.port().switchover_state(WEST, NORTH))
    with pytest.raises(Conflict, match="newer run"):
        world.port().switchover(WEST, NORTH, expect=stage, call=Calls().make(19))
    assert not world.machine.orders
    world.port().switchover(WEST, NORTH, expect=stage, call=Calls().make(21))
    assert len(world.machine.orders) == 1


# ---- the switchover, and what is wrong between us and Azure

FAULTS: Mapping[str, Callable[[World], Any]] = {
    "503": lambda world: world.front.outages.fail("ServiceUnavailable", 503, mutating=True),
    "throttled": lambda world: world.front.outages.throttle(mutating=True),
    "reset": lambda world: world.front.outages.refuse(mutating=True),
    "a black hole": lambda world: world.front.outages.silence(mutating=True),
    "an operation that fails": lambda world: setattr(world.machine, "ending", "Failed"),
    "an operation that is cancelled": lambda world: setattr(world.machine, "ending", "Canceled"),
}


def test_a_switchover_that_was_not_taken_is_claimed_by_nobody_and_given_once(making: Make) -> None:
    world = making()
    for what in FAULTS.values():
        first = eventually(world, lambda: world.port().switchover_state(WEST, NORTH), lambda seen: bool(seen.next))
        fault = what(world)
        short = replace(Calls().make(), timeout_seconds=2.0)
        with pytest.raises((Transient, OutcomeUnknown)):
            world.port().switchover(WEST, NORTH, expect=first, call=short)
        if fault is not None:
            fault.lift()
        world.machine.ending = ""
        assert known(world.port().read(WEST)).writable
    world.machine.orders.clear()
    # A success that nothing follows, an order that is refused for what the replication is, and the answer that is lost.
    again = eventually(world, lambda: world.port().switchover_state(WEST, NORTH), lambda seen: bool(seen.next))
    fault = world.front.outages.lie(operation="failover_groups.failover")
    world.port().switchover(WEST, NORTH, expect=again, call=Calls().make())
    fault.lift()
    told = world.machine.at(world.ids[NORTH])["properties"]
    told["replicationState"] = "SUSPENDED"
    assert "SUSPENDED; nothing was stopped" in known(world.port().switchover_state(WEST, NORTH)).detail
    with pytest.raises(Conflict):
        world.port().switchover(WEST, NORTH, expect=again, call=Calls().make())
    told["replicationState"] = "CATCH_UP"
    world.front.outages.lose("closed", operation="failover_groups.failover", times=1)
    with pytest.raises(OutcomeUnknown):
        world.port().switchover(WEST, NORTH, expect=again, call=Calls().make())
    eventually(world, lambda: world.port().switchover_state(WEST, NORTH), lambda seen: seen.done)
    assert [kind for kind, _ in world.machine.orders] == ["planned"]
    assert known(world.port().read(NORTH)).writable


# ---- the fence


def test_a_fence_shuts_out_every_user_of_every_database_and_ends_what_they_had_open(making: Make) -> None:
    world = making(names=("shop", "stock"))
    world.port().read(WEST)
    other = world.client(WEST, "reports", "stock")
    assert other.ask("SELECT USER_NAME()") == [("reports",)]
    state = fence(world)
    assert state.outcome is FenceOutcome.PROVEN
    assert "stock: no session that was opened before is left" in state.evidence
    assert all(one.denied == {"shop", "reports"} for one in world.pair.west.databases.values())
    with pytest.raises(Lost):
        other.order_as_opened("SELECT 1")
    elsewhere = world.another()
    assert known(elsewhere.fence_state(WEST, NORTH)).outcome is FenceOutcome.PROVEN, "of another process too"
    # Somebody is let in again, by hand: it is no fence any more, and put up again.
    world.pair.west.databases["stock"].denied.clear()
    failed = known(elsewhere.fence_state(WEST, NORTH))
    assert (failed.outcome, failed.methods_left) == (FenceOutcome.FAILED, ("logins",))
    elsewhere.fence(WEST, NORTH, expect=failed, call=Calls().make(11))
    assert known(elsewhere.fence_state(WEST, NORTH)).outcome is FenceOutcome.PROVEN
    elsewhere.close()


def test_a_session_that_is_left_keeps_a_fence_from_being_proven(making: Make) -> None:
    """The server's admin comes in again, whom nothing can be denied: nobody calls that fenced, in any process."""
    world = making()
    fence(world)
    world.pair.west.logins["owner"] = sql_world.LOGINS["reports"]
    world.pair.west.owners.add("owner")
    admin = Session("127.0.0.1", world.pair.west.port, "shop", ("owner", "another"), name="by hand", seconds=4.0)
    admin.ask("SELECT 1")
    elsewhere = world.another()
    state = elsewhere.fence_state(WEST, NORTH)
    assert isinstance(state, Unknown)
    assert "1 sessions are left" in state.reason
    admin.close()
    until(lambda: all(one.user != "owner" for one in list(world.pair.west.sessions.values())))
    assert known(elsewhere.fence_state(WEST, NORTH)).outcome is FenceOutcome.PROVEN
    elsewhere.close()


def test_a_server_that_is_silent_is_unknown_whatever_azure_says_of_it(making: Make) -> None:
    world = making(answer_within="1s")
    world.pair.west.freeze()
    read = world.port().read(WEST)
    assert isinstance(read, Unknown)
    assert "did not answer" in read.reason


def test_a_fence_that_was_cut_off_half_way_is_put_up_to_its_end(making: Make) -> None:
    world = making(names=("shop", "stock"))
    state = known(world.port().fence_state(WEST, NORTH))
    checked = itertools.count()

    def second() -> None:
        if next(checked) > 3:
            raise LeaseLost("Another worker took over.")

    with pytest.raises(LeaseLost):
        world.port().fence(WEST, NORTH, expect=state, call=replace(Calls().make(), check=second))
    half = known(world.port().fence_state(WEST, NORTH))
    assert (half.outcome, half.methods_left) == (FenceOutcome.FAILED, ("logins",))
    world.port().fence(WEST, NORTH, expect=half, call=Calls().make(11))
    assert known(world.port().fence_state(WEST, NORTH)).outcome is FenceOutcome.PROVEN


@pytest.mark.parametrize("writer", ["cloudfail", "owner"])
def test_a_writer_that_a_fence_cannot_shut_out_is_refused(making: Make, writer: str) -> None:
    """cloudfail's own login, and one that is dbo."""
    world = making(writer=writer)
    for server in world.servers.values():
        server.logins["owner"] = sql_world.LOGINS["shop"]
        server.owners.add("owner")
        server.logins["cloudfail"] = sql_world.LOGINS["shop" if writer == "cloudfail" else "cloudfail"]
    if writer == "cloudfail":
        world.members[WEST]["password"] = world.members[NORTH]["password"] = "env:SQL_SHOP"
    database = world.another()
    state = known(database.fence_state(WEST, NORTH))
    with pytest.raises(Permanent, match=r"same user|is `dbo` in shop"):
        database.fence(WEST, NORTH, expect=state, call=Calls().make())
    assert not world.pair.west.databases["shop"].denied
    database.close()
