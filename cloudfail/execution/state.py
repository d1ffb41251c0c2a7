"""What a log says: the fold of its entries. `LogState` is the application, `RunState` one run, `StepRecord` one step.

Everything here is memory, not truth: a step that the journal calls `done` was seen so then; truth comes from
observing (design.md §4). The fold never fails on an entry that means nothing: it skips
it, since a command that came too late is still a fact that the audit keeps.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from cloudfail.approval import Approvers, mark_of
from cloudfail.execution import origin as beginnings
from cloudfail.execution.approving import counted, counted_standing
from cloudfail.execution.lifecycle import PEOPLES, Event, Phase, When, transition
from cloudfail.execution.samples import sampled
from cloudfail.model.capacity import Capacity, allows, from_entry, in_words
from cloudfail.model.codec import checksum_of_document, plan_from_document
from cloudfail.model.journal import BrokenChain, Entry, Kind
from cloudfail.model.plan import Plan, PlannedStep
from cloudfail.model.policy import Automation
from cloudfail.model.runbook import Mode


class Track(NamedTuple):
    """Which work on a step: `do` it, `undo` it, settle what is `owed`, or `watch` that it stays done (rule 10)."""

    step: str
    way: str

    def __str__(self) -> str:
        return self.step if self.way == "do" else f"{self.way} {self.step}"


@dataclass(frozen=True)
class Intent:
    """An effect that was announced. Unresolved until a result stands behind it (rules 1 to 3)."""

    seq: int
    epoch: int
    t: float
    attempt: int
    effect: str


@dataclass(frozen=True)
class Result:
    """What a call came back with: ok, transient, permanent, conflict, unknown; stopped or held: it was not made."""

    outcome: str
    t: float
    message: str = ""
    retry_after_seconds: float = 0.0


@dataclass(frozen=True)
class StepRecord:
    """What the journal remembers of one track. `ended` is "", done, owed, failed or skipped. `memory` is what the first
    intent saw before it changed anything: the compensation needs it; `latest` is what the newest one saw. held: by whom
    its last call was held back, as its result says it. `holding` is the effect that waits until it has been wanted
    unbroken for its time, since `holding_t`; "" if none does."""

    attempts: int = 0
    intent: Intent | None = None
    ordered: bool = False
    effect: str = ""
    result: Result | None = None
    ended: str = ""
    ended_t: float = 0.0
    outcome: str = ""
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    gate_opened_t: float | None = None
    held: str = ""
    latest: Mapping[str, Any] = field(default_factory=dict)
    holding: str = ""
    holding_t: float = 0.0


NOTHING = StepRecord()
STEP_KINDS = frozenset({Kind.INTENT, Kind.RESULT, Kind.SEEN})
_WORKED_OUT = frozenset({"ended", "passed", "ready", "owed"})
PROMOTING = frozenset({"database.failover", "database.switchover"})
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
Value = TypeVar("Value")


def replace(value: Value, **changes: Any) -> Value:
    """As `dataclasses.replace`, in a fifth of its time, for values that are nothing but their fields: a decision folds
    an entry and changes four of them. What was worked out from the old fields is left behind."""
    fields = vars(type(value))["__dataclass_fields__"]
    after = object.__new__(type(value))
    own = vars(after)
    own.update(vars(value))
    own.update(changes)
    if len(own) != len(fields):
        for name in own.keys() - fields.keys():
            assert name in _WORKED_OUT, name
            del own[name]
    return after


@dataclass(frozen=True)
class Accepted:
    """What named persons accepted for one run: an owed fence, a number of seconds of lost writes."""

    owed_fence: str = ""
    loss_seconds: float | None = None
    by: str = ""


class Agreed(NamedTuple):
    """One approval that counts: of this gate ("" for any), by whom, from which capacity on, and whether it accepts an
    owed fence."""

    gate: str
    by: str
    capacity: Capacity = ()
    owed_fence: bool = False


@dataclass(frozen=True)
class Sentence:
    """One line of a run's story, for people: seconds since it opened, wall time, phase, sentence, who."""

    t: float
    at: float
    phase: Phase
    text: str
    by: str


