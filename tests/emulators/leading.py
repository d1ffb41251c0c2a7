"""A path of whichever cloud, as a step of a failover sees it: the action looks and acts, as the engine has it do."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, cast

from cloudfail.actions import Look, NotKnown, StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import InlineCalls
from cloudfail.config.loaded import Loaded
from cloudfail.engine import Engine
from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.execution.state import LogState, RunState
from cloudfail.journal import Journal
from cloudfail.model.codec import plan_document
from cloudfail.model.journal import Kind
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.states import NetworkState
from cloudfail.model.topology import Topology
from cloudfail.plan import bind
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.conformance import Calls, known
from cloudfail.world import PortsWorld

LOOKS_MAX = 60


class Led:
    """The resource is called `path`. A cloud's class says how its port is made and how it waits."""

    action = "network.route"
    source = target = ""
    topology: Topology

    def port(self) -> Any:
        raise NotImplementedError

    def wait(self, seconds: float) -> None:
        raise NotImplementedError

    def state(self) -> NetworkState:
        state: NetworkState = known(self.port().read())
        return state

    def to(self, region: str) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(self.state().points, (region,))

    def order(self, points: Mapping[str, tuple[str, ...]], expect: NetworkState, calls: Any = None) -> None:
        port = self.port()
        verb = port.route if port.serves == "route" else port.move_address
        verb(points, expect=expect, call=calls or Calls().make())

    def look(self, memory: Mapping[str, Any] | None = None) -> Look:
        """memory: this is the compensation, and that is what the first intent saw."""
        return ACTIONS[self.action].observe(cast(Any, _World(self)), self._context(memory))

    def act(self, todo: Todo, memory: Mapping[str, Any] | None = None, epoch: int = 10) -> None:
        ACTIONS[self.action].act(cast(Any, _World(self)), self._context(memory), todo, Calls().make(epoch))

    def drive(self, memory: Mapping[str, Any] | None = None) -> Look:
        """Look and act until there is nothing more to order. As the engine does, it looks again after a doubt: a busy
        machine may take longer over a request than the provider waits."""
        for _ in range(LOOKS_MAX):
            seen = self.look(memory)
            if isinstance(seen, NotKnown) or self.under_way(seen):
                self.wait(0.1)
                continue
            if not isinstance(seen, Todo):
                return seen
            with contextlib.suppress(OutcomeUnknown, Transient):
                self.act(seen, memory)
        raise AssertionError("effects without end")

    def under_way(self, seen: Look) -> bool:
        """Whether something is still under way by itself, for which it is waited."""
        return False

    def _context(self, memory: Mapping[str, Any] | None) -> StepContext:
        step = PlannedStep("path", self.action, None, {"network": "path", "to": self.target}, (), 300.0, 0.0, 3)
        return StepContext(step, "r1", self.source, self.target, memory or {}, memory is not None)


class _World:
    """No check says anything against the target."""

    def __init__(self, site: Led) -> None:
        self.site = site
        self.topology = site.topology

    def network(self, name: str) -> Any:
        assert name == "path"
        return self.site.port()

    def healthy(self, _check: str, _region: str) -> Known[bool]:
        return Known(True, 0.0)


class LedRun:
    """One run of that runbook, of a path alone: the cloud is asked really, and waiting costs no time."""

    def __init__(self, loaded: Loaded, runbook: str, source: str, target: str) -> None:
        self.clock, self.store = VirtualClock(), MemoryStore()
        self.world = PortsWorld(
            loaded, lambda _check, _region: Known(True, 0.0), lambda _database, _region: Unknown("none")
        )
        plan = bind(loaded, loaded.runbooks[runbook], source, target, {}, ACTIONS)
        opened = {"run": "r1", "plan": plan_document(plan), "automation": "off", "reason": "lost", "preapproved": ""}
        self._say(Kind.OPENED, opened)

    def _say(self, kind: Kind, data: dict[str, Any]) -> None:
        journal = Journal(self.store, "shop", self.clock, "alice")
        journal.refresh()
        journal.append(kind, data)

    def command(self, command: str) -> None:
        self._say(Kind.COMMAND, {"run": "r1", "command": command, "reason": "test"})

    def effects(self) -> list[str]:
        """What was announced, in its order."""
        entries = Journal(self.store, "shop", self.clock, "r").refresh()
        return [str(entry.data["effect"]) for entry in entries if entry.kind is Kind.INTENT]

    def drive(self) -> RunState:
        engine = Engine(
            store=self.store,
            application="shop",
            world=self.world,
            actions=ACTIONS,
            clock=self.clock,
            calls=InlineCalls(self.clock),
            worker="w1",
            lease_seconds=60.0,
            known=(Journal(self.store, "shop", self.clock, "w1"), LogState()),
        )
        return engine.drive(until=self.clock.boot() + 3600).runs["r1"]
