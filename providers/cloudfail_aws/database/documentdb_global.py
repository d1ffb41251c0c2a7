"""database: documentdb-global. A DocumentDB global cluster: one writing cluster, readers in other regions.

The API says who is to be the writer; `hello` and a write that was let in show who is. Sources: DocumentDB developer
guide, "Global clusters"; its API reference.
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudfail.errors import Permanent
from cloudfail.model.topology import Resource, Topology
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.document_endpoint import Endpoint
from cloudfail_aws.database.document_options import DocumentDbGlobalOptions, DocumentMember
from cloudfail_aws.database.document_plane import DocumentPlane
from cloudfail_aws.database.global_clusters import GlobalClusters
from cloudfail_aws.database.global_database import GlobalDatabase, identifier
from cloudfail_aws.database.network_acl import NetworkAclFence
from cloudfail_aws.database.security_group import SecurityGroupFence
from cloudfail_databases.fence import Fencing
from cloudfail_postgres.secret import secret_value

SERVICE = "docdb"
NO_LOGIN = "this member has no `url` and `writer`, so nobody here can see whether it takes writes"


class DocumentDbGlobal(GlobalDatabase):
    """ports.Database."""

    def __init__(self, resource: Resource, topology: Topology, clients: Clients | None = None) -> None:
        name = identifier(resource)
        options = DocumentDbGlobalOptions.model_validate(dict(resource.options))
        members = {region: DocumentMember.model_validate(member) for region, member in resource.members.items()}
        names = {region: one.cluster for region, one in members.items()}
        asking = Asking.of(resource, topology, clients)
        seconds = float(options.api_within)
        acls = {region: one.network for region, one in members.items() if one.network is not None}
        closed = {region: one.closed_group for region, one in members.items() if one.closed_group is not None}
        networks = (
            NetworkAclFence(asking, acls, seconds=seconds),
            SecurityGroupFence(asking, "cluster", names, closed, seconds=seconds, service=SERVICE),
        )
        plane = _plane(members, float(options.answer_within))
        super().__init__(
            GlobalClusters(asking, SERVICE, name, names, seconds=seconds),
            plane,
            Fencing(plane, networks, options.fences, tuple(members)),
            tuple(members),
        )


def _plane(members: Mapping[str, DocumentMember], seconds: float) -> DocumentPlane:
    """A way to each member that has one. A secret or a certificate that is not there is that member's silence, and no
    other's."""
    endpoints: dict[str, Endpoint] = {}
    silent: dict[str, str] = {}
    for region, member in members.items():
        if member.url is None or member.writer is None:
            silent[region] = NO_LOGIN
            continue
        try:
            own = secret_value(member.password) if member.password is not None else None
            writers = secret_value(member.writer_password) if member.writer_password is not None else None
            endpoints[region] = Endpoint(
                region, url=member.url, password=own, writer=member.writer, writer_password=writers, seconds=seconds
            )
        except Permanent as error:
            silent[region] = error.happened
    return DocumentPlane(endpoints, silent)


def build(resource: Resource, topology: Topology, clients: Clients | None = None) -> DocumentDbGlobal:
    """Kind.build."""
    return DocumentDbGlobal(resource, topology, clients)
