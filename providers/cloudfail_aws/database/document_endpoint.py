"""One DocumentDB member as cloudfail reaches it, and what cloudfail itself keeps in the database `cloudfail` there.

`mark`: the epoch beside the writer. `heartbeat`: one document for each region's writer, rewritten each second.
`canary`: one for each token. `try`: one for each region, which every write that is tried for itself rewrites. `fence`:
which roles a fence took from whom. All of it is replicated like any other data.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Conflict
from cloudfail.ports import Call
from cloudfail_aws.database.document_errors import DUPLICATE, REFUSED
from cloudfail_aws.database.document_session import DocumentError, Refusal, Session
from cloudfail_databases.data_plane import Proof, Standing, Tried

ADMIN_NAME = "cloudfail"
WRITER_NAME = "cloudfail-writer"
OWN = "cloudfail"


class Endpoint:
    """The member in one region. Each session has one use, so that none waits for another: `look` reads, `act` changes,
    `beat` writes heartbeats, `canary` writes as an application does, `held` was opened before any fence and shows what
    becomes of connections that clients opened before."""

    def __init__(
        self, region: str, *, url: str, password: str | None, writer: str, writer_password: str | None, seconds: float
    ) -> None:
        self.region = region
        self.seconds = seconds
        self._writer = (writer, writer_password)
        self.look = Session(url, password, name=ADMIN_NAME, seconds=seconds)
        self.act = Session(url, password, name=ADMIN_NAME, seconds=seconds)
        self.beat = self.writer_session()
        self.canary = self.writer_session()
        self.held = self.writer_session()

    def writer_session(self) -> Session:
        """A new connection as an application would open it."""
        return Session(*self._writer, name=WRITER_NAME, seconds=self.seconds)

    def close(self) -> None:
        for session in (self.look, self.act, self.beat, self.canary, self.held):
            session.close()


@dataclass(frozen=True)
class Fence:
    """The note of a fence. taken: (user, its roles as the server words them). sealed: when a connection that was opened
    before was seen to be refused, and no transaction of theirs was left; 0.0 where nobody saw that."""

    region: str
    epoch: int
    standing: bool
    taken: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    sealed: float

    @property
    def note(self) -> Standing:
        return Standing(self.region, self.epoch, whole=self.sealed > 0)


@dataclass(frozen=True)
class Sight:
    """One look at one member. position: seconds and increment of its newest write as it tells them, 0 where it does
    not."""

    primary: bool
    secondary: bool
    position: int
    wire: int
    epoch: int | None
    fences: tuple[Fence, ...]

    def fence_of(self, region: str) -> Fence | None:
        return next((one for one in self.fences if one.region == region), None)


def sight(session: Session) -> Sight:
    """Ask once. Raises the session's errors."""
    hello = session.ask(lambda client: client.admin.command("hello"))
    mark = session.ask(lambda client: client[OWN].mark.find_one({"_id": "writer"}))
    fences = session.ask(lambda client: list(client[OWN].fence.find({}).limit(64)))
    last = (hello.get("lastWrite") or {}).get("opTime")
    stamp = last.get("ts") if isinstance(last, dict) else None
    return Sight(
        primary=bool(hello.get("isWritablePrimary", hello.get("ismaster"))),
        secondary=bool(hello.get("secondary")),
        position=(stamp.time << 32) + stamp.inc if stamp is not None else 0,
        wire=int(hello.get("maxWireVersion", 0)),
        epoch=int(mark["epoch"]) if mark else None,
        fences=tuple(map(_fence, fences)),
    )


def _fence(document: dict[str, Any]) -> Fence:
    taken = tuple(
        (str(one["user"]), tuple((str(role["role"]), str(role["db"])) for role in one["roles"]))
        for one in document.get("taken") or ()
    )
    return Fence(
        str(document["_id"]), int(document["epoch"]), bool(document["standing"]), taken, float(document["sealed"])
    )


def put(client: Any, collection: str, name: str, call: Call, **values: Any) -> None:
    """Write the document `name`, unless it carries a newer epoch: then its own number is taken, and Conflict."""
    own = {"epoch": int(call.epoch), "run": call.run, "at": time.time()}
    client[OWN][collection].update_one(
        {"_id": name, "epoch": {"$lte": int(call.epoch)}}, {"$set": {**own, **values}}, upsert=True
    )


def newer(error: Exception, what: str, call: Call) -> Conflict | None:
    """The conflict that such a write met; None for another error."""
    if isinstance(error, Refusal) and error.code == DUPLICATE:
        return Conflict(f"{what} carries the mark of a newer run than epoch {call.epoch}.")
    return None


def ping(client: Any) -> None:
    """Connects and logs in, where that was not done."""
    client.admin.command("ping")


def write_try(client: Any, region: str) -> None:
    """The write that is tried for itself: one document, rewritten."""
    client[OWN]["try"].update_one({"_id": region}, {"$set": {"at": time.time()}}, upsert=True)


def try_now(endpoint: Endpoint) -> Proof:
    """A write as an application does it, over a session that is kept warm."""
    return judged("a write", lambda: endpoint.canary.ask(lambda client: write_try(client, endpoint.region)))


def try_new(endpoint: Endpoint) -> Proof:
    """A write over a new connection, as an application opens it."""
    session = endpoint.writer_session()
    try:
        return judged("a new connection", lambda: session.order(lambda client: write_try(client, endpoint.region)))
    finally:
        session.close()


def judged(where: str, attempt: Any) -> Proof:
    try:
        attempt()
    except Refusal as error:
        refused = error.code in REFUSED
        return Proof(Tried.REFUSED if refused else Tried.NO_WORD, f"{where}: {error.message[:120]}")
    except DocumentError as error:
        return Proof(Tried.NO_WORD, f"{where}: {error}")
    return Proof(Tried.LET_IN, f"{where}: the write was let in")
