"""custom: isolated-network. The subnet in which a drill's copies stand, shut off both ways, and taken back.

Four rules of the network security group that guards it, two for each direction: one lets through what is kept, the next
denies the rest, of every protocol. Those that let through come first and go last, so that at no moment the operator is
shut out. They are named by the application: whoever isolates and whoever takes it back are two resources with one set
of rules.

A group is asked when a connection is made; one that was made before goes on (network/security_groups.py). So rules that
stand say that nobody new is let through, and no more. That the copies are isolated is proven by the data plane alone:
by the `check` of the step, as it names one.

Somebody else's rules are neither changed nor taken away: one that lets through before ours deny is named, and nothing
is written. A group that guards anything beside the drill's subnet is not touched, since all of that would be shut off,
too. What is taken back is ours alone, by name, and whatever the group guards by then.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cloudfail.config.custom import taken_back_by
from cloudfail.errors import CloudfailError, Conflict, Permanent, Refused, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.custom.options import IsolatedMember, IsolatedOptions
from cloudfail_azure.marks import refuse_older
from cloudfail_azure.network.security_groups import (
    ANY,
    EVERY_PORT,
    SUCCEEDED,
    Group,
    Rule,
    delete,
    described,
    mark,
    put,
)
from cloudfail_azure.network.subnets import Subnet, subnet_of
from cloudfail_azure.paths import name_of, same

READ_SECONDS = 8.0
UNTOUCHED = "No rule was written or taken away."
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True)
class Seen:
    """A group, the subnet that it should guard, and what is made of them."""

    group: Group
    subnet: Subnet
    state: CustomState


class IsolatedNetwork:
    """ports.Custom, and ports.Preflight."""

    def __init__(self, asking: Asking, options: IsolatedOptions, members: Mapping[str, IsolatedMember]) -> None:
        self._asking = asking
        self._isolated = options.isolated
        self._members = members
        self._kept = ", ".join(options.keeps)
        own = f"cloudfail-{_UNFIT.sub('-', asking.topology.application[:40])}-isolated"
        keeps, all_, ports = frozenset(options.keeps), frozenset({ANY}), (EVERY_PORT,)
        at = options.priority
        self._rules = (
            Rule(f"{own}-keep-in", at, True, keeps, ports, protocol=ANY),
            Rule(f"{own}-keep-out", at, True, keeps, ports, protocol=ANY, inbound=False),
            Rule(f"{own}-deny-in", at + 1, False, all_, ports, protocol=ANY),
            Rule(f"{own}-deny-out", at + 1, False, all_, ports, protocol=ANY, inbound=False),
        )
        """In the order in which they are written; they are taken away in the other one."""

    # ---- the look

    def read(self, region: str, run: str) -> Known[CustomState] | Unknown:
        at = time.time()
        try:
            seen = self._look(region, READ_SECONDS)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        if problem := self._misplaced(seen) or _in_doubt(seen):
            return Unknown(f"{region}: {problem}", at)
        return Known(seen.state, at)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would make it do nothing, shut off what is no drill's, or refuse it."""
        at, found = time.time(), []
        for region in self._members:
            try:
                seen = self._look(region, READ_SECONDS)
            except Permanent as error:
                found.append(f"{region}: {error}")
                continue
            except CloudfailError as error:
                return Unknown(f"{region}: {error}", at)
            found += [f"{region}: {one}." for one in (self._misplaced(seen), self._hindered(seen.group)) if one]
        return Known(tuple(found), at)

    def _look(self, region: str, within: float) -> Seen:
        """Raises errors of ours. Transient where there is no member: a read of it is unknown, and a verb has no
        effect."""
        member = self._members.get(region)
        if member is None:
            raise Transient(f"{self._asking.resource.name} has no member in {region}.")
        until = self._asking.deadline(within)
        group = described(self._asking, region, member.group, within=within)
        subnet = subnet_of(self._asking, region, member.subnet, within=self._asking.left_until(until))
        return Seen(group, subnet, self._state(group))

    def _state(self, group: Group) -> CustomState:
        where, ours = name_of(group.id), [rule for one in self._rules if (rule := group.rule(one.name)) is not None]
        moving = next((f"the rule {one.name} of {where} is {one.state}" for one in ours if one.moving), "")
        moving = moving or (f"the group {where} is {group.state}" if group.moving else "")
        if self._isolated:
            left = "; ".join((*self._wanting(group), *filter(None, [self._hindered(group)])))
            done = f"{where} lets nothing new through, in or out, but {self._kept}; connections made before go on"
        else:
            left = f"{where} has {', '.join(one.name for one in ours)}" if ours else ""
            done = f"{where} has no rule that isolates"
        return CustomState(
            CustomWord.TODO if left or moving else CustomWord.DONE,
            left or done,
            moving,
            version=_version(group),
            epoch=group.epoch(self._asking.topology.application),
        )

    def _wanting(self, group: Group) -> Iterator[str]:
        """What keeps our rules from standing as they are written."""
        for rule in self._rules:
            there = group.rule(rule.name)
            if there is None:
                yield f"{rule.name} is not there"
            elif there != rule:
                yield f"{rule.name} is {there.state if there.state != rule.state else 'not as it is written'}"

    def _hindered(self, group: Group) -> str:
        """The rule of somebody else that lets through before ours deny, or that stands where ours would; "" for none,
        and where nothing is to be written."""
        if not self._isolated:
            return ""
        where, own = name_of(group.id), {rule.name.lower() for rule in self._rules}
        for deny in self._rules[2:]:
            way = "in" if deny.inbound else "out"
            for rule in group.every:
                if rule.inbound is not deny.inbound or rule.name.lower() in own:
                    continue
                if rule.allows and rule.priority < deny.priority:
                    return f"the rule {rule.name} of {where} lets {way} before it, at priority {rule.priority}"
                if rule.priority in (deny.priority - 1, deny.priority):
                    return f"the rule {rule.name} of {where} has the priority {rule.priority} already, {way}"
        return ""

    def _misplaced(self, seen: Seen) -> str:
        """Why these rules isolate not that subnet, or not it alone; "" where they do. Ours are taken away wherever they
        are, and where none is left, it must be this group that lets through."""
        group, subnet = seen.group, seen.subnet
        if not same(subnet.group, group.id):
            guard = name_of(subnet.group) if subnet.group else "no network security group"
            told = f"the subnet {name_of(subnet.id)} is guarded by {guard}, and not by {name_of(group.id)}"
            return told if self._isolated or seen.state.word is CustomWord.DONE else ""
        if not self._isolated:
            return ""
        beside = [one for one in (*group.subnets, *group.interfaces) if not same(one, subnet.id)]
        if beside:
            return f"{name_of(group.id)} guards {beside[0]} as well, which would be shut off with the drill's subnet"
        if subnet.exempt:
            return (
                f"the private endpoint {name_of(subnet.exempt[0])} in {name_of(subnet.id)} is not guarded by any group "
                "(privateEndpointNetworkPolicies)"
            )
        return ""

    # ---- the verb

    def invoke(self, region: str, *, expect: CustomState, call: Call) -> None:
        """The mark, and then what is left of it, rule by rule. Broken off, it is gone on with by the next look."""
        if expect.word in (CustomWord.DONE, CustomWord.MOVING):
            return
        timed = TimeLeft(call)
        try:
            seen = self._look(region, min(READ_SECONDS, timed.seconds))
        except Permanent:
            raise
        except CloudfailError as error:
            # Nothing was ordered yet, so whatever came of the look is no doubt about an effect.
            raise Transient(f"{self._asking.resource.name} in {region} cannot be read: {error}") from error
        group, now = seen.group, seen.state
        if now.under_way or now.word is CustomWord.DONE:
            return
        refuse_older(now.epoch, call, group.id)
        if now.version != expect.version:
            raise Conflict(f"{name_of(group.id)} is not as it was seen.", UNTOUCHED)
        if problem := self._misplaced(seen):
            raise Permanent(
                f"{problem[0].upper()}{problem[1:]}.",
                UNTOUCHED,
                "Give the drill's subnet a group of its own, and name both in cloudfail.yaml.",
            )
        if problem := self._hindered(group):
            raise Permanent(
                f"{problem[0].upper()}{problem[1:]}.",
                UNTOUCHED,
                f"Give {self._asking.resource.name} a smaller `priority:`, the next one free too, or move that rule.",
            )
        if now.epoch != call.epoch:
            mark(self._asking, region, group, timed.rest())
        if self._isolated:
            self._shut_off(region, group, timed, call)
        else:
            self._take_back(region, group, timed, call)

    def _shut_off(self, region: str, group: Group, timed: TimeLeft, call: Call) -> None:
        for rule in self._rules:
            if group.rule(rule.name) != rule:
                put(self._asking, region, group, rule, f"cloudfail: isolated, run {call.run}", timed.rest())
        call.log(f"{region}: {name_of(group.id)} lets nothing new through but {self._kept}")

    def _take_back(self, region: str, group: Group, timed: TimeLeft, call: Call) -> None:
        for rule in reversed(self._rules):
            if group.rule(rule.name) is not None:
                delete(self._asking, region, group, rule.name, timed.rest())
        call.log(f"{region}: {name_of(group.id)} has no rule that isolates any more")


