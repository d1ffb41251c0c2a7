"""network: prefix-list. Entries of one customer-managed prefix list: those of the region that is led to.

Routes and security groups that name the list follow it. ModifyManagedPrefixList takes the version that was seen, and
refuses another (`PrefixListVersionMismatch`): a true condition, and the version only grows. A move is two effects: the
new region's entries are added, and once EC2 says that this is everywhere (`modify-complete`), those of the old one are
removed. So there is no moment without any, and one with both. Entries that are no member's stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.network.options import EntriesMember, PrefixListOptions
from cloudfail_aws.network.paths import Path, Seen
from cloudfail_paths.path import UNCHANGED, told_apart


class PrefixList(Path):
    """The one part is the list."""

    def __init__(self, asking: Asking, options: PrefixListOptions, members: Mapping[str, EntriesMember]) -> None:
        super().__init__(
            asking,
            options.region,
            {region: member.reach for region, member in members.items()},
            answer_within=options.answer_within,
        )
        self._list = options.list
        self._entries = {region: member.cidrs for region, member in members.items()}

    def look(self, *, within: float) -> Seen:
        until = self._asking.deadline(within)
        told = self.ask("describe_managed_prefix_lists", within, PrefixListIds=[self._list]).get("PrefixLists") or []
        described = next((one for one in told if one.get("PrefixListId") == self._list), None)
        if described is None:
            raise Transient(f"EC2 in {self._region} answers, and tells nothing of {self._list}.")
        if described.get("Version") is None or described.get("IpamPrefixListResolverSyncEnabled"):
            raise Permanent(f"{self._list} is kept by AWS itself, which would change it back.", UNCHANGED)
        version = int(described["Version"])
        held = self._asking.pages(
            "ec2",
            self._region,
            "get_managed_prefix_list_entries",
            "Entries",
            within=max(0.01, self._asking.left_until(until)),
            PrefixListId=self._list,
            TargetVersion=version,
        )
        cidrs = {str(entry.get("Cidr")) for entry in held}
        state = str(described.get("State", ""))
        return Seen(
            {self._list: tuple(sorted(region for region in self._entries if self._is_in(region, cidrs)))},
            str(version),
            {self._list: self.epoch_in(described.get("Tags"))},
            moving=f"{self._list} is {state}" if state.endswith("-in-progress") else "",
            obstacle=f"{self._list} is {state}: {described.get('StateMessage', '')}"
            if state.endswith("failed")
            else "",
            raw={"cidrs": cidrs, "most": described.get("MaxEntries")},
        )

    def _is_in(self, region: str, cidrs: set[str]) -> bool:
        """Whole or not at all: one request adds or removes all of them."""
        own = self._entries[region]
        found = [cidr for cidr in own if cidr in cidrs]
        if found and len(found) < len(own):
            absent = next(cidr for cidr in own if cidr not in cidrs)
            raise Conflict(
                f"{self._list} holds {found[0]} of {region}, and not {absent}.",
                UNCHANGED,
                f"Add it, or take the others out: aws ec2 modify-managed-prefix-list --region {self._region} "
                f"--prefix-list-id {self._list}",
            )
        return bool(found)

    def object_of(self, part: str) -> str:
        return part

    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        now = seen.points[part]
        gains = [region for region in regions if region not in now]
        if gains:
            added = [cidr for region in gains for cidr in self._entries[region]]
            self._has_room(added, seen)
            entries = [
                {"Cidr": cidr, "Description": f"cloudfail {self._asking.topology.application} {region}"[:255]}
                for region in gains
                for cidr in self._entries[region]
            ]
            self._modify(seen, time_left, AddEntries=entries)
            return f"{part}: {', '.join(added)} added, for {' and '.join(gains)}"
        removed = [cidr for region in now if region not in regions for cidr in self._entries[region]]
        self._modify(seen, time_left, RemoveEntries=[{"Cidr": cidr} for cidr in removed])
        return f"{part}: {', '.join(removed)} removed"

    def _modify(self, seen: Seen, time_left: TimeLeft, **entries: Any) -> None:
        self.change(
            "modify_managed_prefix_list",
            time_left,
            PrefixListId=self._list,
            CurrentVersion=int(seen.version),
            **entries,
        )

    def _has_room(self, added: list[str], seen: Seen) -> None:
        most, held = seen.raw["most"], len(seen.raw["cidrs"])
        if most is not None and held + len(added) > int(most):
            raise Permanent(
                f"{self._list} may hold {most} entries and holds {held}: there is no room for {len(added)} more before "
                "the old ones go.",
                UNCHANGED,
                f"aws ec2 modify-managed-prefix-list --region {self._region} --prefix-list-id {self._list} "
                f"--max-entries {held + len(added)}",
            )


def build(resource: Resource, topology: Topology) -> PrefixList:
    """Kind.build. Raises Refused where an entry is two members'."""
    members = {region: EntriesMember.model_validate(member) for region, member in resource.members.items()}
    told_apart(resource, {region: member.cidrs for region, member in members.items()})
    return PrefixList(Asking.of(resource, topology), PrefixListOptions.model_validate(resource.options), members)
