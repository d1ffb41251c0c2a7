"""The documents that cloudfail writes into an account of Cosmos DB for NoSQL, and in which region.

Each region of an account has an address of its own, and is asked there and nowhere else: what answers is what an
application there would get. A write that goes to a region which is not the account's write region is refused by it,
with a word for that (`cosmos_errors`): so the data plane itself says who takes writes.

REST over azure-core's pipeline, which repeats nothing and follows no redirection, with a token of Microsoft Entra ID:
keys are not used, so that an account may have them switched off. A document's id is its partition key. Reads ask for
what the region itself holds ("Eventual", which every account allows), so that they wait for no other region.

Sources: "Azure Cosmos DB: REST API reference" (create, replace, get a document; common headers; access control), "Use
control plane and data plane role-based access control".
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail.ports import Call
from cloudfail.retry import READS, again, within
from cloudfail_azure import arm_errors
from cloudfail_azure.asking import REQUEST_SECONDS, Asking
from cloudfail_azure.clients import failures
from cloudfail_azure.database import cosmos_errors
from cloudfail_azure.database.cosmos_errors import TakesNoWrites
from cloudfail_azure.sessions import CONNECT_SECONDS, Session
from cloudfail_databases.data_plane import Proof, Tried

VERSION = "2018-12-31"
SCOPE = "https://cosmos.azure.com/.default"
_SEPARATORS = str.maketrans({"#": "~", "/": "~"})
"""An id takes neither, and no name of a region, run or step has a tilde."""


@dataclass(frozen=True)
class Document:
    """values: what stands in it, but for what Cosmos DB adds. etag: as it was when it was read."""

    values: Mapping[str, Any]
    etag: str


class Documents:
    """Of one account. endpoints: region -> its address. many: the account takes writes in each region, which a write
    has to say that it knows."""

    def __init__(
        self, asking: Asking, endpoints: Mapping[str, str], path: str, *, seconds: float, many: bool = False
    ) -> None:
        self._asking = asking
        self._endpoints = {region: one.rstrip("/") for region, one in endpoints.items()}
        database, _, container = path.partition("/")
        self._docs = f"/dbs/{database}/colls/{container}/docs"
        self._seconds = seconds
        self._many = many
        self._kept: dict[str, Any] = {}

    def place(self, region: str) -> str:
        return self._endpoints[region]

    def close(self) -> None:
        """End every connection."""
        kept, self._kept = self._kept, {}
        for one in kept.values():
            one.close()

    def get(self, region: str, word: str, *, seconds: float | None = None) -> Document | None:
        """As that region holds it; None where it does not. Raises Transient, Permanent, OutcomeUnknown, and
        TakesNoWrites where the region is none of the account."""
        name = word.translate(_SEPARATORS)
        headers = {**_key(name), "x-ms-consistency-level": "Eventual"}
        try:
            told = self._again(region, "GET", f"{self._docs}/{urllib.parse.quote(name)}", headers, None, seconds)
        except Permanent as error:
            # Where the container is missing, the document is too; a write then says which.
            if isinstance(error.__cause__, arm_errors.Answered) and error.__cause__.said.status == 404:
                return None
            raise
        if not isinstance(told, dict) or told.get("id") != name:
            raise Transient(f"Cosmos DB answers in {region}, and does not tell what {name} says.")
        values = {key: value for key, value in told.items() if key != "id" and not key.startswith("_")}
        return Document(values, str(told.get("_etag") or ""))

    def put_again(self, region: str, word: str, **values: Any) -> None:
        """Write a document that may be written any number of times: a heartbeat, a look. It is a probe's write, without
        a call of a run, and so made by the role that watches. Raises as `get`, and TakesNoWrites."""
        headers, body = self._written(word, values)
        self._again(region, "POST", self._docs, {**headers, "x-ms-documentdb-is-upsert": "True"}, body, None)

    def tried(self, region: str, word: str, *, kept: bool) -> Proof:
        """A write, over the connection that is kept or over a new one."""
        what = "the connection that is kept" if kept else "a new connection"
        client = self._client(region) if kept else self._new(region)
        headers, body = self._written(word, {"at": self._asking.clock.wall()})
        headers["x-ms-documentdb-is-upsert"] = "True"
        try:
            session = self._asking.sessions.get(self._asking.roles(region).watch)
            self._send(client, session, region, "POST", self._docs, headers, body, self._seconds)
        except TakesNoWrites as error:
            return Proof(Tried.REFUSED, f"a write over {what} was refused: {error}")
        except CloudfailError as error:
            return Proof(Tried.NO_WORD, f"no word on a write over {what}: {error}")
        finally:
            if not kept:
                client.close()
        return Proof(Tried.LET_IN, f"a write over {what} was let in")

    def put(self, region: str, word: str, call: Call, *, etag: str = "", **values: Any) -> None:
        """Write a document for a run: a new one, or instead of the one that had this ETag. Raises Conflict where it is
        another one, and as `get` and `call.check`."""
        headers, body = self._written(word, values)
        method, path = "POST", self._docs
        if etag:
            name = word.translate(_SEPARATORS)
            method, path, headers["If-Match"] = "PUT", f"{self._docs}/{urllib.parse.quote(name)}", etag
        role, name = self._asking.roles(region).execute, f"{call.run}/{call.epoch}"

        def once(left: float) -> Any:
            session = self._asking.sessions.get(role, name if role else "")
            _token(session, left)
            call.check()
            return self._send(self._client(region), session, region, method, path, headers, body, left)

        if role:
            self._asking.sessions.drop(role, name)
        again(once, within=min(call.timeout_seconds, self._seconds), clock=self._asking.clock)

    def _written(self, word: str, values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        name = word.translate(_SEPARATORS)
        # Without it a region of an account with many writers refuses what is no write of the first one.
        many = {"x-ms-cosmos-allow-tentative-writes": "true"} if self._many else {}
        return {**_key(name), **many}, {"id": name, **values}

    def _again(
        self, region: str, method: str, path: str, headers: Mapping[str, str], body: Any, seconds: float | None
    ) -> Any:
        """As the role that watches; tried again whatever happened, since a second one is the same."""
        session = self._asking.sessions.get(self._asking.roles(region).watch)

        def once(left: float) -> Any:
            return self._send(self._client(region), session, region, method, path, headers, body, left)

        bound = self._seconds if seconds is None else min(seconds, self._seconds)
        return again(once, within=bound, clock=self._asking.clock, also=READS)

    def _send(
        self,
        client: Any,
        session: Session,
        region: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Any,
        left: float,
    ) -> Any:
        from azure.core.rest import HttpRequest

        if left <= 0:
            raise Transient("No time was left to ask Cosmos DB.")
        seconds, what = min(REQUEST_SECONDS, left), f"{method} {self._endpoints[region]}{path}"
        sent = {**headers, "authorization": _token(session, seconds), "x-ms-version": VERSION}
        sent["x-ms-date"] = formatdate(self._asking.clock.wall(), usegmt=True)
        request = HttpRequest(method, f"{self._endpoints[region]}{path}", headers=sent, json=body)

        def ask() -> tuple[int, Mapping[str, str], bytes]:
            answer = client.send_request(
                request, connection_timeout=min(CONNECT_SECONDS, seconds), read_timeout=seconds
            )
            return answer.status_code, {key.lower(): value for key, value in answer.headers.items()}, answer.read()

        status, told, content = _asked(seconds, ask, what)
        if 200 <= status < 300:
            return _json(content)
        after = told.get("x-ms-retry-after-ms", "")
        message = _json(content)
        words = str(message.get("message", "")) if isinstance(message, dict) else ""
        wait = float(after) / 1000 if after.isdigit() else None
        raise cosmos_errors.from_answer(status, told.get("x-ms-substatus", ""), words, what, wait)

    def _client(self, region: str) -> Any:
        if region not in self._kept:
            self._kept[region] = self._new(region)
        return self._kept[region]

    def _new(self, region: str) -> Any:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import UserAgentPolicy

        return PipelineClient(self._endpoints[region], policies=[UserAgentPolicy("cloudfail")])


def _key(name: str) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": json.dumps([name])}


def _token(session: Session, seconds: float) -> str:
    """Raises Transient or Permanent: nothing was sent to whom it was for."""
    try:
        told = within(max(0.01, seconds), lambda: session.credential.get_token(SCOPE).token)
    except _raises() as error:
        kind = arm_errors.from_exception(error, "No credentials yet")
        raise (Transient(str(kind)) if isinstance(kind, OutcomeUnknown) else kind) from error
    return urllib.parse.quote(f"type=aad&ver=1.0&sig={told}", safe="")


def _asked(
    seconds: float, ask: Callable[[], tuple[int, Mapping[str, str], bytes]], what: str
) -> tuple[int, Mapping[str, str], bytes]:
    try:
        return within(seconds, ask)
    except _raises() as error:
        raise arm_errors.from_exception(error, what) from error


def _raises() -> tuple[type[Exception], ...]:
    """ValueError: what gives out tokens answered with something that is no JSON, and msal says it so."""
    return (TimeoutError, ValueError, *failures())


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else {}
    except ValueError:
        return None
