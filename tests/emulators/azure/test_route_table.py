"""network: route-table against a stand-in: its wire is what Microsoft's package says, its packets go over sockets."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls, Harness
from cloudfail.testing.network_suite import NetworkSuite
from cloudfail_azure import provider
from cloudfail_azure.network.tables import leading
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.paths_world import DELETE, FAR, HOPS, KIND, MARK, NEAR, PUT, TableSite
from tests.emulators.azure.standins.route_tables import TABLES, RouteTables
from tests.emulators.leading import LedRun
from tests.path_server import Greeter, greeting

pytestmark = pytest.mark.timeout(300)
NETWORK = "azure.mgmt.network"


@pytest.fixture(scope="module")
def greeters() -> Iterator[dict[str, Greeter]]:
    with greeting(WEST, NORTH) as made:
        yield made


@pytest.fixture
def path(
    azure: Front,
    serving: Callable[[str, Any], Any],
    greeters: dict[str, Greeter],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TableSite]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    made = TableSite(azure, serving(NETWORK, RouteTables(seconds=0.1)), greeters)
    azure.forget()
    yield made
    made.close()


class TestRouteTable(NetworkSuite):
    @pytest.fixture
    def world(self, path: TableSite) -> Harness:
        return path


def acted(path: TableSite, memory: Any = None, epoch: int = 10) -> Todo:
    todo = path.look(memory)
    assert isinstance(todo, Todo), todo
    path.act(todo, memory, epoch)
    path.machine.end()
    return todo


# ---- a move


def test_a_step_is_done_when_the_other_region_is_heard_through_it(path: TableSite) -> None:
    done = path.drive()
    assert isinstance(done, Done), done
    assert f"220 {NORTH}" in done.detail
    assert path.changes() == [PUT, PUT]
    assert path.hop(NEAR) == path.hop(FAR) == HOPS[NORTH]


def test_nothing_else_of_the_table_is_changed(path: TableSite) -> None:
    before = path.machine.routes(path.table)
    assert isinstance(path.drive(), Done)
    after = path.machine.routes(path.table)
    assert set(after) == set(before)
    assert after["out"] == before["out"]
    for name in ("to-near", "to-far"):
        was = before[name]["properties"]
        assert after[name]["properties"] == was | {"nextHopIpAddress": HOPS[NORTH], "nextHopType": "VirtualAppliance"}
    assert path.machine.tags(path.table) == {"team": "shop", "cloudfail-shop-epoch": "10"}


def test_the_mark_is_written_once_and_before_the_first_change(path: TableSite) -> None:
    assert isinstance(path.drive(), Done)
    assert [one.operation for one in path.front.seen(mutating=True)] == [MARK, PUT, PUT]


def test_a_gateway_is_a_next_hop_too(path: TableSite) -> None:
    path.resource.members[NORTH]["hop"] = "VirtualNetworkGateway"
    acted(path)
    told = path.machine.routes(path.table)["to-near"]["properties"]
    assert told["nextHopType"] == "VirtualNetworkGateway"
    assert "nextHopIpAddress" not in told


def test_an_address_in_another_form_is_the_same_next_hop(path: TableSite) -> None:
    path.resource.members[NORTH]["hop"] = "2001:db8::4"
    path.machine.set_route(path.table, "to-near", NEAR, "2001:0DB8:0:0::4")
    assert path.state().points[f"{path.table} {NEAR}"] == (NORTH,)


def test_there_is_no_moment_without_a_route(path: TableSite) -> None:
    """Packets are sent all the while, there and back."""
    over, seen = threading.Event(), set()

    def send() -> None:
        while not over.is_set():
            seen.update(path.hop(destination) for destination in (NEAR, FAR))

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    first = path.look()
    assert isinstance(first, Todo)
    assert isinstance(path.drive(), Done)
    assert isinstance(path.drive(first.memory), Done)
    over.set()
    sender.join(10)
    assert seen == set(HOPS.values())


@pytest.mark.parametrize("nth", [1, 2])
def test_it_is_taken_back_to_where_the_first_intent_saw_it(path: TableSite, nth: int) -> None:
    before = path.state().points
    first = acted(path)
    for _ in range(nth - 1):
        acted(path)
    assert isinstance(path.drive(first.memory), Done)
    assert path.state().points == before
    assert path.goes() == path.greeters[WEST].port


def test_a_route_that_was_not_there_is_created_under_a_name_of_ours_and_taken_back(path: TableSite) -> None:
    path.machine.remove(path.table, "to-far")
    first = path.look()
    assert isinstance(first, Todo)
    assert isinstance(path.drive(), Done)
    assert "cloudfail-shop-10.30.0.0-16" in path.machine.routes(path.table)
    path.drive(first.memory)
    assert set(path.machine.routes(path.table)) == {"to-near", "out"}
    assert path.hop(FAR) == "Internet"
    assert path.changes().count(DELETE) == 1


def test_a_route_that_no_run_made_is_never_deleted(path: TableSite) -> None:
    state = path.state()
    with pytest.raises(Permanent, match="made by no run"):
        path.order(dict.fromkeys(state.points, ()), state)
    assert path.changes() == []


# ---- what Azure's word is worth


def test_an_operation_that_succeeded_and_led_to_nothing_completes_nothing(path: TableSite) -> None:
    path.machine.obeying = False
    first = acted(path)
    again = path.look()
    assert isinstance(again, Todo)
    assert again.effect == first.effect
    path.machine.obeying = True
    assert isinstance(path.drive(), Done)
    assert path.changes() == [PUT, PUT, PUT]


def test_packets_that_do_not_follow_keep_the_step_open(path: TableSite) -> None:
    path.packets.freeze()
    seen = path.drive()
    assert isinstance(seen, Moving)
    assert "does not lead there" in seen.detail
    path.packets.follow()
    assert isinstance(path.look(), Done)


@pytest.mark.parametrize(("ending", "code"), [("Failed", "InternalServerError"), ("Canceled", "Canceled")])
def test_an_operation_that_ends_badly_is_in_doubt_and_completes_nothing(
    path: TableSite, ending: str, code: str
) -> None:
    path.machine.ending, path.machine.code = ending, code
    todo = path.look()
    assert isinstance(todo, Todo)
    with pytest.raises(OutcomeUnknown, match=ending):
        path.act(todo)
    path.machine.ending = ""
    seen = path.drive()
    assert isinstance(seen, Moving)
    assert "Azure says Failed of the route" in seen.detail
    assert path.hop(NEAR) == HOPS[WEST]
    assert path.hop(FAR) == HOPS[NORTH]


def test_where_nothing_is_named_that_must_answer_the_result_says_so(path: TableSite) -> None:
    for member in path.resource.members.values():
        member["reach"] = None
    done = path.drive()
    assert isinstance(done, Done)
    assert "only what Azure says of it was read" in done.detail


# ---- a network that fails


@pytest.mark.parametrize("how", ["closed", "busy"])
def test_a_lost_answer_is_in_doubt_and_each_order_is_given_once(path: TableSite, how: str) -> None:
    fault = path.front.outages.lose(how, operation=PUT, times=1)
    todo = path.look()
    assert isinstance(todo, Todo)
    with pytest.raises(OutcomeUnknown):
        path.act(todo)
    assert isinstance(path.drive(), Done)
    assert fault.hits == 1
    assert path.changes() == [PUT, PUT]


def test_a_black_hole_is_unknown_and_takes_no_order(path: TableSite) -> None:
    state, points = path.state(), path.to(NORTH)
    path.front.outages.silence()
    assert isinstance(path.look(), NotKnown)
    with pytest.raises(Transient):
        path.order(points, state, replace(Calls().make(), timeout_seconds=5.0))
    assert path.changes() == []


def test_a_stale_look_after_the_change_orders_nothing_wrong(path: TableSite) -> None:
    first = acted(path)
    now = path.state().points
    fault = path.front.outages.stale(600.0)
    with contextlib.suppress(Conflict, Permanent, Transient, OutcomeUnknown):
        path.act(first)
    assert fault.hits
    path.front.outages.heal()
    path.machine.end()
    assert path.state().points == now
    assert isinstance(path.drive(), Done)


def test_an_answer_without_the_routes_is_no_answer(path: TableSite) -> None:
    del path.machine.at(path.table)["properties"]["routes"]
    read = path.port().read()
    assert isinstance(read, Unknown)
    assert "does not tell the routes" in read.reason


# ---- others who write


def test_nothing_is_ordered_on_top_of_what_is_under_way(path: TableSite) -> None:
    path.machine.seconds = 3600.0
    points, todo = path.to(NORTH), path.look()
    assert isinstance(todo, Todo)
    path.act(todo)
    seen = path.look()
    assert isinstance(seen, Moving)
    assert "is Updating" in seen.detail
    with pytest.raises(Transient, match="takes no order"):
        path.order(points, path.state())
    assert path.changes() == [PUT]


def test_somebody_elses_operation_on_the_table_is_waited_for(path: TableSite) -> None:
    """The next change is refused as RetryableError, without an effect."""
    expect, points = path.state(), path.to(NORTH)
    acted(path)
    path.machine.set_route(path.table, "to-near", NEAR, HOPS[WEST])
    fault = path.front.outages.fail("RetryableError", 429, operation=PUT, times=1)
    with contextlib.suppress(Transient):
        path.order(points, expect)
    assert fault.hits == 1
    path.machine.end()
    assert isinstance(path.drive(), Done)


def test_who_comes_between_the_look_and_the_request_is_not_overwritten(path: TableSite) -> None:
    """The ETag that was seen is no longer so."""
    path.machine.meanwhile = lambda: path.machine.set_route(path.table, "to-near", NEAR, "10.9.9.9")
    todo = path.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Conflict, match="does not match"):
        path.act(todo)
    assert path.hop(NEAR) == "10.9.9.9"


def test_a_next_hop_that_is_no_members_is_nobodys_to_change(path: TableSite) -> None:
    state, points = path.state(), path.to(NORTH)
    path.machine.set_route(path.table, "to-far", FAR, "10.9.9.9")
    read = path.port().read()
    assert isinstance(read, Unknown)
    assert "10.9.9.9, which is no member of path" in read.reason
    with pytest.raises(Conflict, match="no member"):
        path.order(points, state)
    assert path.changes() == []


def test_a_worker_of_an_older_epoch_finds_the_newer_mark_and_changes_nothing(path: TableSite) -> None:
    acted(path, epoch=20)
    state = path.state()
    assert state.epoch == 20
    with pytest.raises(Conflict, match="epoch 20"):
        path.order(path.to(WEST), state, Calls().make(19))
    assert path.state().points == state.points


def test_the_epochs_of_two_applications_have_nothing_to_do_with_each_other(path: TableSite) -> None:
    path.machine.at(path.table)["tags"]["cloudfail-other-epoch"] = "900"
    assert isinstance(path.drive(), Done)
    assert path.state().epoch == 10
    assert path.machine.tags(path.table)["cloudfail-other-epoch"] == "900"


def test_where_the_mark_may_not_be_written_the_change_is_made(path: TableSite) -> None:
    path.front.outages.fail("AuthorizationFailed", 403, operation=MARK)
    assert isinstance(path.drive(), Done)
    assert path.state().epoch is None


def test_a_lease_that_is_lost_before_the_request_stops_it(path: TableSite) -> None:
    state, points, checked = path.state(), path.to(NORTH), []

    def check() -> None:
        checked.append(1)
        if len(checked) > 1:
            raise LeaseLost("Another worker took over.")

    with pytest.raises(LeaseLost):
        path.order(points, state, replace(Calls().make(), check=check))
    assert path.changes() == []


def test_a_region_without_a_member_is_refused_for_good(path: TableSite) -> None:
    with pytest.raises(Permanent, match="no member in mars"):
        path.order(path.to("mars"), path.state())
    assert path.changes() == []


def test_a_table_that_stands_elsewhere_is_refused_by_name(path: TableSite) -> None:
    path.machine.at(path.table)["location"] = "West Europe"
    read = path.port().read()
    assert isinstance(read, Unknown)
    assert f"written for {NORTH}, stands in {WEST}" in read.reason


# ---- permissions, wire, run

NEEDS = {
    "route_tables.get": "Microsoft.Network/routeTables/read",
    "operation": "Microsoft.Network/locations/operations/read",
    MARK: "Microsoft.Network/routeTables/write",
    PUT: "Microsoft.Network/routeTables/routes/write",
    DELETE: "Microsoft.Network/routeTables/routes/delete",
}


def test_each_request_is_one_that_a_permission_is_asked_for(path: TableSite) -> None:
    assert KIND.permissions is not None
    said = KIND.permissions(path.resource, path.topology, [WEST, NORTH])
    path.machine.remove(path.table, "to-far")
    first = path.look()
    assert isinstance(first, Todo)
    assert isinstance(path.drive(), Done)
    path.drive(first.memory)
    assert {one.operation for one in path.front.seen()} == set(NEEDS)
    watched = {action for grant in said.watch for action in grant.actions}
    results = "Microsoft.Network/locations/operationResults/read"  # where a deletion's `Location` leads
    assert watched == {NEEDS["route_tables.get"], NEEDS["operation"], results}
    assert {action for grant in said.execute for action in grant.actions} == set(NEEDS.values()) - watched


def test_what_is_sent_and_told_is_in_the_form_of_microsofts_own_examples() -> None:
    """azure-rest-api-specs, Microsoft.Network/stable/2023-09-01/examples: RouteTableRouteCreate.json."""
    asked = {"properties": {"addressPrefix": "10.0.3.0/24", "nextHopType": "VirtualNetworkGateway"}}
    assert leading("10.0.3.0/24", "VirtualNetworkGateway") == asked
    told = {
        "name": "route1",
        "id": f"{TABLES}/testrt/routes/route1",
        "properties": {"provisioningState": "Succeeded", **asked["properties"]},
    }
    described = contract(NETWORK)
    found = described.find("PUT", str(told["id"]))
    assert found is not None
    assert found[0].name == PUT
    assert described.offences(found[0].body, asked, asked=True) == []
    assert described.offences(found[0].reply, told, asked=False) == []


FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {west}: {{provider: azure, account: {subscription}}}
  {north}: {{provider: azure, account: {subscription}}}
primary: {west}
state: "sqlite:state.db"
resources:
  backbone:
    network: route-table
    region: {north}
    tables: [{table}]
    destinations: ["{near}", "{far}"]
    answer_within: 20s
    members: {members}
"""
RUNBOOK = """\
name: reroute
mode: failover
steps:
  path:    {action: network.route, with: {network: backbone}, limit: 2m, retries: 0}
  approve: {gate: approval, needs: [path], expires: 10m}
"""