@dataclass(frozen=True)
class RunState:
    """One run. reset_t: since when its steps' limits count, anew after a resume or a take-over; resumed_t: since when
    its gates do, which a person alone may prolong."""

    id: str
    plan: Plan
    automation: Automation
    opened_by: str
    opened_at: float
    reason: str
    phase: Phase = Phase.RUNNING
    t: float = 0.0
    reset_t: float = 0.0
    resumed_t: float = 0.0
    tracks: Mapping[Track, StepRecord] = field(default_factory=dict)
    accepted: Accepted = field(default_factory=Accepted)
    approvals: tuple[Agreed, ...] = ()
    own_until_t: float = 0.0
    preapproved: str = ""
    standing: bool = False
    signed_by: str = ""
    undo_begun: bool = False
    halted_because: str = ""
    to_do: str = ""
    asks: Mapping[str, Any] = field(default_factory=dict)
    story: tuple[Sentence, ...] = ()
    closed_at: float = 0.0

    def track(self, track: Track) -> StepRecord:
        return self.tracks.get(track, NOTHING)

    def did(self, step: str) -> StepRecord:
        return self.tracks.get(Track(step, "do"), NOTHING)

    def ordered(self, step: str) -> bool:
        """Whether its effect was ever announced, at its turn or as an obligation that was settled later."""
        return self.did(step).ordered or self.track(Track(step, "owed")).ordered

    # These are asked for with each decision, and worked out once for each state; they follow from `tracks` alone.

    @cached_property
    def ended(self) -> Mapping[str, str]:
        """Step name -> how it ended, of those that did."""
        return {track.step: record.ended for track, record in self.tracks.items() if record.ended and track.way == "do"}

    @cached_property
    def passed(self) -> frozenset[str]:
        """The steps on which others may build: done, or owed."""
        return frozenset(name for name, how in self.ended.items() if how in {"done", "owed"})

    @cached_property
    def ready(self) -> tuple[PlannedStep, ...]:
        """The steps that have not ended and whose needs are met, in the plan's order."""
        ended, passed = self.ended, self.passed
        return tuple(step for step in self.plan.steps if step.name not in ended and passed.issuperset(step.needs))

    @property
    def promoted(self) -> bool:
        """Whether a promote intent exists, whatever came of it (rule 11)."""
        return any(step.point_of_no_return and self.did(step.name).ordered for step in self.plan.steps)

    @cached_property
    def owed(self) -> tuple[PlannedStep, ...]:
        """The steps that are owed and not yet settled."""
        owed = [name for name, how in self.ended.items() if how == "owed"]
        return tuple(
            step
            for step in self.plan.steps
            if owed
            and step.name in owed
            and self.track(Track(step.name, "owed")).ended != "done"
            and self.track(Track(step.name, "undo")).ended not in {"done", "skipped"}
        )

    @property
    def open_gates(self) -> tuple[PlannedStep, ...]:
        return tuple(
            step
            for step in self.plan.steps
            if step.gate and self.did(step.name).gate_opened_t is not None and not self.did(step.name).ended
        )

    @property
    def holds_fence(self) -> bool:
        """Whether a fence that this run ordered stands, or may stand, on the source: it was not taken back."""
        return any(
            step.facts.verb == "fence"
            and self.ordered(step.name)
            and self.track(Track(step.name, "undo")).ended != "done"
            for step in self.plan.steps
        )


@dataclass(frozen=True)
class LogState:
    """One application, as its log tells it. `primary` is "" until a run moved it. origin: why the log was begun in this
    store, None for its first; carried: a log that is being carried in; merged: the heads of those that were. approvers:
    whose signatures count, None if a name is enough; spent: which were used, and for which run."""

    seq: int = 0
    epoch: int = 0
    holder: str = ""
    lease_seconds: float = 0.0
    holder_seq: int = 0
    quiet_seconds: float = 0.0
    runs: Mapping[str, RunState] = field(default_factory=dict)
    open_run: str = ""
    primary: str = ""
    reviewed: Mapping[str, tuple[Mapping[str, Any], float, str]] = field(default_factory=dict)
    standing: tuple[str, float, str, float] | None = None
    samples: Mapping[str, Any] = field(default_factory=dict)
    automation_paused_by: str = ""
    refused: str = ""
    epoch_base: int = 0
    origin: beginnings.Origin | None = None
    carried: beginnings.Carried | None = None
    merged: frozenset[str] = frozenset()
    approvers: Approvers | None = None
    spent: Mapping[str, str] = field(default_factory=dict)

    @property
    def run(self) -> RunState | None:
        return self.runs.get(self.open_run)

    @property
    def obligations(self) -> tuple[tuple[RunState, PlannedStep], ...]:
        """What is owed over all runs: it outlives its run and keeps the application degraded."""
        return tuple((run, step) for run in self.runs.values() for step in run.owed)


