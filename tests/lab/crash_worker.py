"""Processes that the lab's tests start on the operator's machine (the control namespace). Not production code.

    python crash_worker.py operate CONFIG RUNBOOKS                 heartbeats all along; one JSON line asks, one answers
    python crash_worker.py work CONFIG RUNBOOKS RUN NOTES [AT HOW] drives RUN as `cloudfail resume` does, and dies there

A boundary is named by what it is (`before append intent promote:promote`, `after effect edge:point`), not by a number:
steps run in parallel, so that the n-th boundary of one run is not the n-th of the next. HOW is `kill` (SIGKILL, at the
boundary) or `stop` (SIGSTOP inside of a verb: its check has passed, its first request has not been sent).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cloudfail import config
from cloudfail.app import App
from cloudfail.model.observation import Known
from cloudfail.ports import Call, Store, StoredEntry
from cloudfail.stores import open_store

VERBS = {
    "fence", "unfence", "failover", "switchover", "follow", "write_canary", "scale", "hold", "freeze", "enable",
    "shift",
}  # fmt: skip
PORTS = {"database", "dns", "loadbalancer", "compute", "consumers"}


class Boundaries:
    """Notes every boundary in a file, one line each, and ends (or stops) this process at the one that is named."""

    def __init__(self, notes: Path, at: str, how: str) -> None:
        self.at, self.how = at, how
        self._file = notes.open("a", buffering=1)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.effects: dict[str, str] = {}

    def reached(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1
            if self._counts[name] > 1:
                name = f"{name} #{self._counts[name]}"
            self._file.write(name + "\n")
            if name == self.at and self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def inside(self, name: str) -> None:
        with self._lock:
            here = self.how == "stop" and name == self.at
            if here:
                self.at = ""
                self._file.write(name + "\n")
        if here:
            os.kill(os.getpid(), signal.SIGSTOP)

    def called(self, track: str) -> str:
        return f"{track}:{self.effects.get(track, '')}"


class NotedStore:
    def __init__(self, store: Store, boundaries: Boundaries) -> None:
        self.store, self.boundaries = store, boundaries

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        name = self._name(json.loads(body))
        if name:
            self.boundaries.reached(f"before append {name}")
        stored = self.store.append(log, seq, body)
        if name:
            self.boundaries.reached(f"after append {name}")
        return stored

    def _name(self, entry: Mapping[str, Any]) -> str:
        kind, data = entry["kind"], entry["data"]
        if kind in {"intent", "result", "seen"}:
            way = "" if data["way"] == "do" else f"{data['way']} "
            track = way + str(data["step"])
            if kind == "intent":
                self.boundaries.effects[track] = str(data["effect"]).split()[0]
            return f"{kind} {self.boundaries.called(track) if kind != 'seen' else track}"
        if kind == "gate":
            return f"{data['event']} {data['step']}"
        return str(kind) if kind in {"claim", "closed", "release", "halt"} else ""


class NotedPort:
    """One adapter whose mutating verbs are boundaries."""

    def __init__(self, port: Any, boundaries: Boundaries) -> None:
        self._port, self._boundaries = port, boundaries

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return self._noted(found) if name in VERBS else found

    def _noted(self, verb: Callable[..., None]) -> Callable[..., None]:
        def call_it(*arguments: Any, call: Call, **named: Any) -> None:
            boundaries = self._boundaries
            name = boundaries.called(call.step)
            boundaries.reached(f"before effect {name}")

            def check() -> None:
                call.check()
                boundaries.inside(f"inside effect {name}")

            verb(*arguments, call=replace(call, check=check), **named)
            boundaries.reached(f"after effect {name}")

        return call_it


class NotedWorld:
    def __init__(self, world: Any, boundaries: Boundaries) -> None:
        self._world, self._boundaries = world, boundaries
        self._ports: dict[str, NotedPort] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._world, name)
        return (lambda of: self._port(of, found(of))) if name in PORTS else found

    def changes(self, region: str) -> Mapping[str, Any]:
        return {name: self._port(name, port) for name, port in self._world.changes(region).items()}

    def databases(self) -> Mapping[str, Any]:
        return {name: self._port(name, port) for name, port in self._world.databases().items()}

    def _port(self, name: str, port: Any) -> NotedPort:
        return self._ports.setdefault(name, NotedPort(port, self._boundaries))


def load(topology: str, runbooks: str) -> config.Loaded:
    return config.load(Path(topology), sorted(Path(runbooks).glob("*.yaml")))


def work(topology: str, runbooks: str, run: str, notes: str, at: str = "", how: str = "kill") -> int:
    """Exactly what `cloudfail resume` does with a run that another worker left, boundaries noted."""
    from cloudfail.entrypoints.cli.following import follow

    loaded = load(topology, runbooks)
    boundaries = Boundaries(Path(notes), at, how)
    app = App(loaded, NotedStore(open_store(loaded.topology.state), boundaries), "worker")
    app.world = NotedWorld(app.world, boundaries)  # type: ignore[assignment]
    return follow(app, app.run(run).plan.target, lambda: run)


def operate(topology: str, runbooks: str) -> int:
    """The site's own clerk: keeps the heartbeat going, opens pre-approved runs, says how the world is."""
    from cloudfail.watch import Heartbeats

    app = App(load(topology, runbooks), open_store(load(topology, runbooks).topology.state), "alice")
    with Heartbeats(app.world.databases(), app.primary, clock=app.clock) as heartbeats:
        app.heartbeat = heartbeats.acknowledged
        app.world.warm()
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = _answer(app, heartbeats, **asked)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    return 0


