"""The ports of one application, built from its configuration: each adapter once, when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from cloudfail.actions import World
from cloudfail.config.loaded import Loaded
from cloudfail.errors import Refused
from cloudfail.model.observation import Known, Unknown, joined
from cloudfail.model.topology import PortName
from cloudfail.ports import Change, Compute, Consumers, Custom, Database, Dns, LoadBalancer, Network, Preflight, Signals

Healthy = Callable[[str, str], Known[bool] | Unknown]
Acknowledged = Callable[[str, str], Known[float] | Unknown]


class Ports(World, Protocol):
    """What an App asks of its world, beside what actions ask."""

    def databases(self) -> Mapping[str, Database]: ...

    def computes(self) -> Mapping[str, Compute]: ...

    def preflight(self, name: str) -> Known[tuple[str, ...]] | Unknown | None:
        """What `ports.Preflight` says of that resource; None if it is none that can be asked."""

    def warm(self) -> None: ...


class PortsWorld:
    """Fulfils `actions.World`. `healthy` and `acknowledged` come from whoever watches: a live watch, or a sample."""

    def __init__(self, loaded: Loaded, healthy: Healthy, acknowledged: Acknowledged) -> None:
        self.topology = loaded.topology
        self._kinds = loaded.kinds
        self._healthy = healthy
        self._acknowledged = acknowledged
        self._built: dict[str, Any] = {}
        self._lock = threading.Lock()

    def database(self, name: str) -> Database:
        return cast(Database, self._port(PortName.DATABASE, name))

    def dns(self, name: str) -> Dns:
        return cast(Dns, self._port(PortName.DNS, name))

    def loadbalancer(self, name: str) -> LoadBalancer:
        return cast(LoadBalancer, self._port(PortName.LOADBALANCER, name))

    def compute(self, name: str) -> Compute:
        return cast(Compute, self._port(PortName.COMPUTE, name))

    def consumers(self, name: str) -> Consumers:
        return cast(Consumers, self._port(PortName.CONSUMERS, name))

    def network(self, name: str) -> Network:
        return cast(Network, self._port(PortName.NETWORK, name))

    def custom(self, name: str) -> Custom:
        return cast(Custom, self._port(PortName.CUSTOM, name))

    def changes(self, region: str) -> Mapping[str, Change]:
        return {name: cast(Change, self._port(PortName.CHANGE, name)) for name in self._named(PortName.CHANGE, region)}

    def signals(self, name: str) -> Signals:
        return cast(Signals, self._port(PortName.SIGNALS, name))

    def healthy(self, check: str, region: str) -> Known[bool] | Unknown:
        return self._healthy(check, region)

    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        return self._acknowledged(database, region)

    def databases(self) -> Mapping[str, Database]:
        return {name: self.database(name) for name in self._named(PortName.DATABASE)}

    def computes(self) -> Mapping[str, Compute]:
        return {name: self.compute(name) for name in self._named(PortName.COMPUTE)}

    def preflight(self, name: str) -> Known[tuple[str, ...]] | Unknown | None:
        resource = self.topology.resources[name]
        built, allowed = self._port(resource.port, name), self._kinds[name].allowed
        told = [built.preflight()] if isinstance(built, Preflight) else []
        if allowed is not None:
            told.append(allowed(resource, self.topology))
        return joined(told)

    def warm(self) -> None:
        """Build every adapter now, and let those that keep sessions open them: nothing is looked up on the bad day."""
        for name in self.topology.resources:
            built = self._port(self.topology.resources[name].port, name)
            warm = getattr(built, "warm", None)
            if warm is not None:
                warm()

    def _named(self, port: PortName, region: str | None = None) -> list[str]:
        return [
            name
            for name, resource in self.topology.resources.items()
            if resource.port is port and (region is None or not resource.members or region in resource.members)
        ]

    def _port(self, port: PortName, name: str) -> Any:
        with self._lock:
            if name in self._built:
                return self._built[name]
            resource = self.topology.resources.get(name)
            if resource is None or resource.port is not port:
                raise Refused(
                    f"There is no {port} named {name!r} in {self.topology.application}.",
                    "Nothing was changed.",
                    "Add it under `resources:`, or name another one in the runbook.",
                )
            self._built[name] = self._kinds[name].build(resource, self.topology)
            return self._built[name]
