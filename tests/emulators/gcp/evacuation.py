"""The application of docs/gcp.md, standing in two regions of the front: what runs it, and cloudfail beside it.

The control planes are state machines behind one address; the data plane is real. Customers ask a name server on
loopback, which answers from the managed zone, and order at listeners; the databases are PostgreSQL servers which follow
what the API was told, late. The log is in a bucket of a third region.
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
from tests.emulators.aws.zone_server import ZoneServer, zone_server
from tests.emulators.gcp import dns_world
from tests.emulators.gcp.dns_answers import Answers, as_records
from tests.emulators.gcp.dns_world import DOMAIN, NAME
from tests.emulators.gcp.front import Fault, Front
from tests.emulators.gcp.standins.cloud_sql import CloudSql
from tests.emulators.gcp.standins.dns import PROJECT, CloudDns
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.held_back import held_back
from tests.emulators.operator import Operator
from tests.emulators.shop import Customers, Shop, resolved
from tests.local import servers

CENTRAL, WEST = "us-central1", "europe-west1"
ADDRESS = {CENTRAL: "127.0.1.1", WEST: "127.0.1.2"}
WORKERS = {CENTRAL: 3, WEST: 1}
# One group stands in a zone of its region, the other one in all of them.
GROUP = {
    CENTRAL: f"projects/{PROJECT}/zones/{CENTRAL}-b/instanceGroupManagers/web-c",
    WEST: f"projects/{PROJECT}/regions/{WEST}/instanceGroupManagers/web-w",
}
# The database: Cloud SQL's, or PostgreSQL that the application keeps on machines of its own in both regions.
ORDERS = {"cloud-sql": {"database": "cloud-sql"}, "postgresql": {"provider": "local", "database": "postgresql"}}
INSTANCE = {CENTRAL: "orders-c", WEST: "orders-w"}
LATE_SECONDS = 0.7
# The failback that ships holds each step of its ramp for a minute. A step has the same meaning in a tenth of the time.
HELD, HELD_HERE, HELD_SECONDS = "hold: 1m", "hold: 6s", 6.0

TOPOLOGY = """\
application: shop
objectives: {{rto: 30m, rpo: 30s}}
regions:
  us-central1: {{provider: gcp, account: {project}, variables: {{address: "{addresses[us-central1]}"}}}}
  europe-west1: {{provider: gcp, account: {project}, variables: {{address: "{addresses[europe-west1]}"}}}}
primary: us-central1
state: "{state}"
resources:
  orders: {orders}
  web: {{compute: instance-group, members: {groups}}}
  www:
    dns: cloud-dns
    zone: shop-example
    name: www.shop.example
    ttl: 5s
    routing: {routing}
    resolvers: ["{resolver}"]
    answer_within: 20s
    members: {answers}
checks:
  checkout: {{http: "http://${{address}}/healthz", every: 2s, timeout: 2s, fall: 2, rise: 1, vantages: 2 of 3}}
vantages: {{one: {{}}, two: {{}}, three: {{}}}}
policy: {{scope: site, hold_down: 4s, lease: {lease}, automation: {automation}}}
"""


class Site(Operator):
    """The application. `zone` and `groups` are what Google's APIs say, `servers` what the databases do."""

    def __init__(
        self,
        root: Path,
        front: Front,
        pair: servers.Pair,
        names: ZoneServer,
        zone: CloudDns,
        groups: InstanceGroups,
        sql: CloudSql,
        shop: Shop,
        state: str,
        *,
        database: str,
        automation: str,
        routing: str,
        lease: str,
    ) -> None:
        self.front, self.names, self.zone, self.groups, self.sql, self.shop = front, names, zone, groups, sql, shop
        self.servers = {CENTRAL: pair.east, WEST: pair.west}
        self.customers = Customers(shop, names.address, NAME)
        self._outage: Fault | None = None
        self._lost_at = 0.0
        checked = routing == "primary-backup"
        answers = {
            region: {"answers": [value], "health_checked": True} if checked else value
            for region, value in ADDRESS.items()
        }
        super().__init__(
            root,
            TOPOLOGY.format(
                project=PROJECT,
                addresses={region: f"{value}:{shop.port}" for region, value in ADDRESS.items()},
                state=state,
                orders=json.dumps(self._orders(database)),
                groups=json.dumps(GROUP),
                routing=routing,
                resolver=names.address,
                answers=json.dumps(answers),
                lease=lease,
                automation=automation,
            ),
        )
        failback = root / "runbooks" / "failback.yaml"
        shipped = failback.read_text()
        assert shipped.count(HELD) == 1
        failback.write_text(shipped.replace(HELD, HELD_HERE))

    def _orders(self, database: str) -> dict[str, Any]:
        members = {}
        for region, server in self.servers.items():
            of = {"instance": INSTANCE[region]} if database == "cloud-sql" else {"name": server.region}
            members[region] = {**databases.reached(server), **of}
        return {**ORDERS[database], "members": members}

    # ---- what happens to it

    def lose_central(self, *, databases_too: bool = True) -> None:
        """Every API takes requests that name us-central1, a zone or an instance in it, and never answers them; its
        customers hear nothing, and its database's server stands still, or goes on."""
        self.front.forget()
        self._outage = self.front.outages.silence(region=CENTRAL)
        self._lost_at = time.monotonic()
        self.sql.gone.add(CENTRAL)
        self.shop.lost.add(CENTRAL)
        if databases_too:
            self.servers[CENTRAL].freeze()

    def return_central(self) -> None:
        """All of it is there again, as it was left."""
        assert self._outage is not None
        self._outage.lift()
        self.sql.gone.discard(CENTRAL)
        self.servers[CENTRAL].thaw()
        self.shop.lost.discard(CENTRAL)

    def beats(self) -> bool:
        """Whether the replica has a heartbeat of a watcher's."""
        with contextlib.suppress(psycopg.Error):
            return bool(self.servers[WEST].one("SELECT count(*) FROM cloudfail.heartbeat"))
        return False

    def fall_behind(self, orders: int) -> None:
        """The primary goes on until so many orders more were acknowledged, none of which its replica gets, and then
        stands still."""
        held_back(self.servers[CENTRAL], self.servers[WEST], self.customers, orders)

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
        """The requests about us-central1 that began after its loss, and were answered."""
        asked = self.front.seen(region=CENTRAL)
        return [one.operation for one in asked if one.at > self._lost_at and one.met != "fault"]

    def promotions(self) -> list[tuple[str, str]]:
        """(the operation's type, who was to be the writer): what Cloud SQL took of orders that move the writer."""
        return [(kind, name) for kind, name, _ in self.sql.orders if kind != "UPDATE"]

    def is_silent(self) -> bool:
        """Whether requests about a zone and an instance of us-central1 are taken, and not answered."""
        group = f"~compute/compute/v1/{GROUP[CENTRAL]}"
        return all(self._hangs(path) for path in (group, f"~sqladmin/v1/projects/{PROJECT}/instances/orders-c"))

    def _hangs(self, path: str) -> bool:
        try:
            requests.get(f"{self.front.url}/{path}", timeout=1.0)
        except requests.ReadTimeout:
            return True
        return False

    def weights(self) -> list[tuple[float, dict[str, float]]]:
        """(when, region -> weight) of each change of the name since its zone was set up, the oldest first."""
        named = {address: region for region, address in ADDRESS.items()}
        found = []
        for change in self.zone.changes:
            for added in change["body"]["additions"]:
                items = added.get("routingPolicy", {}).get("wrr", {}).get("items", ())
                if items:
                    found.append((change["at"], {named[one["rrdatas"][0]]: one.get("weight", 0) for one in items}))
        return found

    def workers(self, region: str) -> int:
        return self.groups.at(GROUP[region]).target

    def close(self) -> None:
        super().close()
        self.customers.stop()
        for server in self.servers.values():
            server.thaw()


