"""The fence `roles` of database: documentdb-global: what it takes and gives back, and what proves it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Known
from cloudfail.model.states import FenceOutcome
from cloudfail.testing.conformance import Calls, known
from tests.emulators.aws import faults
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.document_world import (
    Documents,
    bare,
    control,
    fenced,
    made,
    member,
    secrets,
    servers,
    world,
)  # fmt: skip
from tests.emulators.aws.global_world import NAMES, Control, World

__all__ = ["bare", "control", "secrets", "servers", "world"]


def test_the_fence_takes_every_users_roles_but_roots_and_gives_exactly_these_back(
    world: World, servers: Documents
) -> None:
    node = servers.pair.east
    before = {name: list(user.roles) for name, user in node.users.items()}
    assert fenced(world.port()) is FenceOutcome.PROVEN
    assert {name for name, user in node.users.items() if user.roles} == {"serviceadmin", "owner", "cloudfail"}
    state = known(world.port().fence_state(EAST, WEST))
    assert "a connection opened before" in state.evidence
    assert "a new connection" in state.evidence
    world.port().unfence(EAST, expect=state, call=Calls().make(11))
    assert {name: list(user.roles) for name, user in node.users.items()} == before


def test_what_is_taken_is_noted_before_it_is_taken_on_both_sides(world: World, servers: Documents) -> None:
    """Replicated in the same order: no reader is ever without roles and without the note."""
    servers.pair.delay_seconds = 0.0
    ending, wrong = threading.Event(), list[str]()

    def look() -> None:
        while not ending.is_set():
            with servers.pair.lock:
                for node in (servers.pair.east, servers.pair.west):
                    noted = node.data.get("cloudfail.fence", {}).get(EAST, {}).get("standing")
                    if not noted and not node.users["shop"].roles:
                        wrong.append(node.name)

    watcher = threading.Thread(target=look)
    watcher.start()
    fenced(world.port())
    ending.set()
    watcher.join()
    assert not wrong


def test_a_transaction_that_was_open_cannot_be_committed_after_the_fence(world: World, servers: Documents) -> None:
    client = servers.client("shop")
    with client.start_session() as session:
        session.start_transaction()
        client.shop.orders.update_one({"_id": 1}, {"$set": {"paid": True}}, upsert=True, session=session)
        assert fenced(world.port()) is FenceOutcome.PROVEN
        with pytest.raises(OperationFailure):
            session.commit_transaction()
    assert "shop.orders" not in servers.pair.east.data
    client.close()


def test_where_the_engine_ends_no_transactions_nothing_is_proven(world: World, servers: Documents) -> None:
    servers.pair.east.sessions = False
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    with pytest.raises(OutcomeUnknown, match="does not end transactions"):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    after = known(world.another().fence_state(EAST, WEST))
    assert (after.outcome, after.methods_left[0]) == (FenceOutcome.FAILED, "roles")


def test_a_connection_that_keeps_the_rights_it_logged_in_with_is_no_proven_fence(
    world: World, servers: Documents
) -> None:
    """The API and the users say that the roles are gone; the older connection writes on."""
    servers.pair.east.sticky = True
    database = world.port()
    assert known(database.read(EAST)).writable
    state = known(database.fence_state(EAST, WEST))
    call = Calls().make()
    with pytest.raises(OutcomeUnknown, match="a connection opened before: the write was let in"):
        database.fence(EAST, WEST, expect=state, call=_short(call))
    after = known(database.fence_state(EAST, WEST))
    assert after.outcome is FenceOutcome.FAILED
    assert "roles" in after.methods_left


def _short(call: Any) -> Any:
    from dataclasses import replace

    return replace(call, timeout_seconds=6.0)


def test_a_later_process_finds_the_fence_proven_by_its_seal(world: World) -> None:
    assert fenced(world.port()) is FenceOutcome.PROVEN
    state = known(world.another().fence_state(EAST, WEST))
    assert state.outcome is FenceOutcome.PROVEN
    assert "as noted beside the fence" in state.evidence


def test_the_seal_is_worth_nothing_once_somebody_has_a_role_again(world: World, servers: Documents) -> None:
    assert fenced(world.port()) is FenceOutcome.PROVEN
    owner = servers.client("owner")
    owner.admin.command("grantRolesToUser", "reports", roles=[{"role": "readWriteAnyDatabase", "db": "admin"}])
    owner.close()
    state = known(world.another().fence_state(EAST, WEST))
    assert (state.outcome, state.methods_left) == (FenceOutcome.FAILED, ("roles",))
    assert "reports may write again" in state.evidence
    with pytest.raises(OutcomeUnknown, match="no connection that was opened before"):
        world.port().fence(EAST, WEST, expect=state, call=Calls().make(11))
    assert not servers.pair.east.users["reports"].roles


def test_a_process_that_died_between_taking_and_seeing_leaves_no_proof(world: World, servers: Documents) -> None:
    """Nobody holds a connection from before: one that is opened now, by a user without roles, shows nothing."""
    assert fenced(world.port()) is FenceOutcome.PROVEN
    with servers.pair.lock:
        servers.pair.east.data["cloudfail.fence"][EAST]["sealed"] = 0.0
    database = world.another()
    state = known(database.fence_state(EAST, WEST))
    assert state.outcome is FenceOutcome.FAILED
    with pytest.raises(OutcomeUnknown, match="no connection that was opened before"):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.FAILED
    # What there is to do: take it back, and fence again.
    database.unfence(EAST, expect=known(database.fence_state(EAST, WEST)), call=Calls().make(11))
    assert known(database.read(EAST)).writable
    assert fenced(database, 12) is FenceOutcome.PROVEN


@pytest.mark.parametrize("writer", ["cloudfail", "owner"])
def test_a_writer_whom_the_fence_would_leave_is_refused_with_what_to_do(
    control: Control, servers: Documents, writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_SHOP", servers.pair.east.users[writer].password)
    members = {one: member(servers, one, writer=servers.nodes[one].url(writer)) for one in NAMES}
    database = made(WorldClients(), members)
    state = known(database.fence_state(EAST, WEST))
    with pytest.raises(Permanent) as raised:
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert "user" in str(raised.value)
    assert servers.pair.east.users["shop"].roles
    database.close()


def test_a_security_group_is_exchanged_noted_and_put_back_and_proves_nothing(
    control: Control, servers: Documents
) -> None:
    clients = WorldClients()
    members = {EAST: member(servers, EAST, closed_group="sg-0closed"), WEST: member(servers, WEST)}
    database = made(clients, members, fences=["security-group"])
    cluster = control.cluster.members[EAST]
    state = known(database.fence_state(EAST, WEST))
    assert state.methods_left == ("security-group",)
    database.fence(EAST, WEST, expect=state, call=Calls().make(20))
    assert cluster.groups == ("sg-0closed",)
    after = known(database.fence_state(EAST, WEST))
    assert after.outcome is FenceOutcome.FAILED, "a write was let in all the same"
    with pytest.raises(Conflict):
        database.unfence(EAST, expect=after, call=Calls().make(19))
    database.unfence(EAST, expect=after, call=Calls().make(21))
    assert cluster.groups == ("sg-0own",)
    assert {name for name, _, _ in clients.done} == {"AddTagsToResource", "ModifyDBCluster"}
    database.close()


@pytest.fixture
def between(servers: Documents) -> Iterator[faults.Proxy]:
    """The wire to the writer."""
    with faults.proxy(servers.pair.east.port) as made_:
        yield made_


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
@pytest.mark.parametrize("marker", [b"standing", b"revokeRolesFromUser", b"killAllSessions", b"sealed"])
def test_a_fence_of_which_an_answer_was_lost_is_put_up_to_its_end_by_the_next_look(
    control: Control, servers: Documents, between: faults.Proxy, marker: bytes, how: str
) -> None:
    """It took effect, whole or in part. What is there is no proof before all of it was done."""
    node = servers.pair.east
    through = {"url": node.url("cloudfail", port=between.port), "writer": node.url("shop", port=between.port)}
    database = made(WorldClients(), {EAST: member(servers, EAST, **through), WEST: member(servers, WEST)})
    assert known(database.read(EAST)).writable
    state = known(database.fence_state(EAST, WEST))
    between.lose(marker, 1, how)
    with pytest.raises(OutcomeUnknown):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert between.lost == 1
    after = eventually_said(lambda: database.fence_state(EAST, WEST))
    if any(node.users[name].roles for name in ("shop", "reports")):
        assert after.outcome is not FenceOutcome.PROVEN
    assert after.outcome is not FenceOutcome.NONE, "something stands: whoever gives up has it to lift"
    assert fenced(database) is FenceOutcome.PROVEN
    assert not node.users["shop"].roles + node.users["reports"].roles
    database.unfence(EAST, expect=known(database.fence_state(EAST, WEST)), call=Calls().make(11))
    assert len(node.users["shop"].roles) == 2
    database.close()


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_a_canary_whose_answer_was_lost_is_unknown_and_is_there_once(
    control: Control, servers: Documents, between: faults.Proxy, how: str
) -> None:
    node = servers.pair.east
    through = {"url": node.url("cloudfail", port=between.port), "writer": node.url("shop", port=between.port)}
    database = made(WorldClients(), {EAST: member(servers, EAST, **through), WEST: member(servers, WEST)})
    assert known(database.read(EAST)).writable
    between.lose(b"r1/write", 1, how)
    with pytest.raises(OutcomeUnknown):
        database.write_canary(EAST, "r1/write", call=Calls().make())
    proof = eventually_said(lambda: database.read_canary(EAST, "r1/write"))
    assert proof is not None
    assert list(node.data["cloudfail.canary"]) == ["r1/write"]
    database.close()


def eventually_said(read: Any) -> Any:
    for _ in range(50):
        seen = read()
        if isinstance(seen, Known):
            return seen.value
        time.sleep(0.2)
    raise AssertionError(seen)
