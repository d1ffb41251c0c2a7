"""Databases whose control plane is an emulator and whose servers are a real PostgreSQL pair.

The emulators have no servers behind their instances: what an API call does to the data plane is done here, to real
servers, late, or not at all, while the API goes on saying what it says. A region that is unreachable has servers that
stand still and a control plane where nobody listens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_aws import provider
from cloudfail_aws.clients import Clients
from tests.emulators.aws.emulator import free_port
from tests.local import servers

EAST, WEST = "us-east-1", "us-west-2"
LATE_SECONDS = 0.7


class WorldClients(Clients):
    """Clients that find nobody in regions that are gone, and that tell what was done: (operation, parameters)."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()
        self.done: list[tuple[str, str, Mapping[str, Any]]] = []
        self.then: dict[str, Callable[[], None]] = {}
        self._nobody = f"http://127.0.0.1:{free_port()}"
        self._told: set[int] = set()
        self._beside: list[threading.Thread] = []

    def get(self, service: str, region: str, role: str = "", session: str = "", endpoint: str = "") -> Any:
        if region in self.gone:
            return super().get(service, region, endpoint=self._nobody)
        client = super().get(service, region, role, session, endpoint)
        if id(client) not in self._told:
            self._told.add(id(client))
            client.meta.events.register("provide-client-params.*.*", self._asked(region))
            client.meta.events.register("after-call.*.*", self._answered)
        return client

    def _asked(self, region: str) -> Callable[..., None]:
        def note(params: Mapping[str, Any], model: Any, **_: Any) -> None:
            if not model.name.startswith(("Describe", "List", "Get")):
                self.done.append((model.name, region, dict(params)))

        return note

    def _answered(self, http_response: Any, model: Any, **_: Any) -> None:
        """What the call leads to on the servers, beside it: the API has answered."""
        if http_response.status_code < 300 and model.name in self.then:
            beside = threading.Thread(target=self.then[model.name], daemon=True)
            self._beside.append(beside)
            beside.start()

    def settle(self) -> None:
        """Wait for what was begun beside."""
        for one in self._beside:
            one.join(60)

    def changes(self, *names: str) -> list[tuple[str, Mapping[str, Any]]]:
        """(region, parameters) of what was asked of these operations."""
        return [(region, params) for name, region, params in self.done if name in names]


def topology(*resources: Resource) -> Topology:
    regions = {name: Region(name, "aws", "123456789012") for name in (EAST, WEST)}
    named = {one.name: one for one in resources}
    return Topology("shop", Objectives(900.0, 30.0), regions, EAST, "memory:", named)


def resource(kind: str, members: Mapping[str, Any], *, id: str | None = None, **options: Any) -> Resource:
    """As the loader makes it: what was written goes through the kind's own models."""
    one = provider.kinds()[PortName.DATABASE, kind]
    assert one.member is not None
    assert one.options is not None
    checked = {region: one.member.model_validate(member).model_dump() for region, member in members.items()}
    return Resource(
        "orders", PortName.DATABASE, kind, "aws", id, checked, one.options.model_validate(options).model_dump()
    )


def reached(server: servers.Server) -> dict[str, Any]:
    """How a member is reached over SQL."""
    return {"dsn": server.dsn("cloudfail"), "writer": server.dsn("shop")}


class World:
    """conformance.Harness, and the hand that moves the servers."""

    source, target = EAST, WEST

    def __init__(self, kind: str, pair: servers.Pair, clients: WorldClients, make: Callable[[], Any]) -> None:
        self.pair = pair
        self.clients = clients
        self._kind = provider.kinds()[PortName.DATABASE, kind]
        self._port = make()
        self._servers = {EAST: pair.east, WEST: pair.west}

    def port(self) -> Any:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.clients.gone.add(region)
        self._servers[region].freeze()

    def restore(self, region: str) -> None:
        self._servers[region].thaw()
        self.clients.gone.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.4))

    def fencing(self, verb: str) -> str:
        return self._kind.verbs[verb].fencing

    def close(self) -> None:
        self._port.close()
        for server in self._servers.values():
            server.thaw()
        self.clients.settle()

    # What calls lead to.

    def promote_west(self) -> None:
        time.sleep(LATE_SECONDS)
        self.pair.west.ask("SELECT pg_promote(true, 30)")

    def stop_east(self) -> None:
        self.pair.east.stop("fast")

    def build_east(self) -> None:
        build_again(self.pair.east, self.pair.west)

    def change_places(self) -> None:
        time.sleep(LATE_SECONDS)
        change_places(self.pair.east, self.pair.west)


def build_again(old: servers.Server, upstream: servers.Server) -> None:
    """A new replica where the old instance was; what that one held is kept beside it."""
    old.stop("immediate")
    servers.run("mv", old.data, f"{old.data}.was")
    source = ("-d", upstream.dsn("replicator"), "-X", "stream", "-c", "fast", "-N")
    servers.run(servers.BIN / "pg_basebackup", "-D", old.data, *source)
    conf = (old.data / "postgresql.conf").read_text().replace(f"port = {upstream.port}", f"port = {old.port}")
    (old.data / "postgresql.conf").write_text(conf)
    servers.set_upstream(old, upstream)
    old.start()


def change_places(old: servers.Server, new: servers.Server) -> None:
    """As Aurora does: the old writer sends all that it has, then the new one writes and the old one reads."""
    old.stop("fast")
    new.ask("SELECT pg_promote(true, 30)")
    servers.set_upstream(old, new)
    old.start()
