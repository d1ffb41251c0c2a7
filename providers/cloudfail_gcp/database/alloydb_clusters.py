"""AlloyDB clusters as the control plane of their region has them, and the requests that change them.

Nothing here says whether a cluster takes writes: its type is what Google means it to be, and its state is that of the
control plane's own work. `promote` makes a secondary a cluster of its own, and loses what was not replicated; the old
primary stays a primary, which is why it is fenced first. `switchover` waits until the secondary has everything and
exchanges the two. Both are asked of the secondary's region.

The epoch is a label of the cluster that is moved, written before the move. An update changes the cluster's etag, and
`promote` is sent with the one that was read with our mark: Google refuses it (ABORTED) where a newer run was there
since. `switchover` takes no etag. Sources: AlloyDB v1's reference, `projects.locations.clusters`: promote, switchover,
patch and `State`; AIP-154.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.marks import LABEL, epoch_in, mark, refuse_older
from cloudfail_gcp.errors import Answered
from cloudfail_gcp.long_running import ended, still, taken
from cloudfail_gcp.under_way import anew

API = "alloydb"
READY = "READY"
PRIMARY, SECONDARY = "PRIMARY", "SECONDARY"
# Kept of a call's time for the order that comes after the mark.
ORDER_SECONDS = 5.0


@dataclass(frozen=True)
class Cluster:
    """One answer. path: its name from `projects/` on. upstream: the path of the cluster that it replicates, "" where
    it is no secondary."""

    path: str
    kind: str
    state: str
    reconciling: bool
    upstream: str
    secondaries: tuple[str, ...]
    etag: str
    labels: Mapping[str, str]
    uid: str
    version: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def region(self) -> str:
        return self.path.split("/")[3]

    @property
    def primary(self) -> bool:
        return self.kind == PRIMARY

    @property
    def epoch(self) -> int | None:
        return epoch_in(self.labels)

    @property
    def underway(self) -> str:
        """What its state says that Google does with it now, in words; "" if nothing."""
        return "" if self.state == READY else f"Google says that {self.name} in {self.region} is {self.state}"

    @property
    def api(self) -> str:
        """What a move rests on. A label that somebody writes is none of it."""
        return f"{self.kind}/{self.state}/{self.upstream or '-'}"


class Clusters:
    """Of one database: region -> name of the cluster there."""

    def __init__(self, asking: Asking, names: Mapping[str, str], *, seconds: float) -> None:
        self._asking = asking
        self._names = names
        self.seconds = seconds

    def name(self, region: str) -> str:
        if region not in self._names:
            raise Permanent(f"This database has no member in {region}.")
        return self._names[region]

    def path(self, region: str) -> str:
        """Raises Permanent where the region has no project, or the database no member there."""
        name, project = self.name(region), self._asking.project(region)
        if not project:
            raise Permanent(
                f"The project of {region} is not written, and the name of {name} begins with it.",
                "Nothing was asked of AlloyDB.",
                f"Write it: regions: {{{region}: {{provider: gcp, account: shop-prod}}}}",
            )
        return f"projects/{project}/locations/{region}/clusters/{name}"

    def region_of(self, path: str) -> str | None:
        """The region of the member at that path; None where it is none of ours."""
        return next((region for region in self._names if same(path, self.path(region))), None)

    def describe(self, region: str, *, within: float | None = None) -> Cluster | None:
        """As the control plane of its region has it; None where that says that there is none. Raises Transient,
        Permanent, OutcomeUnknown."""
        path = self.path(region)
        try:
            told = self._asking.read(API, region, f"v1/{path}", within=self.seconds if within is None else within)
        except Permanent as error:
            if _not_found(error):
                return None
            raise
        kind, state = str(told.get("clusterType", "")), str(told.get("state", ""))
        if not same(str(told.get("name", "")), path) or kind not in (PRIMARY, SECONDARY) or not state:
            raise Transient(f"AlloyDB in {region} answers, and does not tell what {self.name(region)} is.")
        upstream = str((told.get("secondaryConfig") or {}).get("primaryClusterName") or "")
        return Cluster(
            path=path,
            kind=kind,
            state=state,
            reconciling=bool(told.get("reconciling")),
            upstream=upstream if kind == SECONDARY else "",
            secondaries=tuple((told.get("primaryConfig") or {}).get("secondaryClusterNames") or ()),
            etag=str(told.get("etag") or ""),
            labels={str(key): str(value) for key, value in (told.get("labels") or {}).items()},
            uid=str(told.get("uid") or ""),
            version=str(told.get("databaseVersion") or ""),
        )

    def there(self, region: str, *, within: float | None = None) -> Cluster:
        """The same, where there must be one. Raises Permanent where there is none."""
        found = self.describe(region, within=within)
        if found is None:
            raise Permanent(
                f"AlloyDB in {region} knows no cluster {self.name(region)}.",
                "Nothing was changed.",
                f"See what is there: gcloud alloydb clusters list --region={region}",
            )
        return found

    def instances(self, cluster: Cluster) -> list[Mapping[str, Any]]:
        """As they are listed. Raises as `describe`."""
        path = f"v1/{cluster.path}/instances"
        return self._asking.pages(API, cluster.region, path, "instances", within=self.seconds)

    def promote(self, seen: Cluster, call: Call) -> None:
        """What was not replicated is lost. Google is asked first whether it would take the order (validateOnly): what
        it refuses leaves no mark."""
        timed = TimeLeft(call)
        self._order(seen, "promote", {"etag": seen.etag, "validateOnly": True}, timed.rest())
        marked = self._marked(seen, "promote", timed)
        self._log(self._order(marked, "promote", {"etag": marked.etag}, timed.rest()), marked, "promote", call)

    def switch_over(self, seen: Cluster, call: Call) -> None:
        """Nothing is lost, both sides being READY."""
        timed = TimeLeft(call)
        self._order(seen, "switchover", {"validateOnly": True}, timed.rest())
        marked = self._marked(seen, "switchover", timed)
        self._log(self._order(marked, "switchover", {}, timed.rest()), marked, "switchover", call)

    def _order(self, cluster: Cluster, verb: str, body: Mapping[str, Any], call: Call) -> str:
        # Where Google tells no etag the order has no condition, and the mark alone.
        told = {key: value for key, value in body.items() if value != ""}
        # The id stands in the body, where Asking does not put it: it is made here, one for each order.
        whole = {**told, "requestId": anew(call).key.rpartition("/")[2]}
        path = f"v1/{cluster.path}:{verb}"
        reply = self._asking.change(API, cluster.region, "POST", path, call=call, body=whole)
        return taken(reply, f"{verb} {cluster.name}")

    def _marked(self, seen: Cluster, verb: str, timed: TimeLeft) -> Cluster:
        """The cluster with this run's mark, and nothing else about it changed since it was seen. Raises Transient where
        the mark is not there yet: the next try finds it."""
        call = timed.rest()
        noted = mark(call)
        if seen.labels.get(LABEL) == noted[LABEL]:
            return seen
        reply = self._mark(seen, noted, verb, call)
        what = f"The mark on {seen.name} in {seen.region}"
        operation = taken(reply, what)
        within = max(0.0, timed.seconds - ORDER_SECONDS)
        try:
            over = bool(reply.get("done"))
            over = over or ended(self._asking, API, seen.region, operation, within=within, what=what)
            now = self.there(seen.region, within=max(0.01, timed.seconds))
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{what} cannot be read: {error}") from error
        if not over or now.underway or now.reconciling:
            raise still(what)
        refuse_older(now.epoch, call, f"{now.name} in {now.region}")
        if now.labels.get(LABEL) != noted[LABEL]:
            raise Transient(f"{what} was written, says Google, and is not there. Nothing else was ordered.")
        if now.api != seen.api:
            raise Conflict(f"{now.name} in {now.region} is {now.api}, not {seen.api} as it was seen.")
        return now

    def _mark(self, seen: Cluster, noted: Mapping[str, str], verb: str, call: Call) -> Mapping[str, Any]:
        try:
            return self._asking.change(
                API,
                seen.region,
                "PATCH",
                f"v1/{seen.path}",
                call=anew(call),
                query={"updateMask": "labels"},
                body={"labels": {**seen.labels, **noted}, "etag": seen.etag},
                request_id="requestId",
            )
        except Permanent as error:
            raise Permanent(
                f"AlloyDB does not take the epoch's mark on {seen.name} in {seen.region}: {error.happened}",
                "Nothing was moved.",
                "If that cannot be mended, see that nobody else moves it, and: gcloud alloydb clusters "
                f"{verb} {seen.name} --region={seen.region}",
            ) from error

    @staticmethod
    def _log(operation: str, cluster: Cluster, verb: str, call: Call) -> None:
        number = operation.rpartition("/")[2]
        call.log(
            f"{cluster.region}: {verb} of {cluster.name} is {number}; see it with: gcloud alloydb operations "
            f"describe {number} --region={cluster.region}"
        )


def _not_found(error: CloudfailError) -> bool:
    cause = error.__cause__
    return isinstance(cause, Answered) and cause.said.status == 404


def same(path: str, other: str) -> bool:
    """Whether two names are of one cluster. Google gives a project by its number in some places, and by its name in
    others: where one is a number, the region and the cluster's own name decide."""
    if path == other:
        return bool(path)
    one, two = path.split("/"), other.split("/")
    if one[2:] != two[2:] or len(one) < 6:
        return False
    return one[1].isdigit() != two[1].isdigit()
