"""What the databases with many writers call, as IAM names it. Sources: Spanner, "IAM overview",
"Permissions"; Firestore, "Security for server client libraries", "Permissions"."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.grants import stated

_READS = (
    "spanner.sessions.create",
    "spanner.databases.read",
    "spanner.databases.beginReadOnlyTransaction",
)
_WRITES = ("spanner.databases.write", "spanner.databases.beginOrRollbackReadWriteTransaction")


def spanner(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A heartbeat is a write of who watches, as an application would make it. A canary's session may be of its own."""
    path = str(resource.options["path"])
    instance, project = path.partition("/databases/")[0], "/".join(path.split("/")[:2])
    why = "Which configuration the instance has is not written in cloudfail.yaml."
    told = [
        (False, Grant("global", ("spanner.instances.get",), (instance,))),
        (False, Grant("global", ("spanner.instanceConfigs.get",), (project,), why=why)),
    ]
    for region in (one for one in regions if one in resource.members):
        told.append((False, Grant(region, (*_READS, *_WRITES), (path,))))
        told.append((True, Grant(region, _WRITES, (path,), ("canary",))))
    return stated(told)


def firestore(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A heartbeat is a write of who watches. Firestore's documents have no permissions of their own: the database is
    what a role can be bound to, by a condition."""
    path = str(resource.options["path"])
    why = "No role can be bound to one collection."
    writes = ("datastore.entities.create", "datastore.entities.update")
    told = [(False, Grant("global", ("datastore.databases.getMetadata",), (path,)))]
    for region in (one for one in regions if one in resource.members):
        told.append((False, Grant(region, ("datastore.entities.get", *writes), (path,), why=why)))
        told.append((True, Grant(region, ("datastore.entities.create",), (path,), ("canary",), why=why)))
    return stated(told)
