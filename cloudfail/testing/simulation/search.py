"""Exhaustive search of the run protocol: the production engine, under every order of what may happen, up to a bound.

    python -m cloudfail.testing.simulation.search --preemptions 2

Two workers carry one run (freeze, fence, gate, promote, traffic) over one log and one cloud. At every place where a
worker meets the outside another may go on instead (a preemption), it may die, stand still past its lease, lose the
store or a cloud's answer, and a person may pause, resume or abort; what was sent by a worker that died or stands still
may land at any later moment, or never. A history is a list of such deviations from the undisturbed one. Greenlets
cannot be copied, so each history is played again from its start (`replay`); what leads to a state that was seen before,
with no more left to spend, is not followed (search.Visited).

What makes it small, and what is therefore not covered: time stands on a grid (search_worker.GRID); the looks of one
worker commute, so a look is made at once; a request lands at once unless it is held up or its sender is stopped; only
a worker that holds or claims the lease is disturbed; a late landing, a waking worker and a second claimant come where
they can meet something (search_play.Play.others); a state is told from another by a hash in which ages of more than
100 s are equal. Histories with fewer deviations come first, so the first violation found is among the shortest.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cloudfail.testing.simulation.search_checks import Violation
from cloudfail.testing.simulation.search_play import Option, Play
from cloudfail.testing.simulation.search_state import key_of
from cloudfail.testing.simulation.search_worker import Setting

KINDS = ("preemption", "crash", "still", "cut", "pause", "abort", "resume")
Choices = tuple[tuple[int, str], ...]
Used = tuple[int, ...]


@dataclass(frozen=True)
class Bounds:
    """How much may happen in one history: so many preemptions, each other thing at most once, and so many of those
    together. without: kinds that are left out. states_max, seconds_max: when to stop, whatever is left."""

    preemptions: int = 2
    faults: int = 2
    states_max: int | None = None
    seconds_max: float | None = None
    without: frozenset[str] = frozenset()

    def __str__(self) -> str:
        kinds = ", ".join(kind for kind in KINDS[1:] if kind not in self.without)
        return f"at most {self.preemptions} preemptions and {self.faults} of {kinds}"

    def allow(self, option: Option, used: Used) -> bool:
        if not option.costs:
            return True
        if option.costs in self.without:
            return False
        spent = dict(zip(KINDS, used, strict=True))
        if option.costs == "preemption":
            return spent["preemption"] < self.preemptions
        return not spent[option.costs] and sum(used[1:]) < self.faults


@dataclass
class Found:
    """What a search saw. Complete: nothing within the bounds was left out."""

    bounds: Bounds
    setting: Setting
    states: int = 0
    histories: int = 0
    played: int = 0
    pruned: int = 0
    steps: int = 0
    depth_max: int = 0
    seconds: float = 0.0
    complete: bool = False
    events: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    violations: dict[Violation, Choices] = field(default_factory=dict)

    @property
    def violation(self) -> Violation | None:
        return next(iter(self.violations), None)

    def __str__(self) -> str:
        lines = [
            f"Run protocol, {self.bounds}: {'all of it' if self.complete else 'NOT all of it'}",
            f"  {self.states:>9} states",
            f"  {self.played:>9} histories played, {self.histories} to their end, {self.pruned} into a known state",
            f"  {self.steps:>9} steps, {self.depth_max} in the longest history",
            f"  {self.seconds:>9.1f} s",
            "  deviations: " + ", ".join(f"{self.events[kind]} {kind}" for kind in (*KINDS, "free")),
            "  ends: " + ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items())),
        ]
        for violation, choices in self.violations.items():
            lines += ["", f"VIOLATED {violation}", story(choices, self.setting)]
        return "\n".join(lines)


class Visited:
    """The states that were seen, each with what had been spent by then: a state that is reached again with at least as
    much spent of everything leads nowhere new."""

    def __init__(self) -> None:
        self.seen: dict[int, list[Used]] = {}

    def known(self, key: int, used: Used) -> bool:
        before = self.seen.get(key)
        if before is None:
            self.seen[key] = [used]
            return False
        if any(all(a <= b for a, b in zip(old, used, strict=True)) for old in before):
            return True
        before[:] = [old for old in before if not all(b <= a for a, b in zip(old, used, strict=True))]
        before.append(used)
        return False


def search(
    bounds: Bounds | None = None,
    setting: Setting | None = None,
    *,
    first_only: bool = True,
    tell: Callable[[Found], None] = lambda _found: None,
) -> Found:
    """Play every history within the bounds, fewest deviations first, until one violates an invariant
    (or, without `first_only`, all of them; each violation is kept with the first history that showed it)."""
    bounds, setting = bounds or Bounds(), setting or Setting()
    found, visited = Found(bounds, setting), Visited()
    began = time.monotonic()
    waiting: list[tuple[int, int, Choices]] = [(0, 0, ())]
    count = 0
    while waiting:
        found.seconds = time.monotonic() - began
        if bounds.seconds_max is not None and found.seconds > bounds.seconds_max:
            return found
        if bounds.states_max is not None and len(visited.seen) >= bounds.states_max:
            return found
        _, _, choices = heapq.heappop(waiting)
        more = _explore(setting, bounds, choices, visited, found)
        found.states = len(visited.seen)
        if first_only and found.violation is not None:
            break
        for option_choices in more:
            count += 1
            heapq.heappush(waiting, (len(option_choices), count, option_choices))
        if found.played % 500 == 0:
            tell(found)
    found.seconds = time.monotonic() - began
    found.complete = not waiting
    return found


def _explore(setting: Setting, bounds: Bounds, choices: Choices, visited: Visited, found: Found) -> list[Choices]:
    """Play one history from its start; returns what else could have happened after its last deviation."""
    play = Play(setting)
    more: list[Choices] = []
    found.played += 1
    try:
        _follow(play, choices)
        if choices:
            found.events[play.last_costs or "free"] += 1
        while play.violation is None:
            default = play.default()
            others = play.others(default) if default is not None else play.at_the_end()
            if others or default is None:
                used = tuple(play.used.get(kind, 0) for kind in KINDS)
                if visited.known(key_of(play), used):
                    found.pruned += 1
                    break
                more += [(*choices, (play.steps, option.label)) for option in others if bounds.allow(option, used)]
            if default is None:
                found.histories += 1
                _end(play)
                found.ends[str(play.phase)] += 1
                break
            play.take(default)
    finally:
        play.close()
    found.steps += play.steps
    found.depth_max = max(found.depth_max, play.steps)
    if play.violation is not None:
        found.violations.setdefault(play.violation, choices)
    return more


def _follow(play: Play, choices: Choices) -> None:
    """Play up to and including the last of these deviations."""
    for at, label in choices:
        while play.steps < at and play.violation is None:
            default = play.default()
            if default is None:
                raise LookupError(f"The history is over before step {at}: {label}")
            play.take(default)
        default = play.default()
        options = play.others(default) if default is not None else play.at_the_end()
        play.take(_named(label, options, at))


def _named(label: str, options: Iterable[Option], at: int) -> Option:
    for option in options:
        if option.label == label:
            return option
    raise LookupError(f"At step {at} this cannot happen: {label}. What can: {', '.join(o.label for o in options)}")


def _end(play: Play) -> None:
    """Nothing moves any more: L1, and what a call that landed late left behind once watching has put it back."""
    alive = [worker for worker in play.workers if worker.alive]
    play.checks.at_rest(alive)
    if play.phase.final and play.violation is None:
        if play.checks.late_landings:
            play.watched_over()
        play.checks.at_the_end()


def replay(choices: Choices, setting: Setting | None = None) -> tuple[list[str], Violation | None]:
    """Play one history again. Returns its story, line by line (deviations are marked), and what it violates."""
    play = Play(setting or Setting())
    left = dict(choices)
    lines: list[str] = []
    try:
        while play.violation is None:
            default = play.default()
            option, mark = default, "  "
            if play.steps in left:
                options = play.others(default) if default is not None else play.at_the_end()
                label = left.pop(play.steps)
                option, mark = _named(label, options, play.steps), "->"
            if option is None:
                _end(play)
                break
            lines.append(f"{mark} {play.steps:>3} {play.now:>5.0f} s  {option.label}")
            play.take(option)
    finally:
        play.close()
    return lines, play.violation


def story(choices: Choices, setting: Setting | None = None) -> str:
    """A history as lines, with the call that plays it again."""
    lines, violation = replay(choices, setting)
    end = f"   {violation}" if violation else "   nothing is violated"
    return "\n".join([*lines, end, f"replay({choices!r})"])


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Search the run protocol for a history that breaks an invariant.")
    parser.add_argument("--preemptions", type=int, default=Bounds.preemptions)
    parser.add_argument("--faults", type=int, default=Bounds.faults)
    parser.add_argument("--without", action="append", default=[], choices=KINDS[1:], help="leave this kind out")
    parser.add_argument("--regions", type=int, default=Setting.regions, choices=(2, 3))
    parser.add_argument("--fresh-reads", action="store_true", help="reads are never old")
    parser.add_argument("--all", action="store_true", help="go on after a violation")
    parser.add_argument("--seconds", type=float, default=None, help="stop after so long")
    parser.add_argument("--states", type=int, default=None, help="stop after so many states")
    given = parser.parse_args(None if arguments is None else list(arguments))

    def tell(found: Found) -> None:
        print(f"{found.states} states, {found.played} histories, {found.seconds:.0f} s", file=sys.stderr)  # noqa: T201

    bounds = Bounds(given.preemptions, given.faults, given.states, given.seconds, frozenset(given.without))
    found = search(bounds, Setting(given.regions, stale=not given.fresh_reads), first_only=not given.all, tell=tell)
    print(found)  # noqa: T201
    return 0 if found.violation is None else 1


if __name__ == "__main__":
    sys.exit(main())
