"""What the clients felt in a drill, and the verdict against RTO and RPO.

Each leg (the failover, and the failback) has its own axis: seconds since its fault was injected, or, where there was
none, since its run was opened. Everything in a leg (`Span`, `Event`, `Client`) is on that axis.

The verdict passes only what was measured: an outage, a count of lost writes or of writers that is unknown fails it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import RunState, Sentence
from cloudfail.model.journal import Entry
from cloudfail.model.runbook import Mode
from cloudfail.model.states import LossBound
from cloudfail.model.topology import Objectives
from cloudfail.report.phases import PHASES, Span, loss_at_promotion, phase_spans, phases, step_spans
from cloudfail.report.situation import owed_sentences
from cloudfail.report.wording import seconds

BUCKET_SECONDS = 0.1
BUCKETS_MAX = 20_000


@dataclass(frozen=True)
class Client:
    """What the clients felt; None is unknown. `seconds_lost`: from the first to the last acknowledged write that is
    gone. `per_bucket`: acknowledged writes in each BUCKET_SECONDS from `bucket_began` on."""

    write_outage_seconds: float | None
    acknowledged_writes: int | None
    acknowledged_writes_lost: int | None
    refused_writes: int | None = None
    unknown_writes: int | None = None
    unknown_writes_recovered: int | None = None
    refused_writes_present: int | None = None
    seconds_lost: float | None = None
    outage_began: float | None = None
    outage_ended: float | None = None
    bucket_began: float = 0.0
    per_bucket: tuple[int, ...] = ()


@dataclass(frozen=True)
class Event:
    """A moment worth a mark: `name` is fault, detected, opened, promoted …; `text` says it in a few words."""

    at: float
    name: str
    text: str = ""


@dataclass(frozen=True)
class Verdict:
    passed: bool
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "passed" if self.passed else "failed"


@dataclass(frozen=True)
class Leg:
    """One move of the application. `outcome` is the phase in which its run ended."""

    name: str
    source: str
    target: str
    client: Client
    writers_at_once_max: int | None
    phases: Mapping[str, float | None]
    loss: LossBound | None = None
    lossless: bool = False
    run: str = ""
    plan: str = ""
    outcome: str = ""
    phase_spans: tuple[Span, ...] = ()
    steps: tuple[Span, ...] = ()
    events: tuple[Event, ...] = ()
    owed: tuple[str, ...] = ()
    story: tuple[Sentence, ...] = ()

    @property
    def outage_by_phase(self) -> dict[str, float]:
        """The part of the outage that fell into each phase; empty where the outage's edges are unknown."""
        began, ended = self.client.outage_began, self.client.outage_ended
        if began is None or ended is None:
            return {}
        found = {name: 0.0 for name, whole in self.phases.items() if whole is not None}
        for span in self.phase_spans:
            if span.ended is not None and span.name in found:
                found[span.name] += max(0.0, min(span.ended, ended) - max(span.began, began))
        return {name: round(found[name], 6) for name in PHASES if name in found}

    @property
    def outage_elsewhere(self) -> float | None:
        """The part of the outage that fell into no phase: before the first, or after the last step."""
        outage, within = self.client.write_outage_seconds, self.outage_by_phase
        return None if outage is None or not within else max(0.0, round(outage - sum(within.values()), 6))


@dataclass(frozen=True)
class DrillReport:
    """One drill, whole. `mode` is the lab's mode; `synchronous` how its database replicates. `journal_head` is the
    digest of the journal's last entry: who has the journal can check all that stands here against it."""

    application: str
    started_at: float
    mode: str
    synchronous: str
    objectives: Objectives
    failover: Leg
    failback: Leg | None = None
    journal_head: str = ""
    journal_entries: int | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def legs(self) -> tuple[Leg, ...]:
        return (self.failover,) if self.failback is None else (self.failover, self.failback)

    @property
    def verdict(self) -> Verdict:
        """Passed if every leg passed."""
        verdicts = [(leg, verdict_of(leg, self.objectives)) for leg in self.legs]
        reasons = tuple(f"{leg.name}: {reason}" for leg, verdict in verdicts for reason in verdict.reasons)
        return Verdict(all(verdict.passed for _, verdict in verdicts), reasons)


def verdict_of(leg: Leg, objectives: Objectives) -> Verdict:
    """The leg against RTO, RPO, one writer, and an end that needs nobody."""
    judged = [
        _rto(leg.client, objectives),
        _rpo(leg, objectives),
        _writers(leg),
        _outcome(leg),
    ]
    return Verdict(all(passed for passed, _ in judged), tuple(reason for _, reason in judged))


def _rto(client: Client, objectives: Objectives) -> tuple[bool, str]:
    rto, outage = seconds(objectives.rto_seconds), client.write_outage_seconds
    if outage is None:
        return False, f"how long clients could not write is unknown, so the RTO of {rto} is not shown to be kept"
    if not client.acknowledged_writes:
        return False, f"no client write was acknowledged, so nothing was measured against the RTO of {rto}"
    kept = outage <= objectives.rto_seconds
    return kept, f"clients could not write for {seconds(outage)}, {'within' if kept else 'beyond'} the RTO of {rto}"


