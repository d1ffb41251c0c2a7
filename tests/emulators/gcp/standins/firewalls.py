"""VPC firewall rules, and what they let in.

As "VPC firewall rules" has it: the lowest priority decides, a rule that denies before one that allows, what none
decides is denied, a rule that is disabled is as if it were not there, and what was let in is tracked: a rule decides
about new connections. What is patched is so when the operation is done.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.operations import BASE, Operations, merged


class Firewalls(Operations):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._rules: dict[str, dict[str, Any]] = {}

    def rule(self, path: str, **told: Any) -> str:
        whole = {"kind": "compute#firewall", "name": path.rpartition("/")[2], "selfLink": BASE + path}
        whole |= {"direction": "INGRESS", "priority": 1000, "disabled": False, "sourceRanges": ["0.0.0.0/0"], **told}
        self._rules[path] = whole
        return path

    def there(self, path: str) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._rules[path])

    def lets_in(self, port: int) -> bool:
        """The data plane, at this moment, for a new connection. It only reads."""
        there = [rule for rule in list(self._rules.values()) if not rule["disabled"]]
        rules = [
            (rule["priority"], "allowed" in rule)
            for rule in there
            for one in rule.get("denied") or rule.get("allowed") or ()
            if str(port) in one.get("ports", [str(port)])
        ]
        return min(rules)[1] if rules else False

    # ---- methods

    def firewalls_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        return self.there(self._at(labels))

    def firewalls_patch(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path, told = self._at(labels), copy.deepcopy(body)
        if query.get("requestId", "") not in self._by_request and self.busy(path):
            raise Refused(400, "resourceNotReady", f"The resource '{path}' is not ready")

        def patch() -> None:
            self._rules[path] = merged(self._rules[path], told)

        return self.order("patch", path, query, patch)

    def _at(self, labels: dict[str, str]) -> str:
        path = f"projects/{labels['project']}/global/firewalls/{labels['firewall']}"
        if path not in self._rules:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return path
