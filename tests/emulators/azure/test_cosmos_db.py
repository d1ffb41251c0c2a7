"""database: cosmos-db against Resource Manager's stand-in, and regions whose doors are real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Owed, StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep, StepFacts
from cloudfail.model.states import DatabaseState, FenceOutcome, FenceState, Progress, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, Harness, eventually, known, refused
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.cosmos_world import PACKAGE, World
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.cosmos import ACCOUNT, Cosmos

Serve = Callable[[str, Any], Any]
pytestmark = pytest.mark.timeout(300)
OFFLINE, PRIORITIES = "database_accounts.offline_region", "database_accounts.failover_priority_change"


def made(azure: Front, serving: Serve, *regions: str, **more: Any) -> World:
    return World(azure, serving(PACKAGE, Cosmos(regions or (WEST, NORTH), **{"seconds": 0.1, **more})))


@pytest.fixture
def world(azure: Front, serving: Serve) -> Iterator[World]:
    """Strongly consistent, in two regions."""
    one = made(azure, serving)
    yield one
    one.close()


@pytest.fixture
def session(azure: Front, serving: Serve) -> Iterator[World]:
    """Of the default consistency, in two regions."""
    one = made(azure, serving, consistency="Session")
    yield one
    one.close()


class TestCosmosDb(DatabaseSuite):
    """Azure keeps the writer single and has no fence: the tests that put one up say what is there instead."""

    def test_a_fence_is_proven_by_writes_that_were_refused(self, world: Harness) -> None:
        assert self.fence(world) is FenceOutcome.PREVENTED, "neither of two strong regions acknowledges alone"
        self.promote(world, self.state(world, world.target), Calls())
        assert self.fence(world) is FenceOutcome.PROVEN
        state = known(world.port().fence_state(world.source, world.target))
        assert "1008" in state.evidence
        refused(lambda: world.port().write_canary(world.source, "r1/late", call=Calls().make()), Transient)

    def test_fencing_what_is_fenced_changes_nothing(self, world: Harness) -> None:
        calls, state = Calls(), known(world.port().fence_state(world.source, world.target))
        world.port().fence(world.source, world.target, expect=state, call=calls.make())
        world.port().unfence(world.source, expect=state, call=calls.make())
        assert calls.checked == 0
        assert self.writers(world) == {world.source}

    def test_a_fence_is_lifted_again(self, world: Harness) -> None:
        """There is none: what makes a region take no writes is that another one does."""
        self.move(world)
        assert known(world.port().fence_state(world.source, world.target)).outcome is FenceOutcome.PROVEN

    def test_a_fence_that_may_not_be_made_has_no_effect(self, world: Harness) -> None:
        """None can be made of an account that is not strong."""
        assert isinstance(world, World)
        world.machine.properties["consistencyPolicy"]["defaultConsistencyLevel"] = "Session"
        state, calls = known(world.port().fence_state(world.source, world.target)), Calls()
        assert (state.outcome, state.methods_left) == (FenceOutcome.OWED, ())
        refused(lambda: world.port().fence(world.source, world.target, expect=state, call=calls.make()), Permanent)
        assert calls.checked == 0


def fail_over(world: World, epoch: int = 10, **more: Any) -> list[str]:
    """Order it as it is seen now. Returns what was logged."""
    said: list[str] = []
    call = replace(Calls().make(epoch), log=said.append, **more)
    world.port().failover(WEST, NORTH, expect=known(world.port().read(NORTH)), call=call)
    return said


def writable(world: World, region: str = NORTH) -> bool:
    read = world.port().read(region)
    return isinstance(read, Known) and read.value.writable


def switching(world: World) -> Progress:
    state: Progress = known(world.port().switchover_state(WEST, NORTH))
    return state


def switch(world: World, epoch: int = 10) -> None:
    world.port().switchover(WEST, NORTH, expect=switching(world), call=Calls().make(epoch))


# ---- out of a region that is lost


@pytest.mark.parametrize("style", ["status", "location"])
def test_a_lost_region_is_taken_offline_and_the_next_one_takes_writes(session: World, style: str) -> None:
    session.machine.style = style
    session.make_unreachable(WEST)
    said = fail_over(session)
    assert "West Europe is taken out of orders" in said[-1]
    assert "three days" in said[-1]
    state = eventually(session, lambda: session.port().read(NORTH), lambda seen: seen.writable)
    assert (state.role, state.upstream) == (Role.PRIMARY, None)
    (asked,) = session.front.seen(mutating=True)
    assert (asked.operation, asked.body) == (OFFLINE, {"region": "West Europe"})


def test_what_azure_says_completes_nothing(session: World) -> None:
    """The operation succeeded and the account names the new region; its door lets no write in."""
    session.machine.following = False
    session.make_unreachable(WEST)
    fail_over(session)
    session.machine.end()
    state = known(session.port().read(NORTH))
    assert (state.role, state.writable) == (Role.REPLICA, False)
    assert "it takes none yet" in state.moving
    session.port().failover(WEST, NORTH, expect=state, call=Calls().make(11))
    assert session.front.count(operation=OFFLINE) == 1, "nothing is ordered on top of it"
    session.machine.writer, session.machine.there = NORTH, [NORTH]
    assert writable(session)


@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
@pytest.mark.parametrize("style", ["status", "location"])
def test_an_order_that_ends_badly_is_told_in_azures_words_and_given_anew(
    session: World, style: str, ending: str
) -> None:
    session.machine.style, session.machine.ending, session.machine.code = style, ending, "InternalServerError"
    with pytest.raises(OutcomeUnknown, match="InternalServerError"):
        fail_over(session)
    assert not known(session.port().read(NORTH)).moving
    session.machine.ending = ""
    fail_over(session)
    session.machine.end()
    assert writable(session)


def test_while_one_is_under_way_no_other_is_ordered(session: World) -> None:
    session.machine.seconds = 3600.0
    before = known(session.port().read(NORTH))
    session.port().failover(WEST, NORTH, expect=before, call=replace(Calls().make(), timeout_seconds=5.0))
    assert "orders is Updating" in known(session.port().read(NORTH)).moving
    with pytest.raises(Transient, match="Updating"):
        session.port().failover(WEST, NORTH, expect=before, call=Calls().make())
    account = replace(session.port().accounts.describe(NORTH), state="Succeeded")
    with pytest.raises(Transient, match="AnotherOperationInProgress"):
        session.port().accounts.take_offline(WEST, NORTH, account, replace(Calls().make(), timeout_seconds=10.0))
    assert len(session.machine.orders) == 1


def test_where_another_region_would_take_writes_nothing_is_ordered(azure: Front, serving: Serve) -> None:
    world = made(azure, serving, WEST, "uksouth", NORTH, consistency="Session")
    with pytest.raises(Permanent, match="lets uksouth take writes") as raised:
        fail_over(world)
    assert f"--ids {ACCOUNT} --failover-policies westeurope=0 northeurope=1 uksouth=2" in raised.value.to_do
    assert not world.machine.orders
    world.close()


def test_out_of_a_region_that_is_not_the_write_region_nothing_is_taken(session: World) -> None:
    session.machine.order_ = [NORTH, WEST]
    session.machine.following = False
    state = known(session.port().read(NORTH))
    session.port().failover(WEST, NORTH, expect=state, call=Calls().make())
    session.machine.order_ = ["uksouth", WEST, NORTH]
    with pytest.raises(Permanent, match="Azure says that uksouth takes the writes"):
        fail_over(session)
    assert not session.machine.orders


def test_what_was_seen_otherwise_is_left_alone(session: World) -> None:
    state = known(session.port().read(NORTH))
    session.machine.order_.append("uksouth")
    with pytest.raises(Conflict, match="as it was seen"):
        session.port().failover(WEST, NORTH, expect=state, call=Calls().make())
    with pytest.raises(Permanent, match="to itself"):
        session.port().failover(NORTH, NORTH, expect=state, call=Calls().make())
    assert not session.machine.orders


def test_a_newer_runs_mark_is_found_in_the_region_that_is_to_take_over(world: World) -> None:
    switch(world, 20)
    world.machine.end()
    world.port().switchover(
        NORTH, WEST, expect=known(world.port().switchover_state(NORTH, WEST)), call=Calls().make(21)
    )
    world.machine.end()
    assert known(world.port().read(NORTH)).epoch == 21
    before = len(world.machine.orders)
    with pytest.raises(Conflict, match="epoch 21"):
        fail_over(world, 20)
    with pytest.raises(Conflict, match="epoch 21"):
        switch(world, 20)
    assert len(world.machine.orders) == before


def test_a_mark_that_is_not_shown_is_no_reason_to_stay_in_a_region_that_is_lost(session: World) -> None:
    session.machine.documents[NORTH]["mark"] = {"id": "mark", "epoch": "?", "_etag": '"0"'}
    assert known(session.port().read(NORTH)).epoch is None
    fail_over(session)
    assert session.machine.orders


# ---- what is lost


@pytest.mark.parametrize(
    ("consistency", "seconds"), [("Strong", 0.0), ("BoundedStaleness", 300.0), ("Session", None), ("Eventual", None)]
)
def test_what_a_failover_loses_is_bound_by_the_consistency_alone(
    session: World, consistency: str, seconds: float | None
) -> None:
    database = session.port()
    session.machine.properties["consistencyPolicy"]["defaultConsistencyLevel"] = consistency
    beat = known(database.beat(WEST))
    bound = database.loss(WEST, NORTH, Known(beat, beat))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (seconds, seconds)
    if seconds is None:
        assert "of one partition" in bound.parts[-1]
    session.front.outages.refuse()
    assert database.loss(WEST, NORTH, Known(beat, beat)).if_dead_seconds is None, "what is not told bounds nothing"


def test_a_heartbeat_that_arrived_is_a_lag_and_an_old_one_is_none(session: World) -> None:
    assert known(session.port().read(NORTH)).lag_seconds is None
    session.port().beat(WEST)
    lag = known(session.port().read(NORTH)).lag_seconds
    assert lag is not None
    assert lag < 60
    session.machine.documents[NORTH]["beat~westeurope"]["at"] -= 3600.0
    assert known(session.port().read(NORTH)).lag_seconds is None


# ---- what counts as which fence


def test_what_counts_as_which_fence(session: World) -> None:
    database, machine = session.port(), session.machine

    def outcome() -> FenceState:
        state: FenceState = known(database.fence_state(WEST, NORTH))
        return state

    owed = outcome()
    assert owed.outcome is FenceOutcome.OWED
    assert "was let in" in owed.evidence
    session.make_unreachable(WEST)
    silent = outcome()
    assert silent.outcome is FenceOutcome.OWED
    assert "no word on a write" in silent.evidence
    machine.properties["consistencyPolicy"]["defaultConsistencyLevel"] = "Strong"
    assert outcome().outcome is FenceOutcome.PREVENTED
    machine.order_.append("uksouth")
    assert outcome().outcome is FenceOutcome.OWED, "of three, two may go on without the third"
    session.front.outages.refuse()
    assert outcome().outcome is FenceOutcome.OWED
    session.front.outages.heal()
    session.restore(WEST)
    machine.writer = NORTH
    proven = outcome()
    assert proven.outcome is FenceOutcome.PROVEN
    assert "the connection that is kept was refused" in proven.evidence
    assert "a new connection was refused" in proven.evidence
    machine.doors[WEST].instead = (403, "")
    assert outcome().outcome is FenceOutcome.OWED, "a network that lets nobody in is no fence of the region"


# ---- an account of the other kind, and what is written wrongly


def test_an_account_that_takes_writes_everywhere_is_refused_by_name(session: World) -> None:
    session.machine.properties["enableMultipleWriteLocations"] = True
    database = session.port()
    read = database.read(NORTH)
    assert isinstance(read, Unknown)
    assert "cosmos-db-multi-write" in read.reason
    assert isinstance(database.switchover_state(WEST, NORTH), Unknown)
    assert "cosmos-db-multi-write" in str(database.loss(WEST, NORTH, Unknown("-")).parts)
    assert "cosmos-db-multi-write" in str(known(database.preflight()))
    with pytest.raises(Permanent, match="cosmos-db-multi-write"):
        session.machine.writer = "uksouth"
        database.failover(WEST, NORTH, expect=DatabaseState(Role.REPLICA, False, 0), call=Calls().make())


# ---- as the steps of a run have it


class _Asked:
    """World, as far as these steps ask it."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def database(self, name: str) -> Any:
        return self._database

    def acknowledged(self, name: str, region: str) -> Unknown:
        return Unknown("nobody watched")


