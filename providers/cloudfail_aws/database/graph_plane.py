"""The data plane of a Neptune global cluster: its status, and openCypher over HTTPS, as boto3 sends it.

What cloudfail keeps in the graph are a few vertices with the label `cloudfail`, each by its own id, with no edges: the
epoch's mark, a heartbeat and a write to be tried for each region, a canary for each token. Every write is a MERGE on
the id, so that it may be sent again. Sources: Neptune user guide, "Neptune status endpoint", "openCypher" and "Neptune
engine error codes"; botocore's model of neptunedata.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound, WriteProof
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.errors import code_of
from cloudfail_databases import heartbeats
from cloudfail_databases.data_plane import NoWord, Proof, Tried, View

SERVICE, QUERY = "neptunedata", "execute_open_cypher_query"
REFUSED = frozenset({"AccessDeniedException", "AccessDenied", "ReadOnlyViolationException"})
_VERTEX = "(v:cloudfail {`~id`: $id})"
WRITE = f"MERGE {_VERTEX} SET v.at = $at"
CANARY = f"MERGE {_VERTEX} ON CREATE SET v.region = $region, v.at = $at"
# A lower epoch never replaces a higher one: no row comes back then.
MARK = (
    f"MERGE {_VERTEX} ON CREATE SET v.epoch = $epoch WITH v WHERE v.epoch <= $epoch"
    " SET v.epoch = $epoch, v.run = $run, v.at = $at RETURN v.epoch AS epoch"
)
READ = "MATCH (v) WHERE id(v) = $id RETURN v.at AS at, v.region AS region, v.epoch AS epoch"
KEPT = "a Bolt or WebSocket connection that was opened before was authorised then, and cannot be tried from here"


@dataclass(frozen=True)
class Way:
    """How one member is reached: where, and as whom. own: cloudfail's roles. writer: an application's role."""

    endpoints: tuple[str, ...]
    own: Asking
    writer: Asking
    new_writer: Callable[[], Asking]
    """With credentials and connections that nobody had before."""


class GraphPlane:
    """data_plane.DataPlane. silent: region -> why nothing can be asked there. requests_only: see the options."""

    method = ""
    reader = "a reader"

    def __init__(
        self, ways: Mapping[str, Way], silent: Mapping[str, str], *, requests_only: bool, seconds: float
    ) -> None:
        self._ways = ways
        self._silent = silent
        self._requests_only = requests_only
        self._seconds = seconds
        self._at: dict[str, str] = {}
        self._lock = threading.Lock()

    def has(self, region: str) -> bool:
        return region in self._ways

    def place(self, region: str) -> str:
        return self._at.get(region) or self._way(region).endpoints[0]

    def close(self) -> None:
        """No session is kept."""

    def look(self, region: str) -> View:
        seen = self.peek(region)
        if seen.replica:
            return seen
        tried = self._try(region, self._way(region).writer, "a write")
        if tried.tried is not Tried.LET_IN:
            return View(False, refusal=tried.words, epoch=seen.epoch)
        return View(False, takes_writes=True, epoch=seen.epoch)

    def peek(self, region: str) -> View:
        way = self._way(region)
        try:
            status = self._first(region, way, lambda url: self._read(way.own, region, url, "get_engine_status"))
            mark = self._vertex(region, "mark")
        except CloudfailError as error:
            raise NoWord(str(error)) from error
        role = status.get("role")
        if role not in ("writer", "reader"):
            raise NoWord(f"{self.place(region)} calls itself {role or 'nothing'}, neither writer nor reader")
        return View(replica=role == "reader", epoch=int(mark["epoch"]) if mark else None)

    def try_held(self, region: str) -> Proof:
        """By the client that was there before. Of one that keeps a connection open nobody here can say anything."""
        tried = self._try(region, self._way(region).writer, "a request with credentials from before")
        if tried.tried is Tried.REFUSED and not self._requests_only:
            return Proof(Tried.NO_WORD, f"{tried.words}; {KEPT}")
        return tried

    def try_new(self, region: str) -> Proof:
        return self._try(region, self._way(region).new_writer(), "a new client")

    def shut(self, region: str, call: Call) -> None:
        raise Permanent("Neptune has no fence inside of the database.")

    def give_back(self, region: str, call: Call) -> None:
        """There is nothing that such a fence took."""

    def admit(self, region: str, call: Call) -> None:
        """A fence on another member names that one's data, and shuts nobody out here: the mark is all."""
        way = self._changing(region)
        given = {"id": _id("mark"), "epoch": int(call.epoch), "run": call.run, "at": time.time()}
        reply = way.own.change(
            SERVICE, region, QUERY, call=call, endpoint=self._url(region),
            openCypherQuery=MARK, parameters=json.dumps(given),
        )  # fmt: skip
        if not reply.get("results"):
            raise Conflict(f"The writer in {region} carries the mark of a later epoch than this run's {call.epoch}.")

    def beat(self, region: str) -> Known[float] | Unknown:
        at = time.time()
        try:
            self._write(region, self._way(region).writer, _id("heartbeat", region), at)
        except (NoWord, CloudfailError) as error:
            return Unknown(f"heartbeat in {region}: {error}", at)
        return Known(at, at)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        try:
            held = self._vertex(target, "heartbeat", source)
        except (NoWord, CloudfailError) as error:
            return LossBound(None, None, (f"{target} does not answer: {error}",))
        return heartbeats.bound(float(held["at"]) if held else None, acknowledged, now=time.time())

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        try:
            found = self._vertex(region, "canary", token)
        except (NoWord, CloudfailError) as error:
            return Unknown(f"canary in {region}: {error}", time.time())
        return Known(WriteProof(token, str(found["region"])) if found else None, time.time())

    def write_canary(self, region: str, token: str, call: Call) -> None:
        if region not in self._ways:
            raise Permanent(f"No canary can be written in {region}: {self._silent.get(region, 'it has no member')}.")
        given = {"id": _id("canary", token), "region": region, "at": time.time()}
        self._ways[region].writer.change(
            SERVICE, region, QUERY, call=call, endpoint=self._url(region),
            openCypherQuery=CANARY, parameters=json.dumps(given),
        )  # fmt: skip

    # ---- asking

    def _way(self, region: str) -> Way:
        if region not in self._ways:
            raise NoWord(self._silent.get(region, f"this database has no member in {region}"))
        return self._ways[region]

    def _changing(self, region: str) -> Way:
        try:
            return self._way(region)
        except NoWord as error:
            raise Transient(f"{region} does not answer: {error}.") from error

    def _url(self, region: str) -> str:
        """The one that answered last."""
        with self._lock:
            return self._at.get(region) or self._ways[region].endpoints[0]

    def _first(self, region: str, way: Way, ask: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        """What the first endpoint that answers says. Raises what the last one raised."""
        for url in way.endpoints[:-1]:
            try:
                said = ask(url)
            except CloudfailError:
                continue
            self._note(region, url)
            return said
        said = ask(way.endpoints[-1])
        self._note(region, way.endpoints[-1])
        return said

    def _note(self, region: str, url: str) -> None:
        with self._lock:
            self._at[region] = url

    def _read(self, asking: Asking, region: str, url: str, operation: str, **given: Any) -> dict[str, Any]:
        count = len(self._ways[region].endpoints)
        return asking.read(SERVICE, region, operation, within=self._seconds / count, endpoint=url, **given)

    def _vertex(self, region: str, *name: str) -> Mapping[str, Any] | None:
        given = json.dumps({"id": _id(*name)})
        way = self._way(region)
        reply = way.own.read(
            SERVICE, region, QUERY, within=self._seconds, endpoint=self._url(region),
            openCypherQuery=READ, parameters=given,
        )  # fmt: skip
        rows: Any = reply.get("results")
        return rows[0] if rows else None

    def _write(self, region: str, asking: Asking, vertex: str, at: float) -> None:
        """A MERGE of one vertex: sent again inside, as a read is."""
        asking.read(
            SERVICE, region, QUERY, within=self._seconds, endpoint=self._url(region),
            openCypherQuery=WRITE, parameters=json.dumps({"id": vertex, "at": at}),
        )  # fmt: skip

    def _try(self, region: str, asking: Asking, who: str) -> Proof:
        try:
            self._write(region, asking, _id("try", region), time.time())
        except CloudfailError as error:
            cause = error.__cause__
            # A role that cannot be taken on was refused by STS, and no write by Neptune.
            query = isinstance(cause, ClientError) and cause.operation_name == "ExecuteOpenCypherQuery"
            refused = query and code_of(cause) in REFUSED  # type: ignore[arg-type]  # an Exception, as `query` says
            return Proof(Tried.REFUSED if refused else Tried.NO_WORD, f"{who}: {str(error)[:160]}")
        return Proof(Tried.LET_IN, f"{who}: the write was let in")


def _id(*name: str) -> str:
    return "/".join(("cloudfail", *name))