def _answer(app: App, heartbeats: Any, verb: str, **asked: Any) -> Any:
    if verb == "open":
        review = app.review(asked["source"], asked["target"], asked["runbook"])
        if review.refusals:
            raise AssertionError(review.refusals)
        return app.start(review.plan.checksum, reason="a crash test", approve=True)
    if verb == "beats":
        heartbeats.believe(app.primary)
        beat = heartbeats.acknowledged("orders", app.primary)
        return beat.value if isinstance(beat, Known) else None
    return _ttl(app) if verb == "ttl" else _world(app)


def _ttl(app: App) -> int:
    """For how many seconds the resolver keeps its answer yet."""
    import dns.message
    import dns.query

    options = app.topology.resources["www"].options
    host, _, port = str(next(iter(options["resolvers"]))).rpartition(":")
    answer = dns.query.udp(dns.message.make_query(str(options["name"]), "A"), host, timeout=2.0, port=int(port))
    return int(answer.answer[0].ttl)


def _world(app: App) -> dict[str, Any]:
    """What is true now, as the data plane says it: roles, timeline, weights, answers, workers, flags."""
    world, regions = app.world, list(app.topology.regions)
    orders, edge, www = world.database("orders"), world.loadbalancer("edge"), world.dns("www")
    said: dict[str, Any] = {"serial": _serial(app)}
    for region in regions:
        said[region] = {
            "database": _value(orders.read(region), ("role", "writable", "timeline", "in_sync")),
            "workers": _value(world.compute("web").read(region), ("wanted", "running")),
            "frozen": _value(world.changes(region)["deploys"].read(region), ("frozen",)),
        }
    said["edge"] = _value(edge.read(), ("weights",))
    said["www"] = _value(www.read(), ("weights", "answers"))
    resolved = www.resolve()
    said["resolved"] = {key: list(val) for key, val in resolved.value.items()} if isinstance(resolved, Known) else None
    return said


def _value(read: Any, fields: tuple[str, ...]) -> Any:
    if not isinstance(read, Known):
        return f"unknown: {read.reason}"
    everything = {**asdict(read.value)}
    return {field: everything[field] for field in fields if field in everything}


def _serial(app: App) -> int:
    import dns.message
    import dns.query

    options = app.topology.resources["www"].options
    host, _, port = str(options["server"]).rpartition(":")
    answer = dns.query.udp(dns.message.make_query(str(options["zone"]), "SOA"), host, timeout=2.0, port=int(port))
    return int(answer.answer[0][0].serial)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    sys.exit({"work": work, "operate": operate}[what](*rest))
