"""network: static-ip. One static external address, between instances of its own region.

A regional address never reaches another region (Compute Engine, "Configure static external IP addresses": it is used in
the region in which it was reserved). So members are zones or sites of one region, and an instance of another one is
refused. Global addresses are announced everywhere at once, and are refused when the file is read.

An address is moved by taking the access configuration away that holds it, and by adding one elsewhere: two requests,
which are not one change. So a move is two effects, each announced by itself, and between the two nobody holds the
address. Before it is let go the new holder is looked at: an interface has one external address at most (Compute Engine
v1, `accessConfigs`), so one that has another is refused, and nothing is taken from it. Google has no dry run that tells
whether the giving would be allowed; who may take away, and not give, leaves it with nobody.

Neither request has a condition. An access configuration is taken away by its name, and those that a run adds have one
of their own, in which its epoch stands: a late request finds what it was sent for, or nothing, which Google answers
alike; the next look tells. `External NAT`, as people have it, is such a name too, and may be there again. The mark is a
label of the address, written before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.network.options import AddressOptions, HolderMember
from cloudfail_gcp.network.path import Path, Seen
from cloudfail_gcp.paths import name_of, path_of, region_of, scope_of
from cloudfail_gcp.under_way import all_under_way
from cloudfail_paths.path import READ_SECONDS, UNCHANGED, told_apart

NAT = "ONE_TO_ONE_NAT"
_UNFIT = re.compile(r"[^a-z0-9_-]")


class StaticIp(Path):
    """The one part is the address, by its path."""

    serves = "move_address"

    def __init__(self, asking: Asking, options: AddressOptions, members: Mapping[str, HolderMember]) -> None:
        super().__init__(
            asking,
            region_of(options.address),
            {region: member.reach for region, member in members.items()},
            answer_within=options.answer_within,
        )
        self._address = options.address
        self._members = members
        self._label = f"cloudfail-{_UNFIT.sub('-', asking.topology.application.lower())}-epoch"[:63]

    # ---- the look

    def look(self, *, within: float) -> Seen:
        """What is under way is asked first: what ends between the two is then seen."""
        until = self._asking.deadline(within)
        moving = self._moving(until)
        address = self._get(self._address, until)
        if not address.get("address") or not address.get("status"):
            raise Transient(f"Compute Engine answers, and tells nothing of {self._address}.")
        if address.get("addressType", "EXTERNAL") != "EXTERNAL":
            raise Permanent(
                f"{self._address} is an internal address, which no access configuration holds.",
                UNCHANGED,
                "Lead a route to what stands behind it (network: route).",
            )
        users = [path_of(str(user)) for user in address.get("users") or ()]
        epoch = str((address.get("labels") or {}).get(self._label, ""))
        mark = int(epoch) if epoch.isascii() and epoch.isdigit() else None
        if not users:
            if address["status"] == "IN_USE":
                raise Transient(f"{self._address} is in use, and Compute Engine does not tell by whom.")
            return Seen({self._address: ()}, "free", mark, moving=moving, raw=address)
        region, member = self._holder(address, users)
        instance = self._get(member.holder, until)
        interface, config = self._config(instance, str(address["address"]))
        if member.interface != interface:
            raise Conflict(
                f"{address['address']} is on {interface} of {member.holder}, and {member.interface} is written.",
                UNCHANGED,
                f"Write interface: {interface} in cloudfail.yaml.",
            )
        stopped = instance.get("status") not in (None, "RUNNING")
        return Seen(
            {self._address: (region,)},
            f"{member.holder} {interface} {config}",
            mark,
            moving=moving,
            obstacle=f"{member.holder} is {instance['status']}" if stopped else "",
            raw={**address, "config": config},
        )

    def _moving(self, until: float) -> str:
        holders = {member.holder for member in self._members.values()}
        for scope in sorted({scope_of(holder) for holder in holders}):
            left = max(0.01, self._asking.left_until(until))
            for target, words in all_under_way(self._asking, self._where, scope, within=left):
                if target in holders:
                    return words
        return ""

    def _holder(self, address: Mapping[str, Any], users: list[str]) -> tuple[str, HolderMember]:
        found = next(((region, one) for region, one in self._members.items() if [one.holder] == users), None)
        if found is None:
            raise Conflict(
                f"{address['address']} ({self._address}) is held by {' and '.join(users)}, which is no member of "
                f"{self._asking.resource.name}.",
                "It was not taken away.",
                "Write it as a member, or have its owner let it go: gcloud compute instances delete-access-config …",
            )
        return found

    def _config(self, instance: Mapping[str, Any], address: str) -> tuple[str, str]:
        """(interface, access configuration) that holds it. Raises Transient where address and instance disagree."""
        for interface in instance.get("networkInterfaces") or ():
            for config in interface.get("accessConfigs") or ():
                if config.get("natIP") == address:
                    return str(interface.get("name")), str(config.get("name"))
        raise Transient(f"{self._address} says that it is held by {instance.get('name')}, which does not say so.")

    def _get(self, path: str, until: float) -> dict[str, Any]:
        return self._asking.read("compute", self._where, path, within=max(0.01, self._asking.left_until(until)))

    # ---- the verb

    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        if len(regions) > 1:
            raise Permanent(f"An address is held by one, not by {' and '.join(regions)}.", UNCHANGED)
        member = self._members[regions[0]] if regions else None
        if member is not None:
            self._is_free(member, time_left)
        if seen.epoch != call.epoch:
            self._mark(seen, call, time_left)
            again = self.before(time_left)
            self.newest(again, call)
            self.unchanged(again, seen.version)
            seen = again
        address = str(seen.raw["address"])
        if held := seen.points[part]:
            holder = self._members[held[0]]
            query = {"networkInterface": holder.interface, "accessConfig": str(seen.raw["config"])}
            self._change(f"{holder.holder}/deleteAccessConfig", seen, time_left, query=query)
            return f"{address}: let go by {holder.holder}"
        assert member is not None, "a part that is nowhere, and is wanted nowhere, is no change"
        body = {
            "type": NAT,
            "name": f"cloudfail-{call.epoch}",
            "natIP": address,
            # As the address was reserved: the two must be the same.
            "networkTier": str(seen.raw.get("networkTier") or "PREMIUM"),
        }
        query = {"networkInterface": member.interface}
        self._change(f"{member.holder}/addAccessConfig", seen, time_left, query=query, body=body)
        return f"{address}: given to {member.holder}"

    def _change(self, path: str, seen: Seen, time_left: TimeLeft, **more: Any) -> None:
        try:
            self.order("POST", path, time_left, **more)
        except Permanent:
            # Somebody else may have taken it, or taken it away, in this instant: Google calls that invalid, too.
            self.unchanged(self.before(time_left), seen.version)
            raise

    def _is_free(self, member: HolderMember, time_left: TimeLeft) -> None:
        """Before it is let go: whether the next one can take it."""
        try:
            instance = self._get(member.holder, self._asking.deadline(min(READ_SECONDS, time_left.seconds)))
        except OutcomeUnknown as error:
            raise Transient(f"What {member.holder} holds cannot be read: {error}") from error  # a look has no effect
        found = {one.get("name"): one for one in instance.get("networkInterfaces") or ()}
        if member.interface not in found:
            raise Permanent(f"{member.holder} has no {member.interface}.", UNCHANGED)
        for config in found[member.interface].get("accessConfigs") or ():
            raise Permanent(
                f"{member.interface} of {member.holder} has {config.get('natIP') or 'an external address'} already, "
                "and an interface has one at most.",
                UNCHANGED,
                f"Take it away: gcloud compute instances delete-access-config {name_of(member.holder)} "
                f"--zone {scope_of(member.holder).rpartition('/')[2]} "
                f'--access-config-name "{config.get("name", "")}"',
            )

    def _mark(self, seen: Seen, call: Call, time_left: TimeLeft) -> None:
        """Where it may not be written the change is still made: watching is what guards it. The fingerprint is that of
        the labels, and holds nothing but them together."""
        labels = {**(seen.raw.get("labels") or {}), self._label: str(call.epoch)}
        body: dict[str, Any] = {"labels": labels}
        if seen.raw.get("labelFingerprint"):
            body["labelFingerprint"] = seen.raw["labelFingerprint"]
        try:
            self.order("POST", f"{self._address}/setLabels", time_left, body=body)
        except Permanent as error:
            call.log(f"the epoch could not be written beside it: {error.happened}")


def build(resource: Resource, topology: Topology) -> StaticIp:
    """Kind.build. Raises Refused for members that the address cannot reach."""
    options = AddressOptions.model_validate(resource.options)
    members = {region: HolderMember.model_validate(member) for region, member in resource.members.items()}
    home = region_of(options.address)
    away = {name: one.holder for name, one in members.items() if region_of(one.holder) != home}
    if away:
        raise Refused(
            f"{resource.name}: an address of {home} cannot be held by {', '.join(away.values())}.",
            "Nothing was changed.",
            "Name instances of that region as members; between regions, move a name or shift a balancer instead.",
        )
    told_apart(resource, {region: [one.holder] for region, one in members.items()})
    return StaticIp(Asking.of(resource, topology), options, members)