def fold(state: LogState, entries: Iterable[Entry]) -> LogState:
    """Raises BrokenChain for an entry that lacks what every entry of its kind has: no version of ours wrote it, and
    what it was meant to say must not be guessed at."""
    for entry in entries:
        try:
            state = _apply(state, entry)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise BrokenChain(
                f"Entry {entry.seq} of the log ({entry.kind}, by {entry.by!r}) is none that cloudfail wrote: "
                f"{type(error).__name__} {error}.",
                "Nothing was changed; the run stands where the entry before left it.",
                "Find out who wrote to the store: cloudfail audit verify",
            ) from error
    return state


def _apply(state: LogState, entry: Entry) -> LogState:
    if entry.by_holder and entry.kind is not Kind.CLAIM and entry.epoch != state.epoch:
        # Cannot happen through a store that refuses a taken number: a stale worker's entry fails. Kept as a guard.
        return replace(state, seq=entry.seq, refused=f"entry {entry.seq} was written under the old epoch {entry.epoch}")
    state = replace(state, seq=entry.seq, holder_seq=entry.seq if entry.by_holder else state.holder_seq)
    match entry.kind:
        case Kind.CLAIM:
            state = replace(
                state,
                epoch=state.epoch_base + entry.seq,
                holder=entry.by,
                lease_seconds=entry.data["lease_seconds"],
                quiet_seconds=entry.data["quiet_seconds"],
            )
            if state.run is not None and entry.data.get("took_over"):
                # What the lapse and the quiet time cost is not taken from a step's limit; a turn's end is no reason.
                t = entry.t or 0.0
                run = replace(state.run, reset_t=t or state.run.reset_t, t=max(state.run.t, t))
                state = _with(state, run)
            return state
        case Kind.RELEASE:
            if state.run is not None and entry.t is not None:
                state = _with(state, replace(state.run, t=max(state.run.t, entry.t)))
            return replace(state, holder="")
        case Kind.REVIEWED:
            record = (entry.data["plan"], entry.at, entry.by)
            return replace(state, reviewed={**state.reviewed, entry.data["checksum"]: record})
        case Kind.STANDING:
            signed = counted_standing(state.approvers, entry)
            if isinstance(signed, str):
                return replace(state, refused=f"entry {entry.seq}: {signed}")
            entry = signed
            standing = (entry.data["checksum"], entry.at, entry.by, float(entry.data["expires_seconds"]))
            return replace(state, standing=standing if entry.data["checksum"] else None)
        case Kind.SAMPLE:
            return replace(state, samples=sampled(state.samples, entry.data))
        case Kind.OPENED:
            return _open(state, entry) if not state.open_run else state
        case Kind.SEALED:
            return state
        case Kind.BEGUN:
            return beginnings.begun(state, entry)
        case Kind.MERGED:
            return beginnings.merged(state, entry, fold)
        case Kind.RENEW:
            return state if state.run is None or entry.t is None else _with(state, replace(state.run, t=entry.t))
        case _:
            return _run_entry(state, entry)


def _open(state: LogState, entry: Entry) -> LogState:
    document = entry.data["plan"]
    if checksum_of_document(document) != document["checksum"]:
        # What a person reviewed or signed is known by its checksum alone: nobody agreed to other steps under it.
        return replace(state, refused=f"the plan in entry {entry.seq} is not the one that its checksum names")
    if not RUN_ID.fullmatch(entry.data["run"]) or entry.data["run"] in state.runs:
        # It is printed inside of commands that people copy; and one that was there before would rewrite its history.
        return replace(state, refused=f"entry {entry.seq} opens a run under a name that no new run has")
    standing, signed_by = bool(entry.data.get("standing")), entry.data.get("signed_by", "")
    if state.approvers is not None:
        # What such an entry claims is anybody's word; what a listed key signed for automation stands before it.
        signed_by = _signer_for_automation(state, document["checksum"], entry.at)
        standing = standing and bool(signed_by)
    run = RunState(
        id=entry.data["run"],
        plan=plan_from_document(entry.data["plan"]),
        automation=Automation(entry.data["automation"]),
        opened_by=entry.by,
        opened_at=entry.at,
        reason=entry.data["reason"],
        preapproved=entry.data.get("preapproved", "") if state.approvers is None else "",
        standing=standing,
        signed_by=signed_by if standing else "",
    )
    run = replace(run, story=(Sentence(0.0, entry.at, run.phase, f"Opened: {run.reason}", entry.by),))
    if entry.data.get("approval") and state.approvers is not None:
        given = dataclasses.replace(entry, data={**entry.data["approval"], "reason": run.reason})
        state, run = _approve(state, run, given)
    if state.approvers is not None and not (run.approvals or run.standing) and promotes_without_a_gate(run.plan):
        # Whoever may append could write a plan of their own without the gate at which a signature would be asked for.
        return replace(
            state, refused=f"entry {entry.seq} opens a run that promotes without a gate, and nobody signed it"
        )
    return replace(state, runs={**state.runs, run.id: run}, open_run=run.id)


