"""AWS's databases behind the Database port. Importing this package imports no vendor library."""

from __future__ import annotations

from typing import Any

from cloudfail.errors import Permanent, Refused
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_aws.database import global_permissions, permissions, stores_permissions
from cloudfail_aws.database.document_options import DocumentDbGlobalOptions, DocumentMember
from cloudfail_aws.database.dynamodb_options import DynamoDBGlobalOptions, TableMember
from cloudfail_aws.database.elasticache_options import CacheMember, ElastiCacheGlobalOptions
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


def _elasticache_global(resource: Resource, topology: Topology) -> Any:
    try:
        import redis  # noqa: F401  the extra's own library, asked for here to say what is missing
    except ImportError as error:
        raise Refused(
            f"{resource.name} ({resource.kind}) is asked over Redis's wire, and the library for that is not installed.",
            "Nothing was asked of it.",
            "Install it with: pip install 'cloudfail[aws,redis]'",
        ) from error
    from cloudfail_aws.database import elasticache_global

    return elasticache_global.build(resource, topology)


def _dynamodb_global(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.database import dynamodb_global

    return dynamodb_global.build(resource, topology)


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
        name="elasticache-global",
        build=_elasticache_global,
        permissions=stores_permissions.elasticache_global,
        options=ElastiCacheGlobalOptions,
        member=CacheMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={
            "fence": VerbFacts("control", "member", False, True, 10.0, 120.0, "mark"),
            "failover": VerbFacts("control", "member", True, False, 60.0, 900.0, "mark"),
            # The source is fenced by its own region's API first: never a way out of a region that is lost.
            "switchover": VerbFacts("control", "member", False, True, 90.0, 900.0, "mark"),
            "follow": VerbFacts("control", "member", False, False, 300.0, 7200.0, "mark"),
            "canary": _CANARY,
        },
    ),
    Kind(
        port=PortName.DATABASE,
        name="dynamodb-global",
        build=_dynamodb_global,
        permissions=stores_permissions.dynamodb_global,
        options=DynamoDBGlobalOptions,
        member=TableMember,
        settle_seconds=1.0,
        call_timeout_seconds=10.0,
        verbs={"canary": _CANARY},
        many_writers=True,
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
