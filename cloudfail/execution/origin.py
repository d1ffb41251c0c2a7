"""Where a log begins, and what was carried into it from another log. Pure.

A log that was moved begins with `begun` and then holds the old one in parts, body for body, so that its chain can still
be checked; until the last part stands there nothing else is appended (journal.py), so that nobody acts on half of it.
A journal that was kept by hand while the store was out of reach is carried in by the same parts, behind what stands.

Epochs only grow over all of this: a claim's epoch is its number plus `epoch_base`, which a beginning sets above every
epoch of the log before.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cloudfail.execution.lifecycle import Phase
from cloudfail.model.journal import GENESIS, BrokenChain, Entry, decode

if TYPE_CHECKING:
    from cloudfail.execution.state import LogState, RunState

PART_BYTES_MAX = 128 * 1024
"""Packed. Every store takes an entry of that size (DynamoDB: 400 KB an item)."""

Fold = Callable[["LogState", Iterable[Entry]], "LogState"]


class Why(StrEnum):
    """MOVED: the old log was sealed and is carried over whole. LOST: it was not reached. BREAK_GLASS: a journal beside
    the store, until the store answers again."""

    MOVED = "moved"
    LOST = "lost"
    BREAK_GLASS = "break-glass"


@dataclass(frozen=True)
class Origin:
    """Why and by whom a log was begun, and the URL of the one before. sealed: whether that takes no more entries."""

    why: Why
    before: str
    by: str
    at: float
    reason: str
    sealed: bool


@dataclass(frozen=True)
class Carried:
    """Parts of another log as far as they have come. `head` is that log's last digest, and names it."""

    head: str
    bodies: tuple[str, ...] = ()
    parts: int = 0


def parted(bodies: list[bytes]) -> list[str]:
    """The bodies of a log, packed into parts of at most PART_BYTES_MAX (but for a single entry above it)."""
    parts: list[str] = []
    waiting: list[str] = []
    size = 0
    for body in bodies:
        if waiting and size + len(body) > PART_BYTES_MAX:
            parts.append(_packed(waiting))
            waiting, size = [], 0
        waiting.append(body.decode())
        size += len(body)
    return [*parts, _packed(waiting)] if waiting else parts


def _packed(bodies: list[str]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(bodies, ensure_ascii=False).encode(), 6)).decode()


def unpacked(part: str) -> tuple[str, ...]:
    """The bodies of one part. Raises ValueError for what is none."""
    try:
        return tuple(json.loads(zlib.decompress(base64.b64decode(part))))
    except zlib.error as error:
        raise ValueError(str(error)) from error


def chain(bodies: Iterable[str]) -> list[Entry]:
    """The entries of a carried log, each checked against the one before. Raises BrokenChain."""
    entries: list[Entry] = []
    previous = GENESIS
    for seq, body in enumerate(bodies, 1):
        entries.append(decode(seq, body.encode(), previous))
        previous = entries[-1].digest
    return entries


def carried_on(carried: Carried | None, data: Mapping[str, Any]) -> Carried | None:
    """With one more part. One that does not follow changes nothing."""
    if data["part"] == 1:
        carried = Carried(data["head"])
    if carried is None or carried.head != data["head"] or data["part"] != carried.parts + 1:
        return carried
    try:
        return Carried(carried.head, (*carried.bodies, *unpacked(data["packed"])), carried.parts + 1)
    except ValueError:
        return carried


def begun(state: LogState, entry: Entry) -> LogState:
    """The log begins anew: what stood before it in this store is not this log's past.

    The worker that held the lease of a log that could not be sealed may still act on it. So it counts as the holder
    here too, silent from now on: whoever claims waits for its lease and its longest call to run out."""
    data = entry.data
    why = Why(data["why"])
    return replace(
        type(state)(approvers=state.approvers),
        seq=entry.seq,
        holder_seq=entry.seq,
        epoch_base=data["epoch_base"],
        holder="" if data["sealed"] else f"a worker on {data['before']}",
        lease_seconds=data["lease_seconds"],
        primary=data["primary"],
        automation_paused_by=entry.by if why is not Why.MOVED else "",
        origin=Origin(why, data["before"], entry.by, entry.at, data["reason"], data["sealed"]),
    )


def merged(state: LogState, entry: Entry, fold: Fold) -> LogState:
    """One more part of another log; with the last one, what that log says is ours."""
    data = entry.data
    carried = carried_on(state.carried, data)
    if carried is None or carried.parts != data["parts"] or data["head"] in state.merged:
        return replace(state, carried=carried)
    try:
        other = fold(type(state)(approvers=state.approvers), chain(carried.bodies))
    except BrokenChain as error:
        return replace(state, carried=None, refused=f"entry {entry.seq} carries a log whose chain is broken: {error}")
    heads = state.merged | {data["head"]}
    above = max(state.epoch_base, other.epoch_base + other.seq)
    if data["whole"]:
        return replace(
            other,
            seq=entry.seq,
            holder_seq=entry.seq,
            epoch_base=above,
            origin=state.origin,
            merged=heads | other.merged,
            carried=None,
        )
    runs = {**state.runs, **{name: run for name, run in other.runs.items() if run.phase.final}}
    ends = data["ends"]
    if ends and ends == state.open_run:
        runs[ends] = _ended(runs[ends], entry)
    elif ends and ends == other.open_run:
        runs[ends] = _ended(other.runs[ends], entry)
    origin = state.origin
    if origin is not None and origin.before == data["before"]:
        origin = replace(origin, sealed=True)
    return replace(
        state,
        runs=runs,
        open_run="" if ends == state.open_run else state.open_run,
        origin=origin,
        primary=data["primary"] or state.primary,
        epoch_base=above,
        merged=heads | other.merged,
        carried=None,
    )


def _ended(run: RunState, entry: Entry) -> RunState:
    from cloudfail.execution.state import Sentence  # which folds by this module

    text = (
        f"The application was moved without this log; {entry.by} ended this run as it stood. What it owes stays owed."
    )
    sentence = Sentence(run.t, entry.at, Phase.DEGRADED, text, entry.by)
    return replace(run, phase=Phase.DEGRADED, closed_at=entry.at, story=(*run.story, sentence))