def _record(routing: str) -> dict[str, Any]:
    """What the zone holds while all is well."""
    if routing == "primary-backup":
        made = dns_world.primary_backup()
    else:
        made = dns_world.weighted({CENTRAL: 100, WEST: 0})
    told = json.dumps({**made, "ttl": 5})
    for region, address in ADDRESS.items():
        told = told.replace(dns_world.ADDRESS[region], address)
    return dict(json.loads(told))


def _instances(by_region: Mapping[str, servers.Server]) -> CloudSql:
    """orders-c and its replica for disaster recovery, whose servers follow a little later than the API says."""
    made = CloudSql(project=PROJECT, seconds=1.0)
    made.instance(INSTANCE[CENTRAL], CENTRAL)
    made.instance(INSTANCE[WEST], WEST, master=INSTANCE[CENTRAL], dr=True)

    def places() -> tuple[servers.Server, servers.Server]:
        """(the new primary, the old one), as the last order has it."""
        new = next(region for region, name in INSTANCE.items() if name == made.orders[-1][1])
        return by_region[new], by_region[CENTRAL if new == WEST else WEST]

    def promote() -> None:
        time.sleep(LATE_SECONDS)
        places()[0].ask("SELECT pg_promote(true, 30)")

    def change_places() -> None:
        time.sleep(LATE_SECONDS)
        new, old = places()
        databases.change_places(old, new)

    def rebuild() -> None:
        new, old = places()
        databases.build_again(old, new)

    made.then = {"PROMOTE_REPLICA": promote, "SWITCHOVER": change_places, "RECONFIGURE_OLD_PRIMARY": rebuild}
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
    routing: str = "wrr",
    lease: str = "20s",
    database: str = "cloud-sql",
) -> Iterator[Site]:
    """The application as an operator set it up."""
    zone: CloudDns = serving("dns.v1", CloudDns())
    zone.zone(DOMAIN)
    zone.put(_record(routing))
    by_region: Mapping[str, servers.Server] = {CENTRAL: pair.east, WEST: pair.west}
    with contextlib.ExitStack() as stack:
        sql: CloudSql = serving("sqladmin.v1", stack.enter_context(contextlib.closing(_instances(by_region))))
        groups: InstanceGroups = serving("compute.v1", stack.enter_context(contextlib.closing(InstanceGroups())))
        policy = {"minNumReplicas": 1, "maxNumReplicas": 4, "mode": "ON"}
        for region, path in GROUP.items():
            groups.group(path, WORKERS[region], policy=policy)
        shop = stack.enter_context(contextlib.closing(Shop(ADDRESS, by_region)))
        told: Any = Answers(shop.is_well, [CENTRAL, WEST])
        names = stack.enter_context(zone_server(lambda: as_records(zone.published()), told))
        settings = {"automation": automation, "routing": routing, "lease": lease, "database": database}
        made = Site(root, front, pair, names, zone, groups, sql, shop, state, **settings)
        yield stack.enter_context(contextlib.closing(made))
