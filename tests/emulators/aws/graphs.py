"""Two Neptune clusters, one of them a reader of the other, behind botocore's model of `neptunedata`.

There is no Neptune to run. Each cluster answers `/status`, and as much of openCypher as a MERGE on an id and a read by
it need; what it does not know is a MalformedQueryException. Who signed a request is held against the policies of their
role, as the cluster's own id names its data.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.front import Fault, Front
from tests.emulators.aws.standin import Refused, StandIn
from tests.emulators.aws.standins.identities import Identities

DELAY_SECONDS = 0.05
_MERGE = re.compile(r"MERGE \(v:(\w+) \{`~id`: \$(\w+)\}\)")
_CLAUSE = re.compile(r" (ON CREATE SET|WITH v WHERE|SET|RETURN) (.*?)(?= ON CREATE SET | WITH v | SET | RETURN |$)")
_READ = re.compile(r"MATCH \(v\) WHERE id\(v\) = \$(\w+) RETURN (.+)")
Vertex = dict[str, Any]


class Graph:
    """One cluster: the state machine of its data plane."""

    def __init__(self, data: str, identities: Identities) -> None:
        self.data = data
        self.identities = identities
        self.writes = False
        self.vertices: dict[str, Vertex] = {}
        self.log: list[tuple[float, str, Vertex]] = []
        self.upstream: Graph | None = None
        self.applied = 0
        self.calls: list[tuple[str, str]] = []

    def get_engine_status(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._may(what, "GetEngineStatus")
        return {
            "status": "healthy",
            "role": "writer" if self.writes else "reader",
            "dbEngineVersion": "1.4.5.0",
            "opencypher": {"version": "Neptune-9.0.20190305-1.0"},
        }

    def execute_open_cypher_query(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        query, parameters = given["openCypherQuery"], json.loads(given.get("parameters", "{}"))
        self.calls.append((what.by, query))
        self._may(what, "ReadDataViaQuery")
        read = _READ.fullmatch(query)
        if read:
            found = self.vertices.get(parameters[read[1]])
            return {"results": [_returned(found, read[2])] if found is not None else []}
        merge = _MERGE.match(query)
        if not merge:
            raise Refused("MalformedQueryException", f"This cluster does not know {query}.")
        self._may(what, "WriteDataViaQuery")
        if " SET " in query.replace("ON CREATE SET", ""):
            self._may(what, "DeleteDataViaQuery")
        if not self.writes:
            raise Refused("ReadOnlyViolationException", "openCypher update attempted on a read-only replica")
        return self._merged(parameters[merge[2]], query[merge.end() :], parameters)

    def _merged(self, name: str, rest: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        created = name not in self.vertices
        vertex = dict(self.vertices.get(name, {}))
        if "".join(part.group(0) for part in _CLAUSE.finditer(rest)) != rest:
            raise Refused("MalformedQueryException", f"This cluster does not know{rest}.")
        for clause, text in _CLAUSE.findall(rest):
            if clause == "WITH v WHERE":
                key, parameter = re.fullmatch(r"v\.(\w+) <= \$(\w+)", text).groups()  # type: ignore[union-attr]
                if not vertex[key] <= parameters[parameter]:
                    return {"results": []}
            elif clause == "RETURN":
                self._write(name, vertex)
                return {"results": [_returned(vertex, text)]}
            elif clause == "SET" or created:
                for key, parameter in re.findall(r"v\.(\w+) = \$(\w+)", text):
                    vertex[key] = parameters[parameter]
        self._write(name, vertex)
        return {"results": []}

    def _write(self, name: str, vertex: Vertex) -> None:
        self.vertices[name] = vertex
        self.log.append((time.monotonic(), name, dict(vertex)))

    def _may(self, what: Asked, action: str) -> None:
        if self.identities.denied(what.by, f"neptune-db:{action}", f"{self.data}/database"):
            raise Refused("AccessDeniedException", f"User is not authorized to perform: neptune-db:{action}")

    def follow(self, until: float) -> None:
        upstream = self.upstream
        while upstream is not None and self.applied < len(upstream.log) and upstream.log[self.applied][0] <= until:
            _, name, vertex = upstream.log[self.applied]
            self.vertices[name] = vertex
            self.applied += 1


def _returned(vertex: Vertex, text: str) -> Vertex:
    return {name: vertex.get(key) for key, name in re.findall(r"v\.(\w+) AS (\w+)", text)}


class Pair:
    """The writer in the east and its reader in the west, each behind a front of its own with its own faults."""

    def __init__(self, east: str, west: str, identities: Identities) -> None:
        """east, west: the ARN of the cluster's data."""
        self.delay_seconds = DELAY_SECONDS
        self.lock = threading.RLock()
        self.east, self.west = Graph(east, identities), Graph(west, identities)
        self.east.writes, self.west.upstream = True, self.east
        self.stand_ins = {one: StandIn("neptunedata", one, lock=self.lock) for one in (self.east, self.west)}
        self.fronts = {one: Front({}) for one in (self.east, self.west)}
        for one, front in self.fronts.items():
            front.serve("neptunedata", self.stand_ins[one].answer)
        self._frozen: dict[Graph, Fault] = {}
        self._ending = threading.Event()
        threading.Thread(target=self._replicate, daemon=True).start()

    def url(self, graph: Graph) -> str:
        return self.fronts[graph].url

    def freeze(self, graph: Graph) -> None:
        self._frozen[graph] = self.fronts[graph].outages.silence()

    def thaw(self, graph: Graph) -> None:
        fault = self._frozen.pop(graph, None)
        if fault is not None:
            fault.lift()

    def _replicate(self) -> None:
        while not self._ending.wait(0.01):
            with self.lock:
                for graph in (self.east, self.west):
                    if graph.upstream is not None and not {graph, graph.upstream} & set(self._frozen):
                        graph.follow(time.monotonic() - self.delay_seconds)

    def promote(self, graph: Graph) -> None:
        with self.lock:
            graph.writes, graph.upstream = True, None

    def rejoin(self, old: Graph, new: Graph) -> None:
        """What only the old writer had is gone."""
        with self.lock:
            old.writes, old.log = False, []
            old.vertices, old.upstream, old.applied = dict(new.vertices), new, len(new.log)

    def exchange(self, old: Graph, new: Graph) -> None:
        with self.lock:
            old.writes = False
            new.follow(time.monotonic())
            self.promote(new)
            self.rejoin(old, new)

    @property
    def mistakes(self) -> list[str]:
        return [one for stand_in in self.stand_ins.values() for one in stand_in.mistakes]

    def close(self) -> None:
        self._ending.set()
        for front in self.fronts.values():
            front.close()
