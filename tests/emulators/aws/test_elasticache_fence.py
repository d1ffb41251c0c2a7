"""database: elasticache-global, its fence by the access of the application's users, proven on real Redis servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome
from cloudfail.testing.conformance import Calls, eventually, known
from cloudfail_aws.database.cache_users import NOTHING, may_nothing
from tests.emulators.aws import caches
from tests.emulators.aws import front as all_of_aws
from tests.emulators.aws.cache_world import aws, bare, fence, front, machine, switched, world
from tests.emulators.aws.caches import EAST, WEST, World
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.caches import Caches

Serve = Callable[[str, Any], StandIn]
__all__ = ["aws", "bare", "front", "machine", "world"]
pytestmark = [
    pytest.mark.beside,
    pytest.mark.skipif(not caches.has_redis(), reason="There is no redis-server: run script/setup dev."),
]


# ---- the fence


@pytest.mark.lab
def test_a_fence_is_proven_over_a_connection_of_before_and_a_new_one(world: World) -> None:
    database = world.port()
    shop = redis.Redis(port=world.servers[EAST].port, username="shop", password="shop-secret", socket_timeout=20)
    shop.set("cart", "1")
    assert known(database.read(EAST)).writable
    assert fence(world) is FenceOutcome.PROVEN
    evidence = known(database.fence_state(EAST, WEST)).evidence
    assert "a connection opened before: NOPERM" in evidence
    assert "a new connection: NOPERM" in evidence
    with pytest.raises(redis.exceptions.NoPermissionError):
        shop.set("cart", "2")
    shop.close()
    assert world.servers[EAST].ask("GET", "cart") == "1"


@pytest.mark.lab
def test_what_the_api_says_of_users_proves_nothing(world: World, machine: Caches) -> None:
    """ModifyUser succeeds, DescribeUsers shows it, and the server lets the application write on."""
    machine._on_user, machine.modify_seconds = (lambda region, name, access: None), 0.0
    database = world.port()
    assert known(database.read(EAST)).writable
    state = known(database.fence_state(EAST, WEST))
    assert state.methods_left == ("users",)
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    after = known(database.fence_state(EAST, WEST))
    assert after.outcome is FenceOutcome.FAILED
    assert "the write was taken" in after.evidence
    progress = known(database.switchover_state(EAST, WEST))
    assert progress.next == "fence us-east-1 by users", "nothing is moved on an unproven fence"
    database.switchover(EAST, WEST, expect=progress, call=Calls().make())
    assert machine.failovers == []


@pytest.mark.lab
def test_a_process_that_held_no_connection_asks_the_server_whose_sessions_are_left(world: World) -> None:
    fence(world)
    late = world.another()
    state = known(late.fence_state(EAST, WEST))
    assert state.outcome is FenceOutcome.PROVEN
    assert "no connection opened before is held here" in state.evidence
    assert "no user who may run anything" in state.evidence


@pytest.mark.lab
def test_a_user_that_nobody_named_is_no_proven_fence(world: World) -> None:
    world.servers[EAST].ask("ACL", "SETUSER", "jobs", "on", ">jobs-secret", "~*", "+set")
    database = world.port()
    assert known(database.read(EAST)).writable
    jobs = redis.Redis(
        port=world.servers[EAST].port, username="jobs", password="jobs-secret", socket_timeout=20,
        single_connection_client=True,
    )  # fmt: skip
    jobs.set("cart", "1")
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    after = eventually(
        world, lambda: database.fence_state(EAST, WEST), lambda seen: seen.outcome is FenceOutcome.FAILED
    )
    eventually(world, lambda: database.fence_state(EAST, WEST), lambda seen: "NOPERM" in seen.evidence)
    assert "users that may still run commands: jobs" in known(database.fence_state(EAST, WEST)).evidence, after
    jobs.close()
    still = known(database.fence_state(EAST, WEST))
    assert still.outcome is FenceOutcome.FAILED, "it has no session, and may come back"
    world.servers[EAST].ask("ACL", "SETUSER", "jobs", "off")
    eventually(world, lambda: database.fence_state(EAST, WEST), lambda seen: seen.outcome is FenceOutcome.PROVEN)


@pytest.mark.lab
def test_a_wrong_password_of_ours_proves_no_fence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fence(world)
    monkeypatch.setenv("CACHE_SHOP", "of-yesterday")
    read = world.another().fence_state(EAST, WEST)
    assert isinstance(read, Unknown), read
    assert "WRONGPASS" in read.reason


@pytest.mark.lab
def test_users_get_back_exactly_what_they_had(world: World, machine: Caches) -> None:
    access = (
        "on ~cart:* ~session:* &* -@all "
        + " ".join(f"+@{one}" for one in ("read", "write", "string"))
        + (" +hello" * 60)
    )
    machine.users[EAST, "shop-e"]["AccessString"] = access
    world.servers[EAST].allow("shop", access + " ~cloudfail:*")
    assert fence(world) is FenceOutcome.PROVEN
    assert [one for one in machine.modified if one[0] == EAST] == [(EAST, "shop-e", NOTHING)]
    held = machine.tags[machine.users[EAST, "shop-e"]["ARN"]]
    assert len([key for key, value in held.items() if key.startswith("cloudfail:access") and value]) > 1
    state = known(world.port().fence_state(EAST, WEST))
    world.port().unfence(EAST, expect=state, call=Calls().make(11))
    assert machine.modified[-1] == (EAST, "shop-e", access)


@pytest.mark.lab
def test_access_that_no_tags_can_hold_is_not_taken(world: World, machine: Caches) -> None:
    machine.users[EAST, "shop-e"]["AccessString"] = "on ~* " + "+get " * 600
    state = known(world.port().fence_state(EAST, WEST))
    with pytest.raises(Permanent, match="characters"):
        world.port().fence(EAST, WEST, expect=state, call=Calls().make())
    assert machine.modified == []


@pytest.mark.lab
def test_a_user_that_somebody_else_shut_is_not_opened(world: World, machine: Caches) -> None:
    machine.users[EAST, "shop-e"]["AccessString"] = "off ~* -@all"
    world.servers[EAST].allow("shop", "on ~* -@all")
    state = known(world.port().fence_state(EAST, WEST))
    with pytest.raises(Permanent, match="no tag"):
        world.port().unfence(EAST, expect=state, call=Calls().make())
    assert machine.modified == []


@pytest.mark.lab
def test_a_user_that_is_being_changed_is_waited_for(world: World, machine: Caches) -> None:
    machine.users[EAST, "shop-e"]["Status"] = "modifying"
    state = known(world.port().fence_state(EAST, WEST))
    with pytest.raises(Transient):
        world.port().fence(EAST, WEST, expect=state, call=Calls().make())
    assert machine.modified == []


@pytest.mark.lab
def test_a_fence_stays_where_another_region_writes(world: World, machine: Caches) -> None:
    fence(world)
    switched(world)
    world.servers[EAST].follow(None)  # it forgot that it is a replica
    state = world.port().fence_state(EAST, WEST)
    assert isinstance(state, Known)
    with pytest.raises(Conflict, match="two writers"):
        world.port().unfence(EAST, expect=state.value, call=Calls().make(11))


@pytest.mark.lab
@pytest.mark.parametrize("operation", ["modify_user", "add_tags_to_resource"])
@pytest.mark.parametrize("how", ["closed", "busy"])
def test_a_fence_whose_answer_was_lost_is_looked_at(
    front: all_of_aws.Front, world: World, machine: Caches, operation: str, how: str
) -> None:
    database = world.port()
    assert known(database.read(EAST)).writable
    state = known(database.fence_state(EAST, WEST))
    front.outages.lose(how, operation=operation, times=1)
    with pytest.raises(OutcomeUnknown):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert fence(world) is FenceOutcome.PROVEN
    assert [one for one in machine.modified if one[2] == NOTHING] == [(EAST, "shop-e", NOTHING)]
    state = known(database.fence_state(EAST, WEST))
    database.unfence(EAST, expect=state, call=Calls().make(11))
    eventually(world, lambda: database.read(EAST), lambda seen: seen.writable)
    assert machine.modified[-1] == (EAST, "shop-e", caches.ACCESS)


def test_rules_that_let_nothing_run_are_known_in_all_their_words() -> None:
    for shut in (NOTHING, "off ~* -@all", "on nopass sanitize-payload ~* resetchannels -@all", "on nocommands"):
        assert may_nothing(shut), shut
    for free in ("on ~* +@all", "on ~* -@all +get", "on allcommands", "on ~*", "", "on ~* -@all (~x +set)"):
        assert not may_nothing(free), free
