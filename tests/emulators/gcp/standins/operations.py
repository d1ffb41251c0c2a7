"""What every change in Compute Engine is: an operation that is accepted, runs, and is done or has failed.

As its documentation has it: a requestId that was carried out once is answered with what came of it then, and nothing is
done again; the effect is seen when the operation is done, and never before.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.gcp.front import Refused

BASE = "https://www.googleapis.com/compute/v1/"


class Operations:
    """`seconds`: how long each takes. `obeying`: while it is not set, they are done without an effect. `failing`: the
    code of the error in which they end instead, if any. `orders`: (kind, target) of each that was accepted."""

    def __init__(self, *, seconds: float = 0.2, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.seconds = seconds
        self.obeying = True
        self.failing = ""
        self.orders: list[tuple[str, str]] = []
        self._operations: list[dict[str, Any]] = []
        self._pending: list[tuple[float, dict[str, Any], Callable[[], None]]] = []
        self._by_request: dict[str, dict[str, Any]] = {}

    def settle(self) -> None:
        """What has run long enough is done."""
        now, pending, self._pending = self.clock(), self._pending, []
        for due, operation, effect in pending:
            if now < due:
                self._pending.append((due, operation, effect))
                continue
            operation["status"] = "DONE"
            if self.failing:
                operation["error"] = {"errors": [{"code": self.failing, "message": "It failed."}]}
            elif self.obeying:
                effect()

    def end(self) -> None:
        """Wait until every operation has come to its end."""
        for _ in range(400):
            self.settle()
            if not self._pending:
                return
            time.sleep(0.02)
        raise AssertionError("an operation never ended")

    def busy(self, target: str) -> bool:
        return any(operation["targetLink"] == BASE + target for _, operation, _ in self._pending)

    def order(self, kind: str, target: str, query: Mapping[str, str], effect: Callable[[], None]) -> dict[str, Any]:
        """An operation on that path, or the one that its requestId had before."""
        request = query.get("requestId", "")
        if request and request in self._by_request:
            return copy.deepcopy(self._by_request[request])
        if request and not re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", request):
            raise Refused(400, "invalid", "requestId must be a UUID.")
        operation = {
            "kind": "compute#operation",
            "name": f"operation-{len(self._operations) + 1}",
            "operationType": kind,
            "targetLink": BASE + target,
            "status": "RUNNING",
            "progress": 0,
        }
        self._operations.append(operation)
        self._by_request[request] = operation
        self.orders.append((kind, target))
        self._pending.append((self.clock() + self.seconds, operation, effect))
        self.settle()
        return copy.deepcopy(operation)

    def global_operations_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        return self._listed(f"projects/{labels['project']}/global/", query)

    def region_operations_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        return self._listed(f"projects/{labels['project']}/regions/{labels['region']}/", query)

    def zone_operations_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        return self._listed(f"projects/{labels['project']}/zones/{labels['zone']}/", query)

    def _listed(self, scope: str, query: Mapping[str, str]) -> dict[str, Any]:
        self.settle()
        wanted = re.fullmatch(r'status (!=|=) "?([A-Z]+)"?', query.get("filter", 'status != "NONE"'))
        if wanted is None:
            raise Refused(400, "invalid", f"Invalid value for field 'filter': '{query['filter']}'.")
        found = [
            one
            for one in self._operations
            if one["targetLink"].startswith(BASE + scope) and (one["status"] == wanted[2]) is (wanted[1] == "=")
        ]
        return {"kind": "compute#operationList", "items": copy.deepcopy(found)} if found else {}


def fingerprint(whole: Mapping[str, Any]) -> str:
    """A hash of what stands there, as Google words it: bytes in base 64."""
    told = json.dumps({key: value for key, value in whole.items() if key != "fingerprint"}, sort_keys=True)
    return base64.b64encode(hashlib.sha256(told.encode()).digest()[:8]).decode()


def merged(whole: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396): objects are merged, null takes away, and everything else is replaced, arrays too."""
    result = dict(whole)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key) or {}, value)
        else:
            result[key] = copy.deepcopy(value)
    return result
