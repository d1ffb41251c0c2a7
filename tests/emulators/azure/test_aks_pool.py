"""compute: aks-pool against stand-ins: their wire is what Microsoft's packages say, nodes are real listeners."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.testing.conformance import Calls, ComputeSuite, Harness, eventually, known
from cloudfail_azure.compute import KINDS
from cloudfail_azure.compute.aks_pool import AgentPools, written_back
from cloudfail_azure.compute.marks import Bounds
from tests.emulators.azure.balancing import NORTH, WEST, call
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import Front
from tests.emulators.azure.sizes import Workers, answering
from tests.emulators.azure.standins.aks import Pools
from tests.emulators.azure.standins.scale_sets import ScaleSets

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "aks-pool")
PUT = "agent_pools.create_or_update"


class Site(Workers):
    """A pool in each region, of which the north's has the autoscaler: two nodes, at least one, at most four."""

    def __init__(self, azure: Front, serve: Callable[[str, Any], Any], *, sized: bool = True) -> None:
        super().__init__(azure, KIND, AgentPools)
        self.sets: ScaleSets = serve("azure.mgmt.compute", ScaleSets())
        self.sets.checked = False
        self.aks: Pools = serve("azure.mgmt.containerservice", Pools(self.sets))
        west = self.aks.pool("shop-w", "web", WEST, 3)
        self.ids = {WEST: west, NORTH: self.aks.pool("shop-n", "web", NORTH, 2, (1, 4) if sized else None)}

    def members(self) -> dict[str, Any]:
        return dict(self.ids)

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = self.aks.at(self.ids[NORTH])["properties"]
        return found

    def bounds(self) -> tuple[int, int, int]:
        told = self.told()
        return told["minCount"], told["maxCount"], told["count"]

    def cluster(self) -> dict[str, Any]:
        found: dict[str, Any] = self.aks.at(self.ids[NORTH].partition("/agentPools")[0])["properties"]
        return found

    def asked_for(self, count: int) -> None:
        self.aks.asked_for[self.ids[NORTH].lower()] = count


