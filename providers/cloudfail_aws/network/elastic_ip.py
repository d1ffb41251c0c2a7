"""network: elastic-ip. One Elastic IP, between what stands for each site or zone of one region.

An Elastic IP belongs to a region and to a network border group (EC2 model, AssociateAddress): it never reaches another
region. So members are sites or zones of one region, or an appliance and its standby, and a member that is named after
another region of AWS is refused.

It is never taken from anybody. AssociateAddress moves an address to whom it is asked for unless AllowReassociation is
false, which it always is here. So a move is two effects, each announced by itself: let go by the association that was
seen, which is that one and no later one, and then give. Between the two nobody holds the address; so a dry run of the
second stands before the first. Nor is another address taken from the new holder: AWS would let go of one that it has,
so who has one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.network.options import ElasticIpOptions, HolderMember
from cloudfail_aws.network.paths import Path, Seen
from cloudfail_paths.path import READ_SECONDS, UNCHANGED, told_apart

MAY = "DryRunOperation"
_AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")


class ElasticIp(Path):
    """The one part is the allocation."""

    serves = "move_address"

    def __init__(self, asking: Asking, options: ElasticIpOptions, members: Mapping[str, HolderMember]) -> None:
        super().__init__(
            asking,
            options.region,
            {region: member.reach for region, member in members.items()},
            answer_within=options.answer_within,
        )
        self._allocation = options.allocation
        self._members = members

    def look(self, *, within: float) -> Seen:
        found = self.ask("describe_addresses", within, AllocationIds=[self._allocation]).get("Addresses") or []
        address = next((one for one in found if one.get("AllocationId") == self._allocation), None)
        if address is None:
            raise Transient(f"EC2 in {self._region} answers, and tells nothing of {self._allocation}.")
        return Seen(
            {self._allocation: self._holder(address)},
            f"{address.get('AssociationId') or 'free'} {_held_by(address)} {address.get('PrivateIpAddress', '')}",
            {self._allocation: self.epoch_in(address.get("Tags"))},
            raw=address,
        )

    def _holder(self, address: Mapping[str, Any]) -> tuple[str, ...]:
        if not address.get("AssociationId"):
            return ()
        for region, member in self._members.items():
            if member.holder in (address.get("NetworkInterfaceId"), address.get("InstanceId")) and (
                member.private_address in (None, address.get("PrivateIpAddress"))
            ):
                return (region,)
        raise Conflict(
            f"{address.get('PublicIp')} ({self._allocation}) is held by {_held_by(address)}, which is no member of "
            f"{self._asking.resource.name}.",
            "It was not taken away.",
            "Write it as a member, or have its owner let it go: aws ec2 disassociate-address "
            f"--region {self._region} --association-id {address['AssociationId']}",
        )

    def object_of(self, part: str) -> str:
        return part

    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        address = str(seen.raw.get("PublicIp"))
        if len(regions) > 1:
            raise Permanent(f"An address is held by one, not by {' and '.join(regions)}.", UNCHANGED)
        member = self._members[regions[0]] if regions else None
        if member is not None:
            self._holds_no_other(member, time_left)
        if seen.points[part]:
            if member is not None:
                self._may_be_given(part, member, time_left)
            self.change("disassociate_address", time_left, AssociationId=seen.raw["AssociationId"])
            return f"{address}: let go by {_held_by(seen.raw)}"
        assert member is not None, "a part that is nowhere, and is wanted nowhere, is no change"
        self.change("associate_address", time_left, **_request(part, member))
        return f"{address}: given to {member.holder}"

    def _may_be_given(self, part: str, member: HolderMember, time_left: TimeLeft) -> None:
        """Before it is let go: whether it could be given at all, by a dry run. A role that may only take away would
        leave it with nobody, and could not put it back either."""
        try:
            self.change("associate_address", time_left, DryRun=True, **_request(part, member))
        except Permanent as error:
            if MAY not in error.happened:
                raise
            return
        raise OutcomeUnknown("EC2 answered a dry run as if it were none.")

    def _holds_no_other(self, member: HolderMember, time_left: TimeLeft) -> None:
        """An interface may hold several, one for each of its own addresses; of the one that is meant AWS would take
        what it has."""
        name = "network-interface-id" if member.holder.startswith("eni-") else "instance-id"
        within = min(READ_SECONDS, max(0.01, time_left.seconds))
        try:
            found = self.ask("describe_addresses", within, Filters=[{"Name": name, "Values": [member.holder]}])
        except OutcomeUnknown as error:
            raise Transient(f"What {member.holder} holds cannot be read: {error}") from error  # a look has no effect
        held = [
            one
            for one in found.get("Addresses") or []
            if one.get("AllocationId") != self._allocation
            and (member.private_address is None or member.private_address == one.get("PrivateIpAddress"))
        ]
        if held:
            raise Permanent(
                f"{member.holder} holds {held[0].get('PublicIp')} already, and AWS would take it away.",
                "Nothing was given to it.",
                "Free it, or name another holder; where it has several addresses, say which: private_address.",
            )


def _request(allocation: str, member: HolderMember) -> dict[str, Any]:
    key = "NetworkInterfaceId" if member.holder.startswith("eni-") else "InstanceId"
    own = {"PrivateIpAddress": member.private_address} if member.private_address else {}
    return {"AllocationId": allocation, "AllowReassociation": False, key: member.holder, **own}


def _held_by(address: Mapping[str, Any]) -> str:
    return str(address.get("InstanceId") or address.get("NetworkInterfaceId") or "nobody")


def build(resource: Resource, topology: Topology) -> ElasticIp:
    """Kind.build. Raises Refused for members that an address cannot reach."""
    options = ElasticIpOptions.model_validate(resource.options)
    away = [name for name in resource.members if _AWS_REGION.fullmatch(name) and name != options.region]
    if away:
        raise Refused(
            f"{resource.name}: an Elastic IP of {options.region} cannot be held in {', '.join(away)}.",
            "Nothing was changed.",
            "Name sites or zones of that region as members; between regions, move a name or a balancer instead.",
        )
    members = {region: HolderMember.model_validate(member) for region, member in resource.members.items()}
    told_apart(
        resource, {region: [f"{one.holder} {one.private_address or ''}".strip()] for region, one in members.items()}
    )
    return ElasticIp(Asking.of(resource, topology), options, members)
