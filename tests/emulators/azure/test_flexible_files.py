"""What a flexible server's owner is told before the bad day: by preflight, and while the file is read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.model.observation import Unknown
from cloudfail.ports import Preflight
from cloudfail.testing.conformance import Calls, known
from cloudfail_azure import provider
from tests.emulators.azure import flexible_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.flexible_world import IDS, KIND
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.postgres_flexible import FlexibleServers
from tests.emulators.azure.test_flexible_control import Serve, fail_over, machine
from tests.emulators.azure.test_flexible_firewall import fence, ruled

__all__ = ["machine"]
pytestmark = pytest.mark.timeout(300)

Change = Callable[[FlexibleServers], Any]


def of(machine: FlexibleServers, region: str) -> dict[str, Any]:
    found: dict[str, Any] = machine.at(IDS[region])["properties"]
    return found


READINESS: Mapping[str, tuple[Change, str]] = {
    "no virtual endpoint": (
        lambda found: found._bodies.pop(f"{IDS[WEST]}/virtualendpoints/orders".lower()),
        "leads to",
    ),
    "the reader leads elsewhere": (lambda found: found.pair(IDS[WEST], IDS[WEST]), "leads to orders-n"),
    "another size": (lambda found: found.at(IDS[NORTH])["sku"].update(name="Standard_D8ds_v5"), "sku.name is"),
    "another tier": (lambda found: found.at(IDS[NORTH])["sku"].update(tier="MemoryOptimized"), "sku.tier is"),
    "other storage": (lambda found: of(found, NORTH)["storage"].update(storageSizeGB=1024), "storageSizeGB is 512"),
    "another version": (lambda found: of(found, NORTH).update(version="17"), "version is 16"),
    "storage that grows": (lambda found: of(found, WEST)["storage"].update(autoGrow="Enabled"), "grows its storage"),
    "a replica of somebody else": (
        lambda found: of(found, NORTH).update(sourceServerResourceId=f"{IDS[WEST]}-old"),
        "replicates orders-w-old, which is no member",
    ),
    "broken": (lambda found: of(found, NORTH)["replica"].update(replicationState="Broken"), "broken"),
    "under way": (lambda found: found.begin(IDS[NORTH]), "is Updating"),
    "a replica of the replica": (lambda found: found.server("more", NORTH, source=IDS[NORTH]), "of its own (more)"),
    "a replica that is no member": (lambda found: found.server("more", NORTH, source=IDS[WEST]), "more replicate"),
    "the wrong region": (lambda found: found.at(IDS[NORTH]).update(location="uksouth"), "stands in uksouth"),
    "no such server": (lambda found: found._bodies.pop(IDS[NORTH].lower()), "was not found"),
}


@pytest.mark.parametrize("what", READINESS)
def test_what_would_refuse_a_verb_is_said_before(machine: FlexibleServers, azure: Front, what: str) -> None:
    database = flexible_world.port()
    assert isinstance(database, Preflight)
    assert known(database.preflight()) == ()
    change, said = READINESS[what]
    change(machine)
    (sentence,) = known(database.preflight())
    assert said in sentence
    assert not azure.count(mutating=True)


def test_a_virtual_endpoint_is_no_members_address(machine: FlexibleServers) -> None:
    name = "orders.writer.postgres.database.azure.com"
    west = {"server": IDS[WEST], "dsn": f"host={name} user=cloudfail", "writer": f"host={name} user=shop"}
    (said,) = known(flexible_world.port({WEST: west, NORTH: IDS[NORTH]}).preflight())
    assert f"names {name}" in said


def test_whoever_cannot_ask_claims_nothing(machine: FlexibleServers, azure: Front) -> None:
    azure.outages.fail("ServiceUnavailable", 503)
    assert isinstance(flexible_world.port(api_within="1s").preflight(), Unknown)


# ---- what is written in the file

HEAD = """
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  westeurope: {provider: azure, account: 11111111-2222-3333-4444-555555555555}
  northeurope: {provider: azure, account: 11111111-2222-3333-4444-555555555555}
