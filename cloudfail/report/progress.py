"""One plain line for each journal entry that a person waits for, where there is no terminal to draw on.

Most entries are not worth a line: renewals, samples, and a call that came back with ok, since that completes nothing
(design.md §4 rule 5). Times are wall time (UTC), then seconds since the run was opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.config import durations
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.state import LogState, RunState, Track
from cloudfail.model.capacity import from_entry, in_words
from cloudfail.model.journal import Entry, Kind
from cloudfail.report.situation import headline, moves
from cloudfail.report.wording import clock, offset, plain, short


def line_for(entry: Entry, state: LogState) -> str | None:
    """The line for `entry`, or None. `state` is the log's state with `entry` already folded in."""
    said = _said(entry, state)
    if said is None:
        return None
    run = state.runs.get(str(entry.data.get("run", "")))
    t = entry.t if entry.t is not None else (run.t if run is not None and entry.kind is Kind.COMMAND else None)
    when = f"{clock(entry.at)} {offset(t)}" if t is not None else clock(entry.at)
    return f"{when} {said}"


def told_once(say: Callable[[Entry, str], None], since: int = 0) -> Callable[[Entry, LogState], None]:
    """For whoever listens to engines: `say` is called once with each entry behind number `since` that is worth a line.
    Engines come and go with each turn, and every one tells all that it reads."""
    told = since

    def tell(entry: Entry, state: LogState) -> None:
        nonlocal told
        if entry.seq <= told:
            return
        told = entry.seq
        line = line_for(entry, state)
        if line:
            say(entry, line)

    return tell


def _said(entry: Entry, state: LogState) -> str | None:
    data, by = entry.data, plain(entry.by)
    run = state.runs.get(str(data.get("run", "")))
    match entry.kind:
        case Kind.CLAIM if data.get("took_over"):
            quiet = float(data.get("quiet_seconds") or 0.0)
            pause = f"; nothing is changed for {durations.written(quiet)}" if quiet else ""
            return f"{by} took over from a worker that fell silent{pause}"
        case Kind.REVIEWED:
            return f"plan {short(str(data['checksum']))} was reviewed by {by}"
        case Kind.STANDING:
            checksum = str(data.get("checksum") or "")
            return f"{by} signed plan {short(checksum)} as standing" if checksum else f"{by} withdrew the standing plan"
        case Kind.SEALED:
            return f"{by} sealed this log; it goes on in {plain(data['to'])}: {plain(data['reason'])}"
        case Kind.BEGUN:
            return f"{by} began this log ({plain(data['why'])}), after {plain(data['before'])}: {plain(data['reason'])}"
        case Kind.MERGED if data["part"] == data["parts"]:
            return f"{by} carried in the log of {plain(data['before'])}: {plain(data['reason'])}"
        case Kind.OPENED:
            if run is None:
                return f"{by} asked for run {plain(data['run'])}, and another one is open"
            return f"run {plain(run.id)} opened by {by}: {moves(run.plan)}; {plain(run.reason)}"
        case Kind.INTENT:
            attempt = f" (attempt {data['attempt']})" if data.get("attempt", 1) > 1 else ""
            return f"{_track(data)}  ordered{attempt}  {plain(data.get('effect', ''))}".rstrip()
        case Kind.RESULT if data.get("outcome") != "ok":
            return f"{_track(data)}  {plain(data['outcome'])}  {plain(data.get('message', ''))}".rstrip()
        case Kind.SEEN if data.get("ended") != "skipped":
            return f"{_track(data)}  {plain(data['ended'] or 'waits')}  {plain(data.get('detail', ''))}".rstrip()
        case Kind.GATE:
            event = plain(data["event"]).removeprefix("gate ")
            detail = plain(data.get("detail", "")).removeprefix(f"{plain(data['step'])}: ")
            return f"{plain(data['step'])}  gate {event}  {detail}".rstrip()
        case Kind.HALT:
            return f"{plain(data['event']).upper()}  {plain(data['reason'])} {plain(data['to_do'])}".rstrip()
        case Kind.COMMAND:
            return _command(data, by, run)
        case Kind.CLOSED:
            return None if run is None else headline(run)
        case _:
            return None


def _track(data: Mapping[str, Any]) -> str:
    return plain(Track(str(data["step"]), str(data["way"])))


def _command(data: Mapping[str, Any], by: str, run: RunState | None) -> str:
    event, reason = plain(data["command"]), plain(data.get("reason", ""))
    if run is None:
        words = {Event.PAUSE: "paused automation", Event.RESUME: "resumed automation"}
        said = next((text for one, text in words.items() if one == event), f"asked to {event}, of no run")
    else:
        accepted = []
        if data.get("accept_owed_fence"):
            accepted.append("accepts the owed fence")
        if data.get("loss_seconds") is not None:
            accepted.append(f"accepts the loss of {float(data['loss_seconds']):g} s of writes")
        if data.get("capacity"):
            accepted.append(f"only with {in_words(from_entry(data['capacity']))}")
        said = ", ".join([f"says {event}", *accepted])
    return f"{by} {said}" + (f": {reason}" if reason else "")
