"""A global datastore as a member's control plane has it, and the one request that moves the writer.

FailoverGlobalReplicationGroup is asynchronous and waits for nothing: what was not replicated is lost. There is no verb
that loses nothing, and no parameter that would make one of it. It takes no token either: while one is under way, the
datastore is `modifying` and refuses a second with InvalidGlobalReplicationGroupState, which means to look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudfail.errors import Permanent, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.database.marks import epoch_in, mark

SETTLED = "available"
ASSOCIATED = "associated"


class ClusterMode(Permanent):
    """The datastore has several shards, and is not served."""


@dataclass(frozen=True)
class Member:
    """One replication group of a datastore. status: as the API words it; `associated` where all is well."""

    region: str
    group: str
    primary: bool
    status: str


@dataclass(frozen=True)
class Datastore:
    """One answer of DescribeGlobalReplicationGroups."""

    name: str
    status: str
    members: tuple[Member, ...]

    def member(self, group: str, region: str) -> Member | None:
        return next((one for one in self.members if (one.region, one.group) == (region, group)), None)

    @property
    def primaries(self) -> tuple[Member, ...]:
        return tuple(one for one in self.members if one.primary)

    @property
    def underway(self) -> str:
        """What AWS is doing by itself, in words; "" where it is settled."""
        return "" if self.status == SETTLED else f"AWS says that {self.name} is {self.status}"


class GlobalDatastores:
    """One datastore. members: region -> replication group."""

    def __init__(self, asking: Asking, name: str, members: Mapping[str, str], *, seconds: float) -> None:
        self._asking = asking
        self.name = name
        self._members = members
        self._seconds = seconds

    def group(self, region: str) -> str:
        if region not in self._members:
            raise Permanent(f"This database has no member in {region}.")
        return self._members[region]

    def describe(self, region: str) -> Datastore:
        """As the control plane in `region` has it. Raises Transient, Permanent, OutcomeUnknown."""
        reply = self._asking.read(
            "elasticache", region, "describe_global_replication_groups", within=self._seconds,
            GlobalReplicationGroupId=self.name, ShowMemberInfo=True,
        )  # fmt: skip
        found = [one for one in reply.get("GlobalReplicationGroups") or [] if self._named(one)]
        if len(found) != 1:
            raise Transient(f"ElastiCache in {region} listed {len(found)} of {self.name}: that is no answer.")
        one = found[0]
        members = tuple(
            Member(
                str(each.get("ReplicationGroupRegion", "")),
                str(each.get("ReplicationGroupId", "")),
                each.get("Role") == "PRIMARY",
                str(each.get("Status") or ""),
            )
            for each in one.get("Members") or ()
        )
        if one.get("ClusterEnabled"):
            raise ClusterMode(
                f"{self.name} has cluster mode on.",
                "Nothing was changed: what one of its shards takes or holds says nothing of the others.",
                "Only global datastores with cluster mode off are served.",
            )
        return Datastore(self.name, str(one.get("Status", "")), members)

    def _named(self, one: Mapping[str, object]) -> bool:
        return one.get("GlobalReplicationGroupId") == self.name

    def epoch(self, member: Member) -> int | None:
        """The mark on the member's replication group, from its own region."""
        reply = self._asking.read(
            "elasticache", member.region, "list_tags_for_resource", within=self._seconds,
            ResourceName=self._arn(member),
        )  # fmt: skip
        return epoch_in(reply.get("TagList") or ())

    def fail_over(self, target: Member, call: Call) -> None:
        """Asked of the target's region. What was not replicated to it is lost."""
        timed = TimeLeft(call)
        arn = self._arn(target)
        self._asking.change(
            "elasticache", target.region, "add_tags_to_resource", call=timed.rest(),
            ResourceName=arn, Tags=[mark(call)],
        )  # fmt: skip
        self._asking.change(
            "elasticache", target.region, "failover_global_replication_group", call=timed.rest(),
            GlobalReplicationGroupId=self.name,
            PrimaryRegion=target.region, PrimaryReplicationGroupId=target.group,
        )  # fmt: skip

    def _arn(self, member: Member) -> str:
        reply = self._asking.read(
            "elasticache", member.region, "describe_replication_groups", within=self._seconds,
            ReplicationGroupId=member.group,
        )  # fmt: skip
        found = [one for one in reply.get("ReplicationGroups") or () if one.get("ReplicationGroupId") == member.group]
        if len(found) != 1 or not found[0].get("ARN"):
            raise Transient(f"ElastiCache in {member.region} listed {len(found)} of {member.group}: that is no answer.")
        return str(found[0]["ARN"])
