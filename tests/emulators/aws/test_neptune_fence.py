"""The fences of database: neptune-global: a policy that denies writes, and what proves that it holds."""

from __future__ import annotations

import pytest

from cloudfail.errors import OutcomeUnknown
from cloudfail.model.observation import Unknown
from cloudfail.model.states import FenceOutcome
from cloudfail.testing.conformance import Calls, eventually, known
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.global_world import NAMES, Control, World
from tests.emulators.aws.graph_world import (
    IDS,
    WRITERS,
    Graphs,
    bare,
    control,
    fenced,
    made,
    member,
    servers,
    world,
)  # fmt: skip

__all__ = ["bare", "control", "servers", "world"]


def test_the_fence_denies_every_role_that_is_named_the_data_of_one_cluster_and_no_other(
    world: World, servers: Graphs
) -> None:
    database = world.port()
    assert fenced(database) is FenceOutcome.PROVEN
    assert servers.policies() == {one: [f"cloudfail-fence-{IDS[EAST]}"] for one in WRITERS}
    servers.follow(False, WEST)
    assert known(database.read(WEST)).writable, "the same role writes in the other region"


def test_a_policy_that_has_not_arrived_yet_is_no_proven_fence(world: World, servers: Graphs) -> None:
    """IAM says at once that it stands; the cluster lets writes in for a while."""
    servers.identities.late = True
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    early = known(database.fence_state(EAST, WEST))
    assert (early.outcome, early.methods_left) == (FenceOutcome.FAILED, ())
    assert known(database.read(EAST)).writable
    servers.identities.arrive()
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN


def test_where_clients_keep_connections_open_the_policy_proves_nothing(control: Control, servers: Graphs) -> None:
    """A Bolt or WebSocket connection was authorised when it was opened."""
    members = {region: member(servers, region) for region in NAMES}
    database = made(WorldClients(), members, requests_only=False)
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    after = database.fence_state(EAST, WEST)
    assert isinstance(after, Unknown)
    assert "Bolt or WebSocket" in after.reason


def test_a_process_that_has_just_begun_finds_the_fence_proven(world: World) -> None:
    assert fenced(world.port()) is FenceOutcome.PROVEN
    assert known(world.another().fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN


def test_a_role_that_nobody_may_take_on_is_no_write_that_was_refused(control: Control, servers: Graphs) -> None:
    """STS refused, and said nothing of what the cluster would do."""
    servers.identities.closed.add("shop")
    members = {region: member(servers, region) for region in NAMES}
    database = made(WorldClients(), members)
    assert not known(database.read(EAST)).writable
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    after = database.fence_state(EAST, WEST)
    assert isinstance(after, Unknown)
    assert "AssumeRole" in after.reason


def test_a_policy_that_somebody_changed_does_not_stand(world: World, servers: Graphs) -> None:
    database = world.port()
    assert fenced(database) is FenceOutcome.PROVEN
    role = servers.identities.roles["reports"]
    name = f"cloudfail-fence-{IDS[EAST]}"
    role.policies[name] = role.policies[name].replace("neptune-db:Write*", "neptune-db:Nothing*")
    state = known(database.fence_state(EAST, WEST))
    assert state.methods_left == ("iam",)
    database.fence(EAST, WEST, expect=state, call=Calls().make(11))
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
@pytest.mark.parametrize("operation", ["TagRole", "PutRolePolicy"])
def test_a_fence_of_which_an_answer_was_lost_is_put_up_by_the_next_look(
    world: World, servers: Graphs, operation: str, how: str
) -> None:
    servers.front.outages.lose(how, operation=operation, times=1)
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    with pytest.raises(OutcomeUnknown):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert known(database.fence_state(EAST, WEST)).methods_left == ("iam",), "one of two roles at the most"
    assert fenced(database) is FenceOutcome.PROVEN
    assert servers.front.count(operation="PutRolePolicy") <= 3


def test_without_iam_the_fence_is_unknown_or_owed_and_never_proven(world: World, servers: Graphs) -> None:
    servers.front.outages.silence(service="iam")
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    assert state.outcome is FenceOutcome.OWED
    assert "iam for us-east-1" in state.evidence


def test_with_the_old_region_gone_the_survivor_is_promoted_and_the_fence_is_owed(world: World) -> None:
    """Its region holds IAM's control plane too."""
    world.make_unreachable(EAST)
    database = world.port()
    fence = known(database.fence_state(EAST, WEST))
    assert fence.outcome is FenceOutcome.OWED
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)


def test_a_security_group_is_exchanged_and_put_back_and_proves_nothing(control: Control, servers: Graphs) -> None:
    clients = WorldClients()
    members = {EAST: member(servers, EAST, closed_group="sg-0closed"), WEST: member(servers, WEST)}
    database = made(clients, members, fences=["security-group"])
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert control.cluster.members[EAST].groups == ("sg-0closed",)
    after = known(database.fence_state(EAST, WEST))
    assert after.outcome is FenceOutcome.FAILED, "a write was let in all the same"
    database.unfence(EAST, expect=after, call=Calls().make(11))
    assert control.cluster.members[EAST].groups == ("sg-0own",)
