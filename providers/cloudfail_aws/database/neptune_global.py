"""database: neptune-global. A Neptune global database: one writing cluster, readers in other regions.

The API says who is to be the writer; `/status` and a write that was let in show who is. Neptune's API says nothing of
whether a member is in sync. Sources: Neptune user guide, "Neptune global databases"; its API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from cloudfail.model.topology import Resource, Roles, Topology
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.global_clusters import GlobalClusters
from cloudfail_aws.database.global_database import GlobalDatabase, identifier
from cloudfail_aws.database.graph_options import GraphMember, NeptuneGlobalOptions
from cloudfail_aws.database.graph_plane import GraphPlane, Way
from cloudfail_aws.database.network_acl import NetworkAclFence
from cloudfail_aws.database.role_policy import NAME, Guarded, RolePolicyFence, guarded
from cloudfail_aws.database.security_group import SecurityGroupFence
from cloudfail_aws.iam import partition
from cloudfail_databases.fence import Fencing

SERVICE = "neptune"
NO_WAY = "this member has no `endpoints` and `writers`, so nobody here can see whether it takes writes"


class NeptuneGlobal(GlobalDatabase):
    """ports.Database."""

    def __init__(self, resource: Resource, topology: Topology, clients: Clients | None = None) -> None:
        name = identifier(resource)
        options = NeptuneGlobalOptions.model_validate(dict(resource.options))
        members = {region: GraphMember.model_validate(member) for region, member in resource.members.items()}
        names = {region: one.cluster for region, one in members.items()}
        asking = Asking.of(resource, topology, clients)
        seconds = float(options.api_within)
        acls = {region: one.network for region, one in members.items() if one.network is not None}
        closed = {region: one.closed_group for region, one in members.items() if one.closed_group is not None}
        data = _guarded(members, topology) if NAME in options.fences else {}
        networks = (
            RolePolicyFence(asking, data, seconds=seconds),
            NetworkAclFence(asking, acls, seconds=seconds),
            SecurityGroupFence(asking, "cluster", names, closed, seconds=seconds, service=SERVICE),
        )
        ways = {
            region: Way(
                one.endpoints,
                asking,
                _as_writer(one.writers[0], resource, topology, clients),
                _anew(one.writers[0], resource, topology),
            )
            for region, one in members.items()
            if one.endpoints
        }
        silent = {region: NO_WAY for region in members if region not in ways}
        plane = GraphPlane(ways, silent, requests_only=options.requests_only, seconds=float(options.answer_within))
        super().__init__(
            GlobalClusters(asking, SERVICE, name, names, seconds=seconds),
            plane,
            Fencing(plane, networks, options.fences, tuple(members)),
            tuple(members),
        )


def _guarded(members: Mapping[str, GraphMember], topology: Topology) -> dict[str, Guarded]:
    return {
        region: guarded(region, partition(region), topology.regions[region].account or "", one.resource, one.writers)
        for region, one in members.items()
        if one.resource is not None
    }


def _as_writer(role: str, resource: Resource, topology: Topology, clients: Clients | None) -> Asking:
    """As the application asks: all under its own role."""
    return Asking.of(replace(resource, roles=Roles(role, role)), topology, clients)


def _anew(role: str, resource: Resource, topology: Topology) -> Callable[[], Asking]:
    regions = tuple(topology.regions)
    return partial(_fresh, role, resource, topology, regions)


def _fresh(role: str, resource: Resource, topology: Topology, regions: tuple[str, ...]) -> Asking:
    return _as_writer(role, resource, topology, Clients(sts_regions=regions))


def build(resource: Resource, topology: Topology, clients: Clients | None = None) -> NeptuneGlobal:
    """Kind.build."""
    return NeptuneGlobal(resource, topology, clients)
