"""An application as its log tells it, and its runs as a table."""

from __future__ import annotations

from cloudfail.execution.state import LogState, RunState
from cloudfail.model.topology import Topology
from cloudfail.report.layout import Column, paragraph, table
from cloudfail.report.situation import commands_now, headline, owed_sentences, owes
from cloudfail.report.wording import command, counted, moment, plain, seconds, short

WIDTH = 110


def status_text(state: LogState, topology: Topology, width: int = WIDTH) -> str:
    """`cloudfail status`. The first line is what an on-call engineer must know; what is owed comes before the rest."""
    application = plain(topology.application)
    lines = [_first(state, application, primary_of(state, topology))]
    if state.refused:
        lines += paragraph(f"Not everything in the log is believed: {plain(state.refused)}.", width, 2, 2)
    run = state.run
    if run is not None and run.halted_because:
        lines += paragraph(f"Because: {plain(run.halted_because)}", width, 2, 2)
        lines += paragraph(f"To do: {plain(run.to_do)}", width, 2, 2)
    if state.obligations:
        lines += ["", f"DEGRADED: {counted(len(state.obligations), 'obligation')}"]
        for owing in {run.id: run for run, _ in state.obligations}.values():
            for sentence in owed_sentences(owing):
                lines += paragraph(f"run {plain(owing.id)} owes {sentence}", width, 2, 2)
        lines += paragraph(
            "What is owed is tried again by every tick, and is done first when the region answers.", width, 2
        )
    lines += ["", *_facts(state, topology, width)]
    if run is not None and (ways := commands_now(run)):
        lines += ["", "What you can do now:"]
        lines += table((Column(), Column(wraps=True)), [(way.command, way.meaning) for way in ways], width)
    return "\n".join(lines) + "\n"


def primary_of(state: LogState, topology: Topology) -> str:
    return state.primary or topology.primary


def _first(state: LogState, application: str, primary: str) -> str:
    if state.run is not None:
        return f"{application}: {headline(state.run)}"
    if state.obligations:
        names = list(dict.fromkeys(plain(step.name) for _, step in state.obligations))
        return f"{application} is DEGRADED: the primary is {plain(primary)}, and {owes(names)}."
    return f"{application}: no run is open; the primary is {plain(primary)}."


def _facts(state: LogState, topology: Topology, width: int) -> list[str]:
    primary = primary_of(state, topology)
    differs = f" (cloudfail.yaml says {plain(topology.primary)})" if primary != topology.primary else ""
    rows = [
        ("primary", plain(primary) + differs),
        ("regions", ", ".join(plain(name) for name in topology.regions)),
        (
            "objectives",
            f"RTO {seconds(topology.objectives.rto_seconds)}, RPO {seconds(topology.objectives.rpo_seconds)}",
        ),
        ("automation", _automation(state, topology)),
        ("standing plan", _standing(state)),
    ]
    if state.run is not None:
        rows.append(("worker", _worker(state, state.run)))
    else:
        rows.append(("last run", _last(state)))
    return table((Column(), Column(wraps=True)), rows, width)


def _automation(state: LogState, topology: Topology) -> str:
    if state.automation_paused_by:
        return f"PAUSED by {plain(state.automation_paused_by)}; to go on: cloudfail resume --automation"
    return str(topology.policy.automation)


def _standing(state: LogState) -> str:
    if state.standing is None:
        return "none"
    checksum, at, by, expires_seconds = state.standing
    return f"{short(checksum)}, signed by {plain(by)} at {moment(at)}, until {moment(at + expires_seconds)}"


def _worker(state: LogState, run: RunState) -> str:
    if not state.holder:
        return f"none holds the lease; to carry run {plain(run.id)} on: {command('cloudfail', 'resume', run.id)}"
    return f"{plain(state.holder)} holds the lease of {seconds(state.lease_seconds)} (epoch {state.epoch})"


def _last(state: LogState) -> str:
    if not state.runs:
        return "none"
    run = list(state.runs.values())[-1]
    return f"{headline(run)} Opened {moment(run.opened_at)}, closed {moment(run.closed_at)}."


def runs_text(state: LogState, width: int = WIDTH) -> str:
    """`cloudfail runs`: one line for each run, the newest first."""
    if not state.runs:
        return "There was no run yet.\n"
    columns = (
        Column("run", most=24),
        Column("opened", most=24),
        Column("mode"),
        Column("way", most=36),
        Column("phase"),
        Column("took", right=True),
        Column("plan"),
        Column("by, because", wraps=True),
    )
    rows = [
        (
            plain(run.id),
            moment(run.opened_at),
            str(run.plan.mode),
            f"{plain(run.plan.source)} → {plain(run.plan.target)}",
            str(run.phase),
            seconds(run.t),
            short(run.plan.checksum),
            f"{plain(run.opened_by)}: {plain(run.reason)}",
        )
        for run in reversed(list(state.runs.values()))
    ]
    return "\n".join(table(columns, rows, width, indent=0)) + "\n"
