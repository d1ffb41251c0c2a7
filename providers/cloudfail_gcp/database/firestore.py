"""database: firestore. A Firestore database in a multi-region location: applications of each region write to it.

Firestore has one address, whichever region serves, and no way to ask for one. Asked from where cloudfail runs, it would
say of a region that is lost what it says of all: that it takes writes. So each member names an HTTP proxy that stands
in its region, and is asked through that: what answers is what an application there would get. A proxy that does not
answer leaves the region unknown.

What can be lost is decided by the database's location. A multi-region location holds its data in several regions, so
that it can "be served even with the loss of an entire region" (Firestore, "Locations", "Multi-region locations"), by
synchronous replication, as its reads are strongly consistent. A regional one is lost with its region.

A database in Datastore mode takes no documents, and is refused by Firestore.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, LossBound, Role, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_databases.many_writers import ManyWriters
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.firestore_documents import API, Documents
from cloudfail_gcp.database.firestore_options import FirestoreMember, FirestoreOptions


class Firestore(ManyWriters):
    """ports.Database, of many writers (`Kind.many_writers`); ports.Preflight."""

    def __init__(self, asking: Asking) -> None:
        resource = asking.resource
        super().__init__(resource.name, "a Firestore database")
        self.options = FirestoreOptions.model_validate(dict(resource.options))
        members = {region: FirestoreMember.model_validate(member) for region, member in resource.members.items()}
        self._asking = asking
        self._regions = frozenset(members)
        from_there = {region: asking.through(member.through) for region, member in members.items()}
        path, collection, seconds = self.options.path, self.options.collection, float(self.options.answer_within)
        self.documents = Documents(from_there, path, collection, seconds=seconds)

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        """Whether a write is let in now, and is there when that region is asked for it."""
        at = time.time()
        if region not in self._regions:
            return self._no_member(region)
        word, once = f"look#{region}", uuid.uuid4().hex
        try:
            self.documents.put_again(region, word, once=once)
            found = self.documents.get(region, word)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        shown = (found or {}).get("once") == once
        refusal = "" if shown else f"a write was acknowledged, and {region} does not show it"
        # What was committed a moment before was shown: the region lacks nothing.
        lag = 0.0 if shown else None
        version = f"{region}/{'rw' if shown else 'refused'}"
        return Known(
            DatabaseState(Role.PRIMARY, shown, 0, lag_seconds=lag, in_sync=shown, moving=refusal, version=version), at
        )

    def beat(self, region: str) -> Known[float] | Unknown:
        """Acknowledged is not enough: a commit may be, whichever region is lost. It counts once it is read in this
        one."""
        at = time.time()
        if region not in self._regions:
            return self._no_member(region)
        try:
            self.documents.put_again(region, f"beat#{region}", at=repr(at))
            found = self.documents.get(region, f"beat#{region}")
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", time.time())
        if (found or {}).get("at") != repr(at):
            return Unknown(f"a heartbeat was acknowledged, and {region} does not show it", time.time())
        return Known(at, at)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """What is lost with `source` of what was acknowledged, whenever that was."""
        if source not in self._regions or target not in self._regions:
            return LossBound(None, None, (f"this database has no member in {source} or {target}",))
        try:
            location = str(self._described()["locationId"])
        except CloudfailError as error:
            return LossBound(None, None, (f"where the database is cannot be read: {error}",))
        if in_several_regions(location):
            told = f"it is in {location}, which holds each write in several regions before it is acknowledged"
            return LossBound(0.0, 0.0, (told,))
        return LossBound(None, None, (f"it is in {location} alone, and lost with it",))

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        at = time.time()
        if region not in self._regions:
            return self._no_member(region)
        try:
            found = self.documents.get(region, f"canary#{region}#{token}")
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        return Known(WriteProof(token, region) if found is not None else None, at)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        """The region is asked first: where nothing serves there, the rest may take the write all the same."""
        if region not in self._regions:
            raise Permanent(f"This database has no member in {region}.")
        word = f"canary#{region}#{token}"
        until = self._asking.deadline(call.timeout_seconds)
        try:
            if self.documents.get(region, word, within=call.timeout_seconds / 2) is not None:
                return
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{region} does not answer, and nothing was written: {error}") from error
        left = replace(call, timeout_seconds=self._asking.left_until(until))
        self.documents.put(region, word, left, token=token, by=f"{int(call.epoch)} {call.run}")

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What of the database's description would not carry the loss of a region."""
        at = time.time()
        try:
            told = self._described()
        except CloudfailError as error:
            return Unknown(str(error), at)
        found = []
        if not in_several_regions(str(told["locationId"])):
            found.append(f"{self.options.path} is in {told['locationId']} alone, and is lost with that region")
        if told.get("type") != "FIRESTORE_NATIVE":
            found.append(f"{self.options.path} is {told.get('type')}, and takes no documents")
        return Known(tuple(found), at)

    def _described(self) -> dict[str, Any]:
        """Asked from here: it is of no region. Raises Transient for an answer without a location."""
        told = self._asking.read(API, "global", f"v1/{self.options.path}", within=float(self.options.api_within))
        if not told.get("locationId"):
            raise Transient(f"Firestore answers, and does not tell where {self.options.path} is.")
        return told

    def _no_member(self, region: str) -> Unknown:
        return Unknown(f"this database has no member in {region}", time.time())


def in_several_regions(location: str) -> bool:
    """Multi-region locations are named without a dash: nam5, nam7, eur3 (Firestore, "Locations")."""
    return bool(location) and "-" not in location


def build(resource: Resource, topology: Topology) -> Firestore:
    """Kind.build."""
    return Firestore(Asking.of(resource, topology))