def _in_doubt(seen: Seen) -> str:
    """Why it is not known to hold, though each rule is as it should be; "" where nothing is said against it."""
    group, state = seen.group, seen.state
    if state.word is not CustomWord.DONE or same(group.state, SUCCEEDED):
        return ""
    return f"the rules of {name_of(group.id)} are as they should be, and the group itself is {group.state}"


def _version(group: Group) -> str:
    """Of what the group lets through, and what it guards: tags change it not."""
    rules = [repr(replace(one, peers=frozenset())) + repr(sorted(one.peers)) for one in group.every]
    told = "\n".join((*rules, *sorted((*group.subnets, *group.interfaces))))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def build(resource: Resource, topology: Topology) -> IsolatedNetwork:
    """Kind.build. Raises Refused where what is named to take it back would not."""
    _takes_back(resource, topology)
    members = {region: IsolatedMember.model_validate(member) for region, member in resource.members.items()}
    return IsolatedNetwork(Asking.of(resource, topology), IsolatedOptions.model_validate(resource.options), members)


def _takes_back(resource: Resource, topology: Topology) -> None:
    """Of the same kind, `undo` must make the opposite so, of the same groups. Another kind says itself what it does."""
    other = topology.resources.get(taken_back_by(resource.options) or "")
    if other is None or (other.port, other.kind) != (PortName.CUSTOM, resource.kind):
        return
    whole, isolated = "Nothing was changed.", bool(resource.options["isolated"])
    if other.options["isolated"] is isolated:
        raise Refused(
            f"{other.name} is named to take {resource.name} back, and both are isolated: {str(isolated).lower()}.",
            whole,
            f"Write isolated: {str(not isolated).lower()} at one of them in cloudfail.yaml.",
        )
    for region, member in resource.members.items():
        theirs = other.members.get(region)
        if theirs is not None and not same(str(theirs["group"]), str(member["group"])):
            raise Refused(
                f"{other.name} is named to take {resource.name} back, and has another group in {region}.",
                whole,
                f"Write the group of {resource.name} at {other.name} in cloudfail.yaml.",
            )
