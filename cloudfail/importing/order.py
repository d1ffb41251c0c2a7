"""Who waits for whom: what lint insists on first, then the plan's own order wherever the two agree.

A plan's steps are a list. A runbook is a graph, in which the order pairs of design.md §7 must hold; where a plan has
them the other way round (traffic before the database, say), the plan's edge is dropped and told. Everything else keeps
the plan's order, so that nobody meets a runbook that does in parallel what was one after the other for a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cloudfail.importing.parts import Step


class Graph:
    """Edges between steps, kept without cycles: ancestors as bits, so that adding an edge is a few integers."""

    def __init__(self, names: Iterable[str]) -> None:
        self._index = {name: index for index, name in enumerate(names)}
        self._before = [0] * len(self._index)
        self._needs: list[list[int]] = [[] for _ in self._index]

    def add(self, first: str, then: str) -> bool:
        """`then` waits for `first`. False if that would be a cycle; it is then not added."""
        early, late = self._index[first], self._index[then]
        if early == late or self._before[early] >> late & 1:
            return False
        if self._before[late] >> early & 1:
            return True
        self._needs[late].append(early)
        gained = self._before[early] | 1 << early
        for index, before in enumerate(self._before):
            if index == late or before >> late & 1:
                self._before[index] = before | gained
        return True

    def after(self, first: str, then: str) -> bool:
        """Whether `then` waits for `first`, over any number of edges."""
        return bool(self._before[self._index[then]] >> self._index[first] & 1)

    def needs(self, name: str) -> tuple[str, ...]:
        """What `name` waits for, without what follows from the rest."""
        names = list(self._index)
        direct = self._needs[self._index[name]]
        kept = [one for one in direct if not any(self._before[other] >> one & 1 for other in direct if other != one)]
        return tuple(names[one] for one in sorted(kept))


def ordered(
    steps: Sequence[Step], must: Iterable[tuple[str, str]], wanted: Iterable[tuple[str, str]]
) -> tuple[Step, ...]:
    """The steps with their `needs`. `must` has no cycle; of `wanted`, what contradicts it is dropped and remarked."""
    graph, plan = Graph(step.name for step in steps), Graph(step.name for step in steps)
    for first, then in must:
        graph.add(first, then)
    for first, then in wanted:
        graph.add(first, then)
        plan.add(first, then)
    own = [step.name for step in steps if step.block]
    result = []
    for step in steps:
        later = [one for one in own if plan.after(step.name, one) and graph.after(one, step.name)]
        named = ", ".join(later[:3]) + (", …" if len(later) > 3 else "")
        told = step.saying(f"moved: Region switch does it before {named}, which the order of a runbook forbids")
        result.append(replace(told if later else step, needs=graph.needs(step.name)))
    return tuple(result)
