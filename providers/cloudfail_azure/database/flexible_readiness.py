"""What of a pair of servers would refuse a verb on the bad day, or make it something else than it seems.

Source: "Promote read replicas", "Read replicas in Azure Database for PostgreSQL", its considerations (symmetry, states,
cascading replicas, storage autogrow).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cloudfail_azure.database.flexible_options import FlexibleMember
from cloudfail_azure.database.flexible_servers import BROKEN, READY, Pair, Server
from cloudfail_azure.paths import name_of, same


@dataclass(frozen=True)
class Found:
    """What Azure says of one member."""

    server: Server
    pairs: Sequence[Pair] = ()
    replicas: Sequence[str] = field(default=())


def sentences(found: Mapping[str, Found], members: Mapping[str, FlexibleMember]) -> tuple[str, ...]:
    """Of all members, by region; none is good."""
    return tuple(one for region in found for one in _of(region, found[region], members[region], found))


def unlike(primary: Server, replica: Server) -> tuple[str, ...]:
    """In what they differ so that Azure switches over to no such replica."""

    def storage(one: Server, key: str) -> object:
        return (one.properties.get("storage") or {}).get(key)

    told = (
        ("sku.name", primary.sku.get("name"), replica.sku.get("name")),
        ("sku.tier", primary.sku.get("tier"), replica.sku.get("tier")),
        ("storage.storageSizeGB", storage(primary, "storageSizeGB"), storage(replica, "storageSizeGB")),
        ("version", primary.properties.get("version"), replica.properties.get("version")),
    )
    return tuple(
        f"{key} is {one} on {primary.name} and {other} on {replica.name}" for key, one, other in told if one != other
    )


def _of(region: str, one: Found, member: FlexibleMember, found: Mapping[str, Found]) -> Iterator[str]:
    moving = [name for other in found.values() for pair in other.pairs for name in pair.names]
    for name in moving:
        if any(name in (dsn or "") for dsn in (member.dsn, member.writer)):
            yield (
                f"`dsn` or `writer` of {region} names {name}, which leads to whichever server has that role: write the "
                f"address of {one.server.name} itself."
            )
    yield from of_any(region, one, found, listed=member.firewall_rules is not None)
    primary = source_of(one.server, found)
    if primary is not None:
        yield from _between(one.server, primary.server, (*primary.pairs, *one.pairs))


def source_of(server: Server, found: Mapping[str, Found]) -> Found | None:
    """The member that it replicates."""
    if not server.replica:
        return None
    return next((other for other in found.values() if same(other.server.id, server.source)), None)


def of_any(region: str, one: Found, found: Mapping[str, Found], *, listed: bool) -> Iterator[str]:
    """Of a server of either engine. listed: its firewall's rules are part of the fence."""
    server = one.server
    if server.state != READY:
        yield f"{server.name} in {region} is {server.state}: Azure promotes it only while it is {READY}."
    if listed:
        if not server.public:
            yield f"{server.name} in {region} has no public access: its firewall rules keep nobody out."
        elif server.properties.get("privateEndpointConnections"):
            yield f"{server.name} in {region} has private endpoints too, which its firewall rules do not hold for."
    if not server.replica:
        yield from _strangers(server, one.replicas, found)
        return
    if one.replicas:
        yield (
            f"{server.name} in {region} has read replicas of its own ({', '.join(map(name_of, one.replicas))}): Azure "
            "promotes no such replica."
        )
    if server.replication == BROKEN:
        yield f"Azure calls the replication to {server.name} in {region} broken: delete it, and create it again."
    if source_of(server, found) is None:
        yield f"{server.name} in {region} replicates {name_of(server.source)}, which is no member of this database."


def _strangers(primary: Server, replicas: Sequence[str], found: Mapping[str, Found]) -> Iterator[str]:
    others = [one for one in replicas if not any(same(one, member.server.id) for member in found.values())]
    if others:
        yield (
            f"{', '.join(map(name_of, others))} replicate {primary.name} and are no members: after a failover they may "
            "stay with it until its region is back."
        )


def _between(replica: Server, primary: Server, pairs: Sequence[Pair]) -> Iterator[str]:
    for words in unlike(primary, replica):
        yield f"{words}: Azure switches over only between servers that are alike."
    grows = [(one.properties.get("storage") or {}).get("autoGrow") for one in (primary, replica)]
    if grows == ["Enabled", "Disabled"]:
        yield f"{primary.name} grows its storage by itself and {replica.name} does not: they will not stay alike."
    if not any(pair.leads_to(replica.name) for pair in pairs):
        yield (
            f"No virtual endpoint leads to {replica.name}: there is no switchover to it, and a failover makes it a "
            f"server of its own, after which {primary.name} is built anew by hand. If that is meant, write `promote: "
            "standalone`, since a lost region does not tell."
        )
