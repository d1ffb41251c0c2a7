"""The graph of `needs`: who comes before whom, cycles, and the longest way through. Iterative: a runbook may hold 200
steps in a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Needs = Mapping[str, Sequence[str]]


def before(needs: Needs) -> dict[str, frozenset[str]]:
    """For each step, every step that has ended before it begins: over any path of needs."""
    result: dict[str, frozenset[str]] = {}
    for start in needs:
        seen: set[str] = set()
        waiting = list(needs[start])
        while waiting:
            step = waiting.pop()
            if step not in seen:
                seen.add(step)
                waiting += needs.get(step, ())
        result[start] = frozenset(seen)
    return result


def in_order(needs: Needs) -> list[str]:
    """Every step after all that it needs; the steps of a cycle, and what waits for them, are left out."""
    left = {step: {need for need in wanted if need in needs} for step, wanted in needs.items()}
    ordered: list[str] = []
    while ready := [step for step, wanted in left.items() if not wanted]:
        ordered += ready
        for step in ready:
            del left[step]
        for wanted in left.values():
            wanted.difference_update(ready)
    return ordered


def cycle(needs: Needs) -> list[str]:
    """One cycle, written out so that it ends where it began; empty if there is none."""
    ordered = set(in_order(needs))
    stuck = [step for step in needs if step not in ordered]
    if not stuck:
        return []
    way, step = [], stuck[0]
    while step not in way:
        way.append(step)
        step = next(need for need in needs[step] if need in needs and need not in ordered)
    return [*way[way.index(step) :], step]


def longest(needs: Needs, weight: Callable[[str], float]) -> tuple[float, tuple[str, ...]]:
    """The heaviest path, and its steps in order."""
    best: dict[str, tuple[float, tuple[str, ...]]] = {}
    for step in in_order(needs):
        came: tuple[float, tuple[str, ...]] = (0.0, ())
        for need in needs[step]:
            if best[need][0] > came[0] or not came[1]:
                came = best[need]
        best[step] = (came[0] + weight(step), (*came[1], step))
    return max(best.values(), key=lambda one: one[0], default=(0.0, ()))
