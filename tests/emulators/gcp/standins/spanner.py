"""Spanner, as far as rows of one table go: sessions, commits of mutations, reads by key, directed to a location.

As its documentation has it: a commit needs a majority of the replicas that vote, whichever region they are in; a strong
read that is directed to a location, with failover off, is answered by that location's replicas or not at all; a session
that has ended is NOT_FOUND.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tests.emulators.gcp.front import Refused

PROJECT = "shop-prod"
CONFIG = f"projects/{PROJECT}/instanceConfigs/nam-eur"
INSTANCE = f"projects/{PROJECT}/instances/orders"
DATABASE = f"{INSTANCE}/databases/orders"
TABLE = "cloudfail"


class Spanner:
    """One database whose votes stand in `replicas`: (location, type). `lost`: locations that do not answer. `keeping`:
    while it is not set, a commit is acknowledged and nothing is written. `behind`: locations whose replicas show what
    they had when they were put there. `rows`: key -> text. `mutated`: each mutation that was acknowledged."""

    def __init__(self, replicas: tuple[tuple[str, str], ...]) -> None:
        self.replicas = replicas
        self.quorum = "MULTI_REGION"
        self.lost: set[str] = set()
        self.behind: dict[str, dict[str, str]] = {}
        self.keeping = True
        self.has_table = True
        self.rows: dict[str, str] = {}
        self.mutated: list[dict[str, Any]] = []
        self.sessions: set[str] = set()
        self._made = 0

    def end_sessions(self) -> None:
        self.sessions.clear()

    # ---- methods

    def projects_instances_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        return {"name": INSTANCE, "config": CONFIG, "displayName": "orders", "state": "READY"}

    def projects_instance_configs_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        replicas = [{"location": location, "type": kind} for location, kind in self.replicas]
        return {"name": CONFIG, "configType": "GOOGLE_MANAGED", "quorumType": self.quorum, "replicas": replicas}

    def projects_instances_databases_sessions_create(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        project, instance, database = labels.values()
        path = f"projects/{project}/instances/{instance}/databases/{database}"
        if path != DATABASE:
            raise Refused(404, "", f"Database not found: {path}", "NOT_FOUND")
        self._made += 1
        name = f"{path}/sessions/s{self._made}"
        self.sessions.add(name)
        return {"name": name, "labels": body["session"].get("labels", {})}

    def projects_instances_databases_sessions_commit(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self._must_be_open(labels)
        if set(body["singleUseTransaction"]) != {"readWrite"}:
            raise Refused(400, "", "A commit needs a read-write transaction.", "INVALID_ARGUMENT")
        voting = [location for location, kind in self.replicas if kind in ("READ_WRITE", "WITNESS")]
        if sum(location not in self.lost for location in voting) < len(voting) // 2 + 1:
            raise Refused(503, "", "No quorum.", "UNAVAILABLE")
        for mutation in body["mutations"]:
            (write,) = mutation.values()
            if not self.has_table or write["table"] != TABLE:
                raise Refused(404, "", f"Table not found: {write['table']}", "NOT_FOUND")
            self.mutated.append(copy.deepcopy(mutation))
            for values in write["values"] if self.keeping else ():
                row = dict(zip(write["columns"], values, strict=True))
                self.rows[row["word"]] = row["said"]
        return {"commitTimestamp": "2026-11-30T03:00:00.000000Z"}

    def projects_instances_databases_sessions_read(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self._must_be_open(labels)
        if not self.has_table or body["table"] != TABLE:
            raise Refused(404, "", f"Table not found: {body['table']}", "NOT_FOUND")
        if body["transaction"] != {"singleUse": {"readOnly": {"strong": True}}}:
            raise Refused(400, "", "This stand-in knows strong reads alone.", "INVALID_ARGUMENT")
        rows = self._shown(body.get("directedReadOptions"))
        found = [[rows[key]] for (key,) in body["keySet"]["keys"] if key in rows]
        fields = [{"name": name, "type": {"code": "STRING"}} for name in body["columns"]]
        return {"metadata": {"rowType": {"fields": fields}}} | ({"rows": found} if found else {})

    def _shown(self, directed: Mapping[str, Any] | None) -> dict[str, str]:
        """The rows as those replicas have them that are asked for."""
        if directed is None:
            return self.rows
        included = directed["includeReplicas"]
        (selection,) = included["replicaSelections"]
        location = selection["location"]
        if (location, selection["type"]) not in self.replicas:
            raise Refused(400, "", f"No {selection['type']} replica is in {location}.", "INVALID_ARGUMENT")
        if location not in self.lost:
            return self.behind.get(location, self.rows)
        if included.get("autoFailoverDisabled"):
            raise Refused(503, "", f"The replicas in {location} are not available.", "UNAVAILABLE")
        return self.rows

    def _must_be_open(self, labels: Mapping[str, str]) -> None:
        project, instance, database, session = labels.values()
        name = f"projects/{project}/instances/{instance}/databases/{database}/sessions/{session}"
        if name not in self.sessions:
            raise Refused(404, "", f"Session not found: {name}", "NOT_FOUND")
