"""RDS DB instances as the control plane of their region has them: what it says, and the requests that change them.

Nothing here says whether an instance takes writes. DBInstanceStatus is the state of the control plane's own work: it is
"available" before a promotion has begun, and again while the server still starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.database.marks import epoch_in, mark
from cloudfail_aws.database.security_group import TAG as GROUPS
from cloudfail_aws.errors import code_of

NAME_LENGTH = 63
KEPT_LETTERS = 8
_WAS = "-was-"


@dataclass(frozen=True)
class Instance:
    """One answer of DescribeDBInstances. source: what it replicates from as the API words it (an ARN across regions),
    "" for nobody. raw: all of it, for what a new replica takes over."""

    name: str
    arn: str
    status: str
    source: str
    resource_id: str
    epoch: int | None
    raw: Mapping[str, Any]

    def replicates(self, other: str) -> bool:
        """Whether its source is the instance with that ARN. Within a region the API may give the name alone."""
        return bool(other) and self.source in (other, other.rsplit(":", 1)[-1])


@dataclass(frozen=True)
class Snapshot:
    """One manual snapshot, and how far it is."""

    name: str
    status: str


class Instances:
    """The DB instances of one resource: region -> identifier."""

    def __init__(self, asking: Asking, names: Mapping[str, str], *, seconds: float) -> None:
        self._asking = asking
        self._names = names
        self._seconds = seconds

    def name(self, region: str) -> str:
        if region not in self._names:
            raise Permanent(f"This database has no member in {region}.")
        return self._names[region]

    def describe(self, region: str, name: str = "") -> Instance | None:
        """What the region's control plane says of the member (or of another instance there); None where it says that
        there is none. Raises Transient, Permanent, OutcomeUnknown."""
        wanted = name or self.name(region)
        try:
            reply = self._asking.read(
                "rds", region, "describe_db_instances", within=self._seconds, DBInstanceIdentifier=wanted
            )
        except Permanent as error:
            if _code(error) in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
                return None
            raise
        found = reply.get("DBInstances") or []
        if len(found) != 1 or str(found[0].get("DBInstanceIdentifier", "")).lower() != wanted.lower():
            raise Transient(f"RDS in {region} listed {len(found)} instances for {wanted}: that is no answer.")
        return _instance(wanted, found[0])

    def kept(self, region: str) -> Instance | None:
        """The newest instance that was the member once and is kept under another name (replica_follow.kept_name)."""
        start = kept_start(self.name(region))
        listed = self._asking.pages("rds", region, "describe_db_instances", "DBInstances", within=self._seconds)
        found = [one for one in listed if str(one.get("DBInstanceIdentifier", "")).startswith(start)]
        if not found:
            return None
        newest = max(found, key=lambda one: str(one.get("InstanceCreateTime", "")))
        return _instance(str(newest["DBInstanceIdentifier"]), newest)

    def snapshot(self, region: str, name: str) -> Snapshot | None:
        """A manual snapshot by name; None where the API says that there is none."""
        try:
            reply = self._asking.read(
                "rds", region, "describe_db_snapshots", within=self._seconds, DBSnapshotIdentifier=name
            )
        except Permanent as error:
            if _code(error) in ("DBSnapshotNotFound", "DBSnapshotNotFoundFault"):
                return None
            raise
        for one in reply.get("DBSnapshots") or []:
            if one.get("DBSnapshotIdentifier") == name:
                return Snapshot(name, str(one.get("Status", "")))
        return None

    def tag(self, region: str, arn: str, call: Call) -> None:
        self._asking.change("rds", region, "add_tags_to_resource", call=call, ResourceName=arn, Tags=[mark(call)])

    def promote(self, region: str, instance: Instance, backup_days: int | None, call: Call) -> None:
        """Mark, then order. One-way: no call makes it a replica again. It loses what was not replicated."""
        timed = TimeLeft(call)
        self.tag(region, instance.arn, timed.rest())
        backups: dict[str, Any] = {} if backup_days is None else {"BackupRetentionPeriod": backup_days}
        self._asking.change(
            "rds", region, "promote_read_replica", call=timed.rest(), DBInstanceIdentifier=instance.name, **backups
        )

    def take_snapshot(self, region: str, instance: Instance, name: str, call: Call) -> None:
        self._asking.change(
            "rds", region, "create_db_snapshot", call=call,
            DBSnapshotIdentifier=name, DBInstanceIdentifier=instance.name, Tags=[mark(call)],
        )  # fmt: skip

    def rename(self, region: str, instance: Instance, name: str, call: Call) -> None:
        self._asking.change(
            "rds", region, "modify_db_instance", call=call,
            DBInstanceIdentifier=instance.name, NewDBInstanceIdentifier=name, ApplyImmediately=True,
        )  # fmt: skip

    def create_replica(self, region: str, like: Instance, source: Instance, source_region: str, call: Call) -> None:
        """A replica under the member's own name, so that its endpoint's name stays: as the old instance was, in its
        subnets and groups, and with the key of this region where its storage is encrypted."""
        self._asking.change(
            "rds", region, "create_db_instance_read_replica", call=call,
            DBInstanceIdentifier=self.name(region), SourceDBInstanceIdentifier=source.arn, SourceRegion=source_region,
            Tags=[mark(call)], **_as_before(like.raw, source.raw),
        )  # fmt: skip


def kept_start(name: str) -> str:
    """How the names begin that a member's old instances are kept under: cut where the whole would be too long."""
    return name[: NAME_LENGTH - len(_WAS) - KEPT_LETTERS].rstrip("-") + _WAS


def _instance(name: str, one: Mapping[str, Any]) -> Instance:
    return Instance(
        name=name,
        arn=str(one.get("DBInstanceArn", "")),
        status=str(one.get("DBInstanceStatus", "")),
        source=str(one.get("ReadReplicaSourceDBInstanceIdentifier") or ""),
        resource_id=str(one.get("DbiResourceId", "")),
        epoch=epoch_in(one.get("TagList") or ()),
        raw=one,
    )


def _as_before(old: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        key: old[key]
        for key in ("DBInstanceClass", "MultiAZ", "PubliclyAccessible", "DeletionProtection", "CopyTagsToSnapshot")
        if key in old
    }
    # A fence by security group noted what it took the place of.
    noted = next(
        (str(one.get("Value", "")).split() for one in old.get("TagList") or () if one.get("Key") == GROUPS), []
    )
    groups = noted or [
        one.get("VpcSecurityGroupId") for one in old.get("VpcSecurityGroups") or () if one.get("VpcSecurityGroupId")
    ]
    if groups:
        kept["VpcSecurityGroupIds"] = groups
    subnets = (old.get("DBSubnetGroup") or {}).get("DBSubnetGroupName")
    if subnets:
        kept["DBSubnetGroupName"] = subnets
    if source.get("StorageEncrypted") and old.get("KmsKeyId"):
        kept["KmsKeyId"] = old["KmsKeyId"]
    return kept


def _code(error: CloudfailError) -> str:
    cause = error.__cause__
    return code_of(cause) if isinstance(cause, Exception) else ""
