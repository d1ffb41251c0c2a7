"""Google's databases behind the Database port. Importing this package imports no vendor library."""

from __future__ import annotations

from typing import Any

from cloudfail.errors import Permanent
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.database import permissions
from cloudfail_gcp.database.alloydb_kind import ALLOYDB
from cloudfail_gcp.database.firestore_kind import FIRESTORE
from cloudfail_gcp.database.options import CloudSqlMember, CloudSqlOptions
from cloudfail_gcp.database.spanner_kind import SPANNER


def _cloud_sql(resource: Resource, topology: Topology) -> Any:
    try:
        from cloudfail_gcp.database import cloud_sql
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise Permanent(
            f"{resource.name} is asked over SQL by psycopg, which is not installed here.",
            "Nothing was asked of it.",
            "Install it with: pip install 'cloudfail[gcp,postgres]'",
        ) from error

    return cloud_sql.build(resource, topology)


# Inside of the database first; the authorized networks need the old instance's control plane, and so the worse is said
# of the verb.
_FENCE = VerbFacts("control", "member", False, True, 5.0, 120.0, "mark")
_CANARY = VerbFacts("data", "member", False, True, 0.1, 5.0, "watching")

KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.DATABASE,
        name="cloud-sql",
        build=_cloud_sql,
        permissions=permissions.cloud_sql,
        options=CloudSqlOptions,
        member=CloudSqlMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={
            "fence": _FENCE,
            "failover": VerbFacts("control", "member", True, False, 180.0, 1800.0, "mark"),
            # Both sides must be there, and Cloud SQL stops the old one: never a way out of a region that is lost.
            "switchover": VerbFacts("control", "member", False, True, 300.0, 1800.0, "mark"),
            # Cloud SQL takes the old primary back by itself, once its region is there again.
            "follow": VerbFacts("control", "member", False, False, 1800.0, 43200.0, "mark"),
            "canary": _CANARY,
        },
    ),
    ALLOYDB,
    SPANNER,
    FIRESTORE,
)
