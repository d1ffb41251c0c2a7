"""One history as clients and the one on call felt it: where the outage's seconds went, and who had to act.

Every moment of the outage belongs to one part:

    detect       from the loss until enough vantages agree, and whatever came before the hold-down
    hold-down    from then to the opening of the run, at most the policy's hold-down
    start        the same without a watcher: until the command opened the run
    gate … other the phase of the run, as in cloudfail.report.phases; a gate that waits comes before a step
    halted, paused, parked   the run waited for a person in that phase
    nobody       the worker that carried the run was gone, until another one took over
    clients      the traffic was switched, and the last group of clients had not followed
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import RunState
from cloudfail.model.journal import Kind
from cloudfail.report.phases import PHASES, phase_of
from cloudfail.testing.simulation.cloud import WRITES_PER_SECOND
from cloudfail.testing.simulation.intervals import subtract
from cloudfail.testing.simulation.play import History
from cloudfail.testing.simulation.results import Felt
from cloudfail.testing.simulation.swarm import Outcome, outage_span

STOOD = frozenset({Phase.HALTED, Phase.PAUSED, Phase.PARKED})
NOBODY = "nobody"
ORDER = (NOBODY, *STOOD, *PHASES)
APPROVAL = "approve"


def felt_of(history: History, outcome: Outcome) -> Felt:
    source = history.setup.plan.source
    moved = bool(history.runs()) and moved_to(history) is not None
    outage = outage_span(history) if moved else None
    entries = history.entries
    lost, old_side = _lost_seconds(history) if moved else (0.0, 0.0)
    return Felt(
        seed=outcome.seed,
        end=outcome.end,
        moved=moved,
        source_lost=history.lost_at is not None and source not in history.back_at,
        asked=_asked(history),
        taken_back=not moved and any(run.undo_begun for run in history.runs()),
        outage_seconds=None if outage is None else outage[1] - outage[0],
        lost_seconds=lost,
        old_side_seconds=old_side,
        lost=_lost(history) if moved else 0,
        synchronous=history.scenario.synchronous,
        parts=_parts(history) if moved else {},
        steps=_taken(history),
        failed=tuple(
            (str(entry.data["step"]), str(entry.data["detail"]))
            for _, entry in entries
            if entry.kind is Kind.SEEN and entry.data["way"] == "do" and entry.data["ended"] == "failed"
        ),
        waits=_waits(history),
        owed_fence=any(
            entry.kind is Kind.COMMAND
            and entry.data.get("command") == APPROVAL
            and bool(entry.data.get("accept_owed_fence"))
            for _, entry in entries
        ),
    )


def moved_to(history: History) -> str | None:
    """Where the application was moved: a watcher takes another standby where the first is not healthy."""
    source = history.setup.plan.source
    return next((region for _, _, region, _ in history.cloud.promotions if region != source), None)


def the_run(history: History) -> RunState | None:
    """The run that moved it, else the first."""
    runs, target = history.runs(), moved_to(history)
    return next((run for run in runs if run.plan.target == target), runs[0] if runs else None)


def _lost(history: History) -> int:
    cloud = history.cloud
    return sum(
        cloud.lost(database, writer)
        for database in cloud.databases
        for writer in cloud.writable_regions(database)
        if writer != history.setup.plan.source
    )


def _lost_seconds(history: History) -> tuple[float, float]:
    """For how many seconds of their writing the worst group of clients was told that all is safe, and it is gone; and
    how many of those the old side acknowledged after it was lost, since nothing kept it from that."""
    cloud = history.cloud
    lost_at = history.lost_at if history.lost_at is not None else history.ended_at
    worst, after = 0, 0
    for database in cloud.databases:
        for writer in cloud.writable_regions(database):
            held = cloud.rows(database, writer).spans
            for group in cloud.groups:
                gone = subtract(cloud.acked[database][group.name], held.get(group.name, []))
                since = group.ids(0.0, lost_at)[1]
                lost = sum(last - first for first, last in gone)
                if lost > worst:
                    worst, after = lost, sum(max(0, last - max(first, since)) for first, last in gone)
    return worst / WRITES_PER_SECOND, after / WRITES_PER_SECOND


def _asked(history: History) -> bool:
    """Whether the run stood still until a person did more than approve at its gate."""
    return any(phase in STOOD for _, phase, _ in history.phases)


def _steps(history: History) -> Iterator[tuple[str, str, float, float, str]]:
    """Name, phase, true seconds from when it could begin to when it ended, and how; of the run that moved it."""
    run = the_run(history)
    if run is None:
        return
    opened = _opened_at(history)
    ended: dict[str, tuple[float, str]] = {}
    for at, entry in history.entries:
        if entry.data.get("run") != run.id:
            continue
        if entry.kind is Kind.SEEN and entry.data["way"] == "do" and entry.data["ended"]:
            ended[entry.data["step"]] = (at, str(entry.data["ended"]))
        elif entry.kind is Kind.GATE and entry.data["event"] != "gate opened":
            ended[entry.data["step"]] = (at, "done" if entry.data["event"] == "gate passed" else "failed")
    for step in run.plan.steps:
        needed = [ended.get(need) for need in step.needs]
        if step.name not in ended or any(one is None or one[1] not in {"done", "owed"} for one in needed):
            continue
        began = max((one[0] for one in needed if one is not None), default=opened)
        at, how = ended[step.name]
        yield step.name, phase_of(step), began, max(began, at), how


def _opened_at(history: History) -> float:
    run = the_run(history)
    opened = (
        at
        for at, entry in history.entries
        if run is not None and entry.kind is Kind.OPENED and entry.data["run"] == run.id
    )
    return next(opened, history.ended_at)


def _taken(history: History) -> dict[str, float]:
    """How long each step took that ended done, without the time in which the whole run stood still."""
    still = [*_orphaned(history), *(one for one in _phases(history) if one[0] in STOOD)]
    found = {}
    for name, _, began, ended, how in _steps(history):
        if how == "done":
            stood = sum(max(0.0, min(until, ended) - max(since, began)) for _, since, until in still)
            found[name] = round(max(0.0, ended - began - stood), 3)
    return found


def _orphaned(history: History) -> Iterator[tuple[str, float, float]]:
    """From the last entry of a holder to the moment when another took the run over from it."""
    last = None
    for at, entry in history.entries:
        if entry.kind is Kind.CLAIM and entry.data["took_over"] and last is not None:
            yield NOBODY, last, at
        if entry.by_holder:
            last = at


def _phases(history: History) -> Iterator[tuple[str, float, float]]:
    """The run's phase between two entries of the log, in true seconds."""
    moments = [*(at for at, _ in history.entries), max(history.ended_at, history.entries[-1][0])]
    for (since, until), (_, phase, _) in zip(pairwise(moments), history.phases, strict=True):
        if phase and until > since:
            yield phase, since, until


