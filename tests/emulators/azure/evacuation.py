"""The application of docs/azure.md, standing in two regions of the front: what runs it, and cloudfail beside it.

The control planes are state machines behind one address; the data plane is real. Customers ask a name server on
loopback, which answers from the zone, and order at listeners; the databases are PostgreSQL servers which follow what
Azure was told, late. The log is in a container of blobs, of an account in a third region.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests.emulators.aws import databases
from tests.emulators.aws.zone_server import ZoneServer
from tests.emulators.azure import flexible_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.flexible_world import IDS
from tests.emulators.azure.front import SUBSCRIPTION, Fault, Front
from tests.emulators.azure.names_world import DOMAIN, LABEL, NAME, serving_names
from tests.emulators.azure.standins.names import Zones
from tests.emulators.azure.standins.postgres_flexible import FlexibleServers
from tests.emulators.azure.standins.scale_sets import AutoscaleSettings, ScaleSets
from tests.emulators.held_back import held_back
from tests.emulators.operator import Operator
from tests.emulators.shop import Customers, Shop, resolved
from tests.local import servers

ADDRESS = {WEST: "127.0.2.1", NORTH: "127.0.2.2"}
WORKERS = {WEST: 3, NORTH: 1}
SET_NAMES = {WEST: "web-w", NORTH: "web-n"}
WITNESS = "swedencentral"
# The failback that ships holds each step of its ramp for a minute. A step has the same meaning in a tenth of the time.
HELD, HELD_HERE, HELD_SECONDS = "hold: 1m", "hold: 6s", 6.0

TOPOLOGY = """\
application: shop
objectives: {{rto: 30m, rpo: 30s}}
regions:
  westeurope: {{provider: azure, account: {subscription}, variables: {{address: "{addresses[westeurope]}"}}}}
  northeurope: {{provider: azure, account: {subscription}, variables: {{address: "{addresses[northeurope]}"}}}}
primary: westeurope
state: "{state}"
resources:
  orders: {{database: postgresql-flexible, members: {orders}}}
  web: {{compute: scale-set, members: {sets}}}
  www:
    dns: azure-dns
    zone: {zone}
    name: {name}
    ttl: 5s
    resolvers: ["{resolver}"]
    answer_within: 20s
    members: {answers}
checks:
  checkout: {{http: "http://${{address}}/healthz", every: 2s, timeout: 2s, fall: 2, rise: 1, vantages: 2 of 3}}
