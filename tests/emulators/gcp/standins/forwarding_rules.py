"""Global forwarding rules of Compute Engine: which target proxy an address leads to, and labels.

As the reference of `globalForwardingRules` has it: setTarget takes a target of the same type and has no condition;
setLabels replaces all labels and needs the labels' own fingerprint (412 conditionNotMet); a rule on which an operation
is under way takes no other.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.backend_services import BackendServices
from tests.emulators.gcp.standins.operations import BASE, fingerprint


class ForwardingRules(BackendServices):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._rules: dict[str, dict[str, Any]] = {}

    def rule(self, path: str, target: str, **more: Any) -> str:
        """A new one. Returns its path."""
        made = {
            "kind": "compute#forwardingRule",
            "name": path.rpartition("/")[2],
            "selfLink": BASE + path,
            "IPAddress": "192.0.2.40",
            "IPProtocol": "TCP",
            "portRange": "443-443",
            "loadBalancingScheme": "EXTERNAL_MANAGED",
            "target": BASE + target,
        }
        self._rules[path] = made | {"labelFingerprint": fingerprint({})} | more
        return path

    def edit_rule(self, path: str, **changes: Any) -> None:
        """As a person would, in the console."""
        self._rules[path] |= changes
        self._rules[path]["labelFingerprint"] = fingerprint(self._rules[path].get("labels", {}))

    def target(self, path: str) -> str:
        """Where what comes to its address goes now."""
        self.settle()
        return str(self._rules[path]["target"]).removeprefix(BASE)

    def labels(self, path: str) -> dict[str, str]:
        self.settle()
        return dict(self._rules[path].get("labels", {}))

    # ---- methods

    def global_forwarding_rules_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._rules[self._rule_path(labels["project"], labels["forwardingRule"])])

    def global_forwarding_rules_set_target(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        path = self._rule_path(labels["project"], labels["forwardingRule"])
        if query.get("requestId", "") in self._by_request:
            return self.order("SetTarget", path, query, lambda: None)
        self._must_be_ready(path)
        now, wanted = str(self._rules[path]["target"]), str(body["target"])
        if now.split("/")[-2] != wanted.split("/")[-2]:
            raise Refused(400, "invalid", "The new target should be of the same type as the old target.")
        return self.order("SetTarget", path, query, lambda: self._rules[path].update(target=wanted))

    def global_forwarding_rules_set_labels(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        path = self._rule_path(labels["project"], labels["resource"])
        self._must_be_ready(path)
        if body.get("labelFingerprint") != self._rules[path]["labelFingerprint"]:
            raise Refused(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed")
        return self.order("setLabels", path, {}, lambda: self.edit_rule(path, labels=dict(body["labels"])))

    def _must_be_ready(self, path: str) -> None:
        self.settle()
        if self.busy(path):
            raise Refused(400, "resourceNotReady", f"The resource '{path}' is not ready")

    def _rule_path(self, project: str, name: str) -> str:
        path = f"projects/{project}/global/forwardingRules/{name}"
        if path not in self._rules:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return path
