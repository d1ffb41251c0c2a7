"""The kind `database: postgresql-flexible`."""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.database import flexible_permissions
from cloudfail_azure.database.flexible_options import FlexibleMember, FlexibleOptions


def _flexible(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.database import postgresql_flexible

    return postgresql_flexible.build(resource, topology)


POSTGRESQL_FLEXIBLE = Kind(
    port=PortName.DATABASE,
    name="postgresql-flexible",
    build=_flexible,
    permissions=flexible_permissions.postgresql_flexible,
    options=FlexibleOptions,
    member=FlexibleMember,
    settle_seconds=5.0,
    call_timeout_seconds=30.0,
    verbs={
        # Inside of the database first; the firewall's rules need the old server's control plane, and so the worse is
        # said of the verb.
        "fence": VerbFacts("control", "member", False, True, 5.0, 300.0, "mark"),
        "failover": VerbFacts("control", "member", True, False, 180.0, 1800.0, "mark"),
        # Both sides must be there and Ready: never a way out of a region that is lost.
        "switchover": VerbFacts("control", "member", False, True, 300.0, 1800.0, "mark"),
        # Azure takes the old primary back by itself, once its region is there again.
        "follow": VerbFacts("control", "member", False, False, 1800.0, 43200.0, "mark"),
        "canary": VerbFacts("data", "member", False, True, 0.1, 5.0, "watching"),
    },
)