def run_of(path: TableSite, folder: Path) -> LedRun:
    path.machine.seconds = 0.0  # waiting costs the run no time, so that none passes for an operation either
    members = json.dumps({region: dict(one) for region, one in path.resource.members.items()})
    text = FILE.format(
        west=WEST, north=NORTH, subscription=SUBSCRIPTION, table=path.table, near=NEAR, far=FAR, members=members
    )
    (folder / "cloudfail.yaml").write_text(text)
    (folder / "reroute.yaml").write_text(RUNBOOK)
    loaded = config.load(folder / "cloudfail.yaml", [folder / "reroute.yaml"], {"azure": provider})
    return LedRun(loaded, "reroute", WEST, NORTH)


def test_a_run_announces_each_effect_and_an_abort_at_the_gate_leads_it_back(path: TableSite, tmp_path: Path) -> None:
    run = run_of(path, tmp_path)
    state = run.drive()
    assert state.phase is Phase.GATED, state.story
    assert f"says '220 {NORTH}'" in state.did("path").detail
    assert path.hop(NEAR) == path.hop(FAR) == HOPS[NORTH]
    effects = run.effects()
    assert len(effects) == len(set(effects)) == 2
    assert path.changes() == [PUT, PUT]
    run.command("abort")
    assert run.drive().phase is Phase.UNDONE
    assert path.hop(NEAR) == path.hop(FAR) == HOPS[WEST]


def test_a_run_whose_packets_do_not_follow_is_not_done(path: TableSite, tmp_path: Path) -> None:
    path.packets.freeze()
    state = run_of(path, tmp_path).drive()
    assert state.phase is Phase.HALTED, state.story
    assert path.changes() == [PUT, PUT]
