"""Google's databases behind the Database port. Importing this package imports no vendor library."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.database import many_writers_permissions
from cloudfail_gcp.database.firestore_options import FirestoreMember, FirestoreOptions
from cloudfail_gcp.database.spanner_options import SpannerMember, SpannerOptions


def _spanner(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.database import spanner

    return spanner.build(resource, topology)


def _firestore(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.database import firestore

    return firestore.build(resource, topology)


_CANARY = VerbFacts("data", "member", False, True, 0.1, 5.0, "watching")

KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.DATABASE,
        name="spanner",
        build=_spanner,
        permissions=many_writers_permissions.spanner,
        options=SpannerOptions,
        member=SpannerMember,
        settle_seconds=0.0,  # a strong read shows all that was committed before it
        call_timeout_seconds=15.0,
        verbs={"canary": _CANARY},
        many_writers=True,
    ),
    Kind(
        port=PortName.DATABASE,
        name="firestore",
        build=_firestore,
        permissions=many_writers_permissions.firestore,
        options=FirestoreOptions,
        member=FirestoreMember,
        settle_seconds=0.0,  # a get without a time is strongly consistent
        call_timeout_seconds=15.0,
        verbs={"canary": replace(_CANARY, fencing="condition")},
        many_writers=True,
    ),
)
