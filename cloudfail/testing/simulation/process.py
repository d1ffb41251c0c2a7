"""Our own processes, as they run in the simulation: the production App, Watcher and Engine, on a simulated machine.

Only what touches the real world is replaced: the ports, the calls' threads, the observers' processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from cloudfail import detect
from cloudfail.actions.catalog import ACTIONS
from cloudfail.app import App
from cloudfail.engine import Engine
from cloudfail.execution.state import LogState
from cloudfail.live import Live
from cloudfail.model.observation import Health, Known, Observation, Unknown, Verdict
from cloudfail.model.plan import Plan
from cloudfail.readiness import Readiness
from cloudfail.testing.simulation.cloud import SimCloud
from cloudfail.testing.simulation.machine import WALL_AT_START, Machine, SimCalls
from cloudfail.testing.simulation.ports import Sample, SimWorld, sees_healthy
from cloudfail.testing.simulation.scenario import Setup
from cloudfail.testing.simulation.store import SimStore
from cloudfail.watcher import Beats, Watcher

LOOK_SECONDS = 0.01


class SimApp(App):
    """The production use cases on a simulated machine. `watching`: what observers say counts, else a fresh sample."""

    def __init__(
        self,
        setup: Setup,
        machine: Machine,
        store: SimStore,
        cloud: SimCloud,
        vantages: Mapping[str, str],
        *,
        by: str,
        poll_seconds: float,
    ) -> None:
        super().__init__(setup.loaded, store, by, machine)
        self.setup = setup
        self.machine = machine
        self.cloud = cloud
        self.vantages = vantages
        self.poll_seconds = poll_seconds
        self.workers = 0
        needed = len(vantages) // 2 + 1
        self.sample = Sample(cloud, machine, vantages, needed)
        self.world = SimWorld(cloud, self._healthy, self._acknowledged)

    def begin_at(self, log: LogState, digest: str) -> None:
        """What the log says by now is the same for everybody; a new process is spared the reading."""
        self._journal.seq, self._journal.digest, self._log = log.seq, digest, log

    def bind(self, source: str, target: str | None = None, runbook: str | None = None) -> Plan:
        """Bound and linted once for all seeds."""
        plan = self.setup.plan
        if (source, target or plan.target) == (plan.source, plan.target):
            return plan
        return super().bind(source, target, runbook or plan.runbook)

    def _mark_of_a_run(self) -> str:
        """The same in each replay: the jitter of retries is drawn from the run's id."""
        return f"{self.machine.name}{len(self.log().runs)}"

    def _healthy(self, check: str, region: str) -> Known[bool] | Unknown:
        return self.live.healthy(check, region) if self.live is not None else self.sample.healthy(check, region)

    def _acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        beat = self.sample.acknowledged(database, region)
        return beat if isinstance(beat, Known) else super()._acknowledged(database, region)

    def engine(self) -> Engine:
        self.workers += 1
        return Engine(
            store=self.store,
            application=self.topology.application,
            world=self.world,
            actions=ACTIONS,
            clock=self.machine,
            calls=SimCalls(self.machine, lambda: LOOK_SECONDS),
            worker=f"{self.by}/{self.workers}",
            lease_seconds=self.topology.policy.lease_seconds,
            poll_seconds=self.poll_seconds,
            silence=self.silence,
            resources=self.resources,
            known=(self._journal, self._log),
        )


class SimLive(Live):
    """`pace_seconds` says how long the watcher idles at least: nothing that a second of patience could miss is due."""

    def __init__(self, setup: Setup, machine: Machine, pace_seconds: Callable[[], float]) -> None:
        super().__init__(setup.loaded.topology, machine)
        self.machine = machine
        self.pace_seconds = pace_seconds
        self._blind: Mapping[str, Verdict] | None = None

    def deliver(self, observation: Observation) -> None:
        self._state = detect.observe(self._state, observation)

    def verdicts(self) -> Mapping[str, Verdict]:
        if self._state.counts:
            return super().verdicts()
        if self._blind is None:
            self._blind = super().verdicts()
        return self._blind

    def wait(self, seconds: float) -> None:
        self.machine.sleep(max(seconds, self.pace_seconds()))


class SimReadiness(Readiness):
    """Counts capacity now and then; opens no threads."""

    def keep(self, primary: str, target: str | None, *, calm: bool) -> None:
        return


class _SimBeats:
    def __init__(self, app: SimApp) -> None:
        self.app = app

    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        return self.app.sample.acknowledged(database, region)

    def believe(self, primary: str) -> None:
        """The clients of the simulation beat where they write."""


def eyes(
    app: SimApp, *, observing: Callable[[], bool]
) -> Callable[[App, Live], contextlib.AbstractContextManager[Beats]]:
    """What a watcher sees with: one observer per vantage, as long as `observing()`; or fresh samples only."""

    @contextlib.contextmanager
    def seeing(_app: App, live: Live) -> Iterator[Beats]:
        if observing():
            app.live = live
            names = list(detect.vantages_of(app.topology))
            for number, (node, place) in enumerate(app.vantages.items()):
                phase = number / len(app.vantages)
                app.machine.spawn(_observer(app, live, names[number], node, place, phase, observing))
        try:
            yield _SimBeats(app)
        finally:
            app.live = None

    return seeing


def _observer(
    app: SimApp, live: Live, name: str, node: str, place: str, phase: float, observing: Callable[[], bool]
) -> Callable[[], None]:
    """`name` is what the topology calls the vantage, and `node` what the network does."""
    checks = app.topology.checks.values()

    def run() -> None:
        every = min((check.every_seconds for check in checks), default=10.0)
        app.machine.sleep(every * phase)
        while app.live is live and observing():
            heard = place not in app.cloud.down and app.cloud.network.answers(node, app.machine.place)
            for region in app.topology.regions if heard else ():
                health = Health.HEALTHY if sees_healthy(app.cloud, node, place, region) else Health.DOWN
                for check in checks:
                    live.deliver(Observation(name, region, check.name, health, app.machine.boot()))
            app.machine.sleep(every)

    return run


def watcher(app: SimApp, *, observing: Callable[[], bool], pace_seconds: Callable[[], float]) -> Watcher:
    """The production watcher of that app."""
    live = SimLive(app.setup, app.machine, pace_seconds)
    return Watcher(app, live=live, eyes=eyes(app, observing=observing), ready=SimReadiness(app))


__all__ = ["LOOK_SECONDS", "WALL_AT_START", "SimApp", "watcher"]
