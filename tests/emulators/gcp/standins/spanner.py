"""A Spanner database of a multi-region instance: its rows, and who answers for them.

As the reference of Spanner v1 has it: a commit in a temporary transaction is acknowledged where a majority of the
voting regions is there, whichever they are; a read is strong unless it says otherwise, and one that is directed to a
region without a way out is refused where that region is lost; a session that is not known is NOT_FOUND; a commit on a
multiplexed session may be answered with a token, and has not been made.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from tests.emulators.gcp.front import Refused

WITNESS = "WITNESS"


class Spanner:
    """`gone`: regions that are lost. `blind`: regions that go on showing what they showed when they were put here.
    `obeying`: while it is not set, commits are acknowledged and not made. `commits`: how many were made."""

    def __init__(self, path: str, replicas: Mapping[str, str], *, quorum: str = "MULTI_REGION") -> None:
        self.path = path
        self.instance = path.partition("/databases/")[0]
        self.config = f"{self.instance.partition('/instances/')[0]}/instanceConfigs/custom-shop"
        self.replicas = dict(replicas)
        self.quorum = quorum
        self.gone: set[str] = set()
        self.blind: dict[str, dict[str, dict[str, Any]]] = {}
        self.obeying = True
        self.commits = 0
        self.table = "cloudfail"
        self.rows: dict[str, dict[str, Any]] = {}
        self.sessions: set[str] = set()
        self._numbers = itertools.count(1)

    def hide(self, region: str) -> None:
        """From here on that region shows what it shows now."""
        self.blind[region] = dict(self.rows)

    # ---- Google's methods

    def projects_instances_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> Any:
        return {"name": self.instance, "config": self.config, "state": "READY", "displayName": "shop"}

    def projects_instance_configs_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> Any:
        replicas = [{"location": where, "type": kind} for where, kind in self.replicas.items()]
        return {"name": self.config, "quorumType": self.quorum, "replicas": replicas}

    def projects_instances_databases_sessions_create(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> Any:
        name = f"{self._database(labels)}/sessions/s{next(self._numbers)}"
        if body["session"].get("multiplexed"):
            raise Refused(400, "", "This stand-in has plain sessions alone.", "INVALID_ARGUMENT")
        self.sessions.add(name)
        return {"name": name}

    def projects_instances_databases_sessions_commit(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> Any:
        self._session(labels)
        if "readWrite" not in body.get("singleUseTransaction", {}):
            raise Refused(400, "", "This stand-in has temporary transactions alone.", "INVALID_ARGUMENT")
        voting = [where for where, kind in self.replicas.items() if kind != "READ_ONLY"]
        if 2 * len(self.gone & set(voting)) >= len(voting):
            raise Refused(503, "", "No majority of the voting replicas answers.", "UNAVAILABLE")
        if self.obeying:
            for mutation in body["mutations"]:
                write = mutation["insertOrUpdate"]
                self._table(write)
                for values in write["values"]:
                    self.rows[values[0]] = dict(zip(write["columns"], values, strict=True))
            self.commits += 1
        return {"commitTimestamp": "2026-11-30T21:00:00.000000Z"}

    def projects_instances_databases_sessions_read(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> Any:
        self._session(labels)
        self._table(body)
        included = body["directedReadOptions"]["includeReplicas"]
        (selected,) = included["replicaSelections"]
        where = selected["location"]
        if self.replicas.get(where) != selected["type"] or selected["type"] == WITNESS:
            raise Refused(400, "", f"There are no such replicas in {where}.", "INVALID_ARGUMENT")
        if where in self.gone:
            if not included.get("autoFailoverDisabled"):
                raise Refused(400, "", "A read went to another region.", "INVALID_ARGUMENT")
            raise Refused(503, "", f"The replicas in {where} do not answer.", "UNAVAILABLE")
        shown: Mapping[str, Any] = self.blind.get(where, self.rows)
        keys = [key for (key,) in body["keySet"]["keys"]]
        rows = [[shown[key][column] for column in body["columns"]] for key in keys if key in shown]
        told: dict[str, Any] = {"metadata": {"rowType": {"fields": [{"name": one} for one in body["columns"]]}}}
        return {**told, "rows": rows} if rows else told

    # ---- inside

    def _database(self, labels: Mapping[str, str]) -> str:
        found = "projects/{projectsId}/instances/{instancesId}/databases/{databasesId}".format(**labels)
        if found != self.path:
            raise Refused(404, "", f"Database not found: {found}", "NOT_FOUND")
        return found

    def _session(self, labels: Mapping[str, str]) -> None:
        name = f"{self._database(labels)}/sessions/{labels['sessionsId']}"
        if name not in self.sessions:
            raise Refused(404, "", f"Session not found: {name}", "NOT_FOUND")

    def _table(self, given: Mapping[str, Any]) -> None:
        if given["table"] != self.table:
            raise Refused(404, "", f"Table not found: {given['table']}", "NOT_FOUND")
