"""Where the log itself has to go: to another store, or beside the store while that is out of reach.

Automation never comes here: without its store it does nothing. A named person moves the log (`move`), keeps a journal
by hand while the store does not answer (`break_glass`), and carries that journal in afterwards (`merge`).

Why no two logs are alive at once, where the old store answers: it is sealed first, by an append, so that whoever writes
to it has read the seal; then the new one is begun, and takes no entry of anybody's before it has come whole. A process
killed in between leaves a log that nobody can use, and the same command finishes it. Where the old store does not
answer, nothing can keep its workers from going on if *they* reach it: that is why a person says, in a sentence of his
own typing, that they are stopped, why the new log counts one of them as the holder of the lease, and why the status
says that the old store must be sealed as soon as it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cloudfail.clock import Clock
from cloudfail.config.loaded import Loaded
from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.origin import Why, parted
from cloudfail.execution.state import LogState, fold
from cloudfail.journal import Journal, TailMoved, moved
from cloudfail.model.journal import Entry, Kind
from cloudfail.ports import Store
from cloudfail.secrecy import secret
from cloudfail.stores import open_store, store_kind

EPOCHS_ABOVE = 1_000_000
ATTEMPTS_MAX = 1_000
"""How often an append may find that somebody was first, before it is given up."""


@dataclass(frozen=True)
class Moved:
    """What `move` did. entries: how many of the old log are in the new one; sealed: whether the old one takes no more;
    unreachable: why not, where it does not answer."""

    entries: int
    sealed: bool
    unreachable: str = ""


def lost_sentence(application: str) -> str:
    """What a person types to begin anew without the old log."""
    return f"the state of {application} is lost and every scheduler of it is stopped"


def break_glass_sentence(application: str) -> str:
    """What a person types to move an application by hand, beside its store."""
    return f"every scheduler of {application} is stopped and I move it by hand"


class _Log:
    """One store's log of an application, as far as one person has read it."""

    def __init__(self, store: Store, application: str, clock: Clock, by: str) -> None:
        self.journal = Journal(store, application, clock, by)
        self.state = LogState()
        self.last: Entry | None = None
        self.read()

    def read(self) -> None:
        for entry in self.journal.refresh():
            self.state = fold(self.state, [entry])
            self.last = entry

    def append(self, kind: Kind, data: Callable[[], dict[str, object] | None]) -> None:
        """Append what `data` makes of the log as it stands, or nothing where it makes nothing of it."""
        for _ in range(ATTEMPTS_MAX):
            made = data()
            if made is None:
                return
            try:
                self.last = self.journal.append(kind, made)
            except TailMoved:
                self.read()
                continue
            self.state = fold(self.state, [self.last])
            return
        raise StoreUnavailable(
            f"Others appended {ATTEMPTS_MAX} times before us.", "Nothing of ours was written.", "Try again."
        )

    def seal(self, to: str, reason: str) -> None:
        """Let it take no more entries. Raises Refused if it was sealed for another place, StoreUnavailable."""

        def data() -> dict[str, object] | None:
            seal = self.journal.seal
            if seal is None:
                return {"to": to, "reason": reason}
            if seal.kind is Kind.SEALED and seal.data["to"] == to:
                return None
            if seal.kind is Kind.BEGUN:
                raise Refused(
                    f"{seal.by} is moving the log from {seal.data['before']} to this store, and it has not come whole.",
                    "Nothing was changed.",
                    "Finish that first, by the same command again.",
                )
            raise Refused(
                f"{seal.by} moved this log to {seal.data['to']} already ({seal.data['reason']}).",
                "Nothing was changed.",
                f"Write `state: {seal.data['to']}` in cloudfail.yaml, and move it from there.",
            )

        self.append(Kind.SEALED, data)

    def bodies(self) -> list[bytes]:
        return [stored.body for stored in self.journal.store.read(self.journal.log, 0)][: self.journal.seq]

    def carry_in(
        self, head: str, bodies: list[bytes], *, before: str, whole: bool, primary: str, reason: str, ends: str = ""
    ) -> None:
        """Append the other log in parts. Goes on where an earlier attempt, or somebody else, has come to. ends: a run
        of this log that ends with it."""
        packed = parted(bodies)

        def data() -> dict[str, object] | None:
            if head in self.state.merged:
                return None
            carried = self.state.carried
            done = carried.parts if carried is not None and carried.head == head else 0
            return {
                "head": head,
                "part": done + 1,
                "parts": len(packed),
                "packed": packed[done],
                "before": before,
                "whole": whole,
                "primary": primary,
                "reason": reason,
                "ends": ends,
            }

        for _ in packed:
            self.append(Kind.MERGED, data)


def _may_be_written(url: str) -> None:
    what = secret("state", url)
    if what is not None:
        raise Refused(
            f"The URL holds {what}.",
            "Nothing was moved: the old log would show it to whoever reads it.",
            "Keep it out of the URL: docs/state.md says where each store finds its own.",
        )


