"""The firewall's rules of a flexible server as a part of its fence, by the control plane alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.testing.conformance import Calls, known
from cloudfail_azure.database.postgresql_flexible import PostgresqlFlexible
from tests.emulators.azure import flexible_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.flexible_world import IDS
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.postgres_flexible import FlexibleServers
from tests.emulators.azure.test_flexible_control import PACKAGE, tags

Serve = Callable[[str, Any], Any]
pytestmark = pytest.mark.timeout(300)

OFFICE, OWN = ("192.0.2.0", "192.0.2.255"), ("203.0.113.7", "203.0.113.7")


def ruled(serving: Serve, keep: tuple[str, ...] = ("own",), **more: Any) -> tuple[FlexibleServers, PostgresqlFlexible]:
    rules = {"office": OFFICE, "Depot_2": ("198.51.100.1", "198.51.100.1"), "own": OWN}
    machine: FlexibleServers = serving(PACKAGE, flexible_world.machine(rules=rules, **more))
    machine.seconds = 0.0
    west = {"server": IDS[WEST], "firewall_rules": {"keep": list(keep)}}
    return machine, flexible_world.port({WEST: west, NORTH: IDS[NORTH]}, fences=["firewall-rules"])


def fence(database: PostgresqlFlexible, epoch: int = 10, seconds: float = 30.0) -> None:
    call = dataclasses.replace(Calls().make(epoch), timeout_seconds=seconds)
    database.fence(WEST, NORTH, expect=known(database.fence_state(WEST, NORTH)), call=call)


def test_rules_are_noted_taken_away_and_put_back_as_they_were(serving: Serve) -> None:
    machine, database = ruled(serving)
    before = machine.rules(IDS[WEST])
    fence(database)
    assert machine.rules(IDS[WEST]) == {"own": OWN}
    assert sorted(tags(machine, WEST).values()) == [
        "10 r1",
        "192.0.2.0 192.0.2.255 office",
        "198.51.100.1 198.51.100.1 Depot_2",
        "shop",
    ]
    state = known(database.fence_state(WEST, NORTH))
    assert state.outcome is FenceOutcome.OWED, "that they stand is never a proof"
    assert "proves nothing by itself" in state.evidence
    shut = known(database.read(WEST))
    assert (shut.role, shut.writable, shut.moving) == (Role.PRIMARY, False, ""), "its silence is the fence"
    database.unfence(WEST, expect=state, call=Calls().make(11))
    assert machine.rules(IDS[WEST]) == before
    assert {key: value for key, value in tags(machine, WEST).items() if value} == {
        "team": "shop",
        "cloudfail-epoch": "11 r1",
    }


def test_what_was_broken_off_is_gone_on_with_and_forgets_no_rule(serving: Serve, azure: Front) -> None:
    machine, database = ruled(serving)
    fault = azure.outages.fail("InternalServerError", 500, operation="firewall_rules.delete", after=1)
    with pytest.raises(OutcomeUnknown):
        fence(database, seconds=5.0)
    assert len(machine.rules(IDS[WEST])) == 2
    assert known(database.fence_state(WEST, NORTH)).methods_left == ("firewall-rules",)
    fault.lift()
    fence(database, 11)
    assert machine.rules(IDS[WEST]) == {"own": OWN}
    fault = azure.outages.fail("InternalServerError", 500, operation="firewall_rules.create_or_update", after=1)
    state = known(database.fence_state(WEST, NORTH))
    with pytest.raises(OutcomeUnknown):
        database.unfence(WEST, expect=state, call=Calls().make(11))
    fault.lift()
    database.unfence(WEST, expect=state, call=Calls().make(11))
    assert set(machine.rules(IDS[WEST])) == {"office", "Depot_2", "own"}


def test_where_there_is_no_rule_the_note_alone_is_the_fence(serving: Serve) -> None:
    machine, database = ruled(serving, keep=("own", "OFFICE", "depot_2"))
    fence(database)
    assert tags(machine, WEST)["cloudfail-rule-0"] == "none"
    assert "firewall-rules stands" in known(database.fence_state(WEST, NORTH)).evidence
    database.unfence(WEST, expect=known(database.fence_state(WEST, NORTH)), call=Calls().make())
    assert len(machine.rules(IDS[WEST])) == 3


def test_rules_that_tags_cannot_hold_are_left_as_they_are(serving: Serve) -> None:
    machine, database = ruled(serving, keep=())
    for number in range(25):
        machine.put(
            f"{IDS[WEST]}/firewallrules/more-{number}",
            {"properties": {"startIpAddress": OWN[0], "endIpAddress": OWN[1]}},
            WEST,
        )
    with pytest.raises(Permanent, match="more than 25 firewall rules"):
        fence(database)
    assert not machine.orders


def test_of_a_server_without_public_access_they_say_nothing(serving: Serve) -> None:
    _, database = ruled(serving, public=False)
    state = known(database.fence_state(WEST, NORTH))
    assert (state.outcome, state.methods_left) == (FenceOutcome.OWED, ())
    assert "keep nobody out" in state.evidence


def test_a_fence_of_a_newer_epoch_is_neither_put_up_nor_lifted_by_an_older_one(serving: Serve) -> None:
    machine, database = ruled(serving)
    free = known(database.fence_state(WEST, NORTH))
    fence(database, 20)
    with pytest.raises(Conflict):
        database.unfence(WEST, expect=known(database.fence_state(WEST, NORTH)), call=Calls().make(19))
    assert machine.rules(IDS[WEST]) == {"own": OWN}
    database.unfence(WEST, expect=known(database.fence_state(WEST, NORTH)), call=Calls().make(20))
    with pytest.raises(Conflict):
        database.fence(WEST, NORTH, expect=free, call=Calls().make(19))
    assert len(machine.rules(IDS[WEST])) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": {"publicNetworkAccess": "Disabled"}}, "keep nobody out"),
        ({"privateEndpointConnections": [{"id": f"{IDS[WEST]}/privateEndpointConnections/one"}]}, "private endpoints"),
    ],
)
def test_ways_in_that_the_rules_do_not_hold_for_are_said(serving: Serve, change: dict[str, Any], said: str) -> None:
    machine, database = ruled(serving)
    assert known(database.preflight()) == ()
    machine.at(IDS[WEST])["properties"].update(change)
    (sentence,) = known(database.preflight())
    assert said in sentence
