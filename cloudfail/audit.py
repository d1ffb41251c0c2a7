"""What a log proves: an unbroken chain, and for every effect an intent before it and an answer after it (I9). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cloudfail.model.journal import Entry, Kind


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


def verify(entries: Iterable[Entry]) -> Verdict:
    """The chain itself was checked while it was read (`journal.decode`); here, what it must contain."""
    problems: list[str] = []
    pending: dict[tuple[str, str, str], Entry] = {}
    epoch = 0
    head = ""
    count = 0
    for entry in entries:
        count += 1
        head = entry.digest
        if entry.kind is Kind.CLAIM:
            epoch = entry.seq
        elif entry.by_holder and entry.epoch != epoch:
            problems.append(f"Entry {entry.seq} was written under epoch {entry.epoch} while {epoch} held the lease.")
        if entry.kind in {Kind.INTENT, Kind.RESULT, Kind.SEEN}:
            key = (entry.data["run"], entry.data["step"], entry.data["way"])
            if entry.kind is Kind.INTENT:
                pending[key] = entry
            elif entry.kind is Kind.RESULT and pending.pop(key, None) is None:
                problems.append(f"Entry {entry.seq} is a result of {key[1]} with no intent before it.")
            elif entry.kind is Kind.SEEN:
                pending.pop(key, None)
    waiting = tuple(
        f"{entry.data['step']} of run {entry.data['run']} (entry {entry.seq})" for entry in pending.values()
    )
    return Verdict(count, head, tuple(problems), waiting)
