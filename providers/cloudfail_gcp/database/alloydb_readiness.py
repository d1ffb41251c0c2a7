"""What of a pair of AlloyDB clusters would refuse a verb on the bad day, or make it something else than it seems.

Sources: AlloyDB v1's reference, `Cluster`, `Instance`; AlloyDB, "Cross-region replication overview".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudfail_gcp.database.alloydb_clusters import READY, Cluster, same
from cloudfail_gcp.database.alloydb_options import AlloyDbMember


def sentences(
    found: Mapping[str, Cluster],
    instances: Mapping[str, Sequence[Mapping[str, Any]]],
    members: Mapping[str, AlloyDbMember],
) -> tuple[str, ...]:
    """Of all members, by region; none is good."""
    told = [one for region in found for one in _of(found[region], instances[region], members[region], found)]
    primaries = [one for one in found.values() if one.primary]
    if len(primaries) > 1:
        names = ", ".join(f"{one.name} in {one.region}" for one in primaries)
        told.append(f"{names} are primaries, each of a cluster of its own: none replicates another.")
    return tuple(told)


def _of(
    one: Cluster, instances: Sequence[Mapping[str, Any]], member: AlloyDbMember, found: Mapping[str, Cluster]
) -> Iterator[str]:
    where = f"{one.name} in {one.region}"
    if one.state != READY:
        yield f"{where} is {one.state}: AlloyDB moves it only while it is {READY}."
    writing = [each for each in instances if each.get("instanceType") == one.kind]
    if not writing:
        yield f"{where} has no {one.kind.lower()} instance, so it takes no writes once it is a primary."
    for each in writing:
        if each.get("state") != READY:
            yield f"The instance {str(each.get('name', '')).rpartition('/')[2]} of {where} is {each.get('state')}."
    names = {str(each.get("name", "")).rpartition("/")[2] for each in instances}
    for name in (member.instance, *member.read_pools):
        if name is not None and name not in names:
            yield f"{where} has no instance {name}, which the fence `stop` is to stop."
    if one.primary:
        for path in one.secondaries:
            if not any(same(path, other.path) for other in found.values()):
                yield f"{path} follows {where} and is no member: a failover leaves it with the old primary."
        return
    primary = next((other for other in found.values() if same(one.upstream, other.path)), None)
    if primary is None:
        yield f"{where} replicates {one.upstream or 'nothing'}, which is no member of this database."
    elif primary.version != one.version:
        yield f"{where} runs {one.version}, and its primary {primary.version}."
