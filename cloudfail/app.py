"""The use cases: status, plan, start, drive, command, check, tick, watch. Never prints, exits or reads argv.

Everything that a person, a scheduler or a drill can do with an application goes through here, so that the command line
and the serverless doors stay thin.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudfail import config, preflight
from cloudfail.accounts import Standing, refuse_others, standings
from cloudfail.actions import Done, Moving, NotKnown, Owed, StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.actions.conditions import kept_waiting
from cloudfail.anchoring import WAIT_SECONDS, Anchoring, anchoring_of
from cloudfail.approval import Approval, Approvers, mark_of
from cloudfail.calls import ThreadCalls
from cloudfail.clock import Clock, SystemClock
from cloudfail.config.loaded import Loaded
from cloudfail.engine import Engine
from cloudfail.errors import CloudfailError, Refused
from cloudfail.execution.lifecycle import Event, ways_out
from cloudfail.execution.state import LogState, RunState, fold, promotes_without_a_gate
from cloudfail.execution.workers import most, noted
from cloudfail.journal import Journal, TailMoved, moved
from cloudfail.lease import Silence
from cloudfail.lint import Finding, Severity, lint
from cloudfail.lint.rto import estimate_of
from cloudfail.lint.view import View, traits_of
from cloudfail.live import Live
from cloudfail.model.anchor import head_line
from cloudfail.model.capacity import typed
from cloudfail.model.codec import plan_document
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import Estimate, Plan, PlannedStep, Preview
from cloudfail.model.policy import Automation
from cloudfail.model.runbook import Mode
from cloudfail.model.states import LossBound
from cloudfail.plan import bind, less_is_served, refusals, scaled, warnings
from cloudfail.ports import Store
from cloudfail.probes.signals import read_once
from cloudfail.proof import anchored, as_sample
from cloudfail.resource_log import ResourceLogs
from cloudfail.rooms import rooms_of
from cloudfail.stores import open_store
from cloudfail.world import Ports, PortsWorld

Notify = Callable[[Entry, LogState], None]
PREVIEW_SECONDS = 15.0
START_ROOM_SECONDS = 5.0
"""How long opening a run waits for quotas: one that is not known by then stops nobody."""
STAMP_AHEAD_SECONDS_MAX = 60.0
"""So far another machine's clock may be ahead of ours."""


Signed = tuple[str, str]
"""The text of an approval, and its signature."""


def _signature(signed: Signed | None) -> dict[str, str]:
    return {} if signed is None else {"document": signed[0], "signature": signed[1]}


@dataclass(frozen=True)
class Review:
    """A plan with all that a reviewer needs. `refusals` empty: it may be acted on."""

    plan: Plan
    previews: Mapping[str, Preview]
    estimate: Estimate
    refusals: list[str]
    warnings: list[str]
    loss: LossBound | None


