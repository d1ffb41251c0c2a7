"""Watch, decide, and carry out: what `cloudfail watch` and a scheduled `tick` do. One decision at a time.

The path from the last bad answer to the first effect is kept short: adapters are built and sessions opened before,
heartbeats and capacity are sampled all along, and the loop wakes with each observation.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cloudfail.app import App
from cloudfail.decide import Decision, DecisionKind, History, decide
from cloudfail.detect import staleness_seconds
from cloudfail.errors import CloudfailError, LeaseLost, Refused, StoreUnavailable
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.state import LogState, RunState
from cloudfail.live import Live
from cloudfail.model.observation import Health, Known, Unknown, Verdict
from cloudfail.model.policy import Automation
from cloudfail.model.runbook import Mode
from cloudfail.plan import refusals
from cloudfail.probes.signals import SignalReader
from cloudfail.readiness import Readiness
from cloudfail.watch import Heartbeats, Observers

IDLE_SECONDS = 0.5
OBLIGATION_SECONDS = 5.0
CARRY_GAP_SECONDS_MAX = 300.0
WAITING_SLICE_SECONDS = 15.0
RUN_SLICE_SECONDS = 3600.0
# So long nobody who sees the loss has come by to begin a run: it is taken back.
UNBEGUN_SECONDS_MAX = 600.0
# Of a run that had ended before this process began, only a stamp says when; so far off it may be.
STAMP_OFF_SECONDS_MAX = 900.0


@dataclass(frozen=True)
class Moment:
    """What a watcher tells whoever listens: the decision (when it changed) and the verdicts behind it."""

    decision: Decision
    verdicts: Mapping[str, Verdict]
    at: float


class Beats(Protocol):
    """The heartbeats that somebody writes while he watches."""

    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown: ...

    def believe(self, primary: str) -> None: ...


Eyes = Callable[[App, Live], contextlib.AbstractContextManager[Beats]]


@contextlib.contextmanager
def seeing(app: App, live: Live) -> Iterator[Heartbeats]:
    """Observers and heartbeats at work while the body runs: the app's looks use what they see."""
    primary = app.primary
    app.live = live
    try:
        with (
            Observers(app.topology, live.deliver, app.clock),
            SignalReader(app.topology, app.world.signals, live.deliver, app.clock),
            Heartbeats(app.world.databases(), primary, clock=app.clock) as heartbeats,
        ):
            app.heartbeat = heartbeats.acknowledged
            with contextlib.suppress(CloudfailError):
                app.world.warm()
            threading.Thread(target=app.who, name="who we are", daemon=True).start()
            yield heartbeats
    finally:
        app.live, app.heartbeat = None, None


def wait_until_seen(app: App, live: Live, region: str, seconds_max: float) -> None:
    """Return when the observers have a verdict on `region`, or after `seconds_max`: unknown is an answer too."""
    end = app.clock.boot() + seconds_max
    while app.clock.boot() < end and live.verdicts()[region].health is Health.UNKNOWN:
        live.wait(0.1)


