"""Databases: flexible servers with a read replica in another region."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.database.flexible_servers import API as POSTGRESQL_API
from cloudfail_azure.discovering.looking import Look, Stood
from cloudfail_azure.discovering.pairs import Sort, drafted

BLANKS = (
    "fill in for each member: dsn is cloudfail's own login, writer an application's; where their passwords are, never "
    "what they are"
)


@dataclass(frozen=True)
class Flexible:
    """One engine. below: where its servers are listed. dsn: how a member is reached, but for who and what."""

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
)
DRAFTS = tuple((engine.sort.port, engine.sort.kind) for engine in ENGINES)


def found(look: Look) -> Iterator[Found | str]:
    """Engine by engine, primary by primary. A replica names its source (Server.sourceServerResourceId)."""
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
    blanks = {
        region: (
            f'dsn: "{dsn}"',
            f'writer: "{dsn}"',
            "password: env:NAME",
            "writer_password: env:NAME",
        )
        for region in here
        for dsn in (engine.dsn.format(host=by_region[region][0].properties.get("fullyQualifiedDomainName") or "HOST"),)
    }
    yield drafted(look, engine.sort, primary.name, members, why, remarks=(BLANKS,), blanks=blanks)
