"""What plan, lint and approval screen know of database: alloydb. Imports no vendor library."""

from __future__ import annotations

from typing import Any

from cloudfail.errors import Permanent
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.database.alloydb_options import AlloyDbMember, AlloyDbOptions
from cloudfail_gcp.database.alloydb_permissions import alloydb


def _build(resource: Resource, topology: Topology) -> Any:
    try:
        from cloudfail_gcp.database import alloydb as built
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise Permanent(
            f"{resource.name} is asked over SQL by psycopg, which is not installed here.",
            "Nothing was asked of it.",
            "Install it with: pip install 'cloudfail[gcp,postgres]'",
        ) from error

    return built.build(resource, topology)


ALLOYDB = Kind(
    port=PortName.DATABASE,
    name="alloydb",
    build=_build,
    permissions=alloydb,
    options=AlloyDbOptions,
    member=AlloyDbMember,
    settle_seconds=5.0,
    call_timeout_seconds=30.0,
    verbs={
        # Inside of the database first; stopping the instance needs the old region's control plane, and so the worse is
        # said of the verb.
        "fence": VerbFacts("control", "member", False, True, 10.0, 600.0, "mark"),
        # Under the etag that was read with our mark; the new region's control plane alone is asked.
        "failover": VerbFacts("control", "member", True, False, 180.0, 1800.0, "condition"),
        # Both must be there: never a way out of a region that is lost. Its request takes no etag.
        "switchover": VerbFacts("control", "member", False, True, 300.0, 1800.0, "mark"),
        # Nothing to order after a promotion: a person drops the old cluster, and creates it again.
        "follow": VerbFacts("control", "member", False, False, 3600.0, 43200.0, "mark"),
        "canary": VerbFacts("data", "member", False, True, 0.1, 5.0, "watching"),
    },
)
