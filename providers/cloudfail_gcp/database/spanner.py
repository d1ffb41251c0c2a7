"""database: spanner. A Spanner database of a multi-region instance: one database, which takes writes from every region.

So there is nothing to promote, and nothing to fence. A write is acknowledged once a majority of the voting replicas
holds it; where a region is lost, the others go on, with another leader, and nothing that was acknowledged is lost. What
is shown of a region is that a write was let in, and that the replicas in that region show it.

A dual-region instance is none of this: after the loss of a region somebody has to move its quorum, and that may lose
data. It is refused by name. Sources: Spanner, "Instance configurations", "Region types"; v1's reference,
`InstanceConfig.QuorumType`.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, LossBound, Role, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.many_writers import ManyWriters
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.spanner_options import ReplicaMember, SpannerOptions
from cloudfail_gcp.database.spanner_rows import API, TYPES, Rows
from cloudfail_gcp.sessions import Sessions

MULTI_REGION = "MULTI_REGION"
AT_ONCE = "a write is acknowledged once a majority of the voting replicas holds it, in more than one region"
_PATH = re.compile(r"projects/[a-z][a-z0-9.:-]{2,62}/instances/[a-z][a-z0-9-]{0,62}/databases/[a-z][a-z0-9_-]{0,29}")


@dataclass(frozen=True)
class Placement:
    """Of an instance. replicas: (region, type)."""

    config: str
    quorum: str
    replicas: frozenset[tuple[str, str]]


class Spanner(ManyWriters):
    """ports.Database, of many writers (`Kind.many_writers`); ports.Preflight."""

    def __init__(self, resource: Resource, topology: Topology, sessions: Sessions | None = None) -> None:
        super().__init__(resource.name, "a Spanner database")
        path = resource.id or ""
        if not _PATH.fullmatch(path):
            raise Permanent(
                f"{resource.name} has no `id` that names a Spanner database.",
                "Nothing can be asked about it.",
                "Write its name: id: projects/PROJECT/instances/INSTANCE/databases/DATABASE",
            )
        options = SpannerOptions.model_validate(dict(resource.options))
        self._members = {region: ReplicaMember.model_validate(one) for region, one in resource.members.items()}
        self._asking = Asking.of(resource, topology, sessions)
        self._path = path
        self._seconds = float(options.api_within)
        seconds = float(options.answer_within)
        self.rows = Rows(self._asking, path, options.table, self._members, seconds=seconds)
        self._placement: Placement | None = None
        self._lock = threading.Lock()

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        """Whether a write is let in now, and is there when it is read in that region."""
        at = time.time()
        if region not in self._members:
            return Unknown(f"this database has no member in {region}", at)
        try:
            wrong = self._wrong(region)
            if wrong:
                return Unknown(f"{region}: {wrong}", at)
            refusal = self._tried(region, f"look#{region}", uuid.uuid4().hex)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        version = f"{region}/{'refused' if refusal else 'rw'}"
        state = DatabaseState(
            Role.PRIMARY, not refusal, 0, lag_seconds=0.0, in_sync=True, moving=refusal, version=version
        )
        return Known(state, at)

    def _tried(self, region: str, word: str, value: str) -> str:
        """Write, and read it in that region. "" where it is there; else why not. Raises what asking raises."""
        self.rows.put_again(region, word, value)
        found = self.rows.get(region, word)
        if found is not None and found["value"] == value:
            return ""
        return f"a write was acknowledged, and {region} does not show it"

    def beat(self, region: str) -> Known[float] | Unknown:
        """The row is one of the region's clients only as far as that region shows it."""
        at = time.time()
        if region not in self._members:
            return Unknown(f"this database has no member in {region}", at)
        try:
            refusal = self._tried(region, f"beat#{region}", repr(at))
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", time.time())
        return Unknown(refusal, time.time()) if refusal else Known(at, at)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """Nothing, where the instance is seen to be one whose majority spans regions; else unknown."""
        if source not in self._members or target not in self._members:
            return LossBound(None, None, (f"this database has no member in {source} or {target}",))
        try:
            placement = self._placed()
        except CloudfailError as error:
            return LossBound(None, None, (f"what the instance is cannot be read: {error}",))
        if placement.quorum != MULTI_REGION:
            return LossBound(None, None, (_no_majority(placement),))
        return LossBound(0.0, 0.0, (AT_ONCE,))

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        at = time.time()
        if region not in self._members:
            return Unknown(f"this database has no member in {region}", at)
        try:
            found = self.rows.get(region, f"canary#{region}#{token}")
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        return Known(WriteProof(token, region) if found is not None else None, at)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        if region not in self._members:
            raise Permanent(f"This database has no member in {region}.")
        timed, word = TimeLeft(call), f"canary#{region}#{token}"
        try:
            if self.rows.get(region, word) is not None:
                return
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{region} does not answer, so no canary was written: {error}") from error
        self.rows.put(region, word, token, timed.rest())

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        at = time.time()
        try:
            placement = self._placed()
            found = [_no_majority(placement)] if placement.quorum != MULTI_REGION else []
            found += [wrong for region in self._members if (wrong := _absent(placement, region, self._members[region]))]
            for region in self._members if not found else ():
                self.rows.get(region, f"look#{region}")
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(tuple(found), at)

    def _wrong(self, region: str) -> str:
        """What the instance's description has against this member; "" also where nobody answers: rows say more."""
        try:
            placement = self._placed()
        except CloudfailError:
            return ""
        if placement.quorum != MULTI_REGION:
            return _no_majority(placement)
        return _absent(placement, region, self._members[region])

    def _placed(self) -> Placement:
        """Asked once: an instance is moved between configurations by hand, in hours. Raises as `Asking.read`."""
        with self._lock:
            if self._placement is not None:
                return self._placement
        instance = self._asking.read(
            API, "global", f"v1/{self._path.partition('/databases/')[0]}", within=self._seconds
        )
        config = str(instance.get("config") or "")
        if not config:
            raise Transient("Spanner answers, and does not tell the instance's configuration.")
        told = self._asking.read(API, "global", f"v1/{config}", within=self._seconds)
        if not told.get("replicas"):
            raise Transient(f"Spanner answers, and tells no replicas of {config}.")
        placement = Placement(config.rpartition("/")[2], str(told.get("quorumType") or ""), replicas_of(told))
        with self._lock:
            self._placement = placement
        return placement


def replicas_of(told: Mapping[str, object]) -> frozenset[tuple[str, str]]:
    """(region, type) of each, as a configuration tells them."""
    listed = told.get("replicas")
    found = listed if isinstance(listed, list) else []
    return frozenset((str(one.get("location")), str(one.get("type"))) for one in found)


def _no_majority(placement: Placement) -> str:
    return (
        f"its instance's configuration {placement.config} is {placement.quorum or 'of no known quorum'}, not "
        f"{MULTI_REGION}: it does not go on by itself where a region is lost"
    )


def _absent(placement: Placement, region: str, member: ReplicaMember) -> str:
    if (region, TYPES[member.replicas]) in placement.replicas:
        return ""
    there = ", ".join(sorted(f"{where} ({kind})" for where, kind in placement.replicas))
    return f"{placement.config} has no {member.replicas} replicas in {region}; it has {there}"


def build(resource: Resource, topology: Topology, sessions: Sessions | None = None) -> Spanner:
    """Kind.build."""
    return Spanner(resource, topology, sessions)
