"""What anchors prove of a log. Pure.

Whoever can write to the store can write a log that is consistent in itself: every digest computed anew. What he cannot
do is to make it agree with an anchor that was signed before with a key that he does not have, and that stands where he
cannot take it away. So:

- an anchor that agrees with its entry proves that entry and every one before it, since each holds the digest of the one
  before;
- one that disagrees says that the log was written anew, from some entry after the last that an anchor agrees with;
- one for an entry behind the log's end says that the end was cut off;
- two that disagree with each other say that there were two logs under one name, whichever of them is left.

An anchor names its log by the digest of the log's first entry. So a log that was moved to another store, or a journal
that was kept by hand, is held against its own anchors where it was carried in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cloudfail.execution.lifecycle import Event
from cloudfail.execution.origin import carried_on, chain
from cloudfail.execution.state import LogState, fold
from cloudfail.model.anchor import Anchor
from cloudfail.model.journal import BrokenChain, Entry, Kind

ANCHORED = "anchored"
"""The sample in which whoever made anchors says so."""
_NONE = "No entry of it can be trusted."


@dataclass(frozen=True)
class Point:
    """An entry that is to be anchored, and why."""

    seq: int
    digest: str
    why: str

    def __str__(self) -> str:
        return f"entry {self.seq} ({self.why})"


def why_anchored(entry: Entry, log: LogState) -> str:
    """Why `entry` is to be anchored, "" if it is not; `log` is what the log said with it. An open run, a gate, a
    promotion that was announced, an end, and a plan that somebody signed for automation."""
    data = entry.data if isinstance(entry.data, Mapping) else {}
    run = log.runs.get(str(data.get("run", "")))
    match entry.kind:
        case Kind.BEGUN:
            return f"begun, {data.get('why')}"
        case Kind.MERGED if log.carried is None:
            return "carried in"
        case Kind.STANDING:
            checksum = str(data.get("checksum", ""))
            return f"standing plan {checksum[:8]}" if checksum else "standing plan withdrawn"
        case Kind.OPENED if run is not None and log.open_run == run.id:
            return f"opened {run.id}"
        case Kind.GATE if run is not None and data.get("event") == Event.GATE_OPENED:
            return f"gate {data.get('step')} of {run.id}"
        case Kind.INTENT if run is not None and data.get("way") in {"do", "owed"}:
            step = next((one for one in run.plan.steps if one.name == data.get("step")), None)
            irreversible = step is not None and step.point_of_no_return
            return f"point of no return: {data.get('step')} of {run.id}" if irreversible else ""
        case Kind.CLOSED | Kind.COMMAND if run is not None and run.phase.final:
            ends = entry.kind is Kind.CLOSED or data.get("command") == Event.CLOSE
            return f"closed {run.id}, {run.phase}" if ends else ""
    return ""


@dataclass(frozen=True)
class Understood:
    """A log as it was read for its anchors. `carried`: the logs that were carried into it, each from its first entry.
    `strange`: the entry that says what no entry says, where reading ended; well chained it may be all the same."""

    points: tuple[Point, ...] = ()
    log: LogState = field(default_factory=LogState)
    carried: tuple[tuple[Entry, ...], ...] = ()
    strange: str = ""
    strange_seq: int = 0


def understood(entries: Iterable[Entry], start: LogState | None = None) -> Understood:
    """`start`: an empty log that knows whose approvals count."""
    log = start or LogState()
    found: list[Point] = []
    carried: list[tuple[Entry, ...]] = []
    for entry in entries:
        try:
            before, log = log, fold(log, [entry])
            why = why_anchored(entry, log)
            if entry.kind is Kind.MERGED and log.merged - before.merged:
                inside = carried_on(before.carried, entry.data)
                carried += _with_what_it_carried(chain(inside.bodies if inside else ()))
        except BrokenChain as error:
            return Understood(tuple(found), log, tuple(carried), error.happened, entry.seq)
        if why:
            found.append(Point(entry.seq, entry.digest, why))
    return Understood(tuple(found), log, tuple(carried))


def _with_what_it_carried(entries: Sequence[Entry]) -> list[tuple[Entry, ...]]:
    return [tuple(entries), *understood(entries).carried]


def anchored(log: LogState, first: str) -> dict[str, int]:
    """Place -> the newest entry that was anchored there, as the log whose first entry has that digest says itself. (A
    log that was carried in says it too, of its own numbers.)"""
    said = log.samples.get(ANCHORED)
    if not isinstance(said, Mapping) or said.get("first") != first or not isinstance(said.get("places"), Mapping):
        return {}
    return {str(place): seq for place, seq in said["places"].items() if isinstance(seq, int)}


def as_sample(first: str, places: Mapping[str, int]) -> dict[str, Any]:
    return {ANCHORED: {"first": first, "places": dict(places)}}


@dataclass(frozen=True)
class Seen:
    """What was found in a place under one number: an anchor and who signed it, or why it is none."""

    place: str
    number: int
    anchor: Anchor | None = None
    signer: str = ""
    problem: str = ""

    def __str__(self) -> str:
        return f"anchor {self.number} in {self.place}" if self.number else self.place


_Found = tuple[Seen, Anchor]


@dataclass(frozen=True)
class Proof:
    """`proven`: every entry up to this one is as it was when it was anchored; 0 if none is. `places`: place -> newest
    entry that it proves. `unread`: place -> why it could not be read. `unproven`: what should be anchored and is not
    covered. `late`: what is covered by a later anchor only, so that it was unproven for a while."""

    proven: int = 0
    problems: tuple[str, ...] = ()
    places: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    unproven: tuple[Point, ...] = ()
    late: tuple[Point, ...] = ()


def compare(
    entries: Sequence[Entry],
    seen: Sequence[Seen],
    log: Understood,
    *,
    broken: bool = False,
    read: Sequence[str] = (),
    unread: Mapping[str, str] | None = None,
) -> Proof:
    """Hold a log, and the logs that were carried into it, against their anchors. broken: whether `entries` end where
    the chain does, so that an anchor behind them says nothing of a cut. read: the places that were read, also those
    that hold nothing."""
    good = sorted(((one, one.anchor) for one in seen if one.anchor is not None and not one.problem), key=_by_seq)
    problems = [f"{_first_up(str(one))} proves nothing: {one.problem}" for one in seen if one.problem]
    problems += _forks([anchor for _, anchor in good])
    first = entries[0].digest if entries else ""
    own: list[_Found] = []
    for before in log.carried:
        begins = before[0].digest if before else ""
        of_it = [
            found for found in good if found[1].first == begins or (not found[1].first and _holds(before, found[1]))
        ]
        good = [found for found in good if found not in of_it]
        problems += _held_against(before, of_it, "The log that was carried in")[1]
    for found in good:
        if found[1].first in {"", first}:
            own.append(found)
    strangers = [found for found in good if found not in own]
    if strangers and entries:
        problems.append(_written_anew("The log", (strangers[0][0], replace(strangers[0][1], seq=1)), []))
        if own:
            problems[-1] = problems[-1].removesuffix(_NONE) + "Or another log was written under its name."
    elif strangers:
        own = strangers
    proven, against = _held_against(entries, own, "The log", broken=broken)
    problems += against
    places = dict.fromkeys((*read, *(one.place for one in seen)), 0)
    agreeing = [found for found in own if _holds(entries, found[1]) and found[1].seq <= proven]
    for one, anchor in agreeing:
        places[one.place] = max(places[one.place], anchor.seq)
    for place, seq in anchored(log.log, first).items():
        held = max((anchor.seq for one, anchor in own if one.place == place), default=0)
        if place in read and held < seq:
            problems.append(
                f"The log says that entry {seq} was anchored in {place}, and no anchor there reaches further than "
                f"entry {held}: anchors were taken away."
            )
    exactly = {anchor.seq for _, anchor in agreeing}
    return Proof(
        proven=proven,
        problems=tuple(problems),
        places=places,
        unread=dict(unread or {}),
        unproven=tuple(point for point in log.points if point.seq > proven),
        late=tuple(point for point in log.points if point.seq <= proven and point.seq not in exactly),
    )


def _holds(entries: Sequence[Entry], anchor: Anchor) -> bool:
    return anchor.seq <= len(entries) and entries[anchor.seq - 1].digest == anchor.digest


def _held_against(
    entries: Sequence[Entry], good: Sequence[_Found], what: str, *, broken: bool = False
) -> tuple[int, list[str]]:
    """Up to where the entries are proven by these anchors, which are in the order of their entries, and what is
    wrong."""
    problems = []
    agreeing = [anchor.seq for _, anchor in good if _holds(entries, anchor)]
    disagreeing = [found for found in good if found[1].seq <= len(entries) and not _holds(entries, found[1])]
    beyond = [found for found in good if found[1].seq > len(entries)]
    proven = max(agreeing, default=0)
    if disagreeing:
        problems.append(_written_anew(what, disagreeing[0], agreeing))
        proven = max((seq for seq in agreeing if seq < disagreeing[0][1].seq), default=0)
    if beyond and not broken:
        one, anchor = beyond[-1]
        problems.append(
            f"{what} was truncated: it ends with entry {len(entries)}, and {_who(one)} holds entry "
            f"{anchor.seq}{_why(anchor)}."
        )
    return proven, problems


def _forks(anchors: Iterable[Anchor]) -> list[str]:
    digests: dict[tuple[str, int], dict[str, Anchor]] = {}
    for anchor in anchors:
        digests.setdefault((anchor.first, anchor.seq), {}).setdefault(anchor.digest, anchor)
    return [
        f"The log was forked: entry {seq} was anchored with {len(found)} different digests, "
        f"by {' and by '.join(sorted({anchor.by or 'somebody' for anchor in found.values()}))}."
        for (_, seq), found in digests.items()
        if len(found) > 1
    ]


def _written_anew(what: str, first: _Found, agreeing: Sequence[int]) -> str:
    one, anchor = first
    below = max((seq for seq in agreeing if seq < anchor.seq), default=0)
    above = [seq for seq in agreeing if seq > anchor.seq]
    trusted = f"Entry {below + 1} is the first that cannot be trusted." if below else _NONE
    how = "forked" if above else "rewritten"
    return f"{what} was {how}: entry {anchor.seq} is not the one that {_who(one)} holds{_why(anchor)}. {trusted}"


def _who(one: Seen) -> str:
    return f"{one}, signed by {one.signer}," if one.signer else str(one)


def _why(anchor: Anchor) -> str:
    return f" ({anchor.why})" if anchor.why else ""


def _by_seq(pair: _Found) -> tuple[int, str, int]:
    return pair[1].seq, pair[0].place, pair[0].number


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]
