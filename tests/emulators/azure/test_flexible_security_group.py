"""The security group of a flexible server's subnet as a part of its fence: by the control plane, and by sockets whose
connections its rules let in or do not."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import FenceOutcome, FenceState
from cloudfail.testing.conformance import Calls, known
from cloudfail_azure.database.postgresql_flexible import PostgresqlFlexible
from cloudfail_azure.database.security_group_options import SecurityGroup
from tests.emulators.azure import flexible_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.flexible_world import IDS, KIND
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.security_groups import GROUPS, NETWORK, SecurityGroups
from tests.emulators.azure.test_flexible_control import PACKAGE

Serve = Callable[[str, Any], Any]
pytestmark = pytest.mark.timeout(300)

SUBNET = f"{NETWORK}/virtualNetworks/shop/subnets/orders-w"
OWN_SUBNET, ASKS_FROM = "10.1.4.0/28", "10.9.0.7/32"
INSIDE, WEB, CLOUDFAIL = "10.1.4.5", "10.1.0.20", "10.9.0.7"
DENY, KEEP, TAGS = "cloudfail-shop-orders-deny", "cloudfail-shop-orders-keep", "network_security_groups.update_tags"
PUT, DELETE = "security_rules.create_or_update", "security_rules.delete"


class Site:
    """orders-w in a subnet that one group guards, whose other rules are the shop's own."""

    def __init__(self, serving: Serve, *, style: str = "status", seconds: float = 0.0, **member: Any) -> None:
        self.servers = serving(PACKAGE, flexible_world.machine(public=False))
        self.servers.seconds = 0.0
        self.servers.at(IDS[WEST])["properties"]["network"]["delegatedSubnetResourceId"] = SUBNET
        self.groups: SecurityGroups = serving("azure.mgmt.network", SecurityGroups(style=style, seconds=seconds))
        self.id = self.groups.group("orders-w", WEST, SUBNET)
        self.groups.set_rule(self.id, "web", 200, "Allow", "10.1.0.0/16", "5432")
        self.groups.set_rule(self.id, "ssh", 110, "Allow", "10.1.0.0/16", "22")
        said = {"group": self.id, "keep": [OWN_SUBNET, ASKS_FROM], **member}
        self.members = {WEST: {"server": IDS[WEST], "security_group": said}, NORTH: IDS[NORTH]}
        self.database = self.port()
        self.before = self.groups.rules(self.id)

    def port(self) -> PostgresqlFlexible:
        return flexible_world.port(self.members, fences=["security-group"])

    def state(self) -> FenceState:
        return known(self.database.fence_state(WEST, NORTH))

    def fence(self, epoch: int = 10) -> None:
        """As a run does: look and order until nothing is left to be ordered."""
        for _ in range(20):
            self.groups.end()
            if not self.state().methods_left:
                return
            with contextlib.suppress(Transient):
                self.order(epoch)
        raise AssertionError("it never stood")

    def order(self, epoch: int = 10, seconds: float = 30.0) -> None:
        call = dataclasses.replace(Calls().make(epoch), timeout_seconds=seconds)
        self.database.fence(WEST, NORTH, expect=self.state(), call=call)

    def lift(self, epoch: int = 11) -> None:
        self.database.unfence(WEST, expect=self.state(), call=Calls().make(epoch))

    def lets_in(self) -> tuple[bool, bool, bool]:
        """The shop's web servers, a standby in the subnet, and cloudfail."""
        web, inside, own = (self.groups.lets_in(self.id, one, 5432) for one in (WEB, INSIDE, CLOUDFAIL))
        return web, inside, own


@pytest.fixture(params=["status", "location"])
def site(request: pytest.FixtureRequest, serving: Serve) -> Site:
    return Site(serving, style=request.param, seconds=0.05)


