"""What plan, lint and approval screen know of database: firestore, and what it calls, as IAM names it. It imports no
vendor library. Source: Firestore, "Security for server client libraries", which names permissions by method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Grant, Kind, Permissions, VerbFacts
from cloudfail_gcp.database.firestore_options import FirestoreMember, FirestoreOptions
from cloudfail_gcp.grants import stated

_COLLECTION = "No role can be bound to one collection."
CANARY = ("canary",)


def _build(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.database import firestore as built

    return built.build(resource, topology)


def _permissions(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A heartbeat is a write of who watches, as an application would make it."""
    path = (str(resource.options["path"]),)
    watch = tuple(f"datastore.entities.{verb}" for verb in ("get", "create", "update"))

    def told() -> Iterator[tuple[bool, Grant]]:
        yield False, Grant("global", ("datastore.databases.getMetadata",), path)
        for region in regions:
            if region in resource.members:
                yield False, Grant(region, watch, path, why=_COLLECTION)
                yield True, Grant(region, ("datastore.entities.create",), path, CANARY, why=_COLLECTION)

    return stated(told())


FIRESTORE = Kind(
    port=PortName.DATABASE,
    name="firestore",
    build=_build,
    permissions=_permissions,
    options=FirestoreOptions,
    member=FirestoreMember,
    settle_seconds=0.0,  # a get that names no time is strongly consistent
    call_timeout_seconds=15.0,
    verbs={"canary": VerbFacts("data", "member", False, True, 0.2, 10.0, "condition")},
    many_writers=True,
)
