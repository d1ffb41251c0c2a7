"""network: public-ip against a stand-in: its wire is what Microsoft's package says, its packets go over sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import ConfigError, Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.execution.lifecycle import Phase
from cloudfail.lint import lint
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls, Harness
from cloudfail.testing.network_suite import NetworkSuite
from cloudfail_azure import provider
from cloudfail_azure.network import public_ip
from tests.emulators.azure.address_world import FRONTENDS, HOME, KIND, MARK, NICS, PUT, SWAP, AddressSite
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.public_addresses import PublicAddresses
from tests.emulators.leading import LedRun
from tests.path_server import Greeter, greeting

pytestmark = pytest.mark.timeout(300)
NETWORK = "azure.mgmt.network"


@pytest.fixture(scope="module")
def greeters() -> Iterator[dict[str, Greeter]]:
    with greeting(WEST, NORTH) as made:
        yield made


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> PublicAddresses:
    made: PublicAddresses = serving(NETWORK, PublicAddresses(seconds=0.05))
    return made


@pytest.fixture(params=[NICS])
def vip(
    request: pytest.FixtureRequest,
    azure: Front,
    machine: PublicAddresses,
    greeters: dict[str, Greeter],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AddressSite]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    made = AddressSite(azure, machine, greeters, request.param)
    azure.forget()
    yield made
    made.close()


swapped = pytest.mark.parametrize("vip", [FRONTENDS], indirect=True)
either = pytest.mark.parametrize("vip", [NICS, FRONTENDS], indirect=True)


class TestPublicIp(NetworkSuite):
    verb = "move_address"

    @pytest.fixture
    def world(self, vip: AddressSite) -> Harness:
        return vip


def acted(vip: AddressSite, memory: Any = None, epoch: int = 10) -> Todo:
    todo = vip.look(memory)
    assert isinstance(todo, Todo), todo
    vip.act(todo, memory, epoch)
    vip.machine.end()
    return todo


# ---- between interfaces


def test_a_move_is_two_effects_with_nobody_between_and_the_words_say_so(vip: AddressSite) -> None:
    assert acted(vip).effect == f"give path to {NORTH} (now {WEST})"
    assert vip.state().points == {vip.address: ()}
    assert vip.machine.carries(vip.address) == ""
    assert acted(vip).effect == f"give path to {NORTH} (now nowhere)"
    done = vip.look()
    assert isinstance(done, Done) and f"220 {NORTH}" in done.detail
    assert [one.operation for one in vip.front.seen(mutating=True)] == [MARK, PUT, PUT]


def test_nothing_else_of_the_interfaces_and_the_address_is_changed(vip: AddressSite) -> None:
    def stands(region: str) -> dict[str, Any]:
        body = vip.machine.at(vip.holders[region].rsplit("/", 2)[0])
        config = body["properties"]["ipConfigurations"][0]["properties"]
        return {"tags": body["tags"], "more": body["properties"]["enableIPForwarding"]} | {
            key: one for key, one in config.items() if key not in ("publicIPAddress", "provisioningState")
        }

    before = {region: stands(region) for region in (WEST, NORTH)}
    assert isinstance(vip.drive(), Done)
    assert {region: stands(region) for region in (WEST, NORTH)} == before
    assert vip.machine.at(vip.address)["tags"] == {"team": "shop", "cloudfail-shop-epoch": "10"}


def test_a_holder_that_has_another_address_is_refused_before_this_one_is_let_go(vip: AddressSite) -> None:
    other = vip.machine.address("theirs", HOME, "192.0.2.99")
    vip.machine.hold(vip.holders[NORTH], other)
    todo = vip.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Permanent, match="theirs already") as raised:
        vip.act(todo)
    assert "az network nic ip-config update" in raised.value.to_do
    assert vip.changes() == []
    assert vip.machine.carries(vip.address) == vip.holders[WEST]


def test_one_whose_next_holder_cannot_be_read_is_not_let_go(vip: AddressSite) -> None:
    todo = vip.look()
    assert isinstance(todo, Todo)
    vip.machine.remove_interface(vip.holders[NORTH])
    with pytest.raises(Permanent, match="not found"):
        vip.act(todo)
    assert vip.changes() == []


def test_one_whose_next_holder_stands_in_another_region_is_not_let_go(vip: AddressSite) -> None:
    vip.machine.at(vip.holders[NORTH].rsplit("/", 2)[0])["location"] = "West Europe"
    todo = vip.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Permanent, match=f"written for {HOME}, stands in {WEST}"):
        vip.act(todo)
    assert vip.changes() == []


def test_a_free_address_is_given_in_one_effect_and_taken_back_to_nobody(vip: AddressSite) -> None:
    vip.machine.hold(vip.holders[WEST], "")
    first = vip.look()
    assert isinstance(first, Todo)
    assert isinstance(vip.drive(), Done)
    assert vip.changes() == [PUT]
    vip.drive(first.memory)
    assert vip.machine.carries(vip.address) == ""


def test_who_took_it_in_the_instant_before_the_request_keeps_it(vip: AddressSite) -> None:
    acted(vip)
    somebody = vip.machine.interface("somebody", HOME)
    todo = vip.look()
    assert isinstance(todo, Todo)
    vip.machine.meanwhile = lambda: vip.machine.hold(somebody, vip.address)
    with pytest.raises(Permanent, match="in use"):
        vip.act(todo)
    assert vip.machine.carries(vip.address) == somebody
    seen = vip.look()
    assert isinstance(seen, NotKnown) and "which is no member of path" in seen.reason


def test_an_interface_that_changed_in_that_instant_is_a_conflict(vip: AddressSite) -> None:
    todo = vip.look()
    assert isinstance(todo, Todo)
    vip.machine.meanwhile = lambda: vip.machine.touch(vip.holders[WEST].rsplit("/", 2)[0])
    with pytest.raises(Conflict, match="Etag"):
        vip.act(todo)
    assert vip.machine.carries(vip.address) == vip.holders[WEST]


def test_a_request_that_lands_late_is_refused_by_the_etag_that_is_gone(vip: AddressSite) -> None:
    first = vip.look()
    assert isinstance(first, Todo)
    held = vip.front.outages.hold(operation=PUT, times=1)
    with pytest.raises(OutcomeUnknown):
        vip.act(first, epoch=10)
    acted(vip, epoch=20)
    acted(vip, epoch=20)
    for _ in range(2):
        acted(vip, first.memory, 20)
    assert vip.machine.carries(vip.address) == vip.holders[WEST]
    held.land()
    vip.machine.end()
    assert vip.machine.carries(vip.address) == vip.holders[WEST]


# ---- between balancers


@swapped
def test_between_balancers_one_order_swaps_and_an_undo_swaps_back(vip: AddressSite) -> None:
    first = vip.look()
    assert isinstance(first, Todo)
    assert isinstance(vip.drive(), Done)
    assert vip.changes() == [SWAP]
    assert vip.machine.carries(vip.other) == vip.holders[WEST]
    assert isinstance(vip.drive(first.memory), Done)
    assert vip.machine.carries(vip.address) == vip.holders[WEST]
    assert vip.machine.carries(vip.other) == vip.holders[NORTH]


@swapped
def test_a_frontend_without_an_address_has_none_to_swap(vip: AddressSite) -> None:
    vip.machine.hold(vip.holders[NORTH], "")
    todo = vip.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Permanent, match="no public frontend"):
        vip.act(todo)
    vip.machine.hold(vip.holders[WEST], "")
    with pytest.raises(Permanent, match="held by nobody"):
        vip.order({vip.address: (NORTH,)}, vip.state())
    assert vip.changes() == []


@swapped
def test_a_swap_is_in_the_form_of_microsofts_own_example(vip: AddressSite) -> None:
    """learn.microsoft.com/rest/api/load-balancer/load-balancers/swap-public-ip-addresses, sample request."""
    assert isinstance(vip.drive(), Done)
    (asked,) = vip.front.seen(operation=SWAP)
    group = "/subscriptions/subid/resourceGroups"
    example = {
        "frontendIPConfigurations": [
            {
                "id": f"{group}/rg1/providers/Microsoft.Network/loadBalancers/lb1/frontendIPConfigurations/lbfe1",
                "properties": {
                    "publicIPAddress": {"id": f"{group}/rg2/providers/Microsoft.Network/publicIPAddresses/pip2"}
                },
            },
            {
                "id": f"{group}/rg2/providers/Microsoft.Network/loadBalancers/lb2/frontendIPConfigurations/lbfe2",
                "properties": {
                    "publicIPAddress": {"id": f"{group}/rg1/providers/Microsoft.Network/publicIPAddresses/pip1"}
                },
            },
        ]
    }
    assert contract(NETWORK).offences("LoadBalancerVipSwapRequest", example, asked=True) == []
    assert _shape(asked.body) == _shape(example)
    place = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/locations/{HOME}"
    assert asked.path == f"{place}/setLoadBalancerFrontendPublicIpAddresses"


# ---- either


@either
def test_success_that_nothing_follows_completes_nothing(vip: AddressSite) -> None:
    vip.machine.obeying = False
    acted(vip)
    assert isinstance(vip.look(), Todo)
    assert vip.machine.carries(vip.address) == vip.holders[WEST]
    vip.machine.obeying = True
    assert isinstance(vip.drive(), Done)


@pytest.mark.parametrize(("vip", "ending"), [(NICS, "Failed"), (FRONTENDS, "Canceled")], indirect=["vip"])
def test_an_order_that_ended_badly_is_in_doubt_and_completes_nothing(vip: AddressSite, ending: str) -> None:
    vip.machine.ending = ending
    todo = vip.look()
    assert isinstance(todo, Todo)
    with pytest.raises(OutcomeUnknown, match=f"ended as {ending}"):
        vip.act(todo)
    vip.machine.end()
    assert vip.machine.carries(vip.address) == vip.holders[WEST]
    assert not isinstance(vip.look(), Done), "what is told is not what packets do"


@either
def test_while_an_order_is_under_way_nothing_is_ordered_on_top(vip: AddressSite) -> None:
    vip.machine.seconds = 2.0
    todo = vip.look()
    assert isinstance(todo, Todo)
    vip.front.outages.lose("closed", mutating=True, after=1, times=1)
    with pytest.raises(OutcomeUnknown):
        vip.act(todo)
    before = vip.changes()
    if vip.sort == FRONTENDS:
        assert isinstance(vip.look(), Moving)
    vip.machine.end()
    assert vip.changes() == before
    assert isinstance(vip.drive(), Done)
    assert vip.changes().count(before[0]) == (2 if vip.sort == NICS else 1), "none was given twice"


@either
def test_packets_that_do_not_follow_keep_the_step_from_being_done(vip: AddressSite) -> None:
    vip.packets.freeze()
    for _ in range(3):
        todo = vip.look()
        if isinstance(todo, Todo):
            vip.act(todo)
            vip.machine.end()
    assert vip.machine.carries(vip.address) == vip.holders[NORTH]
    assert not isinstance(vip.look(), Done)
    vip.packets.follow()
    assert isinstance(vip.look(), Done)


def test_a_worker_of_an_older_epoch_finds_the_newer_mark_and_changes_nothing(vip: AddressSite) -> None:
    acted(vip, epoch=20)
    state = vip.state()
    assert state.epoch == 20
    with pytest.raises(Conflict, match="epoch 20"):
        vip.order({vip.address: (NORTH,)}, state, Calls().make(19))
    assert vip.changes() == [PUT]


def test_where_the_mark_may_not_be_written_the_change_is_made(vip: AddressSite) -> None:
    fault = vip.front.outages.fail("AuthorizationFailed", 403, operation=MARK)
    assert isinstance(vip.drive(), Done)
    assert fault.hits >= 1
    assert vip.state().epoch is None


def test_an_answer_that_is_lost_is_in_doubt_and_looking_settles_it(vip: AddressSite) -> None:
    todo = vip.look()
    assert isinstance(todo, Todo)
    fault = vip.front.outages.lose("closed", operation=PUT, times=1)
    with pytest.raises(OutcomeUnknown):
        vip.act(todo)
    assert fault.hits == 1
    vip.machine.end()
    assert isinstance(vip.drive(), Done)
    assert vip.changes() == [PUT, PUT]


@pytest.mark.parametrize("what", ["unavailable", "throttled", "reset", "silent"])
def test_where_nothing_is_done_nothing_is_claimed(vip: AddressSite, what: str) -> None:
    state, points, outages = vip.state(), vip.to(NORTH), vip.front.outages
    if what == "unavailable":
        outages.fail("ServiceUnavailable", 503)
    elif what == "throttled":
        outages.throttle()
    elif what == "reset":
        outages.refuse()
    else:
        outages.silence()
    with pytest.raises((Transient, OutcomeUnknown)):
        vip.order(points, state, replace(Calls().make(), timeout_seconds=1.0))
    outages.heal()
    assert vip.machine.carries(vip.address) == vip.holders[WEST]
    assert isinstance(vip.drive(), Done)


def test_an_address_that_stands_elsewhere_or_is_global_is_refused(vip: AddressSite) -> None:
    vip.machine.at(vip.address)["sku"]["tier"] = "Global"
    read = vip.port().read()
    assert isinstance(read, Unknown) and "Global tier" in read.reason
    vip.machine.at(vip.address)["sku"]["tier"] = "Regional"
    vip.machine.at(vip.holders[WEST].rsplit("/", 2)[0])["location"] = "West Europe"
    read = vip.port().read()
    assert isinstance(read, Unknown) and f"written for {HOME}, stands in {WEST}" in read.reason


def test_an_address_and_an_interface_that_disagree_are_unknown(
    vip: AddressSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vip.machine, "_told_holder", lambda _address: vip.holders[NORTH])
    read = vip.port().read()
    assert isinstance(read, Unknown) and "does not say so" in read.reason


def test_holders_of_two_sorts_and_one_holder_twice_are_refused(vip: AddressSite) -> None:
    frontend = vip.machine.public_frontend("lb", HOME, "")
    mixed = vip.described({WEST: vip.holders[WEST], NORTH: frontend})
    with pytest.raises(Refused, match="not between the two"):
        public_ip.build(mixed, vip.topology)
    twice = vip.described({WEST: vip.holders[WEST], NORTH: vip.holders[WEST].replace("west/", "WEST/")})
    with pytest.raises(Refused, match="a member's in"):
        public_ip.build(twice, vip.topology)


# ---- file and run

FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {west}: {{provider: azure, account: {subscription}}}
  {north}: {{provider: azure, account: {subscription}}}
primary: {west}
state: "sqlite:state.db"
resources:
  vip:
    network: public-ip
    region: {home}
    address: {address}
    answer_within: 20s
    members: {members}
"""
RUNBOOK = """\
name: readdress
mode: failover
steps:
  path:    {action: network.move_address, with: {network: vip}, limit: 2m, retries: 0}
  approve: {gate: approval, needs: [path], expires: 10m}
"""


