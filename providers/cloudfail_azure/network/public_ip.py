"""network: public-ip. One public IP address, between holders of its own region.

An address is of one region, and what holds it stands there too ("Public IP addresses", learn.microsoft.com/azure/
virtual-network/ip-services/public-ip-addresses). So members are zones or sites of one region; one that stands in
another is refused. An address of the Global tier belongs to global balancers alone, whose pools are moved instead
(loadbalancer: azure-load-balancer).

Between network interfaces a move is not one change. The interface that holds it is written back whole without it, and
then the other one with it: two effects, each announced by itself, and between the two nobody holds the address. Before
it is let go the new holder is looked at: an IP configuration has one public address at most, so one that has another is
refused, and nothing is taken from it.

Between balancers one order swaps (`Load Balancers - Swap Public Ip Addresses`): a public frontend is never without an
address, so each of the two has the other's afterwards. Members are of one sort.

Interfaces are written under the ETag that was seen, which no reference promises to hold (route_table.py has the
source); a swap has no condition at all. What an older lease sends late is seen, and put back by watching. The mark is a
tag of the address, written before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.network.options import HolderMember, PublicIpOptions
from cloudfail_azure.network.tables import tag_of
from cloudfail_azure.paths import name_of, parent_of, same, subscription_of, type_of
from cloudfail_azure.whole import Network, Whole
from cloudfail_paths.path import READ_SECONDS, UNCHANGED, Path, Points, told_apart

_KEY = "publicIPAddress"
_LISTED = {"ipconfigurations": "ipConfigurations", "frontendipconfigurations": "frontendIPConfigurations"}


@dataclass(frozen=True)
class Seen:
    """As Azure describes it. address: whole; holder: the resource that holds it, None where nobody does."""

    points: Points
    version: str
    epoch: int | None
    moving: str
    obstacle: str
    address: Whole
    holder: Whole | None


class PublicIp(Path[Seen]):
    """The one part is the address, by its id."""

    serves = "move_address"
    cloud = "Azure"

    def __init__(self, asking: Asking, options: PublicIpOptions, members: Mapping[str, HolderMember]) -> None:
        reaches = {region: member.reach for region, member in members.items()}
        super().__init__(asking.resource.name, reaches, answer_within=options.answer_within)
        self._asking = asking
        self._network = Network(asking, options.region)
        self._id = options.address
        self._holders = {region: member.holder for region, member in members.items()}
        self._swaps = _listed(next(iter(self._holders.values()))) == "frontendIPConfigurations"
        self._tag = tag_of(asking.topology.application)

    # ---- the look

    def look(self, *, within: float) -> Seen:
        until = self._asking.deadline(within)
        address = self._network.get(self._id, within=self._asking.left_until(until))
        tier = str((address.body.get("sku") or {}).get("tier") or "Regional")
        if tier.lower() == "global":
            raise Permanent(
                f"{self._id} is an address of the Global tier, which no network interface holds.",
                UNCHANGED,
                "Move the pool of its balancer (loadbalancer: azure-load-balancer).",
            )
        held_by = str((address.properties.get("ipConfiguration") or {}).get("id", ""))
        failed = f"Azure says {address.state} of {self._id}" if address.ended_badly else ""
        if not held_by:
            return Seen({self._id: ()}, "free", self._epoch(address), address.moving, failed, address, None)
        region = self._region_of(held_by)
        holder = self._network.get(parent_of(self._holders[region]), within=self._asking.left_until(until))
        config = self._config(holder, self._holders[region])
        if not same(str((config.get(_KEY) or {}).get("id", "")), self._id):
            raise Transient(f"{self._id} says that it is held by {holder.id}, which does not say so.")
        if holder.ended_badly:
            failed = f"Azure says {holder.state} of {holder.id}"
        return Seen(
            {self._id: (region,)},
            f"{region} {self._holders[region].lower()}",
            self._epoch(address),
            address.moving or holder.moving,
            failed,
            address,
            holder,
        )

    def _region_of(self, held_by: str) -> str:
        found = next((region for region, own in self._holders.items() if same(own, held_by)), None)
        if found is None:
            raise Conflict(
                f"{self._id} is held by {held_by}, which is no member of {self._asking.resource.name}.",
                "It was not taken away.",
                "Write it as a member, or have its owner let it go.",
            )
        return found

    def _config(self, whole: Whole, holder: str) -> Mapping[str, Any]:
        """The properties of that IP configuration, as they stand in its interface or balancer."""
        for one in whole.properties.get(_listed(holder)) or ():
            if same(str(one.get("name", "")), name_of(holder)):
                found: Mapping[str, Any] = one.get("properties") or {}
                return found
        raise Permanent(f"{whole.id} has no {name_of(holder)}.", UNCHANGED, f"Correct {self._name} in cloudfail.yaml.")

    def _epoch(self, address: Whole) -> int | None:
        tags = address.body.get("tags") or {}
        said = next((str(value) for key, value in tags.items() if key.lower() == self._tag.lower()), "")
        return int(said) if said.isascii() and said.isdigit() else None

    # ---- the verb

    def marked(self, part: str, seen: Seen, call: Call, time_left: TimeLeft) -> Seen:
        """Written before the first change of an epoch. Where it may not be written the change is still made: watching
        is what guards it."""
        if seen.epoch == call.epoch:
            return seen
        tags = {key: value for key, value in (seen.address.body.get("tags") or {}).items() if not same(key, self._tag)}
        try:
            self._network.tag(seen.address, {**tags, self._tag: str(call.epoch)}, call=time_left.rest())
        except Permanent as error:
            call.log(f"the epoch could not be written beside it: {error.happened}")
        return self.again(seen, call, time_left)

    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        if len(regions) > 1:
            raise Permanent(f"An address is held by one, not by {' and '.join(regions)}.", UNCHANGED)
        if self._swaps:
            return self._swapped(regions, seen, time_left)
        wanted = self._free(self._holders[regions[0]], time_left) if regions else None
        if seen.holder is not None:
            holder = self._holders[seen.points[part][0]]
            self._write(seen.holder, holder, None, time_left)
            return f"{name_of(self._id)}: let go by {seen.holder.id}"
        assert wanted is not None, "a part that is nowhere, and is wanted nowhere, is no change"
        self._write(wanted, self._holders[regions[0]], {"id": self._id}, time_left)
        return f"{name_of(self._id)}: given to {wanted.id}"

    def _free(self, holder: str, time_left: TimeLeft) -> Whole:
        """What is to hold it, before it is let go: there, and without another address."""
        whole = self._looked(holder, time_left)
        held = (self._config(whole, holder).get(_KEY) or {}).get("id")
        if held and not same(str(held), self._id):
            raise Permanent(
                f"{holder} has {held} already, and an IP configuration has one public address at most.",
                UNCHANGED,
                "Take it away: az network nic ip-config update --remove PublicIpAddress "
                f"--nic-name {name_of(whole.id)} --name {name_of(holder)}",
            )
        if whole.moving:
            raise Transient(f"{whole.moving}; it takes no order until that is over.")
        return whole

    def _swapped(self, regions: tuple[str, ...], seen: Seen, time_left: TimeLeft) -> str:
        if not regions or seen.holder is None:
            raise Permanent(
                f"{self._id}: addresses of balancers are swapped, and this one is {'held' if regions else 'wanted'} by "
                "nobody.",
                UNCHANGED,
                "Give it to a frontend by hand.",
            )
        target, source = self._holders[regions[0]], self._holders[seen.points[self._id][0]]
        whole = self._looked(target, time_left)
        other = str((self._config(whole, target).get(_KEY) or {}).get("id", ""))
        if not other:
            raise Permanent(f"{target} is no public frontend: it has no address to swap.", UNCHANGED)
        if whole.moving:
            raise Transient(f"{whole.moving}; it takes no order until that is over.")
        reply = self._network.swap(self._place(), {source: other, target: self._id}, call=time_left.rest())
        self._network.follow(reply, f"swap {self._id}", time_left)
        return f"{name_of(self._id)}: swapped with {name_of(other)}, from {source} to {target}"

    def _place(self) -> str:
        return f"{subscription_of(self._id)}/providers/Microsoft.Network/locations/{self._network.region}"

    def _looked(self, holder: str, time_left: TimeLeft) -> Whole:
        try:
            return self._network.get(parent_of(holder), within=min(READ_SECONDS, max(0.01, time_left.seconds)))
        except OutcomeUnknown as error:
            raise Transient(f"What {holder} holds cannot be read: {error}") from error  # a look has no effect

    def _write(self, whole: Whole, holder: str, address: Mapping[str, str] | None, time_left: TimeLeft) -> None:
        body = whole.copied()
        for one in body["properties"][_listed(holder)]:
            if same(str(one["name"]), name_of(holder)):
                one["properties"].pop(_KEY, None)
                if address is not None:
                    one["properties"][_KEY] = dict(address)
        reply = self._network.put(whole, body, call=time_left.rest())
        self._network.follow(reply, f"PUT {whole.id}", time_left)


def _listed(holder: str) -> str:
    """Under which name its interface or balancer lists it."""
    return _LISTED[type_of(holder).lower()]


def build(resource: Resource, topology: Topology) -> PublicIp:
    """Kind.build. Raises Refused where two regions have one holder, or where holders are of two sorts."""
    options = PublicIpOptions.model_validate(resource.options)
    members = {region: HolderMember.model_validate(member) for region, member in resource.members.items()}
    told_apart(resource, {region: [one.holder.lower()] for region, one in members.items()})
    if len({_listed(one.holder) for one in members.values()}) > 1:
        raise Refused(
            f"{resource.name}: an address is swapped between balancers, or let go and given between interfaces, not "
            "between the two.",
            "Nothing was changed.",
            "Name holders of one sort as members.",
        )
    return PublicIp(Asking.of(resource, topology), options, members)
