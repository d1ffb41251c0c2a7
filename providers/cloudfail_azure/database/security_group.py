"""Part of a fence: on the subnet of the old writer nobody new is let in but who is to stay.

A server in a virtual network has no firewall rules of its own; what guards it is the network security group of its
subnet ("Network with private access (virtual network integration) for Azure Database for PostgreSQL"). Two rules are
written before all others: one lets in what is to stay, the next denies the rest. The one that lets in comes first and
goes last, so that at no moment those are shut out.

This alone is no fence, and is never taken for one: connections that were made before go on, and how soon the rules hold
Azure does not say. What stands here is said as evidence, and the outcome comes from writes that were tried, once
sessions were ended and logins revoked.

Somebody else's rules are neither changed nor taken away. One of them that lets in before ours would make this do
nothing: then nothing is written, and the rule is named, before the bad day too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping

from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.database.security_group_options import SecurityGroup
from cloudfail_azure.marks import refuse_older
from cloudfail_azure.network.security_groups import ANY, Group, Rule, delete, described, mark, put
from cloudfail_azure.paths import name_of, same

NAME = "security-group"
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")


class SecurityGroupFence:
    """fence.Network, of one database: region -> the group of that member's subnet. subnet: the id of the subnet in
    which the member of a region stands, "" for none; it raises errors of ours."""

    name = NAME
    cuts = False

    def __init__(
        self, asking: Asking, members: Mapping[str, SecurityGroup], subnet: Callable[[str], str], *, seconds: float
    ) -> None:
        self._asking = asking
        self._members = members
        self._subnet = subnet
        self._seconds = seconds

    def has(self, region: str) -> bool:
        """Whether it is said which group guards the member."""
        return region in self._members

    def prevents(self, region: str) -> bool:
        """Never: a connection that was made before goes on."""
        return False

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether both rules are there, before all that let somebody in, on the subnet of the member."""
        at = time.time()
        try:
            group, subnet = self._read(region), self._subnet(region)
        except CloudfailError as error:
            return Unknown(f"{NAME} in {region}: {error}", at)
        if problem := _guards(group, subnet):
            return Unknown(f"{NAME} in {region}: {problem}", at)
        return Known(not self._missing(region, group) and not self._before(region, group), at)

    def obstacles(self, region: str) -> tuple[str, ...]:
        """What would make it do nothing, or refuse it, on the bad day. Raises errors of ours."""
        group = self._read(region)
        told = (_guards(group, self._subnet(region)), self._before(region, group), self._taken(region, group))
        return tuple(f"{NAME} in {region}: {one}." for one in told if one)

    def apply(self, region: str, call: Call) -> None:
        """The mark, who is to stay, and then the rest is denied."""
        timed = TimeLeft(call)
        try:
            group = self._read(region, timed.seconds)
        except OutcomeUnknown as error:
            raise Transient(f"The security group in {region} cannot be read: {error}") from error
        self._refuse_older(group, call)
        if problem := self._before(region, group) or self._taken(region, group):
            raise Permanent(
                f"{problem}.",
                "Nothing was written to it.",
                "Give `security_group: {priority: …}` a smaller number, with the next one free too, or move that rule.",
            )
        missing = self._missing(region, group)
        for rule in missing:
            there = group.rule(rule.name)
            if there is not None and there.moving:
                raise Transient(f"The rule {rule.name} of {name_of(group.id)} is being changed.")
        if missing and group.epoch(self._asking.topology.application) != call.epoch:
            mark(self._asking, region, group, timed.rest())
        for rule in missing:
            put(self._asking, region, group, rule, f"cloudfail: fence, run {call.run}", timed.rest())
        kept = ", ".join(self._members[region].keep)
        call.log(f"{region}: {name_of(group.id)} lets in nobody new but {kept}")

    def lift(self, region: str, call: Call) -> None:
        """Take both rules away again, the one that denies first, and no others."""
        timed = TimeLeft(call)
        group = self._read(region, timed.seconds)
        there = [rule.name for rule in reversed(self._wanted(region)) if group.rule(rule.name)]
        if not there:
            return
        self._refuse_older(group, call)
        if group.epoch(self._asking.topology.application) != call.epoch:
            mark(self._asking, region, group, timed.rest())
        for name in there:
            delete(self._asking, region, group, name, timed.rest())

    def _read(self, region: str, within: float | None = None) -> Group:
        seconds = self._seconds if within is None else min(self._seconds, within)
        return described(self._asking, region, self._members[region].group, within=seconds)

    def _refuse_older(self, group: Group, call: Call) -> None:
        refuse_older(group.epoch(self._asking.topology.application), call, group.id)

    def _wanted(self, region: str) -> tuple[Rule, Rule]:
        member, asking = self._members[region], self._asking
        own = f"cloudfail-{_UNFIT.sub('-', f'{asking.topology.application[:30]}-{asking.resource.name[:30]}')}"
        ports = tuple((port, port) for port in sorted(set(member.ports)))
        return (
            Rule(f"{own}-keep", member.priority, True, frozenset(member.keep), ports),
            Rule(f"{own}-deny", member.priority + 1, False, frozenset({ANY}), ports),
        )

    def _missing(self, region: str, group: Group) -> list[Rule]:
        """Of ours, in the order in which they are written."""
        return [rule for rule in self._wanted(region) if group.rule(rule.name) != rule]

    def _before(self, region: str, group: Group) -> str:
        """The rule that lets in before ours deny, "" for none."""
        keep, deny = self._wanted(region)
        for rule in group.rules:
            meets = any(rule.meets(port) for port in self._members[region].ports)
            if rule.allows and rule.priority < deny.priority and meets and not same(rule.name, keep.name):
                return f"The rule {rule.name} of {name_of(group.id)} lets in before it, at priority {rule.priority}"
        return ""

    def _taken(self, region: str, group: Group) -> str:
        """The rule of somebody else that stands where ours would, "" for none."""
        for rule in self._wanted(region):
            owner = group.taken(inbound=True).get(rule.priority, rule.name)
            if not same(owner, rule.name):
                return f"The rule {owner} of {name_of(group.id)} has the priority {rule.priority} already"
        return ""


def _guards(group: Group, subnet: str) -> str:
    """Why it keeps nobody from the member, "" where it does."""
    if not subnet:
        return "the member stands in no virtual network, so it keeps nobody out"
    if not any(same(one, subnet) for one in group.subnets):
        return f"{name_of(group.id)} does not guard the subnet {name_of(subnet)}, so it keeps nobody out"
    return ""
