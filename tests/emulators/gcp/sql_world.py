"""A database of Cloud SQL: its Admin API behind the front, and servers that are a real PostgreSQL pair.

What an operation does to the servers is done here, late, or not at all, while the API goes on saying what it says.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar

from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_gcp import provider
from cloudfail_gcp.database.cloud_sql import CloudSql
from cloudfail_gcp.sessions import Sessions
from tests.emulators.aws.databases import LATE_SECONDS, build_again, change_places, reached
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import cloud_sql as standin
from tests.local import servers

CENTRAL, WEST = "us-central1", "europe-west1"
PROJECT = "shop-prod"
M = TypeVar("M", bound=standin.CloudSql)
NAMES = {CENTRAL: "orders-c", WEST: "orders-w"}
KIND = provider.kinds()[PortName.DATABASE, "cloud-sql"]


def machine(sort: type[M] = standin.CloudSql, *, dr: bool = True, **more: Any) -> M:  # type: ignore[assignment]
    """orders-c in us-central1, and its replica orders-w in europe-west1. sort: of which class."""
    made = sort(project=PROJECT)
    made.instance(NAMES[CENTRAL], CENTRAL, **more)
    made.instance(NAMES[WEST], WEST, master=NAMES[CENTRAL], dr=dr)
    return made


def resource(members: Mapping[str, Any], **options: Any) -> Resource:
    """As the loader makes it: what was written goes through the kind's own models."""
    assert KIND.member is not None
    assert KIND.options is not None
    checked = {region: KIND.member.model_validate(member).model_dump() for region, member in members.items()}
    written = KIND.options.model_validate(options).model_dump()
    return Resource("orders", PortName.DATABASE, "cloud-sql", "gcp", None, checked, written)


def topology(*resources: Resource) -> Topology:
    regions = {name: Region(name, "gcp", PROJECT) for name in NAMES}
    return Topology("shop", Objectives(900.0, 30.0), regions, CENTRAL, "memory:", {one.name: one for one in resources})


def port(members: Mapping[str, Any] | None = None, **options: Any) -> CloudSql:
    """A new one, with sessions of its own. Without members: those of NAMES, and nobody says how they are reached."""
    one = resource(NAMES if members is None else members, **options)
    return CloudSql(one, topology(one), Sessions())


class World:
    """conformance.Harness, and the hand that moves the servers."""

    source, target = CENTRAL, WEST

    def __init__(self, google: Front, machine: standin.CloudSql, pair: servers.Pair, **more: Any) -> None:
        self.front, self.machine, self.pair = google, machine, pair
        self.servers = {CENTRAL: pair.east, WEST: pair.west}
        members = {
            region: {"instance": NAMES[region], **reached(server), **more.get(region, {})}
            for region, server in self.servers.items()
        }
        self._port = port(members, answer_within="2s", api_within="20s")
        machine.then = {
            "PROMOTE_REPLICA": self.promote,
            "SWITCHOVER": self.change_places,
            "RECONFIGURE_OLD_PRIMARY": self.build_again,
        }

    def port(self) -> CloudSql:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.machine.gone.add(region)
        self.servers[region].freeze()

    def restore(self, region: str) -> None:
        self.servers[region].thaw()
        self.machine.gone.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.4))

    def fencing(self, verb: str) -> str:
        return KIND.verbs[verb].fencing

    def close(self) -> None:
        self._port.close()
        for server in self.servers.values():
            server.thaw()
        self.machine.close()

    # What operations lead to.

    def promote(self) -> None:
        time.sleep(LATE_SECONDS)
        self.pair.west.ask("SELECT pg_promote(true, 30)")

    def change_places(self) -> None:
        time.sleep(LATE_SECONDS)
        change_places(self.pair.east, self.pair.west)

    def build_again(self) -> None:
        """Cloud SQL builds what the API calls a replica already."""
        for _ in range(300):
            if not self.pair.west.one("SELECT pg_is_in_recovery()"):
                break
            time.sleep(0.1)
        build_again(self.pair.east, self.pair.west)
