"""Services of Cloud Run (run.v2) and their revisions.

As its reference and documentation have it: a patch changes what its mask names, and nothing else, under the etag that
it carries, if any (409 ABORTED); the service shows at once what it was told, and comes to it by itself (`reconciling`,
`observedGeneration`); a minimum is divided among the revisions that get requests; to change the scaling of a service
makes no new revision, unless its template names one (409 ALREADY_EXISTS, as google-cloud-python's issue 14259 reports).
An instance is a listener on loopback. Requests to the service's address are answered while one of them listens.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.listening import answers, listening

FORBIDDEN = ("run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev")


@dataclass
class Revision:
    """instances: (port, what ends it) of each. tells: whether its scaling status is told. ready: of its condition."""

    name: str
    percent: int
    instances: list[tuple[int, contextlib.ExitStack]] = field(default_factory=list)
    tells: bool = True
    ready: str = "CONDITION_SUCCEEDED"


@dataclass
class Service:
    """due: when it has come to what it was told."""

    whole: dict[str, Any]
    revisions: list[Revision]
    due: float = 0.0
    door: int = 0


class CloudRun:
    """`seconds`: how long a service takes to come to what it was told, and `boot_seconds` an instance to run. `boots`:
    whether any does. `obeying`: while it is not set, an order is accepted and changes nothing. `failing`: the
    google.rpc.Code with which one fails at once, if any. `eager`: whether a revision tells at once how many it is to
    have provisioned, while it still warms up."""

    def __init__(self, *, seconds: float = 0.1, boot_seconds: float = 0.1) -> None:
        self.clock = time.monotonic
        self.seconds = seconds
        self.boot_seconds = boot_seconds
        self.boots = True
        self.eager = False
        self.obeying = True
        self.failing = 0
        self.orders: list[str] = []
        self._services: dict[str, Service] = {}
        self._serial = itertools.count(1)
        self._stack = contextlib.ExitStack()

    def service(self, path: str, scaling: dict[str, Any], *, percents: tuple[int, ...] = (100,), **more: Any) -> str:
        """A new one, whose instances run. more: of its template. Returns its path."""
        name = path.rpartition("/")[2]
        whole = {
            "name": path,
            "generation": "1",
            "annotations": {"team": "shop"},
            "scaling": scaling,
            "template": {
                "containers": [{"image": "shop", "resources": {"limits": {"cpu": "2"}}}],
                "scaling": {"maxInstanceCount": 100},
                **more,
            },
        }
        revisions = [Revision(f"{name}-{index:05d}", percent) for index, percent in enumerate(percents, 1)]
        made = Service(whole, revisions)
        self._services[path] = made
        self._changed(made)
        made.due = 0.0
        made.door = self._stack.enter_context(self._door(made))
        boot, self.boot_seconds = self.boot_seconds, 0.0
        self.settle()
        self.boot_seconds = boot
        return path

    def at(self, path: str) -> Service:
        self.settle()
        return self._services[path]

    def running(self, path: str) -> int:
        return sum(len(one.instances) for one in self.at(path).revisions)

    def sicken(self, path: str) -> None:
        """No instance answers any more, though Google counts them."""
        for revision in self.at(path).revisions:
            for _, ends in revision.instances:
                ends.close()

    def end(self) -> None:
        """Everything comes to what it was told."""
        for service in self._services.values():
            service.due = 0.0
        boot, self.boot_seconds = self.boot_seconds, 0.0
        self.settle()
        self.boot_seconds = boot

    def edit(self, path: str, **changes: Any) -> None:
        """As somebody else would."""
        service = self._services[path]
        service.whole |= changes
        self._changed(service)

    def close(self) -> None:
        for service in self._services.values():
            for revision in service.revisions:
                for _, ends in revision.instances:
                    ends.close()
        self._stack.close()

    def settle(self) -> None:
        now = self.clock()
        for service in self._services.values():
            if now < service.due:
                continue
            service.whole["observedGeneration"] = service.whole["generation"]
            for revision in service.revisions:
                self._make(revision, self._share(service, revision), now - service.due >= self.boot_seconds)

    @staticmethod
    def _share(service: Service, revision: Revision) -> int:
        scaling = service.whole["scaling"]
        name = "manualInstanceCount" if scaling.get("scalingMode") == "MANUAL" else "minInstanceCount"
        return -(-int(scaling.get(name, 0)) * revision.percent // 100)

    def _make(self, revision: Revision, count: int, booted: bool) -> None:
        while len(revision.instances) > count:
            revision.instances.pop()[1].close()
        while len(revision.instances) < count and booted and self.boots:
            ends = contextlib.ExitStack()
            revision.instances.append((ends.enter_context(listening()), ends))

    def _changed(self, service: Service) -> None:
        service.whole["etag"] = f'"etag-{next(self._serial)}"'
        service.due = self.clock() + self.seconds

    @contextlib.contextmanager
    def _door(self, service: Service) -> Iterator[int]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served = any(answers(port) for one in service.revisions for port, _ in one.instances)
                self.send_response(200 if served else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_said: Any) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            try:
                yield int(server.server_address[1])
            finally:
                server.shutdown()

    def _of(self, labels: dict[str, str]) -> Service:
        path = f"projects/{labels['projectsId']}/locations/{labels['locationsId']}/services/{labels['servicesId']}"
        if path not in self._services:
            raise Refused(404, "", f"Resource '{labels['servicesId']}' was not found", "NOT_FOUND")
        return self._services[path]

    # ---- methods

    def projects_locations_services_get(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self.settle()
        service = self._of(labels)
        moving = service.whole.get("observedGeneration") != service.whole["generation"]
        state = "CONDITION_RECONCILING" if moving else "CONDITION_SUCCEEDED"
        latest = service.revisions[-1].name
        told = copy.deepcopy(service.whole) | {
            "terminalCondition": {"type": "Ready", "state": state},
            "latestReadyRevision": f"{service.whole['name']}/revisions/{latest}",
            "trafficStatuses": [
                {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": one.name, "percent": one.percent}
                for one in service.revisions
                if one.percent
            ],
        }
        return told | ({"reconciling": True} if moving else {})

    def projects_locations_services_revisions_get(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self.settle()
        service = self._of(labels)
        found = next((one for one in service.revisions if one.name == labels["revisionsId"]), None)
        if found is None:
            raise Refused(404, "", f"Resource '{labels['revisionsId']}' was not found", "NOT_FOUND")
        conditions: list[dict[str, Any]] = [{"type": "Ready", "state": found.ready}]
        if len(found.instances) < self._share(service, found):
            reason = {"revisionReason": "MIN_INSTANCES_WARMING", "state": "CONDITION_RECONCILING"}
            conditions.append({"type": "MinInstancesProvisioned", **reason})
        told = {"name": f"{service.whole['name']}/revisions/{found.name}", "conditions": conditions}
        count = self._share(service, found) if self.eager else len(found.instances)
        return told | ({"scalingStatus": {"desiredMinInstanceCount": count}} if found.tells else {})

    def projects_locations_services_patch(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self.settle()
        service = self._of(labels)
        whole = service.whole
        if body.get("etag", whole["etag"]) != whole["etag"]:
            said = f"Conflict for resource '{labels['servicesId']}': the etag is {whole['etag']}."
            raise Refused(409, "", said, "ABORTED")
        if whole["template"].get("revision"):
            said = f"Revision named '{whole['template']['revision']}' with different configuration already exists."
            raise Refused(409, "", said, "ALREADY_EXISTS")
        if any(name.partition("/")[0] in FORBIDDEN for name in body.get("annotations", {})):
            raise Refused(400, "", "Such annotations are not supported.", "INVALID_ARGUMENT")
        changed = copy.deepcopy(whole)
        for path in query["updateMask"].split(","):
            into, given = changed, body
            *parents, last = path.split(".")
            for parent in parents:
                into, given = into.setdefault(parent, {}), given.get(parent, {})
            into.pop(last, None)
            if last in given:
                into[last] = copy.deepcopy(given[last])
        scaling = changed["scaling"]
        if scaling.get("minInstanceCount", 0) > scaling.get("maxInstanceCount", 10**6):
            raise Refused(400, "", "minInstanceCount must not be above maxInstanceCount.", "INVALID_ARGUMENT")
        self.orders.append(query["updateMask"])
        if self.obeying and not self.failing:
            changed["generation"] = str(int(whole["generation"]) + 1)
            service.whole = changed
            self._changed(service)
        where = f"projects/{labels['projectsId']}/locations/{labels['locationsId']}"
        told = {"name": f"{where}/operations/{next(self._serial)}", "done": not self.obeying}
        return told | ({"error": {"code": self.failing, "message": "It failed."}} if self.failing else {})