primary: westeurope
state: sqlite:/state.db
resources:
"""


def loaded(tmp_path: Path, member: str = IDS[WEST], more: str = "") -> config.Loaded:
    place = tmp_path / "cloudfail.yaml"
    members = f"{{westeurope: {member}, northeurope: {IDS[NORTH]}}}"
    place.write_text(f"{HEAD}  orders: {{database: postgresql-flexible{more}, members: {members}}}\n")
    return config.load(place, [], {"azure": provider})


def test_a_member_is_an_id_or_says_how_it_is_reached(tmp_path: Path) -> None:
    short = loaded(tmp_path).topology.resources["orders"]
    assert short.members[WEST]["server"] == IDS[WEST]
    assert short.options["fences"] == ("logins", "firewall-rules", "security-group")
    assert short.options["promote"] is None
    member = (
        f'{{server: {IDS[WEST]}, dsn: "host=w user=cloudfail", writer: "host=w user=shop", password: env:ADMIN,'
        " firewall_rules: {keep: [cloudfail]}}"
    )
    whole = loaded(tmp_path, member, ", promote: standalone").topology.resources["orders"]
    assert whole.members[WEST]["firewall_rules"] == {"keep": ("cloudfail",)}
    assert whole.options["promote"] == "standalone"


@pytest.mark.parametrize(
    ("member", "more", "said"),
    [
        (f'{{server: {IDS[WEST]}, dsn: "host=c user=cloudfail"}}', "", "come together"),
        (f"{{server: {IDS[WEST]}, password: hunter2}}", "", "password"),
        ("orders-w", "", "id of a flexible server"),
        (f"{{server: {IDS[WEST]}, firewall_rules: {{keep: [every body]}}}}", "", "keep"),
        (f"{{server: {IDS[WEST]}, network: {{}}}}", "", "network"),
        (IDS[WEST], ", fences: [network-acl]", "fences"),
        (IDS[WEST], ", promote: planned", "promote"),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(tmp_path: Path, member: str, more: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, member, more)
    assert said in str(raised.value)


_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
NEEDS = {
    "servers.get": f"{_SERVERS}/read",
    "virtual_endpoints.list_by_server": f"{_SERVERS}/virtualendpoints/read",
    "replicas.list_by_server": f"{_SERVERS}/replicas/read",
    "firewall_rules.list_by_server": f"{_SERVERS}/firewallRules/read",
    "operation": "Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read",
    "servers.update": f"{_SERVERS}/write",
    "firewall_rules.delete": f"{_SERVERS}/firewallRules/delete",
    "firewall_rules.create_or_update": f"{_SERVERS}/firewallRules/write",
}


def test_the_permissions_that_are_stated_are_those_of_what_is_asked(
    serving: Serve, azure: Front, tmp_path: Path
) -> None:
    _, database = ruled(serving)
    database.preflight()
    fence(database)
    database.unfence(WEST, expect=known(database.fence_state(WEST, NORTH)), call=Calls().make())
    fail_over(database)
    asked = {(one.operation, one.mutating) for one in azure.seen()}
    assert {operation for operation, _ in asked} == set(NEEDS)
    whole = loaded(tmp_path, f"{{server: {IDS[WEST]}, firewall_rules: {{}}}}")
    assert KIND.permissions is not None
    said = KIND.permissions(whole.topology.resources["orders"], whole.topology, [WEST, NORTH])
    watch = {action for grant in said.watch for action in grant.actions}
    execute = {action for grant in said.execute for action in grant.actions}
    assert watch == {NEEDS[operation] for operation, mutating in asked if not mutating}
    assert execute == {NEEDS[operation] for operation, mutating in asked if mutating}
    assert all(on in IDS.values() for grant in said.execute for on in grant.on)


def test_the_kind_loads_no_vendor() -> None:
    code = "import sys, cloudfail_azure.database; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in found.split()} & {"requests", "azure", "psycopg"}
