"""One group of workers whose members are of several kinds: an autoscaling group in one region, a scale set in another.

A runbook names the group, and scales it wherever the run goes to; which cloud runs it there is the topology's business.
So one runbook serves both directions. Only workers can be like that: they are asked by region. A database that spans
clouds is one database, under one kind; a name or a balancer stands in no region.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cloudfail.errors import Refused
from cloudfail.model.observation import Known, Unknown, joined
from cloudfail.model.room import Room
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call, Compute, HasRoom, Kind, Preflight, VerbFacts

Part = tuple[Resource, Kind]


@dataclass(frozen=True)
class SpanningKind(Kind):
    """The kinds of one group's members. parts: for each of them, the resource with its members alone."""

    parts: tuple[Part, ...] = ()


def parts_of(resource: Resource, kind: Kind) -> tuple[Part, ...]:
    """Who is to be asked of a resource: it and its kind, or each part of one that spans several."""
    return kind.parts if isinstance(kind, SpanningKind) else ((resource, kind),)


def kind_of(parts: Sequence[Part]) -> SpanningKind:
    """All of them as one. What it says of a verb is the worst that any of them says."""
    kinds = [kind for _, kind in parts]
    verbs = [verb for verb in kinds[0].verbs if all(verb in kind.verbs for kind in kinds)]

    def build(_: Resource, topology: Topology) -> SpanningCompute:
        built: dict[str, Compute] = {}
        for part, kind in parts:
            built |= dict.fromkeys(part.members, kind.build(part, topology))
        roomy = all(isinstance(one, HasRoom) for one in built.values())
        return SpanningComputeWithRoom(built) if roomy else SpanningCompute(built)

    def shared_by(verb: str) -> Callable[[Resource, Topology, str], tuple[str, ...]]:
        def shared(_: Resource, topology: Topology, where: str) -> tuple[str, ...]:
            there = [(part, kind) for part, kind in parts if verb in kind.shared and where in ("", *part.members)]
            return tuple(name for part, kind in there for name in kind.shared[verb](part, topology, where))

        return shared

    def allowed(_: Resource, topology: Topology) -> Known[tuple[str, ...]] | Unknown:
        said = [kind.allowed(part, topology) for part, kind in parts if kind.allowed is not None]
        return joined(said) or Known((), time.time())

    return SpanningKind(
        port=kinds[0].port,
        name=" and ".join(dict.fromkeys(kind.name for kind in kinds)),
        build=build,
        settle_seconds=max(kind.settle_seconds for kind in kinds),
        call_timeout_seconds=max(kind.call_timeout_seconds for kind in kinds),
        verbs={verb: _worst([kind.facts(verb, part) for part, kind in parts]) for verb in verbs},
        shared={verb: shared_by(verb) for kind in kinds for verb in kind.shared},
        allowed=allowed if any(kind.allowed is not None for kind in kinds) else None,
        parts=tuple(parts),
    )


def _worst(said: Sequence[VerbFacts]) -> VerbFacts:
    """Each acts in the region of its member, if it says so of all; else the first other home counts."""
    first = max(said, key=lambda one: one.longest_seconds)
    homes = [one.home for one in said if one.home != "member"]
    return replace(
        first,
        plane="control" if any(one.plane == "control" for one in said) else "data",
        home=homes[0] if homes else "member",
        loses_data=any(one.loses_data for one in said),
        reversible=all(one.reversible for one in said),
        typical_seconds=max(one.typical_seconds for one in said),
        fencing=next((one.fencing for one in said if one.fencing == "watching"), first.fencing),
        observed=all(one.observed for one in said),
    )


class SpanningCompute:
    """Fulfils `ports.Compute`: each region is asked of who runs the workers there."""

    def __init__(self, by_region: Mapping[str, Compute]) -> None:
        self._by_region = by_region

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        if region not in self._by_region:
            return Unknown(f"there are no such workers in {region}", time.time())
        return self._of(region).read(region)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        self._of(region).scale(region, count, expect=expect, call=call)

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        self._of(region).hold(region, held, expect=expect, call=call)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        each = {id(one): one for one in self._by_region.values()}.values()
        return joined([one.preflight() for one in each if isinstance(one, Preflight)]) or Known((), time.time())

    def warm(self) -> None:
        for one in {id(one): one for one in self._by_region.values()}.values():
            warm = getattr(one, "warm", None)
            if warm is not None:
                warm()

    def _of(self, region: str) -> Compute:
        if region not in self._by_region:
            raise Refused(
                f"There are no such workers in {region}.",
                "Nothing was changed.",
                f"They run in {', '.join(self._by_region)}: write its members in cloudfail.yaml.",
            )
        return self._by_region[region]


class SpanningComputeWithRoom(SpanningCompute):
    """One whose every cloud says what an account may run."""

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom."""
        of = self._of(region)
        assert isinstance(of, HasRoom)
        return of.room(region)