@dataclass
class App:
    """One application, opened by `by`: a person's name, or a worker's. `live` is set while somebody watches. `over_by`:
    when this process may be ended from outside (boot seconds). `notify` hears of each entry that this process reads or
    writes from then on, whether the application or one of its engines came by it first; of some more than once.
    `calls_out`: how many calls that change something never came back to an engine of ours. `anchoring`: makes anchors
    of what is appended, if the configuration says where; only in an application that was opened by its files."""

    loaded: Loaded
    store: Store
    by: str
    clock: Clock = field(default_factory=SystemClock)
    live: Live | None = None

    def __post_init__(self) -> None:
        self.topology = self.loaded.topology
        self.world: Ports = PortsWorld(self.loaded, self._healthy, self._acknowledged)
        self.heartbeat: Callable[[str, str], Known[float] | Unknown] | None = None
        self._journal = Journal(self.store, self.topology.application, self.clock, self.by)
        self.approvers = Approvers.of(self.topology.application, self.topology.policy.approvers)
        self._log = LogState(approvers=self.approvers)
        self.silence = Silence()
        self.resources = ResourceLogs(self.store, self.clock)
        self.over_by = float("inf")
        self.notify: Notify | None = None
        self.anchoring: Anchoring | None = None
        self.calls_out = 0
        self._standings: tuple[Standing, ...] | None = None

    @classmethod
    def open(cls, topology: Path, runbooks: list[Path], by: str, state: str | None = None) -> App:
        """Load the files and open the store that they name (or `state`). Raises ConfigError, Refused."""
        loaded = config.load(topology, runbooks)
        app = cls(loaded, open_store(state or loaded.topology.state), by)
        app.anchoring = anchoring_of(loaded, by, app.clock)
        return app

    # ---- reading

    def log(self) -> LogState:
        """The application as its log tells it now. Raises LogMoved if a person moved it to another store."""
        for entry in self._journal.refresh():
            self._folded(entry)
        if self._journal.seal is not None:
            raise moved(self._journal.seal, self.topology.application)
        return self._log

    def _folded(self, entry: Entry) -> None:
        self._log = fold(self._log, [entry])
        self._heard(entry, self._log)

    def _heard(self, entry: Entry, log: LogState) -> None:
        if self.anchoring is not None:
            self.anchoring.hear(entry, log)
        if self.notify is not None:
            self.notify(entry, log)

    @property
    def head(self) -> str:
        """The log's head as it was last read, on one line: whoever keeps it can hold the log against it later."""
        return head_line(self.topology.application, self._journal.seq, self._journal.digest)

    @property
    def primary(self) -> str:
        return self.log().primary or self.topology.primary

    def _healthy(self, check: str, region: str) -> Known[bool] | Unknown:
        if self.live is not None:
            return self.live.healthy(check, region)
        return self._sampled(region).healthy(check, region)

    def _sampled(self, region: str) -> Live:
        """What every vantage says of `region` now, looked at as often as it takes to call it healthy."""
        from cloudfail.watch import sample_once

        rounds = max((check.rise for check in self.topology.probed.values()), default=1)
        sampled = Live(self.topology, self.clock)
        with ThreadPoolExecutor(max_workers=1) as aside:
            signals = aside.submit(read_once, self.topology, self.world.signals, self.clock, region=region)
            for observation in sample_once(self.topology, rounds, self.clock, every_seconds_max=0.2, region=region):
                sampled.deliver(observation)
            for observation in signals.result():
                sampled.deliver(observation)
        return sampled

    def look_once(self) -> Live:
        """What every vantage and every provider says of every region now. For `check`, which does not stay."""
        from cloudfail.watch import sample_once

        live = Live(self.topology, self.clock)
        with ThreadPoolExecutor(max_workers=1) as aside:
            signals = aside.submit(read_once, self.topology, self.world.signals, self.clock)
            for observation in sample_once(self.topology, clock=self.clock):
                live.deliver(observation)
            for observation in signals.result():
                live.deliver(observation)
        return live

    def _acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        if self.heartbeat is not None:
            beat = self.heartbeat(database, region)
            if isinstance(beat, Known):
                return beat
        sampled = self._log.samples.get("acknowledged", {}).get(f"{database}/{region}")
        if sampled is None:
            return Unknown("no heartbeat was seen acknowledged")
        if sampled > self.clock.wall() + STAMP_AHEAD_SECONDS_MAX:
            return Unknown("the log's last heartbeat lies in the future")
        return Known(sampled, sampled)

    # ---- in whose accounts

    def who(self) -> tuple[Standing, ...]:
        """As whom each region is read and changed, asked now. Any thread may ask."""
        self._standings = standings(self.topology, self.loaded.providers, self.topology.regions)
        return self._standings

    def _guard(self, *regions: str) -> None:
        """Raises Refused where we would act in another account than the file says, in one of these regions. What was
        found out before counts: on the bad day nobody waits for it."""
        if not regions:
            return
        known = self._standings if self._standings is not None else self.who()
        refuse_others(standing for standing in known if standing.region in regions)

    def lint(self, runbook: str | None = None, source: str | None = None, target: str | None = None) -> list[Finding]:
        """What lint says of the topology and of one runbook (or of all)."""
        findings = lint(self.loaded, ACTIONS, source, target)
        if runbook is None:
            return findings
        files = {self.loaded.topology_file.file, self.loaded.runbook_files[runbook].file}
        return [finding for finding in findings if finding.file in files]

    # ---- what compute runs, so that a lost region's capacity is known

    def count(self) -> Mapping[str, Mapping[str, int]]:
        """How many workers each group runs in each region now, where that can be read. Any thread may ask. What is
        wanted may be a floor (ComputeState), under which a group that its load has grown runs more."""
        found: dict[str, dict[str, int]] = {}
        for name, compute in self.world.computes().items():
            for region in self.topology.resources[name].members or self.topology.regions:
                read = compute.read(region)
                if isinstance(read, Known) and read.value.healthy > 0:
                    found.setdefault(name, {})[region] = max(read.value.wanted, read.value.running)
        return found

    def record(self, counted: Mapping[str, Mapping[str, int]] | None = None) -> None:
        """Journal what was counted (or count now), where that changes what was recorded."""
        counted = self.count() if counted is None else counted
        before = self.log().samples
        now = noted(before, counted, self.clock.wall())
        if any(before.get(word, {}) != value for word, value in now.items()):
            self._append(Kind.SAMPLE, now)

    def recorded(self) -> Mapping[str, Mapping[str, int]]:
        """Group -> region -> the most workers that it ran in 24 hours."""
        return most(self.log().samples)

    # ---- planning

    def target_for(self, source: str) -> str:
        """The first standby, in the file's order, that owes nothing of an earlier run."""
        owing = {run.plan.source for run, _ in self.log().obligations}
        standbys = self.topology.standbys(source)
        return next((region for region in standbys if region not in owing), standbys[0] if standbys else source)

    def bind(self, source: str, target: str | None = None, runbook: str | None = None) -> Plan:
        """The plan, from the files and what was recorded. Raises Refused, or ConfigError if lint finds an error."""
        name = runbook or self.topology.policy.runbook
        if name not in self.loaded.runbooks:
            raise Refused(
                f"There is no runbook named {name!r}.",
                "Nothing was changed.",
                f"Loaded are: {', '.join(self.loaded.runbooks) or 'none'}. Name a file with --runbook-file.",
            )
        target = target or self.target_for(source)
        plan = bind(self.loaded, self.loaded.runbooks[name], source, target, self.recorded(), ACTIONS)
        from cloudfail.lint import refuse_errors

        refuse_errors(self.lint(name, source, target))
        return plan

    def review(
        self, source: str, target: str | None = None, runbook: str | None = None, *, keep: bool = True
    ) -> Review:
        """Bind, look at the world for every step, and say what would change. Changes nothing; keeps the plan in the
        log (`keep`), so that `start` acts on exactly what was reviewed."""
        if source in self.topology.regions:
            self.record()
        plan = self.bind(source, target, runbook)
        self.who()
        self._guard(plan.source, plan.target)
        asking = ThreadPoolExecutor(1).submit(preflight.ask, self.world, preflight.of_plan(plan), self.clock)
        previews = self._previews(plan)
        asked = asking.result()
        view = View(self.loaded, self.loaded.runbooks[plan.runbook], traits_of(ACTIONS), plan.source, plan.target)
        found = [
            f"{finding.message} {finding.instead}".strip()
            for finding in self.lint(plan.runbook, plan.source, plan.target)
            if finding.severity is Severity.WARNING
        ]
        loss = self._loss(plan)
        rooms = rooms_of(self.world, scaled(plan), plan.target)
        review = Review(
            plan=plan,
            previews=previews,
            estimate=estimate_of(view),
            refusals=[*refusals(plan, self.topology, self.log(), previews, rooms), *preflight.refused(asked)],
            warnings=[
                *warnings(plan, previews, rooms),
                *less_is_served(plan, self.topology),
                *preflight.unknown(asked),
                *self._kept_waiting(plan),
                *self._behind(plan),
                *found,
            ],
            loss=loss,
        )
        if keep:
            self.keep_reviewed(plan)
        return review

    def _kept_waiting(self, plan: Plan) -> list[str]:
        """What signals would keep a step of the plan waiting now, within the time that previews have."""
        asking = [step for step in plan.steps if any(condition.signal == "quiet" for condition in step.pre)]
        if not asking:
            return []
        pool = ThreadPoolExecutor(max_workers=8)
        try:
            futures = {step.name: pool.submit(kept_waiting, self.world, step) for step in asking}
            found = []
            for name, future in futures.items():
                try:
                    found += future.result(timeout=PREVIEW_SECONDS)
                except TimeoutError:
                    found.append(f"{name}: the signals that it waits for did not answer.")
            return found
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def keep_reviewed(self, plan: Plan) -> None:
        """Journal that this person reviewed exactly this plan, so that `start` may act on it."""
        self._append(Kind.REVIEWED, {"checksum": plan.checksum, "plan": plan_document(plan)})

    def _previews(self, plan: Plan) -> dict[str, Preview]:
        pool = ThreadPoolExecutor(max_workers=8)
        watched, self.live = self.live, self.live or self._sampled(plan.target)
        try:
            futures = {step.name: pool.submit(self._preview, plan, step) for step in plan.steps}
            previews = {}
            for name, future in futures.items():
                try:
                    previews[name] = future.result(timeout=PREVIEW_SECONDS)
                except Exception as error:  # noqa: BLE001 - what cannot be read is unknown, and the plan says so
                    previews[name] = Preview(name, "unknown", detail=f"{type(error).__name__}: {error}")
            return previews
        finally:
            self.live = watched
            pool.shutdown(wait=False, cancel_futures=True)

    def _preview(self, plan: Plan, step: PlannedStep) -> Preview:
        if step.gate:
            return Preview(step.name, "gate")
        context = StepContext(step, "plan", plan.source, plan.target)
        match ACTIONS[step.action or ""].observe(self.world, context):
            case Todo() as todo:
                return Preview(step.name, "todo", todo.before, todo.after, todo.effect)
            case Moving(detail=detail):
                return Preview(step.name, "moving", detail=detail)
            case Done(detail=detail):
                return Preview(step.name, "done", detail=detail)
            case Owed(detail=detail):
                return Preview(step.name, "owed", detail=detail)
            case NotKnown(reason=reason):
                return Preview(step.name, "unknown", detail=reason)
        raise AssertionError(step.name)

    def _loss(self, plan: Plan) -> LossBound | None:
        for step in plan.steps:
            if step.action == "database.failover":
                name = str(step.arguments["database"])
                return self.world.database(name).loss(plan.source, plan.target, self._acknowledged(name, plan.source))
        return None

    def _behind(self, plan: Plan) -> list[str]:
        """Of databases with many writers, which no step promotes and so no gate asks about: what users will miss."""
        names = {str(one.arguments["database"]) for one in plan.steps if one.action == "verify.write"}
        if plan.mode is Mode.RESTORE:
            return []
        said = []
        for name in sorted(name for name in names if self.loaded.kinds[name].many_writers):
            bound = self.world.database(name).loss(plan.source, plan.target, self._acknowledged(name, plan.source))
            seconds = "unknown" if bound.if_dead_seconds is None else f"{bound.if_dead_seconds:.1f} s of writes"
            said.append(
                f"{name} has many writers by design, and nothing of it is promoted. What {plan.target} lacks of "
                f"{plan.source}'s: {seconds} ({'; '.join(bound.parts)})."
            )
        return said

    def sign(self, plan: Plan, expires_seconds: float, signed: Signed | None = None) -> None:
        """Let automation act on exactly this plan, for so long, in this person's name (invariant I10)."""
        data = {"checksum": plan.checksum, "expires_seconds": expires_seconds, **_signature(signed)}
        if self.approvers is not None:
            self.approvers.for_automation(data, self.clock.wall())
        self._append(Kind.STANDING, data)

    # ---- what is agreed to, as a text to sign

    def to_sign(
        self, *, plan: str = "", run: str | None = None, seconds: float, capacity: str = "", **bounds: Any
    ) -> Approval:
        """The approval of a run, or of a plan that was reviewed (given with the start, or `standing`), good for so
        long. `capacity`: as a person typed it. `bounds`: gate, accept_owed_fence, loss_seconds, standing, own_run.
        Raises Refused for a gate that the plan has not, and for a capacity that it cannot have."""
        state = None if plan else self.run(run)
        reviewed, name = (self.reviewed(plan), "") if state is None else (state.plan, state.id)
        gates = [step.name for step in reviewed.steps if step.gate]
        if bounds.get("gate") and bounds["gate"] not in gates:
            raise Refused(
                f"Plan {reviewed.checksum[:8]} has no gate {bounds['gate']!r}.",
                "Nothing was approved.",
                f"Its gates are: {', '.join(gates) or 'none'}. Without --gate it is for whichever is open.",
            )
        least = typed(capacity, reviewed.bounds.capacity_min) if capacity else ()
        if least and bounds.get("standing"):
            raise Refused(
                "Automation keeps to the plan's own capacity, and takes no other.",
                "Nothing was approved.",
                "Leave --capacity out, or let a person approve the run when it stands at its gate.",
            )
        until = int(self.clock.wall() + seconds)
        return Approval(self.topology.application, reviewed.checksum, until, run=name, capacity=least, **bounds)

    def least_capacity(self, run: str | None, said: str) -> dict[str, int]:
        """What a person typed, as healthy workers of the run's groups. Raises Refused as above."""
        return dict(typed(said, self.run(run).plan.bounds.capacity_min))

    def _must_count(self, data: Mapping[str, Any], run: str, plan: str, opened_by: str) -> None:
        """Raises Refused where the approval would not count for that run."""
        if self.approvers is None:
            return
        spent = self.log().spent.get(mark_of(data.get("signature", "")))
        self.approvers.for_run(data, self.clock.wall(), run=run, plan=plan, opened_by=opened_by, spent_on=spent)

    # ---- starting and carrying on

    def start(self, checksum: str, *, reason: str, approve: bool = False, signed: Signed | None = None) -> str:
        """Open a run of the reviewed plan whose checksum begins with `checksum`. Returns the run's id. `approve`: by
        whoever opens it, where a name is enough; `signed`: by whoever signed.

        Raises Refused if it was not reviewed, expired, is not what the files say now, or may not be acted on."""
        plan = self.reviewed(checksum)
        if signed is not None or (approve and self.approvers is not None):
            self._must_count({**_signature(signed), "reason": reason}, "", plan.checksum, self.by)
        rooms = rooms_of(self.world, scaled(plan), plan.target, seconds=START_ROOM_SECONDS)
        found = refusals(plan, self.topology, self.log(), {}, rooms)
        if found:
            raise Refused("\n".join(found), "Nothing was changed.", "Look again: cloudfail status")
        return self.open_run(
            plan,
            automation=Automation.OFF,
            reason=reason,
            preapproved=self.by if approve and self.approvers is None else "",
            approval=_signature(signed),
        )

    def reviewed(self, checksum: str) -> Plan:
        reviewed = {sha: kept for sha, kept in self.log().reviewed.items() if sha.startswith(checksum.lower())}
        if len(checksum) < 4 or len(reviewed) != 1:
            raise Refused(
                f"No single reviewed plan begins with {checksum!r}.",
                "Nothing was changed.",
                "Review one first: cloudfail plan REGION",
            )
        (sha, (document, at, by)) = next(iter(reviewed.items()))
        plan = self.bind(document["source"], document["target"], document["runbook"])
        age = self.clock.wall() - at
        if plan.checksum != sha:
            raise Refused(
                f"Plan {sha[:8]} is not what the files and the recorded capacity say now: that is {plan.checksum[:8]}.",
                "Nothing was changed.",
                f"Review it again: cloudfail plan {plan.source} --to {plan.target} --runbook {plan.runbook}",
            )
        if not 0 <= age <= plan.expires_seconds:
            raise Refused(
                f"Plan {sha[:8]} was reviewed by {by} {age:.0f} s ago and is good for {plan.expires_seconds:.0f} s.",
                "Nothing was changed.",
                f"Review it again: cloudfail plan {plan.source} --to {plan.target} --runbook {plan.runbook}",
            )
        return plan

    def open_run(
        self,
        plan: Plan,
        *,
        automation: Automation,
        reason: str,
        preapproved: str = "",
        signed_by: str = "",
        approval: Mapping[str, str] | None = None,
        still: Callable[[LogState], None] = lambda _log: None,
    ) -> str:
        """Append `opened` behind what was last read: of two who try, one succeeds, and the other sees its run.
        `signed_by`: the person whose standing plan lets the run pass its gate by itself. The plan is held against the
        log once more right before it is appended, and `still` is asked, which raises Refused if what was decided does
        not stand any more: a process may have slept since, while another moved the application."""
        self._guard(plan.source, plan.target)
        run = f"{plan.source}-{plan.checksum[:4]}-{self._mark_of_a_run()}"
        data = {
            "run": run,
            "plan": plan_document(plan),
            "automation": str(automation),
            "reason": reason,
            "preapproved": preapproved,
            "standing": bool(signed_by),
            "signed_by": signed_by,
            **({"approval": dict(approval)} if approval else {}),
        }

        def may_still_be_opened(log: LogState) -> None:
            if log.run is not None:
                raise Refused(
                    f"Run {log.run.id} is already {log.run.phase}.",
                    "No second run was opened.",
                    f"See it: cloudfail status; carry it on: cloudfail resume {log.run.id}",
                )
            found = refusals(plan, self.topology, log, {})
            if found:
                raise Refused("\n".join(found), "Nothing was changed.", "Look again: cloudfail status")
            if self.approvers is not None and not (approval or signed_by) and promotes_without_a_gate(plan):
                raise Refused(
                    f"Plan {plan.checksum[:8]} promotes without a gate, and approvals are signed here.",
                    "No run was opened.",
                    f"Let one of policy.approvers sign it: cloudfail approve --plan {plan.checksum[:8]} --write FILE",
                )
            still(log)

        self._append(Kind.OPENED, data, check=may_still_be_opened)
        return run

    def _mark_of_a_run(self) -> str:
        """What tells two runs of one plan apart."""
        return secrets.token_hex(2)

    def engine(self) -> Engine:
        self.make_anchors()
        return Engine(
            store=self.store,
            application=self.topology.application,
            world=self.world,
            actions=ACTIONS,
            clock=self.clock,
            calls=ThreadCalls(),
            worker=f"{self.by}/{secrets.token_hex(3)}",
            lease_seconds=self.topology.policy.lease_seconds,
            notify=self._heard,
            over_by=self.over_by,
            silence=self.silence,
            resources=self.resources,
            known=(self._journal, self._log),
        )

    def drive(self, *, until: float | None = None, wait_for_people: bool = False) -> LogState:
        """Carry on whatever is open or owed. `until` in boot seconds. Returns the log as it stands then."""
        return self.driven(self.engine(), until=until, wait_for_people=wait_for_people)

    def driven(self, engine: Engine, *, until: float | None = None, wait_for_people: bool = False) -> LogState:
        """As `drive`, by that engine of ours. What it read of the log is not read again. Raises Refused as `open_run`
        does for an account that is another one: who opened it had other credentials."""
        runs = [self._log.run] if self._log.run is not None else [run for run, _ in self._log.obligations]
        self._guard(*(region for run in runs for region in (run.plan.source, run.plan.target)))
        try:
            engine.drive(until=until, wait_for_people=wait_for_people)
        finally:
            self.calls_out += engine.calls_out
            if engine.state.seq == engine.journal.seq > self._journal.seq:
                self._journal.begin_at(engine.journal)
                self._log = engine.state
        return self.log()

    def watch_over(self, run: str) -> None:
        """Look once at what an ended run changed, and put back what a late call changed since (rule 10). Raises Refused
        as `driven` does."""
        known = self._log.runs.get(run)
        if known is not None:
            self._guard(known.plan.source, known.plan.target)
        engine = self.engine()
        try:
            engine.watch_over(run)
        finally:
            self.calls_out += engine.calls_out

    # ---- people's commands

    def run(self, run: str | None = None) -> RunState:
        """The run of that id (or of a prefix of it), or the open one, or the newest."""
        log = self.log()
        if run:
            found = [state for name, state in log.runs.items() if name.startswith(run)]
            if len(found) == 1:
                return found[0]
            if found:
                raise Refused(
                    f"{len(found)} runs begin with {run!r}.",
                    "Nothing was changed.",
                    f"Name one: {', '.join(state.id for state in found)}",
                )
        elif log.runs:
            return log.run or list(log.runs.values())[-1]
        raise Refused(
            f"There is no single run {run or ''}.".replace(" .", "."),
            "Nothing was changed.",
            "List them: cloudfail runs",
        )

    def command(self, run: str | None, command: Event, reason: str = "", **data: Any) -> RunState:
        """Append a person's command; needs no lease (rule 9). Raises Refused if it means nothing in that phase."""
        state = self.run(run)
        if command is Event.APPROVE:
            self._must_count({**data, "reason": reason}, state.id, state.plan.checksum, state.opened_by)

        def it_means_something(log: LogState) -> None:
            now = log.runs[state.id]
            if command not in ways_out(now.phase):
                way = ", ".join(ways_out(now.phase)) or "nothing: it has ended"
                raise Refused(
                    f"Run {state.id} is {now.phase}; {command} means nothing there.",
                    "Nothing was changed.",
                    f"What does: {way}.",
                )

        self._append(
            Kind.COMMAND, {"run": state.id, "command": str(command), "reason": reason, **data}, check=it_means_something
        )
        return self.log().runs[state.id]

    def pause_automation(self, paused: bool, reason: str) -> None:
        """The switch that stops automation for this application, whatever runs it (safety rule 18)."""
        self._append(Kind.COMMAND, {"run": "", "command": "pause" if paused else "resume", "reason": reason})

    def remember(self, data: Mapping[str, Any]) -> None:
        """Journal what a watcher saw, so that another process can use it."""
        self._append(Kind.SAMPLE, data)

    def _append(
        self, kind: Kind, data: Mapping[str, Any], check: Callable[[LogState], None] = lambda _log: None
    ) -> None:
        self.make_anchors()
        while True:
            check(self.log())
            try:
                entry = self._journal.append(kind, data)
            except TailMoved:
                continue
            self._folded(entry)
            return

    def make_anchors(self) -> None:
        """From now on this process anchors what is appended, and what others owe, without being waited for."""
        if self.anchoring is not None and not self.anchoring.begun:
            self.log()  # what stands by now is owed by others, and made up for by the newest anchor alone
            self.anchoring.begin()

    def settle_anchors(self, seconds: float = WAIT_SECONDS) -> tuple[str, ...]:
        """Wait for the anchors that are owed, for so long, and note in the log how far it is anchored. Returns what a
        person must know of them; never raises: an anchor is made up for by the next who comes."""
        if self.anchoring is None or not self.anchoring.begun:
            return ()
        self.anchoring.wait(seconds)
        with contextlib.suppress(CloudfailError):
            self.note_anchors()
        self.anchoring.end()
        return self.anchoring.lines

    def note_anchors(self) -> None:
        """Note in the log what this process anchored, so that others know how far it is. Raises as `remember`."""
        if self.anchoring is not None and (news := self.anchoring.news):
            first = self.anchoring.first
            self.remember(as_sample(first, {**anchored(self.log(), first), **news}))

    def audit(self) -> list[Entry]:
        """Every entry of the log, its chain verified from the first. Raises BrokenChain at the first that does not
        follow. (What anchors prove of it: `anchor_places.audited`.)"""
        return Journal(self.store, self.topology.application, self.clock, self.by).refresh()
