"""database: postgresql-flexible against Resource Manager's stand-in and real PostgreSQL servers."""

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
from tests.emulators.azure import flexible_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.flexible_world import IDS, World
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.postgres_flexible import REPLICA, FlexibleServers
from tests.emulators.azure.standins.security_groups import NETWORK, SecurityGroups
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]
Serve = Callable[[str, Any], Any]
PACKAGE = "azure.mgmt.postgresqlflexibleservers"
pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.timeout(300)]


@pytest.fixture
def world(azure: Front, serving: Serve, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    made = World(azure, serving(PACKAGE, flexible_world.machine()), pair())
    yield made
    made.close()


@pytest.fixture
def plain(azure: Front, serving: Serve, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    """A replica to which no virtual endpoint leads."""
    made = World(azure, serving(PACKAGE, flexible_world.machine(endpoints=False)), pair())
    yield made
    made.close()


class TestFlexible(DatabaseSuite):
    @pytest.fixture
    def world(self, world: World) -> World:
        return world


def promotions(world: World) -> list[tuple[str, str]]:
    return [(one["promoteMode"], one["promoteOption"]) for one in world.machine.promotions]


def fail_over(world: World, epoch: int = 10) -> None:
    """Order the promotion as it is seen now."""
    for _ in range(5):
        # A fence that has just arrived on the replica is a Conflict: it is looked at again, as a run would.
        with contextlib.suppress(Conflict):
            world.port().failover(WEST, NORTH, expect=known(world.port().read(NORTH)), call=Calls().make(epoch))
            return
    raise AssertionError("it was never as it was seen")


def promoted(world: World) -> None:
    eventually(world, lambda: world.port().read(NORTH), lambda seen: seen.role is Role.PRIMARY)
    for _ in range(3):
        state = known(world.port().read(NORTH))
        if state.writable:
            return
        world.port().failover(WEST, NORTH, expect=state, call=Calls().make())
    raise AssertionError("it never took writes")


def fence(world: World) -> None:
    state = known(world.port().fence_state(WEST, NORTH))
    world.port().fence(WEST, NORTH, expect=state, call=Calls().make())


def followed(world: World) -> Progress:
    return known(world.port().follow_state(WEST, NORTH))


def test_out_of_a_lost_region_the_roles_are_exchanged_and_the_old_primary_comes_back_by_itself(world: World) -> None:
    world.make_unreachable(WEST)
    fail_over(world)
    assert promotions(world) == [("Switchover", "Forced")]
    promoted(world)
    assert isinstance(world.port().follow_state(WEST, NORTH), Unknown), "its server says nothing"
    del world.machine.then["rejoin"]
    world.restore(WEST)
    alive = eventually(world, lambda: world.port().follow_state(WEST, NORTH), lambda seen: bool(seen.detail))
    assert "still takes writes, and Azure calls it a replica" in alive.detail, "it is the old primary, unfenced"
    fence(world)
    waits = followed(world)
    assert (waits.next, waits.done) == (None, False)
    assert "is to take orders-w back" in waits.detail
    world.build_again()
    eventually(world, lambda: world.port().follow_state(WEST, NORTH), lambda seen: seen.done)
    old = known(world.port().read(WEST))
    assert (old.role, old.upstream) == (Role.REPLICA, NORTH)
    assert len(world.machine.promotions) == 1


def test_a_server_of_its_own_leaves_the_old_primary_to_be_built_anew_by_hand(plain: World) -> None:
    """The logins that the fence took are given back on the new writer, and not on the old one."""
    fence(plain)
    servers.until(lambda: not plain.pair.west.one("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'shop'"))
    fail_over(plain)
    assert promotions(plain) == [("Standalone", "Forced")]
    shut = eventually(plain, lambda: plain.port().read(NORTH), lambda seen: seen.role is Role.PRIMARY)
    assert (shut.writable, shut.moving) == (False, "")
    assert shut.next == "give back the logins that the fence took"
    promoted(plain)
    assert known(plain.port().fence_state(WEST, NORTH)).outcome is FenceOutcome.PROVEN
    stage = followed(plain)
    assert stage.next is not None
    assert "built anew by hand" in stage.next
    before = plain.front.count(mutating=True)
    with pytest.raises(Permanent, match=f"--source-server {IDS[NORTH]} --location {WEST} --resource-group shop"):
        plain.port().follow(WEST, NORTH, expect=stage, call=Calls().make())
    assert plain.front.count(mutating=True) == before
    assert known(plain.port().read(WEST)).role is Role.PRIMARY


def test_a_replica_that_azure_calls_a_primary_is_one_still_while_its_server_is_in_recovery(world: World) -> None:
    """Azure: succeeded, a primary. The server: never promoted. The step is never done, and ordered once."""
    world.machine.then.clear()
    fail_over(world)
    world.machine.end()
    for _ in range(3):
        seen = known(world.port().read(NORTH))
        assert (seen.role, seen.writable) == (Role.REPLICA, False)
        assert "in recovery still" in seen.moving
        with contextlib.suppress(Transient):
            world.port().failover(WEST, NORTH, expect=seen, call=Calls().make(11))
    assert len(world.machine.promotions) == 1


# ---- the switchover, and what is wrong between us and Azure

Hand = Callable[[FlexibleServers], Any]
REFUSED: Mapping[str, tuple[Hand, str, str]] = {
    "no virtual endpoint": (
        lambda found: found.pair(IDS[WEST], IDS[WEST]),
        "no virtual endpoint leads to orders-n",
        "az postgres flexible-server virtual-endpoint create --server-name orders-w",
    ),
    "not alike": (
        lambda found: found.at(IDS[NORTH])["sku"].update(name="Standard_D8ds_v5"),
        "not alike",
        "sku.name is Standard_D4ds_v5 on orders-w and Standard_D8ds_v5 on orders-n",
    ),
}


def test_what_azure_would_not_switch_over_to_is_said_and_not_asked_for(world: World) -> None:
    for hand, said, to_do in REFUSED.values():
        hand(world.machine)
        stage = known(world.port().switchover_state(WEST, NORTH))
        assert stage.next is not None
        assert said in stage.next
        with pytest.raises(Permanent) as raised:
            world.port().switchover(WEST, NORTH, expect=stage, call=Calls().make())
        assert to_do in str(raised.value)
        world.machine.pair(IDS[WEST], IDS[NORTH])
    assert not world.front.count(mutating=True)
    assert known(world.port().read(WEST)).writable


def test_a_switchover_waits_for_everything_and_is_done_once_the_servers_changed_places(world: World) -> None:
    change_places = world.machine.then.pop("Switchover")
    first = known(world.port().switchover_state(WEST, NORTH))
    world.port().switchover(WEST, NORTH, expect=first, call=Calls().make())
    assert promotions(world) == [("Switchover", "Planned")]
    world.machine.end()
    for _ in range(2):
        seen = known(world.port().switchover_state(WEST, NORTH))
        assert (seen.next, seen.done) == (None, False), "Azure calls it done"
        assert "its server takes no writes yet" in seen.detail
    assert known(world.port().read(WEST)).writable
    change_places()
    eventually(world, lambda: world.port().switchover_state(WEST, NORTH), lambda seen: seen.done)
    assert known(world.port().read(NORTH)).writable
    assert not known(world.port().read(WEST)).writable


FAULTS: Mapping[str, Callable[[World], Any]] = {
    "503": lambda world: world.front.outages.fail("ServiceUnavailable", 503),
    "throttled": lambda world: world.front.outages.throttle(mutating=True),
    "reset": lambda world: world.front.outages.refuse(),
    "a black hole": lambda world: world.front.outages.silence(),
    "an operation that fails": lambda world: setattr(world.machine, "ending", "Failed"),
    "an operation that is cancelled": lambda world: setattr(world.machine, "ending", "Canceled"),
}


def test_a_switchover_that_was_not_taken_is_claimed_by_nobody_and_given_once(world: World) -> None:
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
    assert not world.machine.promotions
    # The answer that is lost, and a success that nothing follows.
    again = eventually(world, lambda: world.port().switchover_state(WEST, NORTH), lambda seen: bool(seen.next))
    world.machine.at(IDS[NORTH])["tags"]["cloudfail-epoch"] = "10 r1"
    fault = world.front.outages.lie(operation="servers.update")
    world.port().switchover(WEST, NORTH, expect=again, call=Calls().make())
    fault.lift()
    again = known(world.port().switchover_state(WEST, NORTH))
    assert again.next is not None, "nothing followed, and it is to be ordered"
    world.front.outages.lose("closed", operation="servers.update", times=1)
    with pytest.raises(OutcomeUnknown):
        world.port().switchover(WEST, NORTH, expect=again, call=Calls().make())
    with contextlib.suppress(Conflict):
        world.port().switchover(WEST, NORTH, expect=again, call=Calls().make())
    eventually(world, lambda: world.port().switchover_state(WEST, NORTH), lambda seen: seen.done)
    assert promotions(world) == [("Switchover", "Planned")]


def test_a_switchover_under_a_newer_epochs_mark_on_either_side_is_refused(world: World) -> None:
    first = known(world.port().switchover_state(WEST, NORTH))
    for region in (WEST, NORTH):
        tags = world.machine.at(IDS[region])["tags"]
        tags["cloudfail-epoch"] = "20 r0"
        with pytest.raises(Conflict):
            world.port().switchover(WEST, NORTH, expect=first, call=Calls().make(19))
        del tags["cloudfail-epoch"]
    assert not world.front.count(mutating=True)


def test_a_replication_that_azure_calls_broken_is_built_anew_by_hand(world: World) -> None:
    world.machine.then.clear()
    world.pair.east.stop("fast")
    world.pair.west.ask("SELECT pg_promote(true, 30)")
    servers.set_upstream(world.pair.east, world.pair.west)
    world.pair.east.start()
    west, north = (world.machine.at(IDS[region])["properties"] for region in (WEST, NORTH))
    north.update(replicationRole="Primary", replica={"role": "Primary"})
    del north["sourceServerResourceId"]
    told = {"role": REPLICA, "replicationState": "Broken"}
    west.update(replicationRole=REPLICA, replica=told, sourceServerResourceId=IDS[NORTH])
    stage = eventually(world, lambda: world.port().follow_state(WEST, NORTH), lambda seen: bool(seen.next))
    assert stage.next is not None and "broken" in stage.next
    told["replicationState"] = "Catchup"
    assert followed(world).done, "what counts is the server"


# ---- the fence


@pytest.fixture
def listed(azure: Front, serving: Serve, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    """The old side has firewall rules, too."""
    rules = {"office": ("192.0.2.0", "192.0.2.255"), "own": ("203.0.113.7", "203.0.113.7")}
    machine = serving(PACKAGE, flexible_world.machine(rules=rules))
    machine.seconds = 0.0
    made = World(azure, machine, pair(), **{WEST: {"firewall_rules": {"keep": ["own"]}}})
    yield made
    made.close()


def apply(world: World, method: str) -> None:
    state = known(world.port().fence_state(WEST, NORTH))
    world.port().fencing.apply(WEST, replace(state, methods_left=(method,)), Calls().make())


def lift(world: World) -> None:
    state = known(world.port().fence_state(WEST, NORTH))
    world.port().unfence(WEST, expect=state, call=Calls().make())


Row = tuple[tuple[Callable[[World], Any], ...], FenceOutcome, tuple[str, ...]]
FENCES: Mapping[str, Row] = {
    "nothing stands": ((), FenceOutcome.NONE, ("logins", "firewall-rules")),
    "the rules are gone, and writes are let in": (
        (lambda world: apply(world, "firewall-rules"),),
        FenceOutcome.FAILED,
        ("logins",),
    ),
    "both": ((lambda world: apply(world, "logins"),), FenceOutcome.PROVEN, ()),
    "the server is silent, and its rules are gone": (
        (lambda world: world.servers[WEST].freeze(),),
        FenceOutcome.OWED,
        (),
    ),
    "nothing of the region answers": (
        (lambda world: world.make_unreachable(WEST),),
        FenceOutcome.OWED,
        (),
    ),
    "it is back as it was": (
        (lambda world: world.restore(WEST), lift),
        FenceOutcome.NONE,
        ("logins", "firewall-rules"),
    ),
    "logins are revoked and sessions ended": (
        (lambda world: apply(world, "logins"),),
        FenceOutcome.PROVEN,
        (),
    ),
}


def test_what_counts_as_which_fence(listed: World) -> None:
    """One after another: each row's hands find what the rows before have left."""
    assert known(listed.port().read(WEST)).writable, "the look opens the connection that is older than the fence"
    for row, (hands, outcome, left) in FENCES.items():
        for hand in hands:
            hand(listed)
        state = known(listed.port().fence_state(WEST, NORTH))
        assert (state.outcome, state.methods_left) == (outcome, left), (row, state.evidence)
        if outcome is FenceOutcome.PROVEN:
            assert "opened before" in state.evidence
            assert "a new connection" in state.evidence
        if outcome is FenceOutcome.NONE:
            # The first write after a fence may meet the end of a session of its own.
            eventually(listed, lambda: listed.port().read(WEST), lambda seen: seen.writable)


@pytest.fixture
def guarded(azure: Front, serving: Serve, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    """The old side stands in a subnet that a security group guards, and cloudfail asks from an address that stays."""
    machine = serving(PACKAGE, flexible_world.machine(public=False))
    machine.seconds = 0.0
    subnet = f"{NETWORK}/virtualNetworks/shop/subnets/orders-w"
    machine.at(IDS[WEST])["properties"]["network"]["delegatedSubnetResourceId"] = subnet
    groups = serving("azure.mgmt.network", SecurityGroups(seconds=0.0))
    member = {"security_group": {"group": groups.group("orders-w", WEST, subnet), "keep": ["10.1.4.0/28"]}}
    made = World(azure, machine, pair(), **{WEST: member})
    yield made
    made.close()


GUARDED: Mapping[str, Row] = {
    "nothing stands": ((), FenceOutcome.NONE, ("logins", "security-group")),
    "the group lets in nobody new, and who was in writes": (
        (lambda world: apply(world, "security-group"),),
        FenceOutcome.FAILED,
        ("logins",),
    ),
    "sessions are ended and logins revoked": ((lambda world: apply(world, "logins"),), FenceOutcome.PROVEN, ()),
    "the server is silent, and the group stands": (
        (lambda world: world.servers[WEST].freeze(),),
        FenceOutcome.OWED,
        (),
    ),
    "it is back as it was": (
        (lambda world: world.servers[WEST].thaw(), lift),
        FenceOutcome.NONE,
        ("logins", "security-group"),
    ),
}


def test_a_security_group_is_proven_only_by_what_comes_after_it(guarded: World) -> None:
    assert known(guarded.port().read(WEST)).writable, "the look opens the connection that is older than the fence"
    for row, (hands, outcome, left) in GUARDED.items():
        for hand in hands:
            hand(guarded)
        state = eventually(guarded, lambda: guarded.port().fence_state(WEST, NORTH), lambda _seen: True)
        assert (state.outcome, state.methods_left) == (outcome, left), (row, state.evidence)


def test_the_way_to_the_old_side_is_opened_once_it_is_a_replica(listed: World) -> None:
    for method in ("firewall-rules", "logins"):
        apply(listed, method)
    fail_over(listed)
    promoted(listed)
    stage = eventually(listed, lambda: listed.port().follow_state(WEST, NORTH), lambda seen: bool(seen.next))
    assert stage.next == f"open the way to {WEST} again: a replica takes no writes"
    listed.port().follow(WEST, NORTH, expect=stage, call=Calls().make())
    assert set(listed.machine.rules(IDS[WEST])) == {"office", "own"}
    eventually(listed, lambda: listed.port().follow_state(WEST, NORTH), lambda seen: seen.done)
