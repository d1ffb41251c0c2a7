"""The fence by VPC firewall rules: what is enabled, what counts as standing, and what it does not do. Connections go
over sockets; that open ones stay is Google's word, which the stand-in keeps."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.clock import SystemClock
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.testing.conformance import Calls, known
from cloudfail_databases.fence import Network
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.budget import Budget
from cloudfail_gcp.database.firewall import FirewallFence, FirewallRules, grants
from cloudfail_gcp.sessions import Sessions
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.firewalls import Firewalls

RULE = f"projects/{PROJECT}/global/firewalls/fence-orders"
SIX = f"{RULE}-6"
PATCH = "firewalls.patch"
DENY = {"denied": [{"IPProtocol": "tcp", "ports": ["5432"]}], "priority": 0, "disabled": True, "description": "ours"}


class Server:
    """Answers whatever it gets, to those whom the firewall lets in."""

    def __init__(self, machine: Firewalls) -> None:
        self._machine = machine
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def connect(self) -> socket.socket | None:
        """A connection on which it answered, None where it was kept out."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        with contextlib.suppress(OSError):
            if self.asked(client):
                return client
        client.close()
        return None

    def asked(self, client: socket.socket) -> bool:
        client.sendall(b"write\n")
        return bool(client.recv(16))

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._machine.lets_in(5432):
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()
            else:
                client.close()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while client.recv(64):
                client.sendall(b"written\n")


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> Firewalls:
    made: Firewalls = serving("compute.v1", Firewalls(seconds=0.1))
    made.rule(RULE, **DENY)
    made.rule(f"projects/{PROJECT}/global/firewalls/allow-all", allowed=[{"IPProtocol": "tcp"}], priority=0)
    return made


@pytest.fixture
def server(machine: Firewalls) -> Iterator[Server]:
    made = Server(machine)
    yield made
    made.close()


def fence(*rules: str, **more: Any) -> FirewallFence:
    of = Resource("orders", PortName.DATABASE, "postgresql", "gcp", None, {EAST: {}, WEST: {}}, {})
    regions = {name: Region(name, "gcp", PROJECT) for name in (EAST, WEST)}
    whole = Topology("shop", Objectives(900.0, 30.0), regions, EAST, "memory:", {"orders": of})
    clock = SystemClock()
    members = {EAST: FirewallRules(rules=rules or (RULE,), **more)}
    return FirewallFence(Asking(of, whole, Sessions(), Budget(clock), clock), members, seconds=5.0)


def test_it_keeps_new_connections_out_and_cuts_none_that_is_open(machine: Firewalls, server: Server) -> None:
    one: Network = fence()
    before = server.connect()
    assert before is not None
    assert known(one.standing(EAST)) is False
    one.apply(EAST, Calls().make())
    machine.end()
    assert known(one.standing(EAST)) is True
    assert server.connect() is None
    assert server.asked(before), "it is tracked, and goes on"
    assert one.cuts is False
    one.lift(EAST, Calls().make())
    machine.end()
    assert known(one.standing(EAST)) is False
    assert server.connect() is not None


def test_an_operation_that_is_done_and_led_to_nothing_is_not_taken_for_standing(
    machine: Firewalls, server: Server
) -> None:
    machine.obeying, machine.seconds = False, 0.0
    one = fence()
    one.apply(EAST, Calls().make())
    machine.end()
    assert known(one.standing(EAST)) is False
    assert server.connect() is not None
    machine.obeying = True
    one.apply(EAST, Calls().make())
    machine.end()
    assert known(one.standing(EAST)) is True


def test_the_epoch_stands_beside_what_people_wrote_and_an_older_worker_changes_nothing(
    machine: Firewalls, google: Front
) -> None:
    fence().apply(EAST, Calls().make(20))
    machine.end()
    assert machine.there(RULE)["description"] == "ours [cloudfail app=shop epoch=20 run=r1]"
    google.forget()
    with pytest.raises(Conflict, match="epoch 20"):
        fence().lift(EAST, Calls().make(19))
    assert google.count(mutating=True) == 0
    assert known(fence().standing(EAST)) is True


def test_what_stands_is_not_ordered_again(machine: Firewalls, google: Front) -> None:
    for _ in range(2):
        fence().apply(EAST, Calls().make())
        machine.end()
    assert google.count(operation=PATCH) == 1


