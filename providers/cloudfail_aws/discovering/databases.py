"""Databases: instances of RDS that follow one in another region, and global clusters."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail.discovering.pairing import stem
from cloudfail.errors import CloudfailError
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_aws.database import KINDS
from cloudfail_aws.discovering.looking import Look, reason, tags_of

SERVED = frozenset(kind.name for kind in KINDS)
# Engine -> the kind that moves it, where this version has one.
GLOBAL = {
    "aurora-postgresql": "aurora-global",
    "aurora-mysql": "aurora-mysql-global",
    "docdb": "documentdb-global",
    "neptune": "neptune-global",
}
POSTGRESQL = "postgres"
WRITER = "where databases take writes"


def found(look: Look) -> Iterator[Found | str]:
    """All that has members in several of the regions."""
    yield from _instances(look)
    yield from _global_clusters(look)


def _instances(look: Look) -> Iterator[Found | str]:
    """A replica names its source, so nothing is guessed here."""
    listed = look.each("rds", lambda region: look.pages("rds", region, "describe_db_instances", "DBInstances"))
    instances: dict[str, Mapping[str, Any]] = {one["DBInstanceArn"]: one for each in listed.values() for one in each}
    replicas: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in instances.values():
        followed = str(one.get("ReadReplicaSourceDBInstanceIdentifier") or "")
        if followed.startswith("arn:") and not one.get("DBClusterIdentifier"):
            replicas[followed].append(one)
    for arn, following in sorted(replicas.items()):
        region, name = _place(arn)
        source = instances.get(arn)
        if source is None:
            named = ", ".join(sorted(_named(one) for one in following))
            yield f"RDS {named}: replica of {name} in {region}, which was not looked at or could not be listed."
            continue
        if not look.is_meant(tags_of(source.get("TagList"))):
            continue
        members = {region: source}
        for one in sorted(following, key=_named):
            where = _place(one["DBInstanceArn"])[0]
            if where in members:
                yield f"RDS {_named(one)} in {where} follows {name} too: a member is one instance in each region."
            else:
                members[where] = one
        engine = str(source["Engine"])
        if engine != POSTGRESQL:
            yield f"RDS {name} in {region} ({engine}) has replicas in other regions; no kind of database here moves it."
            continue
        look.at_home(region, WRITER)
        yield Found(
            PortName.DATABASE,
            "rds-replica",
            stem(name, region, look.words) or name,
            {where: {"instance": members[where]["DBInstanceIdentifier"]} for where in _ordered(look, members)},
            f"{name} in {region} is the source of the others",
            remarks=(BLANKS,),
            blanks={where: _sql(one.get("Endpoint") or {}, one.get("DBName")) for where, one in members.items()},
        )


def _global_clusters(look: Look) -> Iterator[Found | str]:
    """Each region lists them whole, so that one region's answer is enough."""
    listed = look.each("rds global clusters", lambda at: look.pages("rds", at, *_GLOBAL_CLUSTERS))
    clusters = {one["GlobalClusterIdentifier"]: one for found in listed.values() for one in found}
    for name, one in sorted(clusters.items()):
        members = {
            region: (cluster, bool(member.get("IsWriter")))
            for member in one.get("GlobalClusterMembers") or ()
            for region, cluster in [_place(member["DBClusterArn"])]
            if region in look.wanted.regions
        }
        if len(members) < 2 or not look.is_meant(tags_of(one.get("TagList"))):
            continue
        engine = str(one.get("Engine"))
        kind = GLOBAL.get(engine, "")
        if kind not in SERVED:
            where = ", ".join(f"{cluster} ({region})" for region, (cluster, _) in sorted(members.items()))
            yield f"Global cluster {name} ({engine}; {where}): no kind of database here moves it."
            continue
        for region, (_, writes) in members.items():
            if writes:
                look.at_home(region, WRITER)
        # Only of PostgreSQL is it known here what else a member says.
        sql = engine == "aurora-postgresql"
        reached = (
            {region: _of_cluster(look, region, cluster) for region, (cluster, _) in members.items()} if sql else {}
        )
        yield Found(
            PortName.DATABASE,
            kind,
            _GLOBAL_WORD.sub("", name) or name,
            {region: {"cluster": members[region][0]} for region in _ordered(look, members)},
            f"the members of the global cluster {name}",
            id=name,
            remarks=(BLANKS if sql else REACHED,),
            blanks=reached,
        )


_GLOBAL_WORD = re.compile(r"[-_]?global([-_]?(cluster|database|db))?$|^global[-_]", re.IGNORECASE)
_GLOBAL_CLUSTERS = ("describe_global_clusters", "GlobalClusters")


def _of_cluster(look: Look, region: str, cluster: str) -> tuple[str, ...]:
    try:
        told = look.read("rds", region, "describe_db_clusters", DBClusterIdentifier=cluster)["DBClusters"]
    except CloudfailError as error:
        look.note(f"the cluster {cluster} in {region} could not be looked at: {reason(error)}")
        return _sql({}, None)
    one: Mapping[str, Any] = told[0] if told else {}
    return _sql({"Address": one.get("Endpoint"), "Port": one.get("Port")}, one.get("DatabaseName"))


def _sql(endpoint: Mapping[str, Any], database: object) -> tuple[str, ...]:
    """What no API tells: logins, passwords, and what a fence may close."""
    host, port = endpoint.get("Address") or "HOST", endpoint.get("Port") or 5432
    to = f"host={host} port={port} dbname={database or 'DATABASE'}"
    return (
        f'dsn: "{to} user=USER"',
        f'writer: "{to} user=USER"',
        "password: env:NAME",
        "writer_password: env:NAME",
        "network: {acls: [acl-…]}",
        "closed_group: sg-…",
    )


BLANKS = (
    "fill in for each member: dsn is cloudfail's own login, writer an application's; where their passwords are, never "
    "what they are; the network ACLs of its subnets and a security group without inbound rules, for fences from outside"
)
REACHED = "fill in for each member how it is reached, as its kind has it (docs/aws.md)"


def _ordered(look: Look, members: Mapping[str, Any]) -> list[str]:
    return [region for region in look.wanted.regions if region in members]


def _place(arn: str) -> tuple[str, str]:
    """(region, name) of an ARN of RDS's."""
    parts = arn.split(":", 6)
    return parts[3], parts[6]


def _named(instance: Mapping[str, Any]) -> str:
    return str(instance["DBInstanceIdentifier"])
