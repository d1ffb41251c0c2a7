"""Switchover and follow of AlloyDB: what comes next, read from the API and from the servers.

A switchover is AlloyDB's own: it waits until the secondary has everything, then exchanges the two, and every other
secondary follows the new primary. After a promotion nothing follows by itself: the old primary is a primary still, of a
cluster of its own, and no request makes a secondary of a primary. Google's own module says it in one line: drop the old
cluster, and create it again as a secondary. That throws away what only it holds, so it is somebody's to do, with the
commands that are said here.

v1beta's promote has a `failover` that does so by itself when the old region returns. It is not asked for: v1 has none,
and a primary that comes back holds writes that nobody has compared yet.

Sources: AlloyDB v1's reference, `clusters.switchover`, `clusters.promote`, `clusters.createsecondary`; gcloud's,
`alloydb clusters switchover`; GoogleCloudPlatform/terraform-google-alloy-db, examples/simple_example, "Failover to DR
Cluster".
"""

from __future__ import annotations

from cloudfail.errors import Permanent
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.data_plane import DataPlane
from cloudfail_databases.fence import Fencing
from cloudfail_databases.moves import PlaneMoves, Reached, arrived, moving, switching
from cloudfail_gcp.database.alloydb_clusters import Cluster, Clusters, same
from cloudfail_gcp.database.marks import refuse_older

Pair = tuple[Cluster, Cluster]
"""The new primary and the old one."""


class Moves(PlaneMoves[Pair]):
    """Of one database."""

    def __init__(self, clusters: Clusters, plane: DataPlane, fencing: Fencing) -> None:
        super().__init__(plane, fencing)
        self._clusters = clusters

    def _give_order(self, on: Pair, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        # The mark stands on the cluster that is moved; a newer run that moved the writer home left it on the other.
        for cluster in on:
            refuse_older(cluster.epoch, call, f"{cluster.name} in {cluster.region}")
        self._clusters.switch_over(on[0], timed.rest())

    # ---- switchover

    def _order(self, source: str, target: str) -> Reached[Pair]:
        self._plane.look(source)
        old, new = self._clusters.there(source), self._clusters.there(target)
        for one in (new, old):
            if one.underway or one.reconciling:
                return moving(one.underway or f"Google is changing {one.name} in {one.region}")
        if new.primary:
            return moving(f"Google calls {new.name} a primary; its server takes no writes yet")
        if not old.primary:
            return moving(f"Google calls neither {source} nor {target} a primary")
        if not same(new.upstream, old.path):
            return moving(f"{new.name} replicates {new.upstream}, not {old.name} in {source}: nothing is switched")
        words = f"switch over to {new.name} in {target}; AlloyDB waits until it holds everything"
        version = f"switch/{old.uid}/{new.uid}/{new.api}"
        return Reached(switching(words, source, target, version), (new, old))

    # ---- follow

    def _back(self, region: str, upstream: str) -> Reached[Pair]:
        up, member = self._clusters.there(upstream), self._clusters.describe(region)
        if member is None:
            name = self._clusters.name(region)
            raise Permanent(
                f"AlloyDB in {region} knows no cluster {name}, so {upstream} has no replica there.",
                "Nothing was changed.",
                f"Create it, with the network that it had: {_create(name, region, up)}",
            )
        if member.underway:
            return moving(member.underway)
        if same(member.upstream, up.path):
            return self._comes(region, upstream, member)
        if member.primary and not self._fencing.cuts(region) and self._plane.look(region).takes_writes:
            return moving(f"{region} still takes writes: fence it first (database.fence)")
        raise Permanent(*_owed(member, upstream, up))

    def _comes(self, region: str, upstream: str, member: Cluster) -> Reached[Pair]:
        if self._fencing.shuts(region):
            return self._to_open(region, "secondary", member.uid)
        if not self._plane.look(region).replica:
            return moving(f"Google calls {member.name} a secondary; its server is not {self._plane.reader}")
        return arrived(f"{member.name} in {region} is a secondary of {upstream}")


def _owed(member: Cluster, upstream: str, up: Cluster) -> tuple[str, str, str]:
    """What nobody but a person does, in an error's three parts."""
    name, region = member.name, member.region
    if member.primary:
        what = f"{name} in {region} is a primary of its own, and AlloyDB makes no secondary of a primary."
        now = f"It holds what {upstream} never had; nothing of it was changed, and {upstream} has no replica there."
    else:
        what = f"{name} in {region} is a secondary of {member.upstream}, and AlloyDB points none elsewhere."
        now = f"Nothing was changed; {upstream} has no replica there."
    keep = f"gcloud alloydb backups create cloudfail-tail-{name} --cluster={name} --region={region}"
    delete = f"gcloud alloydb clusters delete {name} --region={region} --force"
    return what, now, f"Keep and compare what it holds ({keep}), then replace it: {delete}; {_create(name, region, up)}"


def _create(name: str, region: str, up: Cluster) -> str:
    return (
        f"gcloud alloydb clusters create-secondary {name} --region={region} --primary-cluster={up.path}; "
        f"gcloud alloydb instances create-secondary INSTANCE --cluster={name} --region={region} "
        "--availability-type=REGIONAL"
    )
