"""What an audit found: as text and JSON. And the log's head as the end of other reports, so that a report that somebody
printed or sent is an anchor as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfail.audit import Verdict
from cloudfail.lease import MARGIN_SHARE
from cloudfail.model.journal import Entry, Kind
from cloudfail.proof import Point
from cloudfail.report.wording import clock, counted, plain

_SHOWN = 20


def as_text(verdict: Verdict) -> str:
    """The first line is the verdict; what is wrong comes before what is owed."""
    proof = verdict.proof
    lines = [f"{plain(verdict.application)}: {counted(verdict.entries, 'entry', 'entries')}, {_state(verdict)}."]
    lines += [f"  {plain(problem)}" for problem in verdict.problems]
    lines += [f"  {plain(place)}: anchors that hold up to entry {seq}" for place, seq in proof.places.items()]
    lines += [f"  {plain(place)} could not be read: {plain(why)}" for place, why in proof.unread.items()]
    lines += _listed("not proven", proof.unproven)
    lines += _listed("anchored late, with a later entry", proof.late)
    lines += [f"  no result yet: {plain(intent)}" for intent in verdict.open_intents]
    lines += [f"Head: {verdict.head_line or 'none'}"]
    if verdict.state == "consistent":
        lines += ["Consistent is not proven: whoever can write to the store could have written all of it anew."]
    return "\n".join(lines)


def _state(verdict: Verdict) -> str:
    proven = verdict.proof.proven
    match verdict.state:
        case "broken":
            return f"BROKEN; proven up to entry {proven}" if proven else "BROKEN"
        case "proven":
            rest = verdict.entries - proven
            return f"proven up to entry {proven}" + (f", {rest} behind it consistent" if rest else "")
        case "unread":
            return "consistent, and NOT PROVEN: no place of its anchors could be read"
    return "consistent"


def _listed(what: str, found: Sequence[Point]) -> list[str]:
    more = [f"  {what}: {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [f"  {what}: {plain(point)}" for point in found[:_SHOWN]] + more


def held_as_text(name: str, resource: str, entries: Sequence[Entry]) -> str:
    """The log of one resource: the newest claims, each with how it ended."""
    lines = [f"{plain(name)}: {plain(resource)}"]
    turns: list[tuple[Entry, Entry | None]] = []
    for entry in entries:
        if entry.kind is Kind.CLAIM:
            turns.append((entry, None))
        elif entry.kind is Kind.RELEASE and turns and turns[-1][1] is None:
            turns[-1] = (turns[-1][0], entry)
    if not turns:
        return "\n".join([*lines, "  never held"])
    if len(turns) > _SHOWN:
        lines.append(f"  {len(turns) - _SHOWN} earlier turns")
    for number, (claim, release) in enumerate(turns[-_SHOWN:], start=max(0, len(turns) - _SHOWN)):
        last = number == len(turns) - 1
        lines.append(f"  {clock(claim.at)} {_holder(claim)}  {_until(claim, release, last=last)}")
    return "\n".join(lines)


def _holder(claim: Entry) -> str:
    data = claim.data
    return f"{plain(data['application'])}, run {plain(data['run'])}, {plain(data['step'])} ({plain(claim.by)})"


def _until(claim: Entry, release: Entry | None, *, last: bool) -> str:
    if release is not None:
        quiet = float(release.data["quiet_seconds"])
        wait = f"; others waited {quiet:.0f} s more" if quiet and not last else ""
        wait = f"; others wait {quiet:.0f} s after it" if quiet and last else wait
        return f"held for {max(0.0, release.at - claim.at):.1f} s{wait}"
    if not last:
        return "never gave it back: taken over"
    lapse = float(claim.data["lease_seconds"]) * (1 + MARGIN_SHARE) + float(claim.data["quiet_seconds"])
    return f"holds it, or died: another takes over {lapse:.0f} s after it began to wait"


def as_json(verdict: Verdict) -> dict[str, Any]:
    proof = verdict.proof
    return {
        "application": verdict.application,
        "state": verdict.state,
        "entries": verdict.entries,
        "head": verdict.head_line,
        "proven_up_to": proof.proven,
        "problems": [plain(problem) for problem in verdict.problems],
        "places": {plain(place): seq for place, seq in proof.places.items()},
        "unread": {plain(place): plain(why) for place, why in proof.unread.items()},
        "unproven": [{"seq": point.seq, "why": plain(point.why)} for point in proof.unproven],
        "anchored_late": [{"seq": point.seq, "why": plain(point.why)} for point in proof.late],
        "open_intents": [plain(intent) for intent in verdict.open_intents],
    }


def ending(head: str, owed: Sequence[str] = ()) -> str:
    """The end of a report: the head, and what is not anchored yet."""
    return "\n".join((f"Log's head, to be kept: {plain(head)}", *(plain(line) for line in owed)))