def _rpo(leg: Leg, objectives: Objectives) -> tuple[bool, str]:
    rpo, lost, span = seconds(objectives.rpo_seconds), leg.client.acknowledged_writes_lost, leg.client.seconds_lost
    if lost is None:
        return False, f"how many acknowledged writes were lost is unknown, so the RPO of {rpo} is not shown to be kept"
    if lost == 0:
        return True, f"no acknowledged write was lost, within the RPO of {rpo}"
    if leg.lossless:
        return False, f"{lost:,} acknowledged writes were lost, and a switchover may lose none"
    kept = span is not None and objectives.rpo_seconds > 0 and span <= objectives.rpo_seconds
    held = "within" if kept else "not within"
    return kept, f"{lost:,} acknowledged writes of {seconds(span)} were lost, {held} the RPO of {rpo}"


def _writers(leg: Leg) -> tuple[bool, str]:
    most = leg.writers_at_once_max
    if most is None:
        return False, "how many regions took writes at once is unknown"
    return most <= 1, f"{most} {'region' if most == 1 else 'regions'} took writes at any one time"


def _outcome(leg: Leg) -> tuple[bool, str]:
    ended = leg.outcome in {Phase.DONE, Phase.DEGRADED}
    owed = f", with {len(leg.owed)} still owed" if leg.owed else ""
    return ended, f"its run ended {leg.outcome}{owed}" if leg.outcome else "how its run ended is unknown"


def client_of(
    score: Mapping[str, Any],
    *,
    zero: float,
    acknowledged_at: Iterable[float] = (),
    seconds_lost: float | None = None,
) -> Client:
    """From the lab's score of one window. `zero`: the leg's zero on the clock of the score. `acknowledged_at`: when
    each write of the clients outside was acknowledged, on that clock."""
    groups = [
        group
        for name, group in score.get("groups", {}).items()
        if not name.startswith("inside") and group.get("write_outage_seconds") is not None
    ]
    worst: Mapping[str, Any] = max(groups, key=lambda group: group["write_outage_seconds"], default={})
    began, ended = worst.get("outage_began"), worst.get("outage_ended")
    bucket_began, per_bucket = buckets([at - zero for at in acknowledged_at])
    return Client(
        write_outage_seconds=score.get("write_outage_seconds"),
        acknowledged_writes=score.get("acknowledged_writes"),
        acknowledged_writes_lost=score.get("acknowledged_writes_lost"),
        refused_writes=score.get("refused_writes"),
        unknown_writes=score.get("unknown_writes"),
        unknown_writes_recovered=score.get("unknown_writes_recovered"),
        refused_writes_present=score.get("refused_writes_present"),
        seconds_lost=seconds_lost,
        outage_began=None if began is None else began - zero,
        outage_ended=None if ended is None else ended - zero,
        bucket_began=bucket_began,
        per_bucket=per_bucket,
    )


def buckets(times: Sequence[float]) -> tuple[float, tuple[int, ...]]:
    """How many of these moments fall into each BUCKET_SECONDS, and where the first bucket begins."""
    if not times:
        return 0.0, ()
    first = min(times) // BUCKET_SECONDS
    counts = [0] * (min(BUCKETS_MAX, int(max(times) // BUCKET_SECONDS - first) + 1))
    for at in times:
        index = int(at // BUCKET_SECONDS - first)
        if index < len(counts):
            counts[index] += 1
    return round(first * BUCKET_SECONDS, 6), tuple(counts)


def leg_of(
    run: RunState,
    client: Client,
    *,
    writers_at_once_max: int | None,
    fault_at: float | None = None,
    fault: str = "",
    detected_at: float | None = None,
    entries: Iterable[Entry] = (),
    events: Iterable[Event] = (),
) -> Leg:
    """A leg from its run. `fault_at`, `detected_at`: wall time, as `run.opened_at`; the zero of the leg's axis is the
    fault, or else the opening of the run. `entries`: the journal, for the loss bound at promotion."""
    opened = run.opened_at - (run.opened_at if fault_at is None else fault_at)
    marks = [Event(opened, "opened", f"run {run.id} opened")]
    if fault_at is not None:
        marks.append(Event(0.0, "fault", fault or f"{run.plan.source} is killed"))
        if detected_at is not None:
            marks.append(Event(detected_at - fault_at, "detected", f"{run.plan.source} is seen to be lost"))
    steps = step_spans(run, opened=opened)
    marks += [
        Event(step.ended, "promoted", f"{run.plan.target} takes writes")
        for step in steps
        if step.point_of_no_return and step.ended is not None and step.state == "done"
    ]
    return Leg(
        name="failover" if run.plan.mode is Mode.FAILOVER else "failback",
        source=run.plan.source,
        target=run.plan.target,
        client=client,
        writers_at_once_max=writers_at_once_max,
        phases=phases(run, fault_at=fault_at, detected_at=detected_at),
        loss=loss_at_promotion(run, entries),
        lossless=run.plan.mode is Mode.SWITCHOVER,
        run=run.id,
        plan=run.plan.checksum,
        outcome=str(run.phase),
        phase_spans=phase_spans(run, fault_at=fault_at, detected_at=detected_at, opened=opened),
        steps=steps,
        events=tuple(sorted([*marks, *events], key=lambda event: event.at)),
        owed=tuple(owed_sentences(run)),
        story=run.story,
    )
