"""A global cluster of DocumentDB or Neptune: a control plane that is held against botocore's model, behind a front of
its own (its requests are signed as RDS's are, so that no common one could tell them apart), and servers that follow it
late, or never.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest

from cloudfail.model.topology import PortName
from cloudfail_aws import provider
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.front import Front
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.global_clusters import GlobalClusters, Member

NAMES = {EAST: "orders-e", WEST: "orders-w"}
GLOBAL = "orders-global"
TAIL = "rds:unplanned-global-failover-orders-e-2026-11-23-10-00"
PROMOTE_SECONDS = 0.4


class Control:
    """The control plane. `follow`: what the servers do about an accepted move: (lossy, target's region)."""

    def __init__(self, service: str) -> None:
        self.machine = GlobalClusters(on_failover=self._moved, engine=service)
        self.machine.promote_seconds = PROMOTE_SECONDS
        self.machine.api_seconds = 0.1
        self.cluster = self.machine.cluster(GLOBAL, {one: (name, "") for one, name in NAMES.items()}, EAST)
        self.stand_in = StandIn(service, self.machine)
        self.front = Front({})
        self.front.serve("rds", self.stand_in.answer)
        self.follow: Callable[[bool, str], None] = lambda lossy, region: None
        self._service = service

    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the SDK is told: the address of this service alone."""
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in self.front.environment().items():
            if name != "AWS_ENDPOINT_URL":
                monkeypatch.setenv(name, value)
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{self._service.upper()}", self.front.url)

    def close(self) -> None:
        self.front.close()
        assert not self.stand_in.mistakes, "\n".join(self.stand_in.mistakes)

    def _moved(self, target: Member) -> None:
        self.follow(self.machine.accepted[-1][2], target.region)

    def asked(self, operation: str) -> int:
        return self.front.count(operation=operation)


class Servers(Protocol):
    """Both clusters' servers."""

    def freeze(self, region: str) -> None: ...

    def thaw(self, region: str) -> None: ...


class World:
    """conformance.Harness."""

    source, target = EAST, WEST

    def __init__(
        self, kind: str, control: Control, servers: Servers, clients: WorldClients, make: Callable[[], Any]
    ) -> None:
        self.kind = provider.kinds()[PortName.DATABASE, kind]
        self.control = control
        self.servers = servers
        self.clients = clients
        self.make = make
        self._port = make()

    def port(self) -> Any:
        return self._port

    def another(self) -> Any:
        """As a process that has just begun has it. The one before is ended."""
        self._port.close()
        self._port = self.make()
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.clients.gone.add(region)
        self.servers.freeze(region)

    def restore(self, region: str) -> None:
        self.servers.thaw(region)
        self.clients.gone.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.3))

    def fencing(self, verb: str) -> str:
        return self.kind.verbs[verb].fencing

    def orders(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        """(operation, region, parameters) of the moves that were asked for."""
        return [one for one in self.clients.done if one[0] in ("FailoverGlobalCluster", "SwitchoverGlobalCluster")]

    def close(self) -> None:
        for region in (EAST, WEST):
            self.servers.thaw(region)
        self._port.close()
