"""What of two sides would refuse a verb on the bad day, make it something else than it seems, or take it out of our
hands.

Source: "Failover groups overview & best practices": failover policy, listeners, databases of a group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cloudfail_azure.database.sql_options import SqlReached, login_of
from cloudfail_azure.database.sql_sides import BEHIND, Side, Sides
from cloudfail_azure.paths import name_of, same


def sentences(
    found: Mapping[str, Side], members: Mapping[str, SqlReached], sides: Sides, databases: Sequence[str]
) -> tuple[str, ...]:
    """Of all members; none is good."""
    return tuple(
        one
        for region in found
        for one in (*_of(region, found[region], members[region], sides), *_held(found[region], databases))
    ) + tuple(_between(found))


def _of(region: str, side: Side, member: SqlReached, sides: Sides) -> Iterator[str]:
    yield from sides.amiss(region)
    if not side.secondary and side.policy == "Automatic":
        # What the secondary tells of it is a copy, and it is changed on the primary alone.
        grace = f"after {side.grace_minutes} minutes" if side.grace_minutes is not None else "after its grace period"
        yield (
            f"Azure itself fails {side.name} over {grace} of an outage, with loss of data, whatever cloudfail does and "
            f"without its fence: {sides.manual(region)}"
        )
    if side.secondary and side.state in BEHIND:
        yield f"The replication to {side.name} is {side.state}: a failover to it would lose much, or be refused."
    if side.secondary and sides.upstream(side) is None:
        yield f"{side.name} replicates nobody that is a member of this database."
    group = name_of(member.resource).lower()
    for url in (member.url, member.writer):
        host = login_of(url)[0].lower() if url else ""
        if host.startswith((f"{group}.database.", f"{group}.secondary.database.")):
            yield f"`url` or `writer` of {region} names {host}, a listener, which moves: write the server's own name."


def _held(side: Side, databases: Sequence[str]) -> Iterator[str]:
    """A group's own list; empty where the shape has none."""
    others = [one for one in side.databases if not any(same(one, other) for other in databases)]
    if others and databases:
        yield (
            f"{side.name} holds {', '.join(others)} too, which `databases` does not name: nobody looks at them, and a "
            "fence leaves them open."
        )
    for one in databases:
        if side.databases and not any(same(one, other) for other in side.databases):
            yield f"{one}, which `databases` names, is not in {side.name}: it is not failed over with it."


def _between(found: Mapping[str, Side]) -> Iterator[str]:
    primaries = [side.name for side in found.values() if not side.secondary]
    if len(found) > 1 and len(primaries) != 1:
        yield f"Azure calls {len(primaries)} of its members primary ({', '.join(primaries) or 'none'}), and not one."
