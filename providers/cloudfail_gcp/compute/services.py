"""A service of Cloud Run as its API tells it (run.v2): what it was told, and how far its revisions have come.

Google tells no number of instances. A revision tells the minimum that is provisioned for it (`scalingStatus`), whether
it is ready, and whether its minimum still warms up. That is what is counted, of the revisions that get requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import Transient
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.compute import marks
from cloudfail_gcp.compute.marks import Marks
from cloudfail_gcp.compute.options import region_at
from cloudfail_gcp.paths import name_of

MARKS = "cloudfail-marks"
"""The annotation of a service that holds them. To change it makes no new revision."""
MANUAL = "MANUAL"
_SUCCEEDED = "CONDITION_SUCCEEDED"
_WARMING = frozenset({"MIN_INSTANCES_WARMING", "MIN_INSTANCES_NOT_PROVISIONED"})


@dataclass(frozen=True)
class Service:
    """One service. scaling: its own; most_of_revision: the maximum that its template sets for each revision, 0 if none.
    serving: the revisions that get requests. settled: whether it has come to what it was told last."""

    path: str
    etag: str
    scaling: Mapping[str, Any]
    most_of_revision: int
    annotations: Mapping[str, str]
    serving: tuple[str, ...]
    settled: bool
    template: Mapping[str, Any]
    marks: Marks = field(default_factory=Marks)

    @property
    def manual(self) -> bool:
        return self.scaling.get("scalingMode") == MANUAL

    @property
    def lever(self) -> str:
        """What is ordered: the minimum, or in manual mode the number itself."""
        return "manualInstanceCount" if self.manual else "minInstanceCount"

    @property
    def wanted(self) -> int:
        return int(self.scaling.get(self.lever) or 0)

    @property
    def most(self) -> int:
        """The service's own maximum, 0 where none is set."""
        return int(self.scaling.get("maxInstanceCount") or 0)

    @property
    def ceiling(self) -> int | None:
        """None in manual mode, which has no maximum."""
        found = [one for one in (self.most, self.most_of_revision) if one]
        return None if self.manual or not found else min(found)


def service_at(asking: Asking, path: str, *, within: float) -> Service:
    """The service now. Raises Transient where the answer says nothing of it."""
    told = asking.read("run", region_at(path), f"v2/{path}", within=within)
    if not told.get("etag") or name_of(str(told.get("name", ""))) != name_of(path):
        raise Transient(f"Cloud Run answers, and does not tell {path}.")
    latest = name_of(str(told.get("latestReadyRevision", "")))
    serving = [
        name_of(str(one.get("revision") or latest)) for one in told.get("trafficStatuses") or [] if one.get("percent")
    ]
    annotations = {str(key): str(value) for key, value in (told.get("annotations") or {}).items()}
    ready = (told.get("terminalCondition") or {}).get("state") == _SUCCEEDED
    return Service(
        path,
        str(told["etag"]),
        told.get("scaling") or {},
        int(((told.get("template") or {}).get("scaling") or {}).get("maxInstanceCount") or 0),
        annotations,
        tuple(dict.fromkeys(one for one in serving or [latest] if one)),
        ready and not told.get("reconciling") and told.get("observedGeneration") == told.get("generation"),
        told.get("template") or {},
        marks.read(annotations.get(MARKS, "")),
    )


def provisioned(asking: Asking, service: Service, *, within: float) -> tuple[int, int]:
    """(instances that are provisioned for the revisions that get requests, those of them whose revision is ready).
    Where no revision tells a number, all that is wanted counts once the service has settled and they are ready."""
    until = asking.deadline(within)
    if not service.serving:
        return 0, 0
    found = []
    for name in service.serving:
        path = f"v2/{service.path}/revisions/{name}"
        told = asking.read("run", region_at(service.path), path, within=asking.left_until(until))
        if name_of(str(told.get("name", ""))) != name:
            raise Transient(f"Cloud Run answers, and does not tell the revision {name}.")
        found.append(told)
    if not any("scalingStatus" in one for one in found):
        count = service.wanted if service.settled else 0
        return count, count if all(_ready(one) for one in found) else 0
    counts = [int((one.get("scalingStatus") or {}).get("desiredMinInstanceCount") or 0) for one in found]
    return sum(counts), sum(count for count, one in zip(counts, found, strict=True) if _ready(one))


def _ready(revision: Mapping[str, Any]) -> bool:
    conditions = revision.get("conditions") or []
    states = {one.get("type"): one.get("state") for one in conditions}
    warming = any(one.get("revisionReason") in _WARMING and one.get("state") != _SUCCEEDED for one in conditions)
    return states.get("Ready") == _SUCCEEDED and not warming