def loaded(vip: AddressSite, folder: Path, home: str = HOME, **wrong: str) -> config.Loaded:
    members = json.dumps({region: dict(one) for region, one in vip.resource.members.items()})
    told = {"west": WEST, "north": NORTH, "subscription": SUBSCRIPTION, "home": home, "address": vip.address}
    (folder / "cloudfail.yaml").write_text(FILE.format(**(told | wrong), members=members))
    (folder / "readdress.yaml").write_text(RUNBOOK)
    return config.load(folder / "cloudfail.yaml", [folder / "readdress.yaml"], {"azure": provider})


@either
def test_a_run_announces_each_effect_and_an_abort_at_the_gate_leads_it_back(vip: AddressSite, tmp_path: Path) -> None:
    vip.machine.seconds = 0.0  # waiting costs the run no time, so that none passes for an operation either
    run = LedRun(loaded(vip, tmp_path), "readdress", WEST, NORTH)
    state = run.drive()
    assert state.phase is Phase.GATED, state.story
    assert f"says '220 {NORTH}'" in state.did("path").detail
    assert len(run.effects()) == (2 if vip.sort == NICS else 1)
    run.command("abort")
    assert run.drive().phase is Phase.UNDONE
    assert vip.machine.carries(vip.address) == vip.holders[WEST]


@pytest.mark.parametrize(("home", "refused"), [(WEST, True), (NORTH, False), (HOME, False)])
def test_lint_knows_that_an_address_needs_its_own_region(
    vip: AddressSite, tmp_path: Path, home: str, refused: bool
) -> None:
    found = [one.rule for one in lint(loaded(vip, tmp_path, home), source=WEST, target=NORTH)]
    assert ("control-plane-home" in found) is refused


def test_a_mistake_is_found_while_the_file_is_read(vip: AddressSite, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no id of a public IP address"):
        loaded(vip, tmp_path, address="vip")
    vip.resource.members[WEST]["holder"] = vip.address
    with pytest.raises(ConfigError, match="no id of an IP configuration"):
        loaded(vip, tmp_path)


def test_one_worker_at_a_time_moves_an_address(vip: AddressSite) -> None:
    assert KIND.shared_names(vip.resource, vip.topology) == (f"azure/network/{vip.address.lower()}",)


def _shape(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: _shape(one) for key, one in body.items()}
    return [_shape(one) for one in body] if isinstance(body, list) else type(body)
