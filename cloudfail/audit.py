"""What a log proves: an unbroken chain, and for every effect an intent before it and an answer after it (I9). Pure.

*Consistent* is what the log can say of itself. *Proven* needs anchors (`cloudfail.proof`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cloudfail.execution.origin import Carried, carried_on, chain
from cloudfail.execution.state import LogState, fold
from cloudfail.model.anchor import head_line
from cloudfail.model.journal import GENESIS, BrokenChain, Entry, Kind, decode
from cloudfail.proof import Proof, Seen, compare, understood


@dataclass(frozen=True)
class Verdict:
    """`problems` empty: consistent, or proven as far as `proof` says. `open_intents`: effects with no answer yet."""

    entries: int
    head: str
    problems: tuple[str, ...]
    open_intents: tuple[str, ...]
    application: str = ""
    proof: Proof = field(default_factory=Proof)

    @property
    def state(self) -> str:
        """broken; unread: there are places for anchors, and none could be read; proven, up to an entry; consistent."""
        if self.problems:
            return "broken"
        if self.proof.proven:
            return "proven"
        return "unread" if self.proof.unread and not self.proof.places else "consistent"

    @property
    def head_line(self) -> str:
        """To be kept; "" of an empty log."""
        return head_line(self.application, self.entries, self.head) if self.entries else ""


def decoded(bodies: Sequence[tuple[int, bytes]]) -> tuple[list[Entry], str]:
    """The entries up to where the chain breaks, and how it breaks ("" if it does not). `bodies`: as they were stored,
    with their numbers."""
    entries: list[Entry] = []
    previous = GENESIS
    for place, (seq, body) in enumerate(bodies, start=1):
        if seq != place:
            return entries, f"Entry {place} of the log is not there, and entry {seq} is."
        try:
            entries.append(decode(seq, body, previous))
        except BrokenChain as broken:
            return entries, broken.happened
        previous = entries[-1].digest
    return entries, ""


def judge(
    application: str,
    bodies: Sequence[tuple[int, bytes]],
    seen: Sequence[Seen] = (),
    read: Sequence[str] = (),
    unread: Mapping[str, str] | None = None,
    start: LogState | None = None,
) -> Verdict:
    """Everything that can be said of a log and its anchors. read, unread: the places where anchors were looked for.
    start: an empty log that knows whose approvals count."""
    entries, gap = decoded(bodies)
    log = understood(entries, start)
    own = verify(entries[: len(entries) if not log.strange else log.strange_seq - 1])
    proof = compare(entries, seen, log, broken=bool(gap), read=read, unread=unread)
    problems = [found for found in (gap, log.strange, *own.problems, *proof.problems) if found]
    head = entries[-1].digest if entries else ""
    return Verdict(len(entries), head, tuple(problems), own.open_intents, application, proof)


_Pending = dict[tuple[str, str, str], Entry]


def verify(entries: Iterable[Entry]) -> Verdict:
    """The chain itself was checked while it was read (`journal.decode`); here, what it must contain. A log that was
    carried in from another store is held to the same."""
    problems: list[str] = []
    pending: _Pending = {}
    head, count = "", 0
    for entry in _checked(entries, problems, pending):
        head, count = entry.digest, count + 1
    waiting = tuple(f"{step} of run {run} (entry {entry.seq})" for (run, step, _), entry in pending.items())
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
            run, step, way = (str(entry.data.get(name, "")) for name in ("run", "step", "way"))
            key = (run, step, way)
            if entry.kind is Kind.INTENT:
                pending[key] = entry
            elif entry.kind is Kind.RESULT and pending.pop(key, None) is None:
                problems.append(f"{where}Entry {entry.seq} is a result of {step} with no intent before it.")
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
