"""AWS's databases behind the Database port. Importing this package imports no vendor library."""

from __future__ import annotations

from typing import Any

from cloudfail.errors import Permanent
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_aws.database import global_permissions, permissions
from cloudfail_aws.database.document_options import DocumentDbGlobalOptions, DocumentMember
from cloudfail_aws.database.graph_options import GraphMember, NeptuneGlobalOptions
from cloudfail_aws.database.options import (
    AuroraGlobalOptions,
    ClusterMember,
    InstanceMember,
    RdsReplicaOptions,
)


def _rds_replica(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.database import rds_replica

    return rds_replica.build(resource, topology)


def _aurora_global(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.database import aurora_global

    return aurora_global.build(resource, topology)


def _documentdb_global(resource: Resource, topology: Topology) -> Any:
    try:
        from cloudfail_aws.database import documentdb_global
    except ModuleNotFoundError as error:
        if error.name not in ("pymongo", "bson"):
            raise
        raise Permanent(
            f"{resource.name} is asked by MongoDB's driver, which is not installed here.",
            "Nothing was asked of it.",
            "Install it with: pip install 'cloudfail[documentdb]'",
        ) from error

    return documentdb_global.build(resource, topology)


def _neptune_global(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.database import neptune_global

    return neptune_global.build(resource, topology)


# Inside of the database first; the network ACLs need EC2's control plane in the old region, and so the worse is said of
# the verb.
_FENCE = VerbFacts("control", "member", False, True, 5.0, 60.0, "mark")
_CANARY = VerbFacts("data", "member", False, True, 0.1, 5.0, "watching")

KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.DATABASE,
        name="rds-replica",
        build=_rds_replica,
        permissions=permissions.rds_replica,
        options=RdsReplicaOptions,
        member=InstanceMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={
            "fence": _FENCE,
            "failover": VerbFacts("control", "member", True, False, 240.0, 1800.0, "mark"),
            "switchover": VerbFacts("control", "member", False, False, 300.0, 1800.0, "mark"),
            "follow": VerbFacts("control", "member", False, False, 3600.0, 43200.0, "mark"),
            "canary": _CANARY,
        },
    ),
    Kind(
        port=PortName.DATABASE,
        name="aurora-global",
        build=_aurora_global,
        permissions=permissions.aurora_global,
        options=AuroraGlobalOptions,
        member=ClusterMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={
            "fence": _FENCE,
            "failover": VerbFacts("control", "member", True, False, 90.0, 900.0, "mark"),
            # Called in the primary's region, and both must be healthy: never a way out of a region that is lost.
            "switchover": VerbFacts("control", "member", False, True, 120.0, 900.0, "mark"),
            "follow": VerbFacts("control", "member", False, False, 1800.0, 43200.0, "mark"),
            "canary": _CANARY,
        },
    ),
    Kind(
        port=PortName.DATABASE,
        name="documentdb-global",
        build=_documentdb_global,
        permissions=global_permissions.documentdb,
        options=DocumentDbGlobalOptions,
        member=DocumentMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={
            "fence": _FENCE,
            "failover": VerbFacts("control", "member", True, False, 120.0, 900.0, "mark"),
            "switchover": VerbFacts("control", "member", False, True, 180.0, 900.0, "mark"),
            "follow": VerbFacts("control", "member", False, False, 1800.0, 43200.0, "mark"),
            "canary": _CANARY,
        },
    ),
    Kind(
        port=PortName.DATABASE,
        name="neptune-global",
        build=_neptune_global,
        permissions=global_permissions.neptune,
        options=NeptuneGlobalOptions,
        member=GraphMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={
            # By IAM first, which stands in us-east-1 and takes its time to arrive; the rest needs the old region.
            "fence": VerbFacts("control", "member", False, True, 15.0, 120.0, "mark"),
            "failover": VerbFacts("control", "member", True, False, 120.0, 900.0, "mark"),
            "switchover": VerbFacts("control", "member", False, True, 180.0, 900.0, "mark"),
            "follow": VerbFacts("control", "member", False, False, 1800.0, 43200.0, "mark"),
            "canary": _CANARY,
        },
    ),
)