vantages: {{one: {{}}, two: {{}}, three: {{}}}}
policy: {{scope: site, hold_down: 4s, lease: {lease}, automation: {automation}}}
"""


class Machines:
    """What Azure's APIs say: the zone, the scale sets with what sizes them, and the servers. `of`: how a set is
    written, by region."""

    def __init__(self, serving: Callable[[str, Any], Any], by_region: Mapping[str, servers.Server]) -> None:
        self.zones: Zones = serving("azure.mgmt.dns", Zones())
        self.zone = self.zones.zone(DOMAIN)
        self.zones.record(self.zone, LABEL, [ADDRESS[WEST]], ttl=5)
        self.sets: ScaleSets = serving("azure.mgmt.compute", ScaleSets())
        settings: AutoscaleSettings = serving("azure.mgmt.monitor", AutoscaleSettings(self.sets))
        self.of = {region: self.sets.scale_set(name, region, WORKERS[region]) for region, name in SET_NAMES.items()}
        self.sized = {
            region: settings.setting(name, self.of[region], WORKERS[region], (1, 4, 1))
            for region, name in SET_NAMES.items()
        }
        self.servers: FlexibleServers = serving("azure.mgmt.postgresqlflexibleservers", _flexible_servers(by_region))

    def close(self) -> None:
        self.sets.close()
        self.servers.close()


class Site(Operator):
    """The application. `machines` is what Azure's APIs say, `servers` what the databases do."""

    def __init__(
        self,
        root: Path,
        front: Front,
        pair: servers.Pair,
        names: ZoneServer,
        machines: Machines,
        shop: Shop,
        state: str,
        *,
        automation: str,
        lease: str,
    ) -> None:
        self.front, self.names, self.machines, self.shop = front, names, machines, shop
        self.servers = {WEST: pair.east, NORTH: pair.west}
        self.customers = Customers(shop, names.address, NAME)
        self._outage: Fault | None = None
        self._lost_at = 0.0
        orders = {region: {"server": IDS[region], **databases.reached(one)} for region, one in self.servers.items()}
        sets = {region: {"scale_set": machines.of[region], "autoscale": machines.sized[region]} for region in ADDRESS}
        super().__init__(
            root,
            TOPOLOGY.format(
                subscription=SUBSCRIPTION,
                addresses={region: f"{value}:{shop.port}" for region, value in ADDRESS.items()},
                state=state,
                orders=json.dumps(orders),
                sets=json.dumps(sets),
                zone=machines.zone,
                name=NAME,
                resolver=names.address,
                answers=json.dumps(ADDRESS),
                lease=lease,
                automation=automation,
            ),
        )
        failback = root / "runbooks" / "failback.yaml"
        shipped = failback.read_text()
        assert shipped.count(HELD) == 1
        failback.write_text(shipped.replace(HELD, HELD_HERE))

    # ---- what happens to it

    def lose_west(self, *, databases_too: bool = True) -> None:
        """Resource Manager takes requests that name a resource in westeurope, and never answers them; customers there
        hear nothing, and the database's server stands still, or goes on."""
        self.front.forget()
        self._outage = self.front.outages.silence(region=WEST)
        self._lost_at = time.monotonic()
        self.machines.servers.lost.add(WEST)
        self.shop.lost.add(WEST)
        if databases_too:
            self.servers[WEST].freeze()

    def return_west(self) -> None:
        """All of it is there again, as it was left."""
        assert self._outage is not None
        self._outage.lift()
        self.machines.servers.lost.discard(WEST)
        self.servers[WEST].thaw()
        self.shop.lost.discard(WEST)

    def beats(self) -> bool:
        """Whether the replica has a heartbeat of a watcher's."""
        with contextlib.suppress(psycopg.Error):
            return bool(self.servers[NORTH].one("SELECT count(*) FROM cloudfail.heartbeat"))
        return False

    def fall_behind(self, orders: int) -> None:
        """The primary goes on until so many orders more were acknowledged, none of which its replica gets, and then
        stands still."""
        held_back(self.servers[WEST], self.servers[NORTH], self.customers, orders)

    # ---- what is so

    def resolved(self) -> list[str]:
        """What a user's resolver gives."""
        return resolved(self.names.address, NAME)

    def order(self, region: str, note: str) -> None:
        """What a client of that server does: it raises where no write is let in."""
        self.servers[region].ask(f"INSERT INTO orders (note) VALUES ('{note}')", user="shop")

    def notes(self, region: str) -> set[str]:
        return {str(row[0]) for row in self.servers[region].ask("SELECT note FROM orders")}

    def changes(self, **where: Any) -> list[str]:
        """The requests that were to change something, and reached the front."""
        return [f"{one.service}.{one.operation} in {one.region}" for one in self.front.seen(mutating=True, **where)]

    def answered(self) -> list[str]:
        """The requests about westeurope that began after its loss, and were answered."""
        return [one.operation for one in self.front.seen(region=WEST) if one.at > self._lost_at and one.met != "fault"]

    def promotions(self) -> list[tuple[str, str, str]]:
        """(mode, option, the id of who was to be the writer): of each promotion that Azure took."""
        machine = self.machines.servers
        to = [id_ for kind, id_ in list(machine.orders) if kind in ("Switchover", "Standalone")]
        return [
            (one["promoteMode"], one["promoteOption"], id_)
            for one, id_ in zip(list(machine.promotions), to, strict=False)
        ]

    def is_silent(self) -> bool:
        """Whether requests about a set and a server of westeurope are taken, and not answered."""
        return all(self._hangs(path) for path in (self.machines.of[WEST], IDS[WEST]))

    def _hangs(self, path: str) -> bool:
        try:
            requests.get(f"{self.front.url}{path}", timeout=1.0, verify=str(self.front.authority))
        except requests.ReadTimeout:
            return True
        return False

    def steps(self) -> list[tuple[float, set[str]]]:
        """(when, the regions that answer from then on) of each change of the name, the oldest first."""
        named = {address: region for region, address in ADDRESS.items()}
        found = []
        for one in self.front.seen(operation="record_sets.create_or_update"):
            told = {key.lower(): value for key, value in one.body["properties"].items()}
            found.append((one.at, {named[each["ipv4Address"]] for each in told["arecords"]}))
        return found

    def workers(self, region: str) -> int:
        return len(self.machines.sets.instances(self.machines.of[region]))

    def close(self) -> None:
        super().close()
        self.customers.stop()
        for server in self.servers.values():
            server.thaw()


def _flexible_servers(by_region: Mapping[str, servers.Server]) -> FlexibleServers:
    """orders-w and its replica orders-n, under virtual endpoints; their servers follow a little later than Azure
    says."""
    made = flexible_world.machine()
    made.seconds = 1.0

    def places() -> tuple[servers.Server, servers.Server]:
        """(the new primary, the old one), as the last promotion has it."""
        new = next(id_ for kind, id_ in reversed(made.orders) if kind == "Switchover")
        to, source = (NORTH, WEST) if new.lower() == IDS[NORTH].lower() else (WEST, NORTH)
        return by_region[to], by_region[source]

    def switch() -> None:
        """What is forced waits for nobody, and does nothing to the old primary."""
        time.sleep(databases.LATE_SECONDS)
        new, old = places()
        if made.promotions[-1]["promoteOption"] == "Forced":
            new.ask("SELECT pg_promote(true, 30)")
        else:
            databases.change_places(old, new)

    def rejoin() -> None:
        """Azure makes a replica of the old primary, once its region is there again."""
        new, old = places()
        time.sleep(databases.LATE_SECONDS)
        databases.build_again(old, new)

    made.then = {"Switchover": switch, "rejoin": rejoin}
    return made


@contextlib.contextmanager
def site(
    root: Path,
    front: Front,
    serving: Callable[[str, Any], Any],
    pair: servers.Pair,
    state: str,
    *,
    automation: str = "off",
    lease: str = "20s",
) -> Iterator[Site]:
    """The application as an operator set it up. `state`: in whatever region the container says that it is."""
    by_region: Mapping[str, servers.Server] = {WEST: pair.east, NORTH: pair.west}
    elsewhere = f"{state.partition('?')[0]}?region={WITNESS}"
    with contextlib.ExitStack() as stack:
        machines = stack.enter_context(contextlib.closing(Machines(serving, by_region)))
        shop = stack.enter_context(contextlib.closing(Shop(ADDRESS, by_region)))
        names = stack.enter_context(serving_names(machines.zones))
        made = Site(root, front, pair, names, machines, shop, elsewhere, automation=automation, lease=lease)
        yield stack.enter_context(contextlib.closing(made))
