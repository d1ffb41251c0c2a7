"""What database: alloydb calls, as IAM names it. What goes over SQL needs logins and no role. Source: AlloyDB v1's
reference, "Authorization requires the following IAM permission" of each method (projects.locations.clusters: get,
patch, promote, switchover; …clusters.instances: get, list, patch; …operations: get)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.database.alloydb_options import AlloyDbMember, AlloyDbOptions
from cloudfail_gcp.grants import stated

FAILOVER, SWITCHOVER = ("failover",), ("switchover",)
_OPERATIONS = "Google makes up an operation's name."


def alloydb(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    """A switchover is asked of the secondary's cluster, and whether it needs anything on the primary's is not written:
    it is given on both, since the next one goes the other way."""
    options = AlloyDbOptions.model_validate(dict(resource.options))

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = AlloyDbMember.model_validate(resource.members[region])
            location = f"projects/{topology.regions[region].account or '*'}/locations/{region}"
            cluster = f"{location}/clusters/{member.cluster}"
            yield False, Grant(region, ("alloydb.clusters.get", "alloydb.instances.list"), (cluster,))
            every = (f"{location}/operations/*",)
            yield False, Grant(region, ("alloydb.operations.get",), every, FAILOVER + SWITCHOVER, why=_OPERATIONS)
            yield True, Grant(region, ("alloydb.clusters.update",), (cluster,), FAILOVER + SWITCHOVER)
            yield True, Grant(region, ("alloydb.clusters.promote",), (cluster,), FAILOVER)
            yield True, Grant(region, ("alloydb.clusters.switchover",), (cluster,), SWITCHOVER)
            if member.instance is not None and "stop" in options.fences:
                named = tuple(f"{cluster}/instances/{name}" for name in (member.instance, *member.read_pools))
                yield False, Grant(region, ("alloydb.instances.get",), named)
                yield True, Grant(region, ("alloydb.instances.update",), named, ("fence", "follow"))

    return stated(told())
