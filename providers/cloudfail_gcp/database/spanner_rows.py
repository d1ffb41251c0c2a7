"""The rows that cloudfail writes into a Spanner database, and reads in one region of it, over REST sessions.

A write is one commit of its own: acknowledged once a majority of the voting replicas holds it, wherever they stand. A
commit in a temporary transaction may be applied twice where it is sent twice, so that every write is one that may be
(insertOrUpdate of a whole row). A read is directed to the replicas of one region, strong, and with no way out to
another region where they do not answer: what it shows, that region shows.

Sessions are plain ones, one for each identity. On a multiplexed session a commit may be answered with a token and
without having committed. Sources: Spanner v1's reference, `sessions.create`, `commit`, `read`, `DirectedReadOptions`;
Spanner, "Directed reads".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.spanner_options import ReplicaMember
from cloudfail_gcp.errors import Answered

API = "spanner"
TYPES = {"read-write": "READ_WRITE", "read-only": "READ_ONLY"}
COLUMNS = ("word", "value", "made_by")
T = TypeVar("T")


class Rows:
    """Of one database. path: its name from `projects/` on."""

    def __init__(
        self, asking: Asking, path: str, table: str, members: Mapping[str, ReplicaMember], *, seconds: float
    ) -> None:
        self._asking = asking
        self._path = path
        self._table = table
        self._members = members
        self._seconds = seconds
        self._sessions: dict[bool, str] = {}
        self._lock = threading.Lock()

    def get(self, region: str, word: str) -> dict[str, str] | None:
        """The row of that word as the replicas in that region show it; None where it is not there. Raises Transient,
        Permanent, OutcomeUnknown."""
        selection = {"location": region, "type": TYPES[self._members[region].replicas]}
        body = {
            "table": self._table,
            "columns": list(COLUMNS),
            "keySet": {"keys": [[word]]},
            "transaction": {"singleUse": {"readOnly": {"strong": True}}},
            "directedReadOptions": {
                "includeReplicas": {"autoFailoverDisabled": True, "replicaSelections": [selection]}
            },
        }

        def once() -> dict[str, Any]:
            session = self._watching(region)
            return self._asking.read(API, region, f"v1/{session}:read", within=self._seconds, method="POST", body=body)

        told = self._again(False, once)
        if "metadata" not in told:
            raise Transient(f"Spanner answers, and gives no rows of {self._table}.")
        rows = told.get("rows") or []
        if not rows:
            return None
        return {name: str(value or "") for name, value in zip(COLUMNS, rows[0], strict=True)}

    def put_again(self, region: str, word: str, value: str) -> None:
        """Write a row that may be written any number of times: a heartbeat. It is a probe's write, without a call of a
        run, and so made by the role that watches."""

        def once() -> dict[str, Any]:
            session, body = self._watching(region), self._commit(word, value, "")
            path = f"v1/{session}:commit"
            return self._asking.read(API, region, path, within=self._seconds, method="POST", body=body)

        self._committed(self._again(False, once))

    def put(self, region: str, word: str, value: str, call: Call) -> None:
        """Write a row for a run."""
        timed = TimeLeft(call)
        body = self._commit(word, value, f"{int(call.epoch)} {call.run}")

        def once() -> dict[str, Any]:
            session = self._executing(region, timed.rest())
            return self._asking.change(API, region, "POST", f"v1/{session}:commit", call=timed.rest(), body=body)

        self._committed(self._again(True, once))

    def _commit(self, word: str, value: str, by: str) -> dict[str, Any]:
        write = {"table": self._table, "columns": list(COLUMNS), "values": [[word, value, by]]}
        return {"singleUseTransaction": {"readWrite": {}}, "mutations": [{"insertOrUpdate": write}]}

    def _committed(self, reply: Mapping[str, Any]) -> None:
        if not reply.get("commitTimestamp"):
            raise OutcomeUnknown("Spanner answers a commit, and does not say when it was made.")

    # ---- sessions

    def _watching(self, region: str) -> str:
        return self._session(
            False,
            lambda body: self._asking.read(
                API, region, f"v1/{self._path}/sessions", within=self._seconds, method="POST", body=body
            ),
        )

    def _executing(self, region: str, call: Call) -> str:
        return self._session(
            True,
            lambda body: self._asking.change(API, region, "POST", f"v1/{self._path}/sessions", call=call, body=body),
        )

    def _session(self, executes: bool, create: Callable[[Mapping[str, Any]], dict[str, Any]]) -> str:
        with self._lock:
            known = self._sessions.get(executes)
        if known:
            return known
        name = str(create({"session": {"labels": {"by": "cloudfail"}}}).get("name") or "")
        if "/sessions/" not in name:
            raise Transient("Spanner answers, and gives no session. Nothing was written.")
        with self._lock:
            self._sessions[executes] = name
        return name

    def _again(self, executes: bool, once: Callable[[], T]) -> T:
        """Spanner drops sessions that were idle for an hour, and some before: then once more, with a new one."""
        try:
            return once()
        except Permanent as error:
            if not _session_is_gone(error):
                raise
            with self._lock:
                self._sessions.pop(executes, None)
        return once()


def _session_is_gone(error: CloudfailError) -> bool:
    cause = error.__cause__
    return isinstance(cause, Answered) and cause.said.status == 404 and "session" in cause.said.message.lower()
