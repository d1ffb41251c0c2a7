"""Global clusters (Aurora, DocumentDB, Neptune) as a member's control plane has them, and the two requests that move
the writer.

They differ in one parameter, and so are two methods with nothing to leave out. FailoverGlobalCluster without
AllowDataLoss is a switchover: it waits for the primary, which on the bad day is the one that does not answer. With
AllowDataLoss it does not wait, and loses what was not replicated. SwitchoverGlobalCluster loses nothing and is called
in the primary's region. Neither takes a token: a second call is refused with InvalidGlobalClusterStateFault while the
first is under way, which means to look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.database.marks import epoch_in, mark

TAIL = "rds:unplanned-global-failover-"


@dataclass(frozen=True)
class Member:
    """One cluster of a global cluster. synchronization: as the API words it, "" where it says nothing."""

    arn: str
    writer: bool
    synchronization: str

    @property
    def region(self) -> str:
        return (self.arn.split(":") + [""] * 4)[3]


@dataclass(frozen=True)
class Underway:
    """FailoverState: what AWS is doing by itself. A switchover allows no data loss."""

    status: str
    source: str
    target: str
    data_loss_allowed: bool

    @property
    def words(self) -> str:
        kind = "failover" if self.data_loss_allowed else "switchover"
        return f"AWS says that a {kind} to {self.target.rsplit(':', 1)[-1]} is {self.status}"


@dataclass(frozen=True)
class GlobalCluster:
    """One answer of DescribeGlobalClusters."""

    name: str
    status: str
    members: tuple[Member, ...]
    underway: Underway | None

    def member(self, arn_end: str, region: str) -> Member | None:
        """The member with that identifier in that region."""
        end = f":{arn_end}"
        return next((one for one in self.members if one.region == region and one.arn.endswith(end)), None)

    @property
    def writers(self) -> tuple[Member, ...]:
        return tuple(one for one in self.members if one.writer)


@dataclass(frozen=True)
class Tail:
    """A snapshot that AWS took of what an old primary held, and whether it was copied to where none is removed."""

    name: str
    copy: str
    copied: str


class GlobalClusters:
    """One global cluster. service: "rds", "docdb" or "neptune". members: region -> cluster identifier."""

    def __init__(self, asking: Asking, service: str, name: str, members: Mapping[str, str], *, seconds: float) -> None:
        self._asking = asking
        self.service = service
        self.name = name
        self._members = members
        self._seconds = seconds

    def cluster(self, region: str) -> str:
        if region not in self._members:
            raise Permanent(f"This database has no member in {region}.")
        return self._members[region]

    def describe(self, region: str) -> GlobalCluster:
        """As the control plane in `region` has it. Raises Transient, Permanent, OutcomeUnknown."""
        reply = self._asking.read(
            self.service, region, "describe_global_clusters", within=self._seconds, GlobalClusterIdentifier=self.name
        )
        found = [one for one in reply.get("GlobalClusters") or [] if one.get("GlobalClusterIdentifier") == self.name]
        if len(found) != 1:
            raise Transient(f"{self.service} in {region} listed {len(found)} of {self.name}: that is no answer.")
        one = found[0]
        members = tuple(
            Member(
                str(each.get("DBClusterArn", "")),
                bool(each.get("IsWriter")),
                str(each.get("SynchronizationStatus") or ""),
            )
            for each in one.get("GlobalClusterMembers") or []
        )
        return GlobalCluster(self.name, str(one.get("Status", "")), members, _underway(one.get("FailoverState") or {}))

    def epoch(self, member: Member) -> int | None:
        """The mark on the member's cluster, from its own region."""
        reply = self._asking.read(
            self.service, member.region, "list_tags_for_resource", within=self._seconds, ResourceName=member.arn
        )
        return epoch_in(reply.get("TagList") or ())

    def switch_over(self, primary: Member, target: Member, call: Call) -> None:
        """Nothing is lost, both sides being healthy. Asked of the primary's region."""
        timed = TimeLeft(call)
        self._mark(target, timed.rest())
        self._asking.change(
            self.service, primary.region, "switchover_global_cluster", call=timed.rest(),
            GlobalClusterIdentifier=self.name, TargetDbClusterIdentifier=target.arn,
        )  # fmt: skip

    def fail_over(self, target: Member, call: Call) -> None:
        """What was not replicated is lost. Asked of the target's region."""
        timed = TimeLeft(call)
        self._mark(target, timed.rest())
        self._asking.change(
            self.service, target.region, "failover_global_cluster", call=timed.rest(),
            GlobalClusterIdentifier=self.name, TargetDbClusterIdentifier=target.arn, AllowDataLoss=True,
        )  # fmt: skip

    def tails(self, region: str) -> list[Tail]:
        """What AWS kept of this member when it was failed away from, newest first."""
        start = f"{TAIL}{self.cluster(region)}-"
        listed = self._asking.pages(
            self.service, region, "describe_db_cluster_snapshots", "DBClusterSnapshots", within=self._seconds
        )
        status = {str(one.get("DBClusterSnapshotIdentifier", "")): str(one.get("Status", "")) for one in listed}
        found = sorted((name for name in status if name.startswith(start)), reverse=True)
        return [Tail(name, copy_name(name), status.get(copy_name(name), "")) for name in found]

    def copy(self, region: str, tail: Tail, call: Call) -> None:
        self._asking.change(
            self.service, region, "copy_db_cluster_snapshot", call=call,
            SourceDBClusterSnapshotIdentifier=tail.name, TargetDBClusterSnapshotIdentifier=tail.copy, Tags=[mark(call)],
        )  # fmt: skip

    def _mark(self, target: Member, call: Call) -> None:
        self._asking.change(
            self.service, target.region, "add_tags_to_resource", call=call, ResourceName=target.arn, Tags=[mark(call)]
        )


def copy_name(tail: str) -> str:
    """The manual snapshot that keeps a tail; the same in each look."""
    return "cloudfail-" + tail.removeprefix("rds:")


def _underway(state: Mapping[str, Any]) -> Underway | None:
    if not state.get("Status"):
        return None
    return Underway(
        str(state["Status"]),
        str(state.get("FromDbClusterArn") or ""),
        str(state.get("ToDbClusterArn") or ""),
        bool(state.get("IsDataLossAllowed")),
    )
