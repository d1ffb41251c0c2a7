"""custom: command. Commands of the site per region: one that acts, and one that says what is so.

An argv each, no shell. Both are told in their environment for whom they run: CLOUDFAIL_REGION, CLOUDFAIL_RUN, and the
one that acts CLOUDFAIL_STEP, CLOUDFAIL_EPOCH and CLOUDFAIL_KEY, which is the same for every attempt of one step. An
`ssh` hands that on only where both of its sides are told to (SendEnv, AcceptEnv).

No list is kept of what was begun. So a command that takes longer than a call may begins it, returns, and has `observe`
say `moving`; and one whose end was not seen must bear to be run again with the same key, once `observe` says `todo`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.custom import NO_WORD, said
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.secrecy import redacted
from cloudfail_local.argv import Finished
from cloudfail_local.command import ending
from cloudfail_local.errors import from_command
from cloudfail_local.options import CustomCommandOptions, CustomMember

_NOT_FOUND = (126, 127)
"""What a shell or a prefix says that found no such command. Whatever else a command ended with, it may have done a part
of what it does: look first."""


class CommandCustom:
    """ports.Custom."""

    def __init__(self, resource: Resource) -> None:
        self._name = resource.name
        self._seconds = float(CustomCommandOptions.model_validate(dict(resource.options)).answer_within)
        self._members = {region: CustomMember.model_validate(member) for region, member in resource.members.items()}

    def read(self, region: str, run: str) -> Known[CustomState] | Unknown:
        at = time.time()
        member = self._members.get(region)
        if member is None:
            return Unknown(f"there is no command for {region}", at)
        told = {"CLOUDFAIL_REGION": region, "CLOUDFAIL_RUN": run}
        result = ending(member.observe, seconds=self._seconds, told=told)
        if not isinstance(result, Finished) or result.code != 0:
            return Unknown(redacted(f"{region}: {result.said if isinstance(result, Finished) else result}"), at)
        found = said(result.out)
        if found is None:
            return Unknown(f"{region}: {NO_WORD}", at)
        word, detail = found
        return Known(CustomState(word, redacted(detail), version=str(word)), at)

    def invoke(self, region: str, *, expect: CustomState, call: Call) -> None:
        if region not in self._members:
            raise Permanent(f"There is no command for {region}.")
        seen = self.read(region, call.run)
        if isinstance(seen, Unknown):
            raise Transient(f"Whether {self._name} is done cannot be read: {seen.reason}.")
        if seen.value.word in (CustomWord.DONE, CustomWord.MOVING):
            return
        if seen.value.version != expect.version:
            raise Conflict(f"{self._name} in {region} says {seen.value.version}, not {expect.version} as it was seen.")
        call.check()
        done = ending(self._members[region].act, seconds=call.timeout_seconds, told=_told(region, call))
        if isinstance(done, Finished) and (done.out or done.err):
            call.log(redacted(done.said))
        problem = from_command(done, f"{self._name} in {region}")
        if problem is not None:
            began = isinstance(done, Finished) and done.code not in _NOT_FOUND
            raise (OutcomeUnknown if began else type(problem))(redacted(problem.happened))


def _told(region: str, call: Call) -> Mapping[str, str]:
    return {
        "CLOUDFAIL_REGION": region,
        "CLOUDFAIL_RUN": call.run,
        "CLOUDFAIL_STEP": call.step,
        "CLOUDFAIL_EPOCH": str(call.epoch),
        "CLOUDFAIL_KEY": call.key,
    }


def build(resource: Resource, topology: Topology) -> CommandCustom:
    """Kind.build."""
    del topology
    return CommandCustom(resource)
