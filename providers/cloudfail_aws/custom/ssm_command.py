"""custom: ssm-command. A document of Systems Manager, sent to instances of one region.

SendCommand takes no token, so a second one would run it twice. Each command of ours carries a mark in its comment:
which resource, under which epoch, in which run. Before one is sent, the region's commands of that document are listed:
while one of ours is under way, and where one was sent since we looked, none is sent. A command that an instance did
not take within `deliver_within` never runs there, so that none lands when the region is back and the run long over.

Whether it is done, the observing document's output says, from as many instances as are `needed`; without one, only
whether this run's command ended well on so many is known, and a check must say the rest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloudfail.errors import Transient
from cloudfail.model.custom import said
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.custom.options import CommandMember, Document
from cloudfail_aws.custom.orders import Ordered

READ_SECONDS = 6.0
POLL_SECONDS = 0.5
COMMENT_MAX = 100
ENDED = frozenset({"Success", "Cancelled", "Failed", "TimedOut"})
_MARK = re.compile(r"cloudfail ([0-9a-f]{12}) e([0-9]{1,18}) ([0-9a-f]{12})(?: |$)")


class SsmCommand(Ordered):
    """One command in each region."""

    def look(self, region: str, run: str) -> CustomState:
        member: CommandMember = self.member(region)
        ours = self._ours(region, member, within=READ_SECONDS)
        listed = self._listed(region, member, run, ours)
        if listed.under_way or member.observe is None:
            return listed
        word, detail = self._observed(region, member, member.observe)
        return CustomState(word, detail, "", listed.ended, listed.version, listed.epoch)

    def again(self, region: str, expect: CustomState, call: Call) -> CustomState:
        member: CommandMember = self.member(region)
        ours = self._ours(region, member, within=min(READ_SECONDS, call.timeout_seconds / 2))
        return CustomState(expect.word, "", _under_way(ours), None, _version(ours), _epoch(ours))

    def order(self, region: str, call: Call) -> None:
        member: CommandMember = self.member(region)
        comment = f"cloudfail {self._whose()} e{call.epoch} {_digest(call.run)} {call.run}/{call.step}"[:COMMENT_MAX]
        tolerant = {"MaxErrors": "100%"} if isinstance(member.needed, int) else {}
        reply = self._asking.change(
            "ssm", region, "send_command", call=call, Comment=comment, **tolerant, **_request(member, member)
        )
        call.log(f"sent as command {reply['Command']['CommandId']}")

    # ---- what is listed

    def _ours(self, region: str, member: CommandMember, *, within: float) -> list[Mapping[str, Any]]:
        """The commands of that document that carry our mark, newest first."""
        found = self._asking.pages(
            "ssm",
            region,
            "list_commands",
            "Commands",
            within=within,
            Filters=[{"key": "DocumentName", "value": member.document}],
        )
        mine = [one for one in found if (mark := _mark(one)) is not None and mark[1] == self._whose()]
        return sorted(mine, key=lambda one: str(one.get("RequestedDateTime", "")), reverse=True)

    def _listed(self, region: str, member: CommandMember, run: str, ours: list[Mapping[str, Any]]) -> CustomState:
        this_run = [one for one in ours if (mark := _mark(one)) is not None and mark[3] == _digest(run)]
        ended = self._ended_well(region, member, this_run[0]) if this_run and not _under_way(ours) else None
        return CustomState(CustomWord.UNSEEN, "", _under_way(ours), ended, _version(ours), _epoch(ours))

    def _ended_well(self, region: str, member: CommandMember, command: Mapping[str, Any]) -> bool:
        """On as many instances as are needed. One that found no instance ended with Success, too (`NoInstancesInTag`),
        and did nothing."""
        wanted: int = int(command.get("TargetCount") or 0) if member.needed == "all" else member.needed
        copies = self._copies(region, str(command["CommandId"]), within=READ_SECONDS)
        well = [one for one in copies if one.get("Status") == "Success"]
        return 0 < wanted <= len(well)

    def _copies(self, region: str, command: str, *, within: float) -> list[Mapping[str, Any]]:
        """The command's copies, one for each instance, with what they printed."""
        return self._asking.pages(
            "ssm",
            region,
            "list_command_invocations",
            "CommandInvocations",
            within=within,
            CommandId=command,
            Details=True,
        )

    def _whose(self) -> str:
        """This resource of this application, in the letters of a mark."""
        return _digest(f"{self._asking.topology.application}/{self._asking.resource.name}")

    # ---- what is observed

    def _observed(self, region: str, member: CommandMember, observe: Document) -> tuple[CustomWord, str]:
        until = self._asking.deadline(float(member.answer_within))
        reply = self._asking.read(
            "ssm",
            region,
            "send_command",
            within=READ_SECONDS,
            Comment=f"cloudfail observes {self._asking.resource.name}"[:COMMENT_MAX],
            **_request(observe, member),
        )
        command = str(reply["Command"]["CommandId"])
        targets = self._come_to_its_end(region, command, until)
        copies = self._copies(region, command, within=READ_SECONDS)
        if len(copies) < targets or not copies:
            raise Transient(f"{len(copies)} of {targets} instances took the command that observes.")
        return tally([_word(one) for one in copies], member.needed)

    def _come_to_its_end(self, region: str, command: str, until: float) -> int:
        """How many instances it went to, once it has ended, or the time is over."""
        while True:
            left = self._asking.left_until(until)
            reply = self._asking.read("ssm", region, "list_commands", within=max(0.5, left), CommandId=command)
            found = (reply.get("Commands") or [{}])[0]
            if found.get("Status") in ENDED or self._asking.left_until(until) <= POLL_SECONDS:
                return int(found.get("TargetCount") or 0)
            self._asking.pause(POLL_SECONDS)


