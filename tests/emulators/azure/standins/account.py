"""What is asked of every account before anything else: which subscriptions are seen, and what is allowed there.

All is allowed, unless a gate stands before the front (gate.py), which answers by what is printed."""

from __future__ import annotations

from typing import Any

AUTHORIZATION, SUBSCRIPTIONS = "azure.mgmt.authorization.v2022_04_01", "azure.mgmt.resource.subscriptions"


class Authorization:
    """Whoever asks is an owner."""

    def permissions_list_for_resource(self, _ask: Any) -> dict[str, Any]:
        return {"value": [{"actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": []}]}

    permissions_list_for_resource_group = permissions_list_for_resource


class Subscriptions:
    """`seen`: those in which whoever asks has a role."""

    def __init__(self, *seen: str) -> None:
        self.seen = list(seen)

    def subscriptions_list(self, _ask: Any) -> dict[str, Any]:
        return {"value": [{"subscriptionId": one, "state": "Enabled"} for one in self.seen]}