@pytest.fixture
def world(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    site = Site(azure, serving)
    with contextlib.closing(site.sets):
        yield site


@pytest.fixture
def by_hand(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    site = Site(azure, serving, sized=False)
    with contextlib.closing(site.sets):
        yield site


class TestAksPool(ComputeSuite):
    """The world is the module's."""

    def test_it_can_be_set_back(self, world: Harness) -> None:
        """As there, once what it ordered has ended."""
        state, calls = known(self.read(world)), Calls()
        self.change(world, state.wanted + 2, state, calls.make())
        seen = eventually(
            world, lambda: self.read(world), lambda seen: seen.wanted == state.wanted + 2 and not seen.moving
        )
        self.change(world, state.wanted, seen, calls.make(11))
        eventually(world, lambda: self.read(world), lambda seen: seen.wanted == state.wanted and not seen.moving)

    def test_scale_in_is_held_and_let_go(self, world: Harness) -> None:
        """As there, once what each of them ordered has ended."""
        for held in (True, False):
            state = eventually(world, lambda: self.read(world), lambda seen: not seen.moving)
            world.port().hold(world.target, held, expect=state, call=Calls().make())
            eventually(world, lambda: self.read(world), lambda seen, held=held: seen.scale_in_held is held)  # type: ignore[misc]


def test_floor_and_count_are_ordered_at_once_and_the_floor_goes_back_by_its_own_run(world: Site) -> None:
    before = {**world.told()}
    world.scaled(6)
    assert world.bounds() == (6, 6, 6)
    assert world.told()["tags"] == {"team": "shop", "cloudfail-epoch": "10 r1", "cloudfail-before": "r1 1/4/1"}
    world.scaled(1)
    assert world.bounds()[:2] == (1, 6), "its maximum is no less than the nodes that there are"
    world.until(lambda: world.bounds()[2] == 2)
    changed = {key for key, value in before.items() if world.told().get(key) != value}
    assert changed <= {"eTag", "maxCount", "tags"}, "all else is as it was"
    assert world.front.count(service="compute", mutating=True) == 0, "the scale set is AKS's own"


def test_a_floor_without_its_nodes_is_not_wanted_yet(world: Site) -> None:
    """A spot node was taken, say, and the autoscaler has not made another one."""
    world.scaled(4)
    world.told()["count"] = 3
    world.asked_for(3)
    state = world.state()
    assert state.wanted == 3
    assert isinstance(world.step(4), Todo)
    world.scaled(4)
    assert world.bounds()[2] == 4


def test_a_pool_that_nobody_sizes_is_given_its_count(by_hand: Site) -> None:
    by_hand.scaled(5)
    assert by_hand.told()["count"] == 5
    assert "minCount" not in by_hand.told()
    with pytest.raises(Permanent, match="no cluster autoscaler"):
        by_hand.port().hold(NORTH, True, expect=by_hand.state(), call=call())
    by_hand.scaled(2)
    assert by_hand.told()["tags"] == {"team": "shop", "cloudfail-epoch": "10 r1"}


def test_who_changed_the_pool_between_the_look_and_the_request_is_not_overwritten(by_hand: Site) -> None:
    expect = by_hand.state()
    by_hand.front.outages.stale(3600, operation="agent_pools.get")
    by_hand.state()
    by_hand.aks.touch(by_hand.ids[NORTH])
    with pytest.raises(Conflict, match="PreconditionFailed"):
        by_hand.port().scale(NORTH, 5, expect=expect, call=call())
    assert by_hand.told()["count"] == 2


def test_a_call_that_lands_late_is_refused_by_its_etag(by_hand: Site) -> None:
    fault = by_hand.front.outages.hold(operation=PUT, times=1)
    expect = by_hand.state()
    with pytest.raises(OutcomeUnknown):
        by_hand.port().scale(NORTH, 9, expect=expect, call=call(11))
    by_hand.scaled(3, call(12))
    (answer,) = fault.land()
    assert getattr(answer, "status", 0) == 412
    by_hand.aks.end()
    assert by_hand.told()["count"] == 3


def test_nothing_is_ordered_on_top_of_what_is_under_way(by_hand: Site) -> None:
    by_hand.aks.seconds = 3600
    expect = by_hand.state()
    by_hand.port().scale(NORTH, 3, expect=expect, call=call())
    state = by_hand.state()
    assert (state.wanted, state.running) == (3, 2) and "Scaling" in state.moving
    assert isinstance(by_hand.step(3), Moving)
    with pytest.raises(Transient, match="Scaling"):
        by_hand.port().scale(NORTH, 4, expect=state, call=call())
    # One that the look does not show yet: AKS refuses it, and that is looked at again.
    by_hand.told()["provisioningState"] = "Succeeded"
    with pytest.raises(Transient, match="in progress"):
        by_hand.port().scale(NORTH, 4, expect=by_hand.state(), call=call())
    by_hand.front.outages.fail("OperationNotAllowed", 409, "The quota does not allow it.", operation=PUT)
    with pytest.raises(Permanent, match="quota"):
        by_hand.port().scale(NORTH, 4, expect=by_hand.state(), call=call())


def test_what_is_under_way_on_the_cluster_is_waited_for_too(by_hand: Site) -> None:
    by_hand.cluster()["provisioningState"] = "Upgrading"
    assert "shop-n that it is Upgrading" in by_hand.state().moving
    with pytest.raises(Transient):
        by_hand.port().scale(NORTH, 3, expect=by_hand.state(), call=call())


@pytest.mark.parametrize("style", ["status", "location"])
@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_an_operation_that_ends_badly_is_not_done_and_is_given_again(by_hand: Site, style: str, ending: str) -> None:
    by_hand.aks.style, by_hand.aks.ending, by_hand.aks.code = style, ending, "InternalExecutionError"
    if style == "status":
        with pytest.raises(OutcomeUnknown, match="InternalExecutionError"):
            by_hand.port().scale(NORTH, 5, expect=by_hand.state(), call=call())
    else:
        # A PUT answers 200, where `Location` is not asked for: what is read afterwards tells.
        by_hand.port().scale(NORTH, 5, expect=by_hand.state(), call=call())
    by_hand.aks.end()
    state = by_hand.state()
    assert (state.wanted, state.running, by_hand.told()["count"]) == (2, 2, 5)
    assert isinstance(by_hand.step(5), Todo)
    by_hand.aks.ending = ""
    by_hand.scaled(5)
    by_hand.until(lambda: isinstance(by_hand.step(5), Done))
    assert by_hand.told()["tags"]["cloudfail-before"] == "r1 2/2/2", "what stood before is what stood before the run"


def test_no_room_is_told_at_once(by_hand: Site) -> None:
    by_hand.aks.ending, by_hand.aks.code = "Failed", "AllocationFailed"
    with pytest.raises(Transient, match="AllocationFailed"):
        by_hand.port().scale(NORTH, 5, expect=by_hand.state(), call=call())


@pytest.mark.parametrize("which", ["pool", "cluster"])
def test_what_is_stopped_runs_nothing_wants_nothing_and_is_not_scaled(by_hand: Site, which: str) -> None:
    (by_hand.told() if which == "pool" else by_hand.cluster())["powerState"] = {"code": "Stopped"}
    state = by_hand.state()
    assert (state.wanted, state.running, state.healthy) == (0, 0, 0)
    with pytest.raises(Permanent, match="is stopped") as raised:
        by_hand.port().scale(NORTH, 2, expect=state, call=call())
    assert (
        raised.value.to_do
        == {
            "pool": "Start it: az aks nodepool start --resource-group shop --cluster-name shop-n --nodepool-name web",
            "cluster": "Start it: az aks start --resource-group shop --name shop-n",
        }[which]
    )
    assert by_hand.front.count(mutating=True) == 0


def test_a_node_that_does_not_run_does_not_count(world: Site) -> None:
    world.sets.boots = False
    world.scaled(3)
    state = world.state()
    assert (state.wanted, state.running, state.healthy) == (3, 2, 2)
    assert isinstance(world.step(3), Moving)
    world.sets.boots = True
    world.until(lambda: isinstance(world.step(3), Done))


def test_healthy_is_nobody_while_the_url_does_not_answer(world: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    with answering() as url:
        north = {"pool": world.ids[NORTH], "url": url}
        assert known(world.made({NORTH: north}).read(NORTH)).healthy == 2
    assert known(world.made({NORTH: north}).read(NORTH)).healthy == 0


def test_the_room_is_what_leaves_less_of_the_two_quotas(world: Site) -> None:
    def room() -> Any:
        read = world.port().room(NORTH)
        assert isinstance(read, Known), read.reason
        return read.value

    assert room().pool.startswith("quota standardDSv5Family of ")
    assert (room().each, room().own, room().at_most) == (2.0, 2, 7), "20, less the 6 of others"
    world.sets.quotas["cores"] = (100, 96)
    assert (room().pool.split(" of ")[0], room().at_most) == ("quota cores", 4)
    world.told()["capacityReservationGroupID"] = (
        f"{world.ids[NORTH].partition('/Microsoft.ContainerService')[0]}/Microsoft.Compute/capacityReservationGroups/g"
    )
    world.sets.reserved["Standard_D2s_v5"] = (5, 2)
    assert (room().reserved, room().at_most) == (3, 7)
    world.front.outages.fail("AuthorizationFailed", 403, operation="usage.list")
    assert isinstance(world.port().room(NORTH), Unknown)
    world.front.outages.heal()
    world.told()["scaleSetPriority"] = "Spot"
    assert isinstance(world.port().room(NORTH), Unknown)


def test_pools_of_another_kind_and_of_another_region_are_refused(by_hand: Site) -> None:
    read = by_hand.made({NORTH: by_hand.ids[WEST]}).read(NORTH)
    assert isinstance(read, Unknown) and "stands in westeurope" in read.reason
    by_hand.told()["type"] = "VirtualMachines"
    read = by_hand.port().read(NORTH)
    assert isinstance(read, Unknown) and "of the type VirtualMachines" in read.reason


def test_success_that_nothing_follows_completes_nothing(by_hand: Site) -> None:
    by_hand.aks.obeying = False
    by_hand.port().scale(NORTH, 3, expect=by_hand.state(), call=call())
    by_hand.aks.end()
    assert isinstance(by_hand.step(3), Todo)


def test_an_older_lease_changes_nothing(by_hand: Site) -> None:
    by_hand.scaled(4, call(12))
    with pytest.raises(Conflict, match="epoch 12, later"):
        by_hand.port().scale(NORTH, 3, expect=by_hand.state(), call=call(11))


def test_nothing_is_asked_of_the_other_region(world: Site) -> None:
    world.front.outages.silence(region=WEST)
    world.front.forget()
    world.scaled(3)
    world.held(True)
    assert world.front.count(region=WEST) == 0


# Azure/azure-rest-api-specs, specification/containerservice/resource-manager/Microsoft.ContainerService/aks/stable/
# 2025-10-01/examples/AgentPoolsGet.json, and the request of AgentPools_Update.json.
GET: dict[str, Any] = {
    "name": "agentpool1",
    "id": "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/rg1/providers/Microsoft.ContainerService/"
    "managedClusters/clustername1/agentPools/agentpool1",
    "properties": {
        "count": 3,
        "currentOrchestratorVersion": "1.9.6",
        "eTag": "ebwiyfneowv",
        "maxPods": 110,
        "nodeImageVersion": "AKSUbuntu:1604:2020.03.11",
        "orchestratorVersion": "1.9.6",
        "osType": "Linux",
        "provisioningState": "Succeeded",
        "upgradeSettings": {"maxSurge": "33%"},
        "vmSize": "Standard_DS1_v2",
    },
}
UPDATE: dict[str, Any] = {
    "properties": {
        "orchestratorVersion": "",
        "count": 3,
        "enableAutoScaling": True,
        "minCount": 2,
        "maxCount": 2,
        "vmSize": "Standard_DS1_v2",
        "osType": "Linux",
        "nodeTaints": ["Key1=Value1:NoSchedule"],
        "scaleSetPriority": "Spot",
        "scaleSetEvictionPolicy": "Delete",
    }
}


def test_microsofts_own_examples_go_back_as_its_reference_has_them() -> None:
    described = contract("azure.mgmt.containerservice")
    assert described.offences("AgentPool", GET, asked=False) == []
    body = {"properties": written_back(GET["properties"], Bounds(5, 5, 5), {"cloudfail-epoch": "10 r1"})}
    assert described.offences("AgentPool", body, asked=True) == []
    assert body["properties"] == {
        "count": 5,
        "maxPods": 110,
        "orchestratorVersion": "1.9.6",
        "osType": "Linux",
        "upgradeSettings": {"maxSurge": "33%"},
        "vmSize": "Standard_DS1_v2",
        "tags": {"cloudfail-epoch": "10 r1"},
    }
    body = {"properties": written_back(UPDATE["properties"], Bounds(4, 6, 4), {})}
    assert described.offences("AgentPool", body, asked=True) == []
    assert body["properties"] == {**UPDATE["properties"], "count": 4, "minCount": 4, "maxCount": 6, "tags": {}}