def promotes_without_a_gate(plan: Plan) -> bool:
    """Whether some promotion has no gate before it, by what its steps do and not by what they say of themselves."""
    behind: dict[str, bool] = {}
    for step in plan.steps:  # in an order that their needs allow; a need that is not there before counts as none
        behind[step.name] = bool(step.gate) or any(behind.get(need, False) for need in step.needs)
    return any(step.action in PROMOTING and not behind[step.name] for step in plan.steps)


def _signer_for_automation(state: LogState, checksum: str, at: float) -> str:
    """Who signed exactly this plan for automation, so that it holds at that moment; "" if nobody did."""
    if state.standing is None:
        return ""
    signed, since, by, seconds = state.standing
    return by if signed == checksum and 0 <= at - since <= seconds else ""


def _with(state: LogState, run: RunState) -> LogState:
    return replace(state, runs={**state.runs, run.id: run})


def _run_entry(state: LogState, entry: Entry) -> LogState:
    if entry.kind is Kind.COMMAND and not entry.data.get("run"):
        if entry.data["command"] == Event.PAUSE:
            return replace(state, automation_paused_by=entry.by)
        return replace(state, automation_paused_by="") if entry.data["command"] == Event.RESUME else state
    run = state.runs.get(entry.data.get("run", ""))
    if run is None:
        return state
    if entry.kind in STEP_KINDS:
        run = _step_entry(run, entry)
    elif entry.t is not None:
        run = replace(run, t=max(run.t, entry.t))
    match entry.kind:
        case Kind.GATE:
            run = _gate_entry(run, entry)
        case Kind.HALT:
            run = replace(
                run,
                halted_because=entry.data["reason"],
                to_do=entry.data["to_do"],
                asks=entry.data.get("asks", {}),
            )
            run = _event(run, Event(entry.data["event"]), entry, entry.data["reason"])
        case Kind.COMMAND if entry.data["command"] == Event.APPROVE:
            state, run = _approve(state, run, entry)
        case Kind.COMMAND:
            run = _command(run, entry)
        case Kind.CLOSED:
            run = _event(run, Event(entry.data["event"]), entry)
        case _:
            pass
    state = _with(state, run)
    if run.phase.final:
        if not run.closed_at:
            state = _with(state, replace(run, closed_at=entry.at))
        if state.open_run == run.id:
            state = replace(state, open_run="")
    if entry.kind is Kind.SEEN and entry.data["ended"] == "done":
        state = replace(state, primary=_primary_after(state, run, entry))
    return state


def _primary_after(state: LogState, run: RunState, entry: Entry) -> str:
    """The primary once this step is done: a promotion moves it. Where a plan promotes nothing (no database, or only
    such as have many writers by design), it is where all its switches of traffic sent users, until one is undone."""
    way, step = entry.data["way"], run.plan.step(entry.data["step"])
    if way == "do" and step.point_of_no_return:
        return run.plan.target
    promotes = any(one.point_of_no_return for one in run.plan.steps)
    if promotes or run.plan.mode is Mode.RESTORE or step.action != "traffic.switch":
        return state.primary
    if way == "undo":
        return run.plan.source
    switches = [one for one in run.plan.steps if one.action == "traffic.switch"]
    return run.plan.target if all(run.did(one.name).ended == "done" for one in switches) else state.primary


