"""Part of a fence: the member's security groups, exchanged for one that lets nobody in.

A security group keeps state, and does not cut a connection that was made before (VPC user guide, "Connection
tracking"). So this alone is no fence, and is never taken for one: what stands here is said as evidence, and the outcome
comes from the writes that were tried. What it adds is that nobody new comes in while sessions are ended and logins
revoked, and after.

It needs RDS's control plane in the old region. The groups that were there are written into a tag of the member before
the exchange, beside the epoch, and put back from there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from cloudfail.errors import CloudfailError, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.database.marks import epoch_in, mark, refuse_older

NAME = "security-group"
TAG = "cloudfail:groups"


class SecurityGroupFence:
    """Of one database: region -> the group that is put in place of the member's own.

    sort: "instance" or "cluster", as RDS has two sets of operations. names: region -> identifier. service: who has the
    clusters, where it is not RDS ("docdb", "neptune"): these answer with no tags, which are asked for.
    """

    name = NAME
    cuts = False

    def __init__(
        self,
        asking: Asking,
        sort: str,
        names: Mapping[str, str],
        closed: Mapping[str, str],
        *,
        seconds: float,
        service: str = "rds",
    ) -> None:
        self._asking = asking
        self._sort = sort
        self._names = names
        self._closed = closed
        self._seconds = seconds
        self._service = service

    def has(self, region: str) -> bool:
        """Whether it is said which group lets nobody in."""
        return region in self._closed

    def prevents(self, region: str) -> bool:
        """Never: a connection that was made before goes on."""
        return False

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether the member is in that group and in no other."""
        try:
            groups = _groups(self._read(region))
        except CloudfailError as error:
            return Unknown(f"{NAME} in {region}: {error}", time.time())
        return Known(groups == [self._closed[region]], time.time())

    def apply(self, region: str, call: Call) -> None:
        """Note the groups, then exchange them."""
        timed = TimeLeft(call)
        member, closed = self._read(region), self._closed[region]
        tags = self._tags(region, member)
        refuse_older(epoch_in(tags), call, f"{self._names[region]} in {region}")
        groups = _groups(member)
        if groups == [closed]:
            return
        before = [group for group in groups if group != closed]
        self._tag(region, member, {"Key": TAG, "Value": " ".join(before)}, timed.rest())
        self._exchange(region, [closed], timed.rest())
        call.log(f"{region}: {self._names[region]} is in {closed} alone; it was in {', '.join(before)}")

    def lift(self, region: str, call: Call) -> None:
        """Put back what was there."""
        timed = TimeLeft(call)
        member = self._read(region)
        if _groups(member) != [self._closed[region]]:
            return
        tags = self._tags(region, member)
        refuse_older(epoch_in(tags), call, f"{self._names[region]} in {region}")
        before = next((str(tag.get("Value", "")).split() for tag in tags if tag.get("Key") == TAG), [])
        if not before:
            raise Permanent(
                f"{self._names[region]} in {region} is in {self._closed[region]} and carries no tag {TAG}.",
                "Its security groups were left as they are.",
                "Give it its groups back by hand.",
            )
        self._tag(region, member, None, timed.rest())
        self._exchange(region, before, timed.rest())

    def _tag(self, region: str, member: Mapping[str, Any], more: dict[str, str] | None, call: Call) -> None:
        arn = member.get("DBInstanceArn") or member.get("DBClusterArn")
        tags = [mark(call)] if more is None else [mark(call), more]
        self._asking.change(self._service, region, "add_tags_to_resource", call=call, ResourceName=arn, Tags=tags)

    def _tags(self, region: str, member: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if "TagList" in member or self._service == "rds":
            return member.get("TagList") or ()
        reply = self._asking.read(
            self._service, region, "list_tags_for_resource", within=self._seconds, ResourceName=member["DBClusterArn"]
        )
        return reply.get("TagList") or ()

    def _exchange(self, region: str, groups: list[str], call: Call) -> None:
        name = self._names[region]
        if self._sort == "instance":
            self._asking.change(
                self._service, region, "modify_db_instance", call=call,
                DBInstanceIdentifier=name, VpcSecurityGroupIds=groups, ApplyImmediately=True,
            )  # fmt: skip
        else:
            self._asking.change(
                self._service, region, "modify_db_cluster", call=call,
                DBClusterIdentifier=name, VpcSecurityGroupIds=groups, ApplyImmediately=True,
            )  # fmt: skip

    def _read(self, region: str) -> Mapping[str, Any]:
        name = self._names[region]
        if self._sort == "instance":
            reply = self._asking.read(
                self._service, region, "describe_db_instances", within=self._seconds, DBInstanceIdentifier=name
            )
            found = reply.get("DBInstances") or []
        else:
            reply = self._asking.read(
                self._service, region, "describe_db_clusters", within=self._seconds, DBClusterIdentifier=name
            )
            found = reply.get("DBClusters") or []
        if len(found) != 1:
            raise Permanent(f"{self._service} in {region} lists {len(found)} of {name}.")
        one: Mapping[str, Any] = found[0]
        return one


def _groups(member: Mapping[str, Any]) -> list[str]:
    return sorted(
        str(one["VpcSecurityGroupId"])
        for one in member.get("VpcSecurityGroups") or ()
        if one.get("VpcSecurityGroupId") and one.get("Status") != "removing"
    )