def tally(words: list[CustomWord | None], needed: int | str) -> tuple[CustomWord, str]:
    """What the instances say together; None is one that said nothing. It is not ordered again while one of them is at
    it, nor while those that are silent could have done it. Raises Transient where that stays open."""
    wanted = len(words) if needed == "all" else int(needed)
    done, moving = words.count(CustomWord.DONE), words.count(CustomWord.MOVING)
    detail = f"{done} of {len(words)} instances say done, {wanted} needed"
    if done >= wanted > 0:
        return CustomWord.DONE, detail
    if moving:
        return CustomWord.MOVING, f"{detail}, {moving} moving"
    if words.count(None) and done + words.count(None) >= wanted:
        raise Transient(f"{words.count(None)} of {len(words)} instances do not say whether it is done.")
    return CustomWord.TODO, detail


def _word(copy: Mapping[str, Any]) -> CustomWord | None:
    if copy.get("Status") != "Success":
        return None
    printed = "\n".join(str(plugin.get("Output", "")) for plugin in copy.get("CommandPlugins") or ())
    found = said(printed)
    return None if found is None else found[0]


def _request(document: Document, member: CommandMember) -> dict[str, Any]:
    where: dict[str, Any] = (
        {"InstanceIds": list(member.instances)}
        if member.instances
        else {"Targets": [{"Key": f"tag:{key}", "Values": [value]} for key, value in member.tags.items()]}
    )
    return {
        **where,
        "DocumentName": document.document,
        **({"DocumentVersion": document.version} if document.version else {}),
        "Parameters": {key: list(values) for key, values in document.parameters.items()},
        "TimeoutSeconds": int(member.deliver_within),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _mark(command: Mapping[str, Any]) -> re.Match[str] | None:
    return _MARK.match(str(command.get("Comment", "")))


def _under_way(ours: Iterable[Mapping[str, Any]]) -> str:
    open_ones = [one for one in ours if one.get("Status") not in ENDED]
    return ", ".join(f"command {one.get('CommandId')} is {one.get('Status')}" for one in open_ones[:3])


def _version(ours: list[Mapping[str, Any]]) -> str:
    """Changes with each command of ours that is sent."""
    return f"{len(ours)} {ours[0].get('CommandId')}" if ours else "none"


def _epoch(ours: Iterable[Mapping[str, Any]]) -> int | None:
    return max((int(mark[2]) for one in ours if (mark := _mark(one)) is not None), default=None)


def build(resource: Resource, topology: Topology) -> SsmCommand:
    """Kind.build."""
    members = {region: CommandMember.model_validate(member) for region, member in resource.members.items()}
    return SsmCommand(Asking.of(resource, topology), members)