def _step_entry(run: RunState, entry: Entry) -> RunState:
    track = Track(entry.data["step"], entry.data["way"])
    record = run.track(track)
    t = entry.t or 0.0
    if entry.kind is Kind.INTENT:
        attempt = entry.data["attempt"]
        record = replace(
            record,
            attempts=attempt,
            intent=Intent(entry.seq, entry.epoch, t, attempt, entry.data["effect"]),
            ordered=True,
            effect=entry.data["effect"],
            result=None,
            memory=record.memory or entry.data.get("memory", {}),
            latest=entry.data.get("memory", {}),
            holding="",
        )
    elif entry.kind is Kind.RESULT:
        result = Result(entry.data["outcome"], t, entry.data["message"], entry.data.get("retry_after_seconds", 0.0))
        # A call that was not made is no attempt: a pause, or another application's turn, must not use up the retries.
        attempts = record.attempts - 1 if result.outcome in {"stopped", "held"} else record.attempts
        held = result.message if result.outcome == "held" else ""
        record = replace(record, result=result, intent=None, attempts=attempts, held=held)
    elif "holding" in entry.data:
        record = replace(record, intent=None, holding=entry.data["holding"], holding_t=t)
    else:
        record = replace(
            record,
            ended=entry.data["ended"],
            ended_t=t,
            intent=None,
            outcome=entry.data.get("outcome", ""),
            detail=entry.data["detail"],
            facts=entry.data.get("facts", {}),
            holding="",
        )
    after = replace(run, t=max(run.t, t), tracks={**run.tracks, track: record})
    if entry.kind is not Kind.SEEN:
        vars(after).update({name: known for name, known in vars(run).items() if name in _WORKED_OUT})
    elif track.way == "do" and record.ended == "done" and track.step not in run.ended:
        vars(after).update(_one_more_done(run, track.step))
    return after


def _one_more_done(run: RunState, step: str) -> dict[str, Any]:
    """`ended`, `passed`, `ready` and `owed` after this step, from those before: only what needs it can have become
    ready, so that a run of hundreds of steps is not gone through with each entry."""
    passed = run.passed | {step}
    place = run.plan.place
    free = (other for other in run.plan.needed_by.get(step, ()) if passed.issuperset(other.needs))
    ready = [other for other in (*run.ready, *free) if other.name != step and other.name not in run.ended]
    return {
        "ended": {**run.ended, step: "done"},
        "passed": passed,
        "ready": tuple(sorted(ready, key=lambda other: place[other.name])),
        "owed": run.owed,
    }


def _gate_entry(run: RunState, entry: Entry) -> RunState:
    track = Track(entry.data["step"], "do")
    record = run.track(track)
    t = entry.t or 0.0
    event = Event(entry.data["event"])
    if event is Event.GATE_OPENED:
        record = replace(record, gate_opened_t=t)
    else:
        ended = "done" if event is Event.GATE_PASSED else "failed"
        record = replace(record, ended=ended, ended_t=t, detail=entry.data["detail"])
    run = replace(run, tracks={**run.tracks, track: record})
    return _event(run, event, entry, entry.data["detail"])


def _approve(state: LogState, run: RunState, entry: Entry) -> tuple[LogState, RunState]:
    own = counted(
        state.approvers,
        state.spent,
        entry,
        run=run.id,
        plan=run.plan.checksum,
        opened_by=run.opened_by,
        t=run.t,
        lease_seconds=state.lease_seconds,
    )
    if isinstance(own, str):
        return state, replace(run, story=(*run.story, Sentence(run.t, entry.at, run.phase, own, entry.by)))
    if state.approvers is not None:
        state = replace(state, spent={**state.spent, mark_of(own.data["signature"]): run.id})
    run = _approved(run, own)
    reason, capacity = own.data.get("reason", ""), run.approvals[-1].capacity
    only = f"only with {in_words(capacity)}" if capacity else ""
    return state, _event(run, Event.APPROVE, own, "; ".join(part for part in (only, reason) if part))


def _approved(run: RunState, entry: Entry) -> RunState:
    given = entry.data
    capacity, owed_fence = from_entry(given.get("capacity")), bool(given.get("accept_owed_fence"))
    loss = given.get("loss_seconds")
    return replace(
        run,
        approvals=(*run.approvals, Agreed(given.get("gate", ""), entry.by, capacity, owed_fence)),
        own_until_t=given.get("own_until_t", 0.0),
        accepted=Accepted(
            owed_fence=entry.by if owed_fence else run.accepted.owed_fence,
            loss_seconds=loss if loss is not None else run.accepted.loss_seconds,
            by=entry.by,
        ),
    )


def _command(run: RunState, entry: Entry) -> RunState:
    event = Event(entry.data["command"])
    if event is Event.RESUME and transition(run.phase, event, _holds(run)):
        run = _try_again(run)
    return _event(run, event, entry, entry.data.get("reason", ""))