def _waits(history: History) -> dict[str, float]:
    found: dict[str, float] = {}
    for phase, since, until in _phases(history):
        if phase in STOOD or phase == Phase.GATED:
            found[phase] = found.get(phase, 0.0) + until - since
    return {phase: round(seconds, 3) for phase, seconds in found.items()}


def _parts(history: History) -> dict[str, float]:
    outage = outage_span(history)
    if outage is None or outage[1] <= outage[0]:
        return {}
    began, ended = outage
    opened, switched = _opened_at(history), _switched_at(history)
    hold = history.setup.loaded.topology.policy.hold_down_seconds
    spans = [(phase, since, until) for _, phase, since, until, _ in _steps(history)]
    spans += [*_orphaned(history), *(one for one in _phases(history) if one[0] in STOOD)]
    edges = {began, ended, opened, opened - hold, *([] if switched is None else [switched])}
    edges |= {edge for _, first, last in spans for edge in (first, last)}
    found: dict[str, float] = {}
    for first, last in pairwise(sorted(edge for edge in edges if began <= edge <= ended)):
        if last <= opened:
            part = "start" if history.scenario.way != "watch" else "hold-down" if first >= opened - hold else "detect"
        elif switched is not None and first >= switched:
            part = "clients"
        else:
            now = {name for name, since, until in spans if since <= first and last <= until}
            part = min(now or {"other"}, key=_rank)
        found[part] = found.get(part, 0.0) + last - first
    return {part: round(seconds, 3) for part, seconds in found.items() if seconds > 0}


def _rank(part: str) -> int:
    return ORDER.index(part) if part in ORDER else len(ORDER)


def _switched_at(history: History) -> float | None:
    """When the last name or balancer began to send clients to the target."""
    target = moved_to(history) or ""
    last: dict[str, float] = {}
    for at, name, weights in history.cloud.weights_seen:
        if weights.get(target, 0) > 0 and name not in last:
            last[name] = at
    return max(last.values(), default=None)
