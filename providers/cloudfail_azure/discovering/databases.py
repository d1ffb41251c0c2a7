"""Databases: flexible servers with a read replica in another region, failover groups of SQL servers, and accounts of
Cosmos DB, which are asked about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.database.flexible_servers import API as POSTGRESQL_API
from cloudfail_azure.discovering.looking import Look, Stood
from cloudfail_azure.discovering.pairs import Sort, drafted
from cloudfail_azure.paths import parent_of, plain_region

BLANKS = (
    "fill in for each member: dsn is cloudfail's own login, writer an application's; where their passwords are, never "
    "what they are"
)


@dataclass(frozen=True)
class Flexible:
    """One engine. below: where its servers are listed. dsn: how a member is reached, but for who and what; "" where its
    kind is not asked over SQL."""

    sort: Sort
    below: str
    version: str
    dsn: str


ENGINES = (
    Flexible(
        Sort(PortName.DATABASE, "postgresql-flexible", "flexible servers of PostgreSQL"),
        "/providers/Microsoft.DBforPostgreSQL/flexibleServers",
        POSTGRESQL_API,
        "host={host} port=5432 dbname=DATABASE user=USER sslmode=verify-full sslrootcert=system",
    ),
    Flexible(
        Sort(PortName.DATABASE, "mysql-flexible", "flexible servers of MySQL"),
        "/providers/Microsoft.DBforMySQL/flexibleServers",
        "2024-12-30",
        "",
    ),
)
GROUPS = Sort(PortName.DATABASE, "sql-failover-group", "failover groups of SQL servers")
DRAFTS = (*((engine.sort.port, engine.sort.kind) for engine in ENGINES), (GROUPS.port, GROUPS.kind))
SQL_API, COSMOS_API = "2025-01-01", "2026-03-15"


def found(look: Look) -> Iterator[Found | str]:
    """Engine by engine, primary by primary. A replica names its source (Server.sourceServerResourceId)."""
    yield from _groups(look)
    yield from _accounts(look)
    for engine in ENGINES:
        servers = [one for one in look.listed(engine.sort.what, engine.below, engine.version) if look.is_meant(one)]
        for one in servers:
            replicas = [
                other
                for other in servers
                if str(other.properties.get("sourceServerResourceId") or "").lower() == one.id.lower() and other != one
            ]
            yield from _drafted(look, engine, one, replicas)


def _drafted(look: Look, engine: Flexible, primary: Stood, replicas: list[Stood]) -> Iterator[Found | str]:
    by_region: dict[str, list[Stood]] = defaultdict(list)
    for one in (primary, *replicas):
        by_region[one.region].append(one)
    here = [region for region in look.wanted.regions if region in by_region]
    if len(here) < 2:
        return
    if primary.region in here:
        look.at_home(primary.region, "where databases take writes")
    why = f"{primary.name} in {primary.region} is the source of the others"
    if any(len(by_region[region]) > 1 for region in here):
        shown = ", ".join(f"{region}: {' or '.join(one.id for one in by_region[region])}" for region in here)
        yield f"{primary.name} ({why}): which one is to serve in each region? {shown}"
        return
    members = {region: {"server": by_region[region][0].id} for region in here}
    more: dict[str, Any] = {}
    if engine.dsn:
        hosts = {
            region: str(by_region[region][0].properties.get("fullyQualifiedDomainName") or "HOST") for region in here
        }
        blanks = {region: _blanks("dsn", engine.dsn.format(host=host)) for region, host in hosts.items()}
        more = {"remarks": (BLANKS,), "blanks": blanks}
    yield drafted(look, engine.sort, primary.name, members, why, **more)


def _blanks(key: str, reached: str) -> tuple[str, ...]:
    written = (f'{key}: "{reached}"', f'writer: "{reached}"')
    return (*written, "password: env:NAME", "writer_password: env:NAME")


def _groups(look: Look) -> Iterator[Found | str]:
    """As the server has it that is primary in it: its partner has the same group under the same name."""
    servers = [one for one in look.of_type("Microsoft.Sql/servers") if one.region in look.wanted.regions]
    by_id = {one.id.lower(): one for one in servers}
    for group in look.each(GROUPS.what, [f"{one.id}/failoverGroups" for one in servers], SQL_API):
        primary = by_id.get(parent_of(group.id).lower())
        if primary is None or group.properties.get("replicationRole") != "Primary":
            continue
        partners = [by_id.get(str(one.get("id", "")).lower()) for one in group.properties.get("partnerServers") or ()]
        here = {one.region: one for one in (primary, *partners) if one is not None}
        if len(here) < 2:
            continue
        look.at_home(primary.region, "where databases take writes")
        ordered = [here[region] for region in look.wanted.regions if region in here]
        members = {one.region: {"group": f"{one.id}/failoverGroups/{group.name}"} for one in ordered}
        blanks = {one.region: _blanks("url", f"mssql://USER@{one.name}.database.windows.net") for one in ordered}
        remarks = (BLANKS.replace("dsn", "url"),)
        why = f"{group.name} is a failover group of {' and '.join(one.name for one in ordered)}"
        yield drafted(look, GROUPS, group.name, members, why, remarks=remarks, blanks=blanks)


def _accounts(look: Look) -> Iterator[str]:
    """Of each a person has to say which container of it is cloudfail's own."""
    for one in look.listed("accounts of Cosmos DB", "/providers/Microsoft.DocumentDB/databaseAccounts", COSMOS_API):
        told = {plain_region(str(each.get("locationName"))): each.get("documentEndpoint")
                for each in one.properties.get("locations") or ()}  # fmt: skip
        here = {region: told[region] for region in look.wanted.regions if region in told}
        if len(here) < 2 or not look.is_meant(one):
            continue
        kind = "cosmos-db-multi-write" if one.properties.get("enableMultipleWriteLocations") else "cosmos-db"
        members = ", ".join(f'{region}: "{endpoint}"' for region, endpoint in here.items())
        written = f"account: {one.id}, documents: DATABASE/CONTAINER, members: {{{members}}}"
        yield (
            f"{one.name} is an account of Cosmos DB in {' and '.join(here)}. If it is the application's, make a "
            f"container of cloudfail's own in it, and write NAME: {{database: {kind}, {written}}}"
        )
