"""Global clusters of Aurora, DocumentDB and Neptune, whose switchover and failover take their time.

As AWS's documentation has it: both are accepted at once; while one runs, the global cluster has a FailoverState and
refuses another; when it is over the state is absent and another member IsWriter. FailoverGlobalCluster without
AllowDataLoss is a switchover. A switchover needs all members available and in sync.

What the API says and what the databases do are apart, on purpose. `on_failover(target)` is where the databases are
promoted: `promote_seconds` after the call was accepted, which may be before the API says that it is over, long after,
or, with None, never.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Hours, RealHours, Refused


@dataclass
class Member:
    """A cluster of one region. `endpoint` is where its database listens, "host:port"."""

    name: str
    region: str
    arn: str
    endpoint: str = ""
    status: str = "available"
    synchronised: bool = True
    writer: bool = False
    groups: tuple[str, ...] = ("sg-0own",)

    @property
    def host(self) -> str:
        return self.endpoint.rpartition(":")[0] or f"{self.name}.cluster-x.{self.region}.rds.amazonaws.com"

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2] or 5432)


@dataclass
class Running:
    """A switchover or failover that is not over."""

    source: str
    target: str
    lossy: bool
    status: str = "pending"


@dataclass
class GlobalCluster:
    name: str
    members: dict[str, Member]
    running: Running | None = None

    @property
    def writer(self) -> Member | None:
        return next((one for one in self.members.values() if one.writer), None)


class GlobalClusters:
    """The state machine. Durations are in seconds, from the moment when a call is accepted.

    `pending_seconds`: until FailoverState is `failing-over`; `api_seconds`: until the API says that it is over, None
    for never; `promote_seconds`: until `on_failover(target member)` is called, None for never. Zero is at once, before
    the call is answered. `on_failover` runs on the clock's thread, and may take as long as it does.
    """

    def __init__(
        self,
        hours: Hours | None = None,
        on_failover: Callable[[Member], None] | None = None,
        *,
        engine: str = "aurora-postgresql",
        account: str = "123456789012",
    ) -> None:
        self.hours = hours or RealHours()
        self.pending_seconds = 0.0
        self.api_seconds: float | None = 0.0
        self.promote_seconds: float | None = 0.0
        # Each call that was accepted, for tests to count: (operation, target's name, may data be lost).
        self.accepted: list[tuple[str, str, bool]] = []
        self._tags: dict[str, dict[str, str]] = {}
        # By region: the names of the snapshots of clusters that are there, each of them available.
        self.snapshots: dict[str, set[str]] = {}
        self._on_failover = on_failover or (lambda member: None)
        self._engine = engine
        self._account = account
        self._clusters: dict[str, GlobalCluster] = {}

    def cluster(self, name: str, members: dict[str, tuple[str, str]], writer: str) -> GlobalCluster:
        """members: by region, the cluster's name and its endpoint ("" for one that is never connected to). writer: the
        region that writes."""
        made = {
            region: Member(
                own, region, f"arn:aws:rds:{region}:{self._account}:cluster:{own}", endpoint, writer=region == writer
            )
            for region, (own, endpoint) in members.items()
        }
        self._clusters[name] = GlobalCluster(name, made)
        return self._clusters[name]

    def describe_global_clusters(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        name = given.get("GlobalClusterIdentifier")
        found = [self._find(name)] if name else list(self._clusters.values())
        start, size = int(given.get("Marker", "0")), given.get("MaxRecords", 100)
        more = {"Marker": str(start + size)} if start + size < len(found) else {}
        return {"GlobalClusters": [self._described(one) for one in found[start : start + size]], **more}

    def describe_db_clusters(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        """Those of the region that is asked."""
        wanted = given.get("DBClusterIdentifier", "").rpartition(":")[2]
        here = [
            (cluster, member)
            for cluster in self._clusters.values()
            for member in cluster.members.values()
            if member.region == what.region and wanted in ("", member.name)
        ]
        if wanted and not here:
            raise Refused("DBClusterNotFoundFault", f"There is no cluster {wanted} in {what.region}.")
        return {
            "DBClusters": [
                {
                    "DBClusterIdentifier": member.name,
                    "DBClusterArn": member.arn,
                    "Engine": self._engine,
                    "Status": _status(cluster, member),
                    "Endpoint": member.host,
                    "ReaderEndpoint": member.host,
                    "Port": member.port,
                    "VpcSecurityGroups": [{"VpcSecurityGroupId": one, "Status": "active"} for one in member.groups],
                    **({"ReplicationSourceIdentifier": source.arn} if (source := _source(cluster, member)) else {}),
                }
                for cluster, member in here
            ]
        }

    def modify_db_cluster(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        """Its security groups alone."""
        for cluster in self._clusters.values():
            member = cluster.members.get(what.region)
            if member is not None and member.name == given["DBClusterIdentifier"]:
                member.groups = tuple(given.get("VpcSecurityGroupIds", member.groups))
                return {"DBCluster": {"DBClusterIdentifier": member.name, "DBClusterArn": member.arn}}
        raise Refused("DBClusterNotFoundFault", f"There is no such cluster in {what.region}.")

    def switchover_global_cluster(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        return self._change("SwitchoverGlobalCluster", given, lossy=False)

    def failover_global_cluster(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        lossy = given.get("AllowDataLoss", False)
        if lossy and given.get("Switchover", False):
            raise Refused("InvalidParameterCombination", "AllowDataLoss and Switchover exclude each other.")
        return self._change("FailoverGlobalCluster", given, lossy=lossy)

    def remove_from_global_cluster(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        """A reader leaves, and writes by itself from then on: its data is its own."""
        cluster = self._find(given["GlobalClusterIdentifier"])
        member = self._member(cluster, given["DbClusterIdentifier"])
        if cluster.running is not None or (member.writer and len(cluster.members) > 1):
            raise Refused("InvalidGlobalClusterStateFault", f"{member.name} cannot leave {cluster.name} now.")
        del cluster.members[member.region]
        self.accepted.append(("RemoveFromGlobalCluster", member.name, True))
        self._later(self.promote_seconds, lambda: self._on_failover(member))
        return {"GlobalCluster": self._described(cluster)}

    def add_tags_to_resource(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        tags = self._tags.setdefault(given["ResourceName"], {})
        tags.update({one["Key"]: one.get("Value", "") for one in given["Tags"]})
        return {}

    def list_tags_for_resource(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        tags = self._tags.get(given["ResourceName"], {})
        return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def describe_db_cluster_snapshots(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        """Those of the region that is asked."""
        return {
            "DBClusterSnapshots": [
                {"DBClusterSnapshotIdentifier": name, "Status": "available"}
                for name in sorted(self.snapshots.get(what.region, ()))
            ]
        }

    def copy_db_cluster_snapshot(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        here = self.snapshots.setdefault(what.region, set())
        if given["SourceDBClusterSnapshotIdentifier"] not in here:
            raise Refused("DBClusterSnapshotNotFoundFault", "There is no such snapshot.")
        copy = given["TargetDBClusterSnapshotIdentifier"]
        if copy in here:
            raise Refused("DBClusterSnapshotAlreadyExistsFault", f"{copy} exists.")
        here.add(copy)
        return {"DBClusterSnapshot": {"DBClusterSnapshotIdentifier": copy, "Status": "available"}}

    def _change(self, operation: str, given: dict[str, Any], *, lossy: bool) -> dict[str, Any]:
        cluster = self._find(given["GlobalClusterIdentifier"])
        if cluster.running is not None:
            raise Refused("InvalidGlobalClusterStateFault", f"{cluster.name} is failing over already.")
        target, source = self._member(cluster, given["TargetDbClusterIdentifier"]), cluster.writer
        if target.writer or target.status != "available":
            raise Refused("InvalidDBClusterStateFault", f"{target.name} is the writer, or is not available.")
        if not lossy:
            for one in cluster.members.values():
                if one.status != "available" or not one.synchronised:
                    raise Refused("InvalidDBClusterStateFault", f"{one.name} is not available, or not in sync.")
        running = cluster.running = Running(source.arn if source else "", target.arn, lossy)
        self.accepted.append((operation, target.name, lossy))

        def moving() -> None:
            running.status = "failing-over"

        def over() -> None:
            if cluster.running is not running:
                return
            for one in cluster.members.values():
                one.writer = one is target
                # What the old writer has that nobody else has must be thrown away first.
                one.synchronised = one is target or not (lossy and one is source)
            cluster.running = None

        self._later(self.pending_seconds, moving)
        self._later(self.promote_seconds, lambda: self._on_failover(target))
        answer = self._described(cluster)
        self._later(self.api_seconds, over)
        return {"GlobalCluster": answer}

    def resynchronise(self, name: str) -> None:
        """Every member follows the writer again."""
        for one in self._find(name).members.values():
            one.synchronised = True

    def _later(self, seconds: float | None, call: Callable[[], None]) -> None:
        if seconds == 0:
            call()
        elif seconds is not None:
            self.hours.at(seconds, call)

    def _find(self, name: str) -> GlobalCluster:
        if name not in self._clusters:
            raise Refused("GlobalClusterNotFoundFault", f"There is no global cluster {name}.")
        return self._clusters[name]

    def _member(self, cluster: GlobalCluster, named: str) -> Member:
        """By ARN: a name alone is no name in another region."""
        for one in cluster.members.values():
            if one.arn == named:
                return one
        raise Refused("DBClusterNotFoundFault", f"{named} is no member of {cluster.name}.")

    def _described(self, cluster: GlobalCluster) -> dict[str, Any]:
        running = cluster.running
        state = {}
        if running is not None:
            state["FailoverState"] = {
                "Status": running.status,
                "FromDbClusterArn": running.source,
                "ToDbClusterArn": running.target,
                "IsDataLossAllowed": running.lossy,
            }
        return {
            "GlobalClusterIdentifier": cluster.name,
            "GlobalClusterArn": f"arn:aws:rds::{self._account}:global-cluster:{cluster.name}",
            "Status": "available" if running is None else "failing-over" if running.lossy else "switching-over",
            "Engine": self._engine,
            "GlobalClusterMembers": [self._listed(cluster, one) for one in cluster.members.values()],
            **state,
        }

    def _listed(self, cluster: GlobalCluster, member: Member) -> dict[str, Any]:
        readers = [one.arn for one in cluster.members.values() if not one.writer] if member.writer else []
        found = {"DBClusterArn": member.arn, "IsWriter": member.writer, "Readers": readers}
        if self._engine != "neptune":
            # Neptune's model has no such member.
            found["SynchronizationStatus"] = "connected" if member.synchronised else "pending-resync"
        return found


def _status(cluster: GlobalCluster, member: Member) -> str:
    running = cluster.running
    if running is not None and member.arn in (running.source, running.target):
        return "failing-over" if running.lossy else "switching-over"
    return member.status


def _source(cluster: GlobalCluster, member: Member) -> Member | None:
    return None if member.writer else cluster.writer
