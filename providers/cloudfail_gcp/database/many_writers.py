"""What databases have in common whose every region takes writes by design (`Kind.many_writers`, ADR 0014).

There is nothing to promote and nothing to fence. All the proof that there is of a region is a write that is
acknowledged, and read back by what serves in that very region; an API's word that a database is ready completes
nothing.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import Protocol

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, FenceState, LossBound, Progress, Role, WriteProof
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking


class Rows(Protocol):
    """Where cloudfail's own rows stand, among the application's. Raises errors of ours, each of which says nothing of
    the world."""

    def get(self, region: str, word: str, within: float | None = None) -> dict[str, str] | None:
        """What that row says, read in that region with nothing that was committed before left out; None where it is
        not there."""

    def put_again(self, region: str, word: str, **values: str) -> None:
        """Write a row that may be written any number of times, as who watches."""

    def put(self, region: str, word: str, call: Call, **values: str) -> None:
        """Write a row for a run."""


class ManyWriters:
    """ports.Database but for `loss`. what: in words ("a Spanner database")."""

    what = ""

    def __init__(self, asking: Asking, regions: Collection[str], rows: Rows) -> None:
        self.name = asking.resource.name
        self._asking = asking
        self._regions = regions
        self.rows = rows

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        """Whether a write is let in now, and is there when that region is asked for it."""
        at = time.time()
        if region not in self._regions:
            return self._no_member(region)
        word, once = f"look#{region}", uuid.uuid4().hex
        try:
            self.rows.put_again(region, word, once=once)
            found = self.rows.get(region, word)
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
            self.rows.put_again(region, f"beat#{region}", at=repr(at))
            found = self.rows.get(region, f"beat#{region}")
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
            return self._lost_with(source)
        except CloudfailError as error:
            return LossBound(None, None, (f"where the replicas are is not known: {error}",))

    def _lost_with(self, source: str) -> LossBound:
        raise NotImplementedError

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        at = time.time()
        if region not in self._regions:
            return self._no_member(region)
        try:
            found = self.rows.get(region, f"canary#{region}#{token}")
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
            if self.rows.get(region, word, within=call.timeout_seconds / 2) is not None:
                return
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{region} does not answer, and nothing was written: {error}") from error
        left = replace(call, timeout_seconds=self._asking.left_until(until))
        self.rows.put(region, word, left, token=token, by=f"{int(call.epoch)} {call.run}")

    # ---- what there is not

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        return self._none()

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return self._none()

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        return self._none()

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        raise self._refused("fenced")

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        raise self._refused("unfenced")

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        raise self._refused("promoted")

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        raise self._refused("promoted")

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        raise self._refused("made a replica of another")

    def _no_member(self, region: str) -> Unknown:
        return Unknown(f"this database has no member in {region}", time.time())

    def _none(self) -> Unknown:
        return Unknown(f"{self.name} is {self.what}: each region takes writes by design", time.time())

    def _refused(self, verb: str) -> Permanent:
        return Permanent(
            f"{self.name} is {self.what}, and none of its regions is {verb}: each takes writes by design.",
            "Nothing was changed.",
            f"Write {{action: verify.write, with: {{database: {self.name}}}}} into the runbook instead.",
        )
