"""What a region of an account of Cosmos DB shows of itself, by documents that are written and read in it: whether it
takes writes, what it holds of the others' writes, and under whose epoch the write region was moved last.

The mark is a document beside the data, `mark`, written in the write region with the condition that it is as it was
read; it is replicated with the rest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import WriteProof
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database.cosmos_documents import Document, Documents
from cloudfail_azure.database.cosmos_errors import TakesNoWrites
from cloudfail_azure.marks import refuse_older

MARK = "mark"


@dataclass(frozen=True)
class Sight:
    """One look at one region. refusal: its words where a write was not let in; gone: it is no region of the account.
    epoch: of the mark that it holds; None where it holds none, or does not show it."""

    takes_writes: bool
    refusal: str = ""
    gone: bool = False
    epoch: int | None = None


class CosmosPlane:
    """Of one account."""

    def __init__(self, documents: Documents, *, stale_seconds: float) -> None:
        self.documents = documents
        self._stale_seconds = stale_seconds

    def look(self, region: str) -> Sight:
        """Try a write there. Raises Transient, Permanent, OutcomeUnknown: no word."""
        try:
            self.documents.put_again(region, f"look#{region}", at=time.time())
        except TakesNoWrites as error:
            return Sight(False, str(error), error.gone, None if error.gone else self._epoch(region))
        return Sight(True, epoch=self._epoch(region))

    def _epoch(self, region: str) -> int | None:
        """A region that does not show its mark is no reason to stay in one that is lost."""
        try:
            found = self.documents.get(region, MARK)
        except (CloudfailError, TakesNoWrites):
            return None
        return _epoch_in(found)

    def mark(self, region: str, call: Call) -> None:
        """Write this run's, in the region that takes writes. Raises Conflict where it is a newer run's, or another one
        than it was a moment before."""
        timed = TimeLeft(call)
        try:
            found = self.documents.get(region, MARK, seconds=timed.seconds)
            there = _epoch_in(found)
            refuse_older(there, call, f"The account, as {region} shows it,")
            if there == call.epoch:
                return
            etag = found.etag if found is not None else ""
            self.documents.put(region, MARK, timed.rest(), etag=etag, epoch=int(call.epoch), run=call.run)
        except TakesNoWrites as error:
            raise Conflict(f"{region} takes no writes, so that nothing can be noted there: {error}") from error

    def shows(self, region: str, writer: str) -> str:
        """ "" where that region holds what was written in the other one of late; else why it is not known to. Raises as
        `look`."""
        try:
            found = self.documents.get(region, f"look#{writer}")
        except TakesNoWrites as error:
            return str(error)
        age = None if found is None else time.time() - float(found.values.get("at") or 0.0)
        if age is None:
            return f"{region} shows nothing that was written in {writer}"
        if age > self._stale_seconds:
            return f"the newest that {region} shows of what was written in {writer} is {age:.0f} s old"
        return ""

    def beat(self, region: str) -> Known[float] | Unknown:
        """ports.Database.beat."""
        at = time.time()
        try:
            self.documents.put_again(region, f"beat#{region}", at=at)
        except (CloudfailError, TakesNoWrites) as error:
            return Unknown(f"{region}: {error}", time.time())
        return Known(at, at)

    def held(self, region: str, source: str) -> float | None:
        """The newest heartbeat of `source` that this region holds; None where it shows none."""
        try:
            found = self.documents.get(region, f"beat#{source}")
        except (CloudfailError, TakesNoWrites):
            return None
        at = None if found is None else found.values.get("at")
        return float(at) if isinstance(at, (int, float)) else None

    def lag(self, region: str, source: str) -> float | None:
        """Seconds; None where nobody writes heartbeats."""
        held = self.held(region, source)
        lag = None if held is None else max(0.0, time.time() - held)
        return lag if lag is not None and lag <= self._stale_seconds else None

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        """ports.Database.read_canary."""
        at = time.time()
        try:
            found = self.documents.get(region, f"canary#{region}#{token}")
        except (CloudfailError, TakesNoWrites) as error:
            return Unknown(f"{region}: {error}", at)
        return Known(WriteProof(token, region) if found is not None else None, at)

    def write_canary(self, region: str, token: str, call: Call) -> None:
        """ports.Database.write_canary."""
        timed, word = TimeLeft(call), f"canary#{region}#{token}"
        try:
            if self.documents.get(region, word, seconds=timed.seconds / 2) is not None:
                return
        except Permanent:
            raise
        except (CloudfailError, TakesNoWrites) as error:
            raise Transient(f"{region} does not answer, and nothing was written: {error}") from error
        try:
            self.documents.put(region, word, timed.rest(), epoch=int(call.epoch), run=call.run)
        except TakesNoWrites as error:
            raise Transient(f"{region} takes no writes: {error}") from error


def _epoch_in(found: Document | None) -> int | None:
    epoch = None if found is None else found.values.get("epoch")
    return epoch if isinstance(epoch, int) else None