def _try_again(run: RunState) -> RunState:
    """What failed may be tried again, with its attempts and its limit anew; what was ordered stays ordered, and what
    came of it a moment ago still has to settle (rule 3)."""
    tracks = {
        track: replace(record, attempts=0, ended="", detail="", result=_to_settle(record.result))
        if record.ended == "failed"
        else record
        for track, record in run.tracks.items()
    }
    return replace(run, tracks=tracks, reset_t=run.t, resumed_t=run.t, halted_because="", to_do="", asks={})


def _to_settle(result: Result | None) -> Result | None:
    """A refusal is forgotten: it is what a person has mended. The rest may still land, or asked for patience."""
    return result if result is not None and result.outcome in {"ok", "unknown", "transient"} else None


def _holds(run: RunState) -> frozenset[When]:
    holds = set()
    if run.promoted:
        holds.add(When.PROMOTED)
    if run.undo_begun:
        holds.add(When.UNDO_BEGUN)
    if run.open_gates:
        holds.add(When.GATE_OPEN)
    if run.owed:
        holds.add(When.OWED)
    if run.asks and accepts(run.accepted, run.asks) and _accepts_capacity(run):
        holds.add(When.ACCEPTS)
        if run.open_gates:
            holds.add(When.ACCEPTS_AT_GATE)
    return frozenset(holds)


def accepts(accepted: Accepted, asks: Mapping[str, Any]) -> bool:
    """Whether what persons accepted covers what the run asks for: `loss_seconds` (a number) and `owed_fence` (true).
    A loss that is unknown is asked for as 0, and any stated number above that answers: who accepts no loss at all has
    not accepted one that nobody knows."""
    if asks.get("owed_fence") and not accepted.owed_fence:
        return False
    needed = asks.get("loss_seconds")
    if needed is None:
        return True
    stated = accepted.loss_seconds or 0.0
    return stated > 0.0 and stated >= needed


def _accepts_capacity(run: RunState) -> bool:
    """Whether somebody let it pass with what was counted when it halted: those who had agreed until then had not."""
    counted = run.asks.get("capacity")
    if counted is None:
        return True
    return any(allows(tuple(one for one in agreed.capacity if one[0] in counted), counted) for agreed in run.approvals)


def _event(run: RunState, event: Event, entry: Entry, detail: str = "") -> RunState:
    row = transition(run.phase, event, _holds(run))
    if row is None:
        if event in PEOPLES and event is not Event.APPROVE:
            text = f"{entry.by} asked to {event}; it means nothing while the run is {run.phase}."
            run = replace(run, story=(*run.story, Sentence(run.t, entry.at, run.phase, text, entry.by)))
        elif event is Event.APPROVE:
            text = f"{entry.by} approved{': ' + detail if detail else '.'}"
            run = replace(run, story=(*run.story, Sentence(run.t, entry.at, run.phase, text, entry.by)))
        return run
    if row.phase is Phase.HALTED and row.next in {Phase.RUNNING, Phase.GATED}:
        run = _try_again(run)
    if row.phase in {Phase.PAUSED, Phase.PARKED} and not row.next.final:
        run = replace(run, reset_t=run.t, resumed_t=run.t)
    text = f"{row.sentence} {detail}".strip() if detail else row.sentence
    if event not in {Event.HALT, Event.UNDO_BLOCKED}:
        # A halt entry brings its own reason and commands.
        waits = row.next in {Phase.GATED, Phase.PAUSED, Phase.PARKED}
        because, to_do = (text, _ways(run, row.next)) if waits else ("", "")
        run = replace(run, halted_because=because, to_do=to_do, asks={})
    return replace(
        run,
        phase=row.next,
        undo_begun=run.undo_begun or row.next is Phase.UNDOING,
        story=(*run.story, Sentence(run.t, entry.at, row.next, text, entry.by)),
    )


def _ways(run: RunState, phase: Phase) -> str:
    """The commands that help in a phase that waits for a person."""
    resume = f"To go on: cloudfail resume {run.id}"
    abort = f"to take it back: cloudfail abort {run.id}"
    if run.promoted:
        abort = f"to stop it half-way (a promotion was ordered, so nothing is undone): cloudfail abort {run.id}"
    match phase:
        case Phase.GATED:
            owed = any(step.facts.verb == "fence" for step in run.owed)
            accept = " --accept-owed-fence --loss-seconds SECONDS" if owed else ""
            return f"To let it pass: cloudfail approve {run.id}{accept} --reason TEXT; {abort}"
        case Phase.PAUSED:
            return f"{resume}; {abort}"
        case _:
            return f"{resume}; to leave it as it stands: cloudfail close {run.id} --reason TEXT"