def look_of(world: World, action: str, verb: str, **more: str) -> tuple[Callable[[], Any], Callable[[Todo], None]]:
    """How that step of an evacuation looks, and how it acts."""
    step = PlannedStep(
        name=verb, action=action, gate=None, arguments={"database": "orders", **more}, needs=(), limit_seconds=60.0,
        expires_seconds=0.0, retries=3, pre=(), post=(), undo=None, resource="orders", identifiers={},
        facts=StepFacts(verb), point_of_no_return=False,
    )  # fmt: skip
    context, asked, does = StepContext(step, "r1", WEST, NORTH), _Asked(world.port()), ACTIONS[action]
    return (
        lambda: does.observe(asked, context),  # type: ignore[arg-type]
        lambda seen: does.act(asked, context, seen, Calls().make()),  # type: ignore[arg-type]
    )


def test_an_evacuation_owes_its_fence_until_the_old_region_refuses_a_write(session: World) -> None:
    fence, _ = look_of(session, "database.fence", "fence", unreachable="owe")
    promote, order = look_of(session, "database.failover", "failover")
    write, put = look_of(session, "verify.write", "canary", where=NORTH)
    session.make_unreachable(WEST)
    assert isinstance(fence(), Owed)
    wanted = promote()
    assert isinstance(wanted, Todo)
    assert (wanted.fence, wanted.loss_if_dead_seconds, wanted.loses_data) == ("owed", None, True)
    order(wanted)
    session.machine.end()
    assert isinstance(promote(), Done)
    put(write())
    assert isinstance(write(), Done)
    assert isinstance(fence(), Owed), "nobody has asked it yet"
    session.restore(WEST)
    proven = fence()
    assert isinstance(proven, Done)
    assert proven.outcome == "proven"
    unfence, _ = look_of(session, "database.unfence", "fence")
    assert isinstance(unfence(), Done), "there is nothing to lift"
