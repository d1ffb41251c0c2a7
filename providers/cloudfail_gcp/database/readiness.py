"""What of a pair of instances would refuse a verb on the bad day, or make it something else than it seems.

Source: Cloud SQL, "Use advanced disaster recovery (DR)", its requirements of the primary and of the replica.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudfail_gcp.database.instances import READY, Instance
from cloudfail_gcp.database.options import CloudSqlMember


def sentences(found: Mapping[str, Instance], members: Mapping[str, CloudSqlMember]) -> tuple[str, ...]:
    """Of all members, by region; none is good."""
    return tuple(one for region in found for one in _of(region, found[region], members[region], found))


def _of(region: str, one: Instance, member: CloudSqlMember, found: Mapping[str, Instance]) -> Iterator[str]:
    if one.state != READY:
        yield f"{one.name} in {region} is {one.state}: Cloud SQL promotes it only while it is {READY}."
    if one.write_endpoint and any(one.write_endpoint in (dsn or "") for dsn in (member.dsn, member.writer)):
        yield (
            f"`dsn` or `writer` of {region} names {one.write_endpoint}, which follows the primary: write the address "
            f"of {one.name} itself."
        )
    if member.authorized_networks is not None and not one.addresses.get("ipv4Enabled"):
        yield f"{one.name} in {region} has no public address: its authorized networks keep nobody out."
    if not one.replica:
        return
    primary = next((other for other in found.values() if other.name == one.master), None)
    if primary is None:
        yield f"{one.name} in {region} replicates {one.master}, which is no member of this database."
        return
    if not one.dr:
        yield (
            f"{one.name} is not what {primary.name} designated for disaster recovery: there is no switchover to it, "
            f"and a failover makes it an instance of its own, after which {primary.name} is built anew by hand."
        )
        return
    if not (primary.settings.get("backupConfiguration") or {}).get("pointInTimeRecoveryEnabled"):
        yield f"{primary.name} has no point-in-time recovery, which Cloud SQL asks of a primary that fails over."
    if one.addresses.get("sslMode") != primary.addresses.get("sslMode"):
        yield f"{one.name} and {primary.name} differ in `sslMode`: clients of the write endpoint may be refused."
