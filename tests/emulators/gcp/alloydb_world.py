"""A database of AlloyDB: its API behind the front, and servers that are a real PostgreSQL pair.

What an order leads to on the servers is done here, late, or not at all, while the API goes on saying what it says. A
region that is unreachable has a server that stands still, and an API that nobody hears from.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_gcp import provider
from cloudfail_gcp.database.alloydb import AlloyDb
from cloudfail_gcp.sessions import Sessions
from tests.emulators.aws.databases import LATE_SECONDS, build_again, change_places, reached
from tests.emulators.aws.outages import Fault
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import alloydb as standin
from tests.local import servers

CENTRAL, WEST = "us-central1", "europe-west1"
PROJECT = "shop-prod"
NAMES = {CENTRAL: "orders-c", WEST: "orders-w"}
PATHS = {region: f"projects/{PROJECT}/locations/{region}/clusters/{name}" for region, name in NAMES.items()}
KIND = provider.kinds()[PortName.DATABASE, "alloydb"]


def machine(**more: Any) -> standin.AlloyDb:
    """orders-c in us-central1, and its secondary orders-w in europe-west1."""
    made = standin.AlloyDb(**more)
    made.cluster(PATHS[CENTRAL])
    made.cluster(PATHS[WEST], of=PATHS[CENTRAL])
    return made


def resource(members: Mapping[str, Any], **options: Any) -> Resource:
    """As the loader makes it: what was written goes through the kind's own models."""
    assert KIND.member is not None
    assert KIND.options is not None
    checked = {region: KIND.member.model_validate(member).model_dump() for region, member in members.items()}
    written = KIND.options.model_validate(options).model_dump()
    return Resource("orders", PortName.DATABASE, "alloydb", "gcp", None, checked, written)


def topology(*resources: Resource, project: str = PROJECT) -> Topology:
    regions = {name: Region(name, "gcp", project) for name in NAMES}
    return Topology("shop", Objectives(900.0, 30.0), regions, CENTRAL, "memory:", {one.name: one for one in resources})


def port(members: Mapping[str, Any] | None = None, **options: Any) -> AlloyDb:
    """A new one, with sessions of its own. Without members: those of NAMES, and nobody says how they are reached."""
    one = resource(NAMES if members is None else members, **options)
    return AlloyDb(one, topology(one), Sessions())


class World:
    """conformance.Harness, and the hand that moves the servers."""

    source, target = CENTRAL, WEST

    def __init__(self, google: Front, machine: standin.AlloyDb, pair: servers.Pair, **more: Any) -> None:
        self.front, self.machine, self.pair = google, machine, pair
        self.servers = {CENTRAL: pair.east, WEST: pair.west}
        self._more = more
        self._gone: dict[str, Fault] = {}
        self.moves = True
        self._port = self.another()
        machine.servers = self.moved

    def port(self) -> AlloyDb:
        return self._port

    def another(self) -> AlloyDb:
        """As a process that has just begun has it."""
        members = {
            region: {"cluster": NAMES[region], **reached(server), **self._more.get(region, {})}
            for region, server in self.servers.items()
        }
        self._port = port(members, answer_within="2s", api_within="4s")
        return self._port

    def make_unreachable(self, region: str) -> None:
        self._gone[region] = self.front.outages.refuse(region=region)
        self.servers[region].freeze()

    def restore(self, region: str) -> None:
        self.servers[region].thaw()
        self._gone.pop(region).lift()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.4))

    def fencing(self, verb: str) -> str:
        return KIND.verbs[verb].fencing

    def close(self) -> None:
        self._port.close()
        for server in self.servers.values():
            server.thaw()
        self.machine.close()

    def moved(self, verb: str, path: str) -> None:
        """What a move leads to on the servers, beside the API's word for it."""
        if not self.moves:
            return
        time.sleep(LATE_SECONDS)
        if verb == "promote":
            self.pair.west.ask("SELECT pg_promote(true, 30)")
        elif path == PATHS[WEST]:
            change_places(self.pair.east, self.pair.west)
        else:
            change_places(self.pair.west, self.pair.east)

    def create_again(self) -> None:
        """What a person does after a promotion: the old cluster is dropped, and made again as a secondary."""
        build_again(self.pair.east, self.pair.west)
        del self.machine.clusters[PATHS[CENTRAL]]
        self.machine.cluster(PATHS[CENTRAL], of=PATHS[WEST])
