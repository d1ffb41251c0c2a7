"""What a log proves: an unbroken chain, and for every effect an intent before it and an answer after it (I9). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cloudfail.execution.origin import Carried, carried_on, chain
from cloudfail.execution.state import LogState, fold
from cloudfail.model.journal import BrokenChain, Entry, Kind


@dataclass(frozen=True)
class Verdict:
    """`problems` empty: consistent. `lines` for people. `head` is the last entry's digest, to be kept elsewhere."""

    entries: int
    head: str
    problems: tuple[str, ...]
    open_intents: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        state = "BROKEN" if self.problems else "consistent"
        return (
            f"{self.entries} entries, chain {state}; head {self.head or 'none'}",
            *self.problems,
            *(f"no result yet: {intent}" for intent in self.open_intents),
            "Consistent is not proven: keep the head above in a place that the store's owner cannot write to.",
        )


_Pending = dict[tuple[str, str, str], Entry]


def verify(entries: Iterable[Entry]) -> Verdict:
    """The chain itself was checked while it was read (`journal.decode`); here, what it must contain. A log that was
    carried in from another store is held to the same."""
    problems: list[str] = []
    pending: _Pending = {}
    head, count = "", 0
    for entry in _checked(entries, problems, pending):
        head, count = entry.digest, count + 1
    waiting = tuple(
        f"{entry.data['step']} of run {entry.data['run']} (entry {entry.seq})" for entry in pending.values()
    )
    return Verdict(count, head, tuple(problems), waiting)


def _checked(entries: Iterable[Entry], problems: list[str], pending: _Pending, where: str = "") -> Iterator[Entry]:
    log = LogState()
    for entry in entries:
        yield entry
        before, log = log, fold(log, [entry])
        if entry.by_holder and entry.kind is not Kind.CLAIM and entry.epoch != before.epoch:
            problems.append(
                f"{where}Entry {entry.seq} was written under epoch {entry.epoch} while {before.epoch} held the lease."
            )
        if entry.kind is Kind.CLAIM and entry.epoch != log.epoch:
            problems.append(f"{where}Entry {entry.seq} claims epoch {entry.epoch}, and its own is {log.epoch}.")
        if entry.kind is Kind.MERGED:
            carried = carried_on(before.carried, entry.data)
            if carried is not None and carried.parts == entry.data["parts"] and entry.data["head"] not in before.merged:
                _check_carried(carried, entry, problems, pending, where)
        if entry.kind in {Kind.INTENT, Kind.RESULT, Kind.SEEN}:
            key = (entry.data["run"], entry.data["step"], entry.data["way"])
            if entry.kind is Kind.INTENT:
                pending[key] = entry
            elif entry.kind is Kind.RESULT and pending.pop(key, None) is None:
                problems.append(f"{where}Entry {entry.seq} is a result of {key[1]} with no intent before it.")
            elif entry.kind is Kind.SEEN:
                pending.pop(key, None)


def _check_carried(carried: Carried, last: Entry, problems: list[str], pending: _Pending, where: str) -> None:
    inside = f"{where}In the log of {last.data['before']}, carried in by entry {last.seq}: "
    try:
        head = ""
        for entry in _checked(chain(carried.bodies), problems, pending, inside):
            head = entry.digest
    except BrokenChain as error:
        problems.append(f"{inside}{error}")
        return
    if head != carried.head:
        problems.append(f"{inside}its head is {head}, and {carried.head} was announced.")
