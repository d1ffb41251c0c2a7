"""database: firestore. A Firestore database in a multi-region location: applications of each region write to it.

Firestore has one address, whichever region serves, and no way to ask for one (many_writers.py says what follows). Asked
from where cloudfail runs, it would say of a region that is lost what it says of all: that it takes writes. So each
member names an HTTP proxy that stands in its region, and is asked through that: what answers is what an application
there would get. A proxy that does not answer leaves the region unknown.

What can be lost is decided by the database's location. A multi-region location holds its data in several regions, so
that it can "be served even with the loss of an entire region" (Firestore, "Locations", "Multi-region locations"), by
synchronous replication, as its reads are strongly consistent. A regional one is lost with its region.

A database in Datastore mode takes no documents, and is refused by Firestore.
"""

from __future__ import annotations

import time
from typing import Any

from cloudfail.errors import CloudfailError, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound
from cloudfail.model.topology import Resource, Topology
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.firestore_documents import API, Documents
from cloudfail_gcp.database.firestore_options import FirestoreMember, FirestoreOptions
from cloudfail_gcp.database.many_writers import ManyWriters


class Firestore(ManyWriters):
    """ports.Database, of many writers (`Kind.many_writers`)."""

    what = "a Firestore database"

    def __init__(self, asking: Asking) -> None:
        resource = asking.resource
        self.options = FirestoreOptions.model_validate(dict(resource.options))
        members = {region: FirestoreMember.model_validate(member) for region, member in resource.members.items()}
        from_there = {region: asking.through(member.through) for region, member in members.items()}
        path, collection = self.options.path, self.options.collection
        super().__init__(
            asking, members, Documents(from_there, path, collection, seconds=float(self.options.answer_within))
        )

    def _lost_with(self, source: str) -> LossBound:
        location = self._location()
        if _several(location):
            told = f"it is in {location}, which holds each write in several regions before it is acknowledged"
            return LossBound(0.0, 0.0, (told,))
        return LossBound(None, None, (f"it is in {location} alone, and lost with it",))

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What of the database's description would not carry the loss of a region."""
        at = time.time()
        try:
            told = self._described()
        except CloudfailError as error:
            return Unknown(str(error), at)
        found = []
        if not _several(str(told["locationId"])):
            found.append(f"{self.options.path} is in {told['locationId']} alone, and is lost with that region")
        if told.get("type") != "FIRESTORE_NATIVE":
            found.append(f"{self.options.path} is {told.get('type')}, and takes no documents")
        return Known(tuple(found), at)

    def _location(self) -> str:
        return str(self._described()["locationId"])

    def _described(self) -> dict[str, Any]:
        """Asked from here: it is of no region. Raises Transient for an answer without a location."""
        told = self._asking.read(API, "global", f"v1/{self.options.path}", within=float(self.options.api_within))
        if not told.get("locationId"):
            raise Transient(f"Firestore answers, and does not tell where {self.options.path} is.")
        return told


def _several(location: str) -> bool:
    """Multi-region locations are named without a dash: nam5, nam7, eur3 (Firestore, "Locations")."""
    return "-" not in location


def build(resource: Resource, topology: Topology) -> Firestore:
    """Kind.build."""
    return Firestore(Asking.of(resource, topology))
