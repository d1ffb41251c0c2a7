"""The rows that cloudfail writes into an application's Spanner database, and where they are read.

A write into another database would prove nothing of this one. So the rows stand beside the application's tables, in one
of cloudfail's own: a key and a text. They are written as mutations and read by key, which is the same in both of
Spanner's dialects, and needs no SQL.

A commit goes to the leader, wherever that is, and is acknowledged once a majority of the voting replicas holds it
(Spanner, "Replication"). So it says of no region that it serves. What does is a directed read: by the read-write
replicas of that one location, with failover to others turned off; and a strong one, which shows all that was committed
before it (Spanner, "Directed reads"; `DirectedReadOptions`).

A session is made when it is first needed, and ends by itself an hour after its last use (Spanner, "Sessions"). One
that has ended is answered with 404, and has done nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cloudfail.errors import Permanent
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.errors import Answered

API = "spanner"
KEY, SAID = "word", "said"
ONCE: Mapping[str, Any] = {"readWrite": {}}
NOW = {"singleUse": {"readOnly": {"strong": True}}}


class Rows:
    """Of one database. locations: region -> its location in the instance's configuration. Raises Transient, Permanent,
    Conflict, OutcomeUnknown, each of which says nothing of the world."""

    def __init__(self, asking: Asking, path: str, table: str, locations: Mapping[str, str], *, seconds: float) -> None:
        self._asking = asking
        self._path = f"v1/{path}"
        self._table = table
        self._locations = locations
        self._seconds = seconds
        self._session = ""
        self._lock = threading.Lock()

    def get(self, region: str, word: str, within: float | None = None) -> dict[str, str] | None:
        """What that row says, as the replicas in that region have it; None where it is not there."""
        until = self._asking.deadline(self._seconds if within is None else min(within, self._seconds))
        here = {"location": self._locations[region], "type": "READ_WRITE"}
        body = {
            "table": self._table,
            "columns": [SAID],
            "keySet": {"keys": [[word]]},
            "transaction": NOW,
            "directedReadOptions": {"includeReplicas": {"replicaSelections": [here], "autoFailoverDisabled": True}},
        }
        reply = self._in_session(region, until, lambda session: self._read(region, f"{session}:read", until, body))
        rows = reply.get("rows") or []
        return _said(word, rows[0]) if rows else None

    def put_again(self, region: str, word: str, **values: str) -> None:
        """Write a row that may be written any number of times: a heartbeat. It is a probe's write, without a call of a
        run, and so made by the role that watches."""
        until, body = self._asking.deadline(self._seconds), self._commit(word, values)
        self._in_session(region, until, lambda session: self._read(region, f"{session}:commit", until, body))

    def put(self, region: str, word: str, call: Call, **values: str) -> None:
        """Write a row for a run."""
        until, body = self._asking.deadline(call.timeout_seconds), self._commit(word, values)

        def commit(session: str) -> dict[str, Any]:
            left = replace(call, timeout_seconds=self._asking.left_until(until))
            return self._asking.change(API, region, "POST", f"{session}:commit", call=left, body=body)

        self._in_session(region, until, commit)

    def _commit(self, word: str, values: Mapping[str, str]) -> dict[str, Any]:
        row = {"table": self._table, "columns": [KEY, SAID], "values": [[word, json.dumps(values, sort_keys=True)]]}
        return {"singleUseTransaction": ONCE, "mutations": [{"insertOrUpdate": row}]}

    def _read(self, region: str, path: str, until: float, body: Mapping[str, Any]) -> dict[str, Any]:
        left = self._asking.left_until(until)
        return self._asking.read(API, region, path, within=left, method="POST", body=body)

    def _in_session(self, region: str, until: float, ask: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        """Once more in a new session, where the one that was there has ended."""
        had = self._session
        try:
            return ask(had or self._begin(region, until))
        except Permanent as error:
            if not had or not (isinstance(error.__cause__, Answered) and error.__cause__.said.status == 404):
                raise
        return ask(self._begin(region, until))

    def _begin(self, region: str, until: float) -> str:
        body: dict[str, Any] = {"session": {"labels": {"by": "cloudfail"}}}
        made = str(self._read(region, f"{self._path}/sessions", until, body)["name"])
        with self._lock:
            self._session = f"v1/{made}"
        return f"v1/{made}"


def _said(word: str, row: Any) -> dict[str, str]:
    """Raises Permanent for a row that cloudfail did not write: it must not be guessed at."""
    try:
        return {str(name): str(value) for name, value in json.loads(row[0]).items()}
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise Permanent(
            f"The row {word!r} is none that cloudfail wrote: {row!r}.",
            "Nothing was changed.",
            "Find out who writes to cloudfail's table in this database.",
        ) from error
