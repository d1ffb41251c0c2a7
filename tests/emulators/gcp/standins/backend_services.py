"""Backend services of Compute Engine, global and regional: backends with capacity scalers, and the health of groups.

As the references of `backendServices` and `regionBackendServices` have it: a patch needs the fingerprint that stands
(412 conditionNotMet); it replaces the array of backends; a scaler is 0 or from 0.1 to 1, and not 0 for the only
backend; health is told by group. Whether one is healthy is whether something listens: an instance stands for a port on
loopback.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.operations import BASE, Operations, fingerprint, merged
from tests.emulators.listening import answers


class BackendServices(Operations):
    """`members`: group's path -> {instance's path: port on loopback}. `unlisted`: groups whose health is not told."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.members: dict[str, dict[str, int]] = {}
        self.unlisted: set[str] = set()
        self._services: dict[str, dict[str, Any]] = {}

    def service(self, path: str, scalers: dict[str, float | None], **more: Any) -> str:
        """A new one: group's path -> its scaler, None where it is left to Google's own. Returns its path."""
        backends = []
        for group, scaler in scalers.items():
            backend: dict[str, Any] = {"group": BASE + group, "balancingMode": "RATE", "maxRatePerInstance": 50.0}
            backends.append(backend | ({} if scaler is None else {"capacityScaler": scaler}))
        whole = {
            "kind": "compute#backendService",
            "name": path.rpartition("/")[2],
            "selfLink": BASE + path,
            "protocol": "HTTP",
            "loadBalancingScheme": "EXTERNAL_MANAGED",
            "sessionAffinity": "NONE",
            "connectionDraining": {"drainingTimeoutSec": 300},
            "backends": backends,
            **more,
        }
        self._services[path] = whole | {"fingerprint": fingerprint(whole)}
        return path

    def edit(self, path: str, **changes: Any) -> None:
        """As a person would, in the console."""
        self._put(path, merged(self._services[path], changes))

    def stands(self, path: str) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._services[path])

    def scalers(self, path: str) -> dict[str, float]:
        backends = self.stands(path)["backends"]
        return {one["group"].removeprefix(BASE): one.get("capacityScaler", 1.0) for one in backends}

    # ---- methods

    def backend_services_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._services[self._path(labels)])

    def backend_services_patch(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path = self._path(labels)
        if query.get("requestId", "") in self._by_request:
            return self.order("patch", path, query, lambda: None)
        now = self._services[path]
        if body.get("fingerprint") != now["fingerprint"]:
            raise Refused(412, "conditionNotMet", "Invalid fingerprint.")
        if self.busy(path):
            raise Refused(400, "resourceNotReady", f"The resource '{path}' is not ready")
        backends = body.get("backends", now["backends"])
        for one in backends:
            scaler = one.get("capacityScaler", 1.0)
            if scaler != 0 and not 0.1 <= scaler <= 1.0:
                raise Refused(400, "invalid", "Invalid value for field 'resource.backends[0].capacityScaler'.")
        if len(backends) == 1 and backends[0].get("capacityScaler", 1.0) == 0:
            raise Refused(400, "invalid", "The only backend cannot have a capacity scaler of 0.")
        return self.order("patch", path, query, lambda: self._put(path, merged(self._services[path], body)))

    def backend_services_get_health(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        group = str(body["group"]).removeprefix(BASE)
        if group not in self.scalers(self._path(labels)):
            raise Refused(400, "invalid", f"'{group}' is no backend of it.")
        listed = [
            {"instance": BASE + name, "port": 80, "healthState": "HEALTHY" if answers(port) else "UNHEALTHY"}
            for name, port in self.members.get(group, {}).items()
            if group not in self.unlisted
        ]
        told: dict[str, Any] = {"kind": "compute#backendServiceGroupHealth"}
        return told | ({"healthStatus": listed} if listed else {})

    region_backend_services_get = backend_services_get
    region_backend_services_patch = backend_services_patch
    region_backend_services_get_health = backend_services_get_health

    def _path(self, labels: dict[str, str]) -> str:
        where = f"regions/{labels['region']}" if "region" in labels else "global"
        path = f"projects/{labels['project']}/{where}/backendServices/{labels['backendService']}"
        if path not in self._services:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return path

    def _put(self, path: str, whole: dict[str, Any]) -> None:
        self._services[path] = whole | {"fingerprint": fingerprint(whole)}
