"""network: command. One path or address that the site's own commands move: a router's next hop, a virtual address.

`read` is believed for where it is set, and for nothing else: a step is done when what the member names in `reach`
answers through it. A command has no condition, so `read` runs again immediately before, and the run goes on watching.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import NetworkState, Reached
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.probes.through import through
from cloudfail_local.argv import Finished
from cloudfail_local.command import ending
from cloudfail_local.errors import from_command
from cloudfail_local.options import NetworkMember, NetworkOptions

Points = Mapping[str, tuple[str, ...]]
UNCHANGED = "Nothing was changed."


class CommandNetwork:
    """The one part is the resource itself."""

    def __init__(self, resource: Resource) -> None:
        self._name = resource.name
        self._options = NetworkOptions.model_validate(dict(resource.options))
        self._members = {region: NetworkMember.model_validate(member) for region, member in resource.members.items()}
        self._called = {member.name or region: region for region, member in self._members.items()}
        if len(self._called) < len(self._members):
            raise Permanent(f"{self._name}: two members have one name.", UNCHANGED, "Name them apart.")

    def read(self) -> Known[NetworkState] | Unknown:
        at = time.time()
        result = ending(self._options.read, seconds=float(self._options.answer_within))
        if not isinstance(result, Finished) or result.code != 0:
            return Unknown(f"{self._name}: {result.said if isinstance(result, Finished) else result}", at)
        try:
            told = json.loads(result.out)
            leads, moving, version = told["leads"], str(told.get("moving") or ""), str(told.get("version") or "")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return Unknown(f"{self._name}: its read command printed no such JSON: {error!r}", at)
        if leads is not None and leads not in self._called:
            return Unknown(f"{self._name} leads to {str(leads)[:60]!r}, which is no member", at)
        regions = () if leads is None else (self._called[leads],)
        return Known(NetworkState({self._name: regions}, moving, version=f"{leads}/{version}"), at)

    def reach(self, region: str) -> Known[Reached] | Unknown:
        member = self._members.get(region)
        if member is None or member.reach is None:
            return Known(
                Reached(None, "nothing was asked through it: only what its commands say was read"), time.time()
            )
        within = float(self._options.answer_within)
        return through(member.reach.at, member.reach.says, within_seconds=within, local=True)

    def route(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        self._lead("route", points, expect, call)

    def move_address(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        self._lead("move_address", points, expect, call)

    def _lead(self, verb: str, points: Points, expect: NetworkState, call: Call) -> None:
        if verb != self._options.verb:
            raise Permanent(f"{self._name} has no {verb}.", UNCHANGED, f"Write network.{self._options.verb}.")
        wanted = points.get(self._name)
        if wanted is None:
            return
        argv = self._argv(wanted)
        seen = self.read()
        if isinstance(seen, Unknown):
            raise Transient(f"Where it leads cannot be read: {seen.reason}.")
        if seen.value.points[self._name] == wanted:
            return
        if seen.value.version != expect.version:
            raise Conflict(f"{self._name} is {seen.value.version}, not {expect.version} as it was seen.", UNCHANGED)
        if seen.value.moving:
            raise Transient(f"{self._name}: {seen.value.moving}; it takes no order until that is over.")
        call.check()
        problem = from_command(ending(argv, seconds=call.timeout_seconds), f"{verb} of {self._name}")
        if problem is not None:
            raise problem

    def _argv(self, regions: tuple[str, ...]) -> tuple[str, ...]:
        """The command that leads it there. Raises Permanent where there is none."""
        if not regions:
            if self._options.release is None:
                raise Permanent(f"{self._name} has no `release` command.", UNCHANGED, "Add one in cloudfail.yaml.")
            return self._options.release
        if len(regions) > 1 or regions[0] not in self._members:
            raise Permanent(f"{self._name} has no member in {' and '.join(regions)}.", UNCHANGED)
        name = self._members[regions[0]].name or regions[0]
        return tuple(part.replace("${to}", name) for part in self._options.lead)


def build(resource: Resource, topology: Topology) -> CommandNetwork:
    """Kind.build."""
    del topology
    return CommandNetwork(resource)