def test_all_rules_stand_or_none_does(machine: Firewalls) -> None:
    machine.rule(SIX, **DENY, sourceRanges=["::/0"])
    one = fence(RULE, SIX)
    fence(RULE).apply(EAST, Calls().make())
    machine.end()
    assert known(one.standing(EAST)) is False
    one.apply(EAST, Calls().make())
    machine.end()
    assert known(one.standing(EAST)) is True


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"direction": "EGRESS"}, "is about what leaves"),
        ({"denied": [{"IPProtocol": "tcp", "ports": ["5433", "6000-7000"]}]}, "does not deny tcp:5432"),
        ({"denied": [{"IPProtocol": "udp"}]}, "does not deny tcp:5432"),
        ({"priority": 1}, "has the priority 1, and others come before it"),
        ({"sourceRanges": ["10.0.0.0/8"]}, "is not about everybody"),
        ({"sourceTags": ["web"]}, "is not about everybody"),
    ],
)
def test_a_rule_that_would_let_somebody_in_is_no_fence(
    machine: Firewalls, google: Front, told: dict[str, Any], said: str
) -> None:
    machine.rule(RULE, **(DENY | told))
    read = fence().standing(EAST)
    assert isinstance(read, Unknown)
    assert said in read.reason
    with pytest.raises(Permanent, match=said):
        fence().apply(EAST, Calls().make())
    assert google.count(mutating=True) == 0


@pytest.mark.parametrize("ports", [["5432"], ["5000-6000"], []])
def test_a_port_may_be_denied_by_itself_in_a_span_or_with_all_others(machine: Firewalls, ports: list[str]) -> None:
    machine.rule(RULE, **(DENY | {"denied": [{"IPProtocol": "tcp", **({"ports": ports} if ports else {})}]}))
    assert known(fence().standing(EAST)) is False


@pytest.mark.parametrize("what", ["throttled", "unavailable", "reset", "cut"])
def test_a_google_that_fails_is_unknown_and_claims_no_effect(machine: Firewalls, google: Front, what: str) -> None:
    outages = google.outages
    if what == "throttled":
        outages.throttle()
    elif what == "unavailable":
        outages.fail("backendError", 503)
    elif what == "reset":
        outages.refuse()
    else:
        outages.cut()
    assert isinstance(fence().standing(EAST), Unknown)
    with pytest.raises(Transient):
        fence().apply(EAST, replace(Calls().make(), timeout_seconds=5.0))
    assert machine.there(RULE)["disabled"] is True


def test_a_rule_that_is_gone_is_unknown_and_refused_for_good(machine: Firewalls) -> None:
    assert isinstance(fence(f"{RULE}-2").standing(EAST), Unknown)
    with pytest.raises(Permanent):
        fence(f"{RULE}-2").apply(EAST, Calls().make())


def test_a_lost_answer_is_in_doubt_and_looking_settles_it(machine: Firewalls, google: Front) -> None:
    google.outages.lose("closed", operation=PATCH, times=1)
    with pytest.raises(OutcomeUnknown):
        fence().apply(EAST, Calls().make())
    machine.end()
    assert known(fence().standing(EAST)) is True
    fence().apply(EAST, Calls().make())
    assert google.count(operation=PATCH) == 1


def test_a_lease_that_is_lost_stops_the_request(machine: Firewalls, google: Front) -> None:
    with pytest.raises(LeaseLost):
        fence().apply(EAST, Calls().make(raises=LeaseLost("Another worker took over.")))
    assert google.count(mutating=True) == 0


def test_it_needs_nothing_of_the_region_that_is_lost(machine: Firewalls, google: Front) -> None:
    google.outages.silence(region=EAST)
    fence().apply(EAST, Calls().make())
    machine.end()
    assert isinstance(fence().standing(EAST), Known)
    assert google.count(region=EAST) == 0


def test_that_it_prevents_is_the_operator_s_word_alone() -> None:
    assert not fence().prevents(EAST)
    assert fence(prevents=True).prevents(EAST)
    assert not fence(prevents=True).prevents(WEST)
    assert not fence().has(WEST)


def test_the_permissions_are_of_what_is_asked(machine: Firewalls, google: Front) -> None:
    fence().apply(EAST, Calls().make())
    assert {one.operation for one in google.seen()} == {"firewalls.get", PATCH}
    said = {
        (action, changes) for changes, one in grants({EAST: FirewallRules(rules=(RULE,))}) for action in one.actions
    }
    assert said == {
        ("compute.firewalls.get", False), ("compute.firewalls.update", True), ("compute.networks.updatePolicy", True),
    }  # fmt: skip