class Watcher:
    """`tell` is called when the decision changes. `live`,
    `eyes` and `ready` are this machine's own, unless others are given (a simulation has its own observers)."""

    def __init__(
        self,
        app: App,
        tell: Callable[[Moment], None] = lambda _moment: None,
        *,
        live: Live | None = None,
        eyes: Eyes = seeing,
        ready: Readiness | None = None,
    ) -> None:
        self.app = app
        self.tell = tell
        self.live = live or Live(app.topology, app.clock)
        self._eyes = eyes
        self._since = app.clock.boot()
        self._last: Decision | None = None
        self._carried: dict[str, float] = {}
        self._watch_ends: dict[str, float] = {}
        self._watched_at: dict[str, float] = {}
        self._offered = ""
        self._doubted: dict[str, float] = {}
        self._ready = ready or Readiness(app)
        self._refused: tuple[str, ...] = ()

    def run(self, *, until: float | None = None, stop: Callable[[], bool] = lambda: False) -> None:
        """Watch until `until` (boot seconds) or `stop()`. Returns only when no call of ours is out."""
        clock = self.app.clock
        deadline = float("inf") if until is None else until
        self._carried = self._carried_over()
        with self._eyes(self.app, self.live) as heartbeats:
            self._since = clock.boot()
            settled_at = float("-inf")
            while clock.boot() < deadline and not stop():
                try:
                    log = self.app.log()
                    if log.run is not None:
                        self._carry_on(log, deadline, stop)
                        heartbeats.believe(self.app.primary)
                        continue
                    decision = self._decide(log)
                    if decision.kind is DecisionKind.ACT and self._open(decision, heartbeats):
                        continue
                    self.app.note_anchors()
                    primary = log.primary or self.app.topology.primary
                    self._ready.keep(primary, self._target(primary), calm=self.live.calm())
                    self._tell_what_is_refused(primary)
                    if clock.boot() - settled_at >= OBLIGATION_SECONDS:
                        settled_at = clock.boot()
                        self._settle(log)
                except StoreUnavailable as error:
                    self._without_the_store(error)
                self.live.wait(min(IDLE_SECONDS, max(0.0, deadline - clock.boot())))
            with contextlib.suppress(StoreUnavailable):
                self._carry_down()

    def _tell_what_is_refused(self, primary: str) -> None:
        """Once, while all is calm: on the bad day it would stop the run half-way."""
        refused, before, self._refused = self._ready.refused, self._refused, self._ready.refused
        if refused and refused != before:
            said = f"A move out of {primary} would be refused: {' '.join(refused)}"
            warning = Decision(DecisionKind.WARN, primary, self._target(primary), (said,), f"cloudfail plan {primary}")
            self.tell(Moment(warning, self._verdicts(), self.app.clock.wall()))

    def _without_the_store(self, error: StoreUnavailable) -> None:
        """Nothing can be decided or changed without it; what is seen meanwhile is counted on, so that a loss that took
        the store along for a while is not counted anew from its return."""
        news = Decision(
            DecisionKind.REFUSE, None, None, (str(error), "Nothing is changed until it answers."), "cloudfail status"
        )
        if self._last != news:
            self._last = news
            self.tell(Moment(news, self._verdicts(), self.app.clock.wall()))

    # ---- deciding

    def _verdicts(self) -> Mapping[str, Verdict]:
        """The live verdicts; a loss that an earlier tick already saw counts for as long as it was seen."""
        verdicts = self.live.verdicts()
        return {
            region: replace(verdict, since=verdict.since - self._carried.get(region, 0.0))
            if verdict.health is Health.DOWN
            else verdict
            for region, verdict in verdicts.items()
        }

    def _decision(self, log: LogState, verdicts: Mapping[str, Verdict]) -> Decision:
        return decide(self.app.topology, verdicts, self._history(log), self.app.clock.boot())

    def _decide(self, log: LogState) -> Decision:
        verdicts = self._verdicts()
        for region, verdict in verdicts.items():
            if verdict.health is Health.HEALTHY:
                self._carried.pop(region, None)
        decision = self._decision(log, verdicts)
        # The same rule decides as before: its sentence may count seconds, which is no news.
        news = self._last is None or (decision.kind, len(decision.reasons)) != (
            self._last.kind,
            len(self._last.reasons),
        )
        self._last = decision
        if news:
            self.tell(Moment(decision, verdicts, self.app.clock.wall()))
        return decision

    def _history(self, log: LogState) -> History:
        ended = [run.closed_at for run in log.runs.values() if run.closed_at and run.plan.mode is not Mode.RESTORE]
        # A stamp may only keep automation off here; a clock that went back counts as "just now".
        ago = max(0.0, self.app.clock.wall() - max(ended)) if ended else None
        standing = log.standing
        if standing is not None and not 0 <= self.app.clock.wall() - standing[1] <= standing[3]:
            standing = None
        return History(
            primary=log.primary or self.app.topology.primary,
            observer_since=self._since - max(self._carried.values(), default=0.0),
            open_run=log.open_run or None,
            paused=bool(log.automation_paused_by),
            last_run_ended_seconds_ago=ago,
            obligations=tuple(f"{step.name} of run {run.id}" for run, step in log.obligations),
            standing_plan=standing[0] if standing else None,
        )

    def _target(self, primary: str) -> str | None:
        """Where a loss of the primary would be answered to now, as far as all is calm."""
        return next(iter(self.app.topology.standbys(primary)), None)

    # ---- acting

    def _open(self, decision: Decision, heartbeats: Beats) -> bool:
        """Open the run that was decided. False, and told, if the files no longer give the plan that was signed."""
        assert decision.source is not None
        topology = self.app.topology
        automation = topology.policy.automation
        try:
            plan = self._ready.plan(decision.source, decision.target)
            log = self.app.log()
            found = refusals(plan, topology, log, {})
            if automation is Automation.AUTOMATIC and (log.standing is None or log.standing[0] != plan.checksum):
                found.append(f"The plan is now {plan.checksum[:8]}, and a person signed another one.")
            if found:
                raise Refused(" ".join(found), "Nothing was changed.", f"Review it: cloudfail plan {decision.source}")
            self._remember(heartbeats, decision.source)
            signer = log.standing[2] if log.standing is not None else ""
            self.app.open_run(
                plan,
                automation=automation,
                reason=" ".join(decision.reasons),
                signed_by=signer if automation is Automation.AUTOMATIC else "",
                still=self._still_stands,
            )
        except CloudfailError as error:
            refused = Decision(DecisionKind.REFUSE, decision.source, decision.target, (str(error),), error.to_do)
            news = self._last is None or self._last.reasons[-1:] != refused.reasons
            self._last = refused
            if news:
                self.tell(Moment(refused, self.live.verdicts(), self.app.clock.wall()))
            self.app.clock.sleep(IDLE_SECONDS)
            return False
        return True

    def _still_stands(self, log: LogState) -> None:
        """Decide again at the last moment, by what the log and the observers say now."""
        decision = self._decision(log, self._verdicts())
        if decision.kind is not DecisionKind.ACT:
            raise Refused(
                f"What was decided does not stand any more: {decision.reasons[-1]}",
                "Nothing was changed.",
                decision.to_do,
            )

    def _remember(self, heartbeats: Beats, source: str) -> None:
        """Journal the last acknowledged heartbeat, so that whoever takes over can bound the loss as well as we can, and
        since when the loss was seen, for the report."""
        said = {}
        for name in self.app.world.databases():
            beat = heartbeats.acknowledged(name, source)
            if isinstance(beat, Known):
                said[f"{name}/{source}"] = beat.value
        lasted = self.app.clock.boot() - self.live.verdicts()[source].since
        self.app.remember({"acknowledged": said, "detected": {source: self.app.clock.wall() - lasted}})

    def _carry_on(self, log: LogState, deadline: float, stop: Callable[[], bool]) -> None:
        """Drive the open run; one that waits for a person is held, and goes on at the command."""
        clock = self.app.clock
        run = log.run
        assert run is not None
        if not self._may_begin(run):
            return
        with contextlib.suppress(LeaseLost):
            # At a gate it stays, so that the gate's clock goes on and it expires; in slices, to look around between.
            waiting = run.phase is Phase.GATED or not run.phase.may_act
            slice_seconds = WAITING_SLICE_SECONDS if waiting else RUN_SLICE_SECONDS
            engine = self._ready.engine()
            try:
                self.app.driven(engine, until=min(deadline, clock.boot() + slice_seconds), wait_for_people=waiting)
            except Refused as error:
                self._not_carried_on(error)
                return
        self._offer_undo(self.app.log().run)

    def _not_carried_on(self, error: Refused) -> None:
        """The run is not for these credentials; somebody with others may carry it on."""
        news = Decision(
            DecisionKind.REFUSE, None, None, (error.happened, "The run is not carried on here."), error.to_do
        )
        if self._last is None or self._last.reasons != news.reasons:
            self._last = news
            self.tell(Moment(news, self._verdicts(), self.app.clock.wall()))
        self.app.clock.sleep(IDLE_SECONDS)

    def _may_begin(self, run: RunState) -> bool:
        """Whether the run may be driven now. One that automation opened, and that has ordered nothing yet, must still
        be called for: its source is seen down now, by us. Whoever wrote it may have stood still between deciding and
        writing, for minutes, and no log can tell. Without a loss in sight it is taken back, which costs nothing; but
        not before our own observers had their time: blind, or a check behind whoever opened it, we wait for sight.
        Driven on is only what the log says was taken back: an abort that did not land is none."""
        begun = any(record.ordered for record in run.tracks.values())
        by_person = run.automation is Automation.OFF or run.approvals or run.resumed_t > 0
        if begun or by_person or run.phase is not Phase.RUNNING:
            return True
        source, now = run.plan.source, self.app.clock.boot()
        health = self._verdicts()[source].health
        if health is Health.DOWN:
            return True
        waited = now - self._doubted.setdefault(run.id, now)
        ago = self.app.clock.wall() - run.opened_at
        if waited < self._sight_seconds() and ago < UNBEGUN_SECONDS_MAX:
            self.live.wait(IDLE_SECONDS)
            return False
        seen = "answers" if health is Health.HEALTHY else "is not seen down by any quorum of observers"
        with contextlib.suppress(Refused):  # somebody else was first
            self.app.command(run.id, Event.ABORT, f"{source} {seen}, and nothing was ordered yet: not begun.")
        return False

    def _sight_seconds(self) -> float:
        """By then observers that begin to look now have made up their minds."""
        checks = self.app.topology.checks.values()
        return max(
            (check.every_seconds * (max(check.fall, check.rise) + 1) + staleness_seconds(check) for check in checks),
            default=0.0,
        )

    def _offer_undo(self, run: RunState | None) -> None:
        """If the source recovers while the run waits for a person before its promotion, undo is offered first (rule
        11): a source that is healthy and fenced is an outage of our own making."""
        if run is None or run.phase not in {Phase.GATED, Phase.HALTED} or run.promoted:
            return
        verdict = self.live.verdicts()[run.plan.source]
        if verdict.health is Health.HEALTHY and self._offered != run.id:
            self._offered = run.id
            reason = f"{run.plan.source} answers again while run {run.id} is {run.phase}; nothing was promoted."
            back = "decline" if run.phase is Phase.GATED else "abort"
            to_do = f"Put everything back: cloudfail {back} {run.id}; or go on: cloudfail approve {run.id}"
            offer = Decision(DecisionKind.WARN, run.plan.source, run.plan.target, (reason,), to_do)
            self.tell(Moment(offer, self.live.verdicts(), self.app.clock.wall()))

    def _settle(self, log: LogState) -> None:
        """What is owed is retried by every tick, and what a run changed is watched for a while after it (rule 10)."""
        if log.automation_paused_by:
            return
        with contextlib.suppress(CloudfailError):
            if log.obligations:
                self.app.drive(until=self.app.clock.boot() + OBLIGATION_SECONDS)
            for run in list(log.runs.values())[-1:]:
                if run.phase.final and self._still_watched(run):
                    self.app.watch_over(run.id)
                    self._watched_at[run.id] = self.app.clock.boot()

    def _still_watched(self, run: RunState) -> bool:
        """From its end for `watch_after`, by this process's own clock, and once more after that: what landed in the
        last second is seen too. A process that begins long after the end, as every tick does, leaves it alone."""
        clock, policy = self.app.clock, self.app.topology.policy
        if run.id not in self._watch_ends:
            ended_ago = max(0.0, clock.wall() - run.closed_at - STAMP_OFF_SECONDS_MAX)
            self._watched_at[run.id] = clock.boot()
            self._watch_ends[run.id] = clock.boot() + policy.watch_after_seconds - ended_ago
        return self._watched_at[run.id] <= self._watch_ends[run.id]

    # ---- from one tick to the next

    def _carried_over(self) -> dict[str, float]:
        """How long earlier ticks saw each region down, in a row, each on its own clock. The gaps between ticks do not
        count, and a long one forgets all: a stamp may only make us slower here."""
        carried = self.app.log().samples.get("down", {})
        if not 0 <= self.app.clock.wall() - carried.get("at", 0.0) <= CARRY_GAP_SECONDS_MAX:
            return {}
        known = self.app.topology.regions
        return {region: float(seconds) for region, seconds in carried.get("seconds", {}).items() if region in known}

    def _carry_down(self) -> None:
        now = self.app.clock.boot()
        down = {
            region: round(now - verdict.since, 3)
            for region, verdict in self._verdicts().items()
            if verdict.health is Health.DOWN
        }
        before: Mapping[str, Any] = self.app.log().samples.get("down", {})
        if down or before.get("seconds"):
            with contextlib.suppress(CloudfailError):
                self.app.remember({"down": {"at": self.app.clock.wall(), "seconds": down}})