class Held:
    """A server on loopback that echoes; a new connection is let in as the group says, one that was made stays."""

    def __init__(self, lets_in: Callable[[], bool]) -> None:
        self._lets_in = lets_in
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._lets_in():
                    threading.Thread(target=self._echo, args=(client,), daemon=True).start()
                else:
                    client.close()

    @staticmethod
    def _echo(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            while said := client.recv(64):
                client.sendall(said)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def heard(connection: socket.socket) -> bool:
    """Whether what is written there comes back."""
    with contextlib.suppress(OSError):
        connection.sendall(b"one row")
        return connection.recv(64) == b"one row"
    return False


@pytest.fixture
def held(site: Site) -> Iterator[Held]:
    made = Held(lambda: site.groups.lets_in(site.id, WEB, 5432))
    yield made
    made.close()


def test_nobody_new_comes_in_and_who_was_in_goes_on_so_it_is_no_proof(site: Site, held: Held) -> None:
    with socket.create_connection(held.address, timeout=10) as older:
        assert heard(older)
        site.fence()
        with socket.create_connection(held.address, timeout=10) as newer:
            assert not heard(newer)
        assert heard(older), "a rule ends no connection that was made before"
        state = site.state()
        assert state.outcome is FenceOutcome.OWED
        assert "security-group stands, and proves nothing by itself" in state.evidence
        assert not site.database.fencing.cuts(WEST)
        site.lift()
        with socket.create_connection(held.address, timeout=10) as newer:
            assert heard(newer)


def test_who_is_to_stay_is_let_in_at_every_moment_and_all_is_as_before_afterwards(site: Site, azure: Front) -> None:
    moments: list[tuple[bool, bool, bool]] = []
    really = site.groups._hold

    def hold(group: str) -> None:
        really(group)
        moments.append(site.lets_in())

    site.groups._hold = hold  # type: ignore[method-assign]
    assert site.lets_in() == (True, True, True)
    site.fence()
    assert site.lets_in() == (False, True, True)
    assert [one["priority"] for name, one in sorted(site.groups.rules(site.id).items()) if "shop" in name] == [101, 100]
    assert site.groups.lets_in(site.id, WEB, 22), "other ports are left as they are"
    site.lift()
    assert site.lets_in() == (True, True, True)
    assert all(inside and own for _, inside, own in moments)
    assert site.groups.rules(site.id) == site.before
    assert site.groups.tags(site.id) == {"team": "shop", "cloudfail-shop-epoch": "11"}
    asked = [one.operation for one in azure.seen(mutating=True) if one.status < 300]
    assert asked == [TAGS, PUT, PUT, TAGS, DELETE, DELETE]


@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_an_operation_that_ends_otherwise_than_well_is_no_fence(site: Site, ending: str) -> None:
    site.groups.ending = ending
    with contextlib.suppress(OutcomeUnknown):
        site.order(seconds=5.0)
    site.groups.end()
    assert site.state().methods_left == ("security-group",)
    assert site.lets_in() == (True, True, True)
    site.groups.ending = ""
    site.fence(11)
    assert site.lets_in() == (False, True, True)


def test_what_is_told_as_done_and_is_not_there_is_no_fence(serving: Serve) -> None:
    site = Site(serving)
    site.groups.obeying = False
    site.order()
    assert site.state().methods_left == ("security-group",)


def test_what_was_broken_off_is_gone_on_with(serving: Serve, azure: Front) -> None:
    site = Site(serving)
    fault = azure.outages.fail("InternalServerError", 500, operation=PUT, after=1)
    with pytest.raises(OutcomeUnknown):
        site.order(seconds=5.0)
    assert site.lets_in() == (True, True, True), "only what stays was written"
    fault.lift()
    site.fence(11)
    assert site.lets_in() == (False, True, True)
    fault = azure.outages.fail("InternalServerError", 500, operation="security_rules.delete", after=1)
    with pytest.raises(OutcomeUnknown):
        site.lift(12)
    fault.lift()
    site.lift(12)
    assert site.groups.rules(site.id) == site.before


def test_while_something_else_is_done_to_the_group_it_waits(serving: Serve, azure: Front) -> None:
    site = Site(serving)
    azure.outages.fail("RetryableError", 429, operation=PUT, times=2)
    site.fence()
    assert site.lets_in() == (False, True, True)


def test_a_fence_of_a_newer_epoch_is_neither_lifted_nor_put_up_by_an_older_one(serving: Serve) -> None:
    site = Site(serving)
    free = site.state()
    site.fence(20)
    with pytest.raises(Conflict):
        site.lift(19)
    site.lift(20)
    with pytest.raises(Conflict):
        site.database.fence(WEST, NORTH, expect=free, call=Calls().make(19))
    assert site.groups.rules(site.id) == site.before


def test_a_rule_that_was_narrowed_by_hand_is_written_again(serving: Serve) -> None:
    site = Site(serving)
    site.fence()
    narrow = {"destinationAddressPrefix": "10.1.4.9"}
    site.groups.set_rule(site.id, DENY, 101, "Deny", "*", "5432", destinationPortRanges=["6432"], **narrow)
    assert site.state().methods_left == ("security-group",)
    site.fence(11)
    assert site.groups.rules(site.id)[DENY]["destinationAddressPrefix"] == "*"


@pytest.mark.parametrize(
    ("priority", "name", "said"),
    [
        (105, "web", "The rule web of orders-w lets in before it, at priority 105"),
        (120, "none", "The rule none of orders-w has the priority 120 already"),
    ],
)
def test_somebody_elses_rule_in_its_way_is_named_before_the_bad_day_and_nothing_is_written(
    serving: Serve, azure: Front, priority: int, name: str, said: str
) -> None:
    site = Site(serving, priority=120)
    site.groups.set_rule(site.id, name, priority, "Allow" if name == "web" else "Deny", "10.1.0.0/16", "5000-6000")
    assert any(said in one for one in known(site.database.preflight()))
    with pytest.raises(Permanent, match=said):
        site.order()
    assert azure.count(mutating=True) == 0


def test_a_group_that_guards_another_subnet_keeps_nobody_out_and_says_so(serving: Serve) -> None:
    site = Site(serving)
    assert known(site.database.preflight()) == ()
    site.groups.at(site.id)["properties"]["subnets"] = [{"id": f"{SUBNET}-2"}]
    assert "does not guard the subnet orders-w" in site.state().evidence
    assert site.state().methods_left == ()
    assert any("does not guard" in one for one in known(site.database.preflight()))
    del site.servers.at(IDS[WEST])["properties"]["network"]["delegatedSubnetResourceId"]
    assert "stands in no virtual network" in site.state().evidence


def test_a_group_of_another_region_is_refused_by_name(serving: Serve) -> None:
    site = Site(serving)
    site.groups.at(site.id)["location"] = NORTH
    (sentence,) = known(site.database.preflight())
    assert f"written for {WEST}, stands in {NORTH}" in sentence


def test_a_silence_is_not_taken_for_the_fence_where_the_group_cannot_be_read(serving: Serve, azure: Front) -> None:
    site = Site(serving)
    site.fence()
    assert site.database.fencing.shuts(WEST)
    azure.outages.fail("ServiceUnavailable", 503, operation="network_security_groups.get")
    assert not site.database.fencing.shuts(WEST)
    assert isinstance(site.port()._groups.standing(WEST), Unknown)


def test_each_request_is_one_that_a_permission_is_asked_for(serving: Serve, azure: Front) -> None:
    site = Site(serving)
    azure.forget()
    site.fence()
    site.lift()
    of = "Microsoft.Network/networkSecurityGroups"
    needs = {
        "network_security_groups.get": f"{of}/read",
        TAGS: f"{of}/write",
        PUT: f"{of}/securityRules/write",
        "security_rules.delete": f"{of}/securityRules/delete",
    }
    assert KIND.permissions is not None
    resource = flexible_world.resource(site.members)
    said = KIND.permissions(resource, None, [WEST])  # type: ignore[arg-type]
    stated = {action for grant in (*said.watch, *said.execute) for action in grant.actions if of in action}
    assert {needs[one.operation] for one in azure.seen() if one.operation in needs} == stated


def test_microsofts_own_example_is_read(serving: Serve) -> None:
    """Azure/azure-rest-api-specs, specification/network/resource-manager/Microsoft.Network/stable/2024-05-01/examples/
    NetworkSecurityGroupRuleCreate.json: what goes out is nobody who comes in."""
    site = Site(serving, priority=100)
    example = {
        "protocol": "*",
        "sourceAddressPrefix": "10.0.0.0/8",
        "destinationAddressPrefix": "11.0.0.0/8",
        "access": "Deny",
        "destinationPortRange": "8080",
        "sourcePortRange": "*",
        "priority": 100,
        "direction": "Outbound",
        "provisioningState": "Succeeded",
    }
    site.groups.at(site.id)["properties"]["securityRules"].append({"name": "rule1", "properties": example})
    site.fence()
    assert site.lets_in() == (False, True, True)
    assert site.groups.rules(site.id)["rule1"] == example


@pytest.mark.parametrize(
    ("said", "about"),
    [
        ({"group": "orders-w", "keep": [OWN_SUBNET]}, "id of a network security group"),
        ({"group": f"{GROUPS}/orders-w", "keep": []}, "keep"),
        ({"group": f"{GROUPS}/orders-w", "keep": ["10.1.4.7/28"]}, "not written plainly"),
        ({"group": f"{GROUPS}/orders-w", "keep": [OWN_SUBNET], "priority": 4096}, "priority"),
        ({"group": f"{GROUPS}/orders-w", "keep": [OWN_SUBNET], "prevents": True}, "prevents"),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(said: Any, about: str) -> None:
    with pytest.raises(ValidationError, match=about):
        SecurityGroup.model_validate(said)