def _outlives(loaded: Loaded, url: str) -> None:
    place = store_kind(url).place(url)
    inside = [region for region in place.regions or () if region in loaded.topology.regions]
    if inside:
        raise Refused(
            f"{url} lives in {inside[0]}, which may be the region that is lost.",
            "Nothing was moved.",
            "Move it to a region that is not in cloudfail.yaml: docs/state.md.",
        )


def _must_say(sentence: str, said: str, option: str) -> None:
    if " ".join(said.lower().split()).rstrip(".") != sentence.lower():
        raise Refused(
            "This needs a sentence of your own typing, and it was not there." if not said else "That is not it.",
            "Nothing was changed.",
            f'If it is true, say so: {option} "{sentence}"',
        )


def move(
    loaded: Loaded,
    url: str,
    *,
    by: str,
    reason: str,
    clock: Clock,
    old_is_lost: bool = False,
    primary: str = "",
    said: str = "",
    opened: Callable[[str], Store] = open_store,
) -> Moved:
    """Carry the application's log from the store of its file to the one behind `url`, and let the old one take no more.

    old_is_lost: begin anew, with `primary` as a person saw it, if the old store does not answer; `said` must be the
    `lost_sentence`. Raises Refused; StoreUnavailable if either store does not answer (but the old one, if it is lost).
    Killed half-way, it is finished by the same call."""
    topology = loaded.topology
    _may_be_written(url)
    _outlives(loaded, url)
    if url == topology.state:
        raise Refused(f"The log is there already: {url}.", "Nothing was changed.", "Name another store: docs/state.md")
    if old_is_lost:
        _must_say(lost_sentence(topology.application), said, "--confirm")
        if primary not in topology.regions:
            raise Refused(
                f"A lost log cannot say where the application serves now, and {primary or 'nothing'} was said.",
                "Nothing was changed.",
                f"Say it: --primary {'|'.join(topology.regions)}",
            )
    new = _Log(opened(url), topology.application, clock, by)
    try:
        old = _Log(opened(topology.state), topology.application, clock, by)
        if new.journal.seal is None and new.journal.seq and not _begun_from(new, topology.state):
            _refuse_a_second_log(new, url)
        old.seal(url, reason)
    except StoreUnavailable as error:
        if not old_is_lost:
            raise StoreUnavailable(
                f"{topology.state} does not answer: {error.happened}",
                "Nothing was moved, and nothing is changed anywhere while it does not.",
                "If it is lost for good, begin anew: cloudfail state move URL --old-is-lost --primary REGION",
            ) from error
        _begin_without(new, loaded, url, primary, reason, clock)
        return Moved(0, sealed=False, unreachable=str(error))
    bodies, head = old.bodies(), old.journal.digest

    def beginning() -> dict[str, object] | None:
        seal = new.journal.seal
        if head in new.state.merged or (seal is not None and seal.kind is Kind.BEGUN and seal.data["head"] == head):
            return None
        if new.journal.seq and (seal is None or seal.kind is not Kind.SEALED):
            _refuse_a_second_log(new, url)
        return {
            "why": str(Why.MOVED),
            "before": topology.state,
            "sealed": True,
            "head": head,
            "parts": len(parted(bodies)),
            "epoch_base": old.state.epoch_base + old.journal.seq + EPOCHS_ABOVE,
            "primary": old.state.primary,
            "lease_seconds": old.state.lease_seconds,
            "reason": reason,
        }

    new.append(Kind.BEGUN, beginning)
    new.carry_in(head, bodies, before=topology.state, whole=True, primary=old.state.primary, reason=reason)
    return Moved(len(bodies), sealed=True)


def _begun_from(new: _Log, before: str) -> bool:
    origin = new.state.origin
    return origin is not None and origin.before == before and origin.why is Why.MOVED


def _refuse_a_second_log(new: _Log, url: str) -> None:
    raise Refused(
        f"{url} holds another log of {new.journal.log}, of {new.journal.seq} entries, that was not moved away.",
        "Nothing was moved.",
        "Move to a store without one, or to another prefix, table or database.",
    )


def _begun_by_hand(log: _Log) -> bool:
    return log.state.origin is not None and log.state.origin.why is Why.BREAK_GLASS


def _begin_without(new: _Log, loaded: Loaded, url: str, primary: str, reason: str, clock: Clock) -> None:
    before = loaded.topology.state

    def beginning() -> dict[str, object] | None:
        origin = new.state.origin
        if origin is not None and origin.before == before and origin.why is Why.LOST and new.journal.seal is None:
            return None
        if new.journal.seq and (new.journal.seal is None or new.journal.seal.kind is not Kind.SEALED):
            _refuse_a_second_log(new, url)
        return _anew(loaded, Why.LOST, primary, reason, clock)

    new.append(Kind.BEGUN, beginning)


def _anew(loaded: Loaded, why: Why, primary: str, reason: str, clock: Clock) -> dict[str, object]:
    """A beginning without the log before: its epochs are above what that can have come to, an entry each millisecond
    since 1970."""
    return {
        "why": str(why),
        "before": loaded.topology.state,
        "sealed": False,
        "head": "",
        "parts": 0,
        "epoch_base": int(clock.wall() * 1000),
        "primary": primary,
        "lease_seconds": loaded.topology.policy.lease_seconds,
        "reason": reason,
    }


