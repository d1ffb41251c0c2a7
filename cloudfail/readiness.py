"""What a watcher prepares while all is calm, so that on the bad day nothing has to be.

Bound and linted plans, an engine that has read the log, threads that wait for calls, and every look of the plan made
once in a while: it opens sessions, loads what a provider imports late, and lets servers warm what they keep for a
session. Nothing here decides or changes anything; whatever is not ready is made when it is needed.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping

from cloudfail import preflight
from cloudfail.actions import StepContext
from cloudfail.actions.catalog import ACTIONS
from cloudfail.app import App
from cloudfail.calls import keep_ready
from cloudfail.engine import Engine
from cloudfail.errors import CloudfailError
from cloudfail.model.plan import Plan

COUNT_SECONDS = 5.0
REHEARSE_SECONDS = 60.0
PREFLIGHT_SECONDS = 600.0
THREADS_READY = 6


class Readiness:
    """Used by one thread, the watcher's; what may take long runs in another, one at a time. refused: what would refuse
    the plan's changes, as it was last heard."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._engine: Engine | None = None
        self._plans: dict[str, Plan] = {}
        self._counted: Mapping[str, Mapping[str, int]] | None = None
        self._errand: threading.Thread | None = None
        self._count_at = self._rehearse_at = self._preflight_at = float("-inf")
        self.refused: tuple[str, ...] = ()

    def plan(self, source: str, target: str | None) -> Plan:
        """As `App.bind`; what was bound before from the same files and the same capacity is not bound again. Raises
        what `App.bind` raises."""
        made_of = json.dumps([source, target, self.app.recorded()], sort_keys=True)
        if made_of not in self._plans:
            self._plans = {made_of: self.app.bind(source, target)}
        return self._plans[made_of]

    def engine(self) -> Engine:
        """An engine that nobody has used; each is for one drive, since what it saw must not outlive its lease."""
        engine, self._engine = self._engine or self.app.engine(), None
        return engine

    def keep(self, primary: str, target: str | None, *, calm: bool) -> None:
        """Called once in each turn of the watcher's loop; never waits for the world."""
        if self._engine is None:
            self._engine = self.app.engine()
            keep_ready(THREADS_READY)
        with contextlib.suppress(CloudfailError):
            self._engine.read()
        counted, self._counted = self._counted, None
        if counted is not None:
            with contextlib.suppress(CloudfailError):
                self.app.record(counted)
        now = self.app.clock.boot()
        away = self._errand is not None and self._errand.is_alive()
        if not calm or away or now - self._count_at < COUNT_SECONDS:
            return
        self._count_at = now
        plan = None
        if target is not None:
            with contextlib.suppress(CloudfailError):
                plan = self.plan(primary, target)
        self._send(plan, now)

    def _send(self, plan: Plan | None, now: float) -> None:
        rehearsing = plan is not None and now - self._rehearse_at >= REHEARSE_SECONDS
        asking = rehearsing and now - self._preflight_at >= PREFLIGHT_SECONDS
        if rehearsing:
            self._rehearse_at = now
        if asking:
            self._preflight_at = now

        def errand() -> None:
            with contextlib.suppress(Exception):
                self._counted = self.app.count()
            if plan is not None and rehearsing:
                with contextlib.suppress(Exception):
                    self.app.who()
                self._rehearse(plan)
            if plan is not None and asking:
                found = preflight.ask(self.app.world, preflight.of_plan(plan), self.app.clock)
                # What cannot be asked now is left as it was last known: nothing was mended by that.
                kept = [said for said in self.refused if said.partition(": ")[0] in preflight.unanswered(found)]
                self.refused = (*preflight.refused(found), *kept)

        self._errand = threading.Thread(target=errand, name="readiness", daemon=True)
        self._errand.start()

    def _rehearse(self, plan: Plan) -> None:
        """Look once at everything that the plan will look at. What is seen is thrown away."""
        for step in plan.steps:
            if step.action:
                with contextlib.suppress(Exception):
                    ACTIONS[step.action].observe(
                        self.app.world, StepContext(step, "rehearsal", plan.source, plan.target)
                    )
