"""compute: command. Workers behind the site's own commands; what is healthy is counted by the region's HAProxy."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_local import runtime
from cloudfail_local.argv import Finished, NotStarted, TimedOut, run
from cloudfail_local.errors import from_command
from cloudfail_local.options import ComputeMember, ComputeOptions


def ending(
    argv: tuple[str, ...], *, seconds: float, told: Mapping[str, str] | None = None
) -> Finished | TimedOut | NotStarted:
    """Run it here; every ending is a value. told: what its environment says beside ours."""
    try:
        return run(argv, seconds=seconds, told=told)
    except (TimedOut, NotStarted) as how:
        return how


class CommandCompute:
    """One group of workers with a member in each region."""

    def __init__(self, resource: Resource) -> None:
        self._options = ComputeOptions.model_validate(dict(resource.options))
        self._members = {region: ComputeMember.model_validate(member) for region, member in resource.members.items()}

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        at = time.time()
        member = self._members.get(region)
        if member is None:
            return Unknown(f"this group has no member in {region}", at)
        seconds = float(self._options.answer_within)
        result = ending(member.read, seconds=seconds)
        if not isinstance(result, Finished) or result.code != 0:
            return Unknown(f"{region}: {result.said if isinstance(result, Finished) else result}", at)
        try:
            told = json.loads(result.out)
            wanted, running = int(told["wanted"]), int(told["running"])
            ceiling = None if told.get("ceiling") is None else int(told["ceiling"])
            held = bool(told.get("held", False))
        except (ValueError, KeyError, TypeError) as error:
            return Unknown(f"{region}: its read command printed no such JSON: {error!r}", at)
        try:
            lines = runtime.servers(member.socket, member.backend, seconds=seconds)
        except (CloudfailError, ValueError) as error:
            return Unknown(f"{region}: {error}", at)
        if not lines:
            return Unknown(f"{region}: HAProxy lists no server in {member.backend}", at)
        healthy = sum(1 for line in lines.values() if line.healthy and line.takes_traffic)
        version = f"{wanted}/{ceiling}/{held}"
        return Known(ComputeState(wanted, running, healthy, ceiling, held, version), at)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        if count < 0:
            raise Permanent(f"{count} workers cannot be run.")
        now = self._look(region)
        if now.wanted == count:
            return
        self._same(region, now, expect)
        self._do(region, self._members[region].scale, str(count), "scale", call)

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        member = self._members.get(region)
        now = self._look(region)
        if now.scale_in_held == held:
            return
        if member is None or member.hold is None:
            raise Permanent(f"The group in {region} has no `hold` command.", "", "Add one, or take the step out.")
        self._same(region, now, expect)
        self._do(region, member.hold, "on" if held else "off", "hold", call)

    def _look(self, region: str) -> ComputeState:
        seen = self.read(region)
        if isinstance(seen, Unknown):
            raise Transient(f"The group cannot be read: {seen.reason}.")
        return seen.value

    @staticmethod
    def _same(region: str, now: ComputeState, expect: ComputeState) -> None:
        if now.version != expect.version:
            raise Conflict(f"The group in {region} is {now.version}, not {expect.version} as it was seen.")

    @staticmethod
    def _do(region: str, argv: tuple[str, ...], value: str, what: str, call: Call) -> None:
        filled = tuple(part.replace("${count}", value).replace("${held}", value) for part in argv)
        call.check()
        problem = from_command(ending(filled, seconds=call.timeout_seconds), f"{what} in {region}")
        if problem is not None:
            raise problem


def build(resource: Resource, topology: Topology) -> CommandCompute:
    """Kind.build."""
    del topology
    return CommandCompute(resource)