def break_glass(loaded: Loaded, url: str, *, source: str, by: str, reason: str, clock: Clock) -> None:
    """Begin a journal in a file of this machine, for one move by hand out of `source`, or go on with it. Raises Refused
    if the store answers (then nothing has to be broken), or if the file holds anything else."""
    topology = loaded.topology
    if not url.startswith("sqlite:") or not url.removeprefix("sqlite:").removeprefix("//"):
        raise Refused(
            f"The journal must be a file of this machine, not {url or 'nothing'}.",
            "Nothing was changed.",
            "Write --journal sqlite:/var/tmp/break-glass.db",
        )
    if source not in topology.regions:
        raise Refused(
            f"There is no region {source} in cloudfail.yaml.",
            "Nothing was changed.",
            f"Name one of: {', '.join(topology.regions)}",
        )
    must_be_out(loaded)
    log = _Log(open_store(url), topology.application, clock, by)

    def beginning() -> dict[str, object] | None:
        origin = log.state.origin
        if log.journal.seal is None and origin is not None and origin.why is Why.BREAK_GLASS:
            return None
        if log.journal.seq:
            _refuse_a_second_log(log, url)
        return _anew(loaded, Why.BREAK_GLASS, source, reason, clock)

    log.append(Kind.BEGUN, beginning)


def must_be_out(loaded: Loaded) -> None:
    """Raises Refused if the store of the file answers."""
    try:
        open_store(loaded.topology.state).read(loaded.topology.application, 0)
    except StoreUnavailable:
        return
    raise Refused(
        f"{loaded.topology.state} answers, so that there is no glass to break.",
        "Nothing was changed.",
        "Go the usual way: cloudfail evacuate REGION. What was done by hand before: cloudfail state merge",
    )


def must_confirm(loaded: Loaded, said: str) -> None:
    """Raises Refused unless the person typed the sentence."""
    _must_say(break_glass_sentence(loaded.topology.application), said, "--confirm")


def merge(loaded: Loaded, url: str, *, by: str, reason: str, clock: Clock, primary: str = "", end_run: str = "") -> int:
    """Carry a journal that was kept by hand, or a log that was given up for lost, into the application's log: its runs,
    what they owe, and epochs above its own. That log is sealed. Returns how many entries it had.

    primary: where the application serves, by a person's word, where the two do not say the same. end_run: the run that
    is open in the application's log, or in one that was given up for lost, to be ended as it stands. Raises Refused,
    StoreUnavailable. Killed half-way, it is finished by the same call."""
    topology = loaded.topology
    log = _Log(open_store(topology.state), topology.application, clock, by)
    if log.journal.seal is not None:
        raise moved(log.journal.seal, topology.application)
    run = log.state.run
    if run is not None and run.id != end_run:
        raise Refused(
            f"Run {run.id} is {run.phase} in the log of {topology.state}.",
            "Nothing was merged: that run knows nothing of what was done by hand since.",
            f"To end it as it stands, so that no worker carries it on: --end-run {run.id}",
        )
    other = _Log(open_store(url), topology.application, clock, by)
    if not other.journal.seq:
        raise Refused(f"{url} holds no log of {topology.application}.", "Nothing was merged.", "Name another file.")
    if other.journal.digest in log.state.merged:
        return other.journal.seq
    if other.state.run is not None and (_begun_by_hand(other) or other.state.run.id != end_run):
        open_there = other.state.run.id
        raise Refused(
            f"Run {open_there} is {other.state.run.phase} in {url}.",
            "Nothing was merged: only what has ended is.",
            f"End it there first: CLOUDFAIL_JOURNAL={url} cloudfail resume {open_there}"
            if _begun_by_hand(other)
            else f"To end it as it stands, so that no worker carries it on: --end-run {open_there}",
        )
    said = {log.state.primary or topology.primary, other.state.primary or topology.primary}
    if primary and primary not in said:
        raise Refused(
            f"Neither log says that {primary} serves: they say {' and '.join(sorted(said))}.",
            "Nothing was merged.",
            f"Say which it is: --primary {'|'.join(sorted(said))}",
        )
    if len(said) > 1 and not primary:
        raise Refused(
            f"The log says that {log.state.primary or topology.primary} serves, and {url} says "
            f"{other.state.primary or topology.primary}.",
            "Nothing was merged.",
            f"Look at the world, and say which it is: --primary {'|'.join(sorted(said))}",
        )
    other.seal(topology.state, reason)
    if run is not None and run.phase.may_act:
        log.append(Kind.COMMAND, lambda: {"run": run.id, "command": str(Event.PAUSE), "reason": reason})
    log.carry_in(
        other.journal.digest,
        other.bodies(),
        before=url,
        whole=False,
        primary=primary or said.pop(),
        reason=reason,
        ends=end_run,
    )
    return other.journal.seq
