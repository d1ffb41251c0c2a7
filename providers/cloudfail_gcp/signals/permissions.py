"""What the kinds of this port call, as IAM names it. Nothing of it changes anything. Source: "Roles and permissions" of
Cloud Monitoring (alertPolicies.get, alerts.list, snoozes.list, timeSeries.list)."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions

READS = ("monitoring.alerts.list", "monitoring.snoozes.list", "monitoring.timeSeries.list")


def alert(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    why = "Monitoring's permissions are given on a whole project."
    paths = {region: str(resource.members[region]["policy"]) for region in regions if region in resource.members}
    return Permissions(
        tuple(
            Grant(region, ("monitoring.alertPolicies.get", *READS), ("/".join(path.split("/")[:2]),), why=why)
            for region, path in paths.items()
        )
    )
