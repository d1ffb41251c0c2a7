"""Service load balancing policies of Network Services, which are only read here."""

from __future__ import annotations

from typing import Any

from tests.emulators.gcp.front import Refused


class ServiceLbPolicies:
    """`policies`: name ("projects/P/locations/L/serviceLbPolicies/N") -> what it says."""

    def __init__(self) -> None:
        self.policies: dict[str, dict[str, Any]] = {}

    def projects_locations_service_lb_policies_get(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        project, location, policy = labels.values()
        name = f"projects/{project}/locations/{location}/serviceLbPolicies/{policy}"
        if name not in self.policies:
            raise Refused(404, "notFound", f"Resource '{name}' was not found", "NOT_FOUND")
        return {"name": name, **self.policies[name]}
