"""What people write in cloudfail.yaml for workers on Google Cloud: the path of a managed instance group, of a node pool
or of a service, or a mapping where more must be said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cloudfail.config.fields import mistake
from cloudfail_gcp.loadbalancer.options import BackendServicePath
from cloudfail_gcp.paths import PROJECT, pattern, written

_PLACE = r"[a-z]+(?:-[a-z0-9]+)+"
_NAME = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"

if TYPE_CHECKING:
    GroupManagerPath = str
    NodePoolPath = str
    ServicePath = str
else:
    GroupManagerPath = written(
        pattern("zones|regions", "instanceGroupManagers"),
        "path of a managed instance group",
        "projects/PROJECT/regions/REGION/instanceGroupManagers/NAME, or zones/ZONE for a zonal one",
    )
    NodePoolPath = written(
        re.compile(rf"{PROJECT}/locations/{_PLACE}/clusters/{_NAME}/nodePools/{_NAME}"),
        "path of a node pool",
        "projects/PROJECT/locations/REGION/clusters/CLUSTER/nodePools/NAME, or locations/ZONE of a zonal cluster",
    )
    ServicePath = written(
        re.compile(rf"{PROJECT}/locations/{_PLACE}/services/{_NAME}"),
        "path of a Cloud Run service",
        "projects/PROJECT/locations/REGION/services/NAME",
    )


def region_at(path: str) -> str:
    """The region of a path whose fourth part is a location: a region, or a zone of one."""
    place = path.split("/")[3]
    return place.rpartition("-")[0] if re.fullmatch(r".+-[a-z]", place) else place


class InstanceGroupMember(BaseModel):
    """The region's group. `backend_services`: where its healthy instances are counted; left out, by the health check
    of its own autohealing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: GroupManagerPath
    backend_services: tuple[BackendServicePath, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"group": written} if isinstance(written, str) else written


class NodePoolMember(BaseModel):
    """The region's node pool. `backend_services`: where its healthy nodes are counted; left out, a node that runs
    counts. `floor`: its autoscaler's minimum on other days, as the pool has it (for each zone, or in all): what letting
    go puts back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pool: NodePoolPath
    backend_services: tuple[BackendServicePath, ...] = ()
    floor: Annotated[int, Field(ge=0, le=15000)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"pool": written} if isinstance(written, str) else written


def _a_url(text: str) -> str:
    from cloudfail.probes.serves import no_url  # it brings asyncio, which importing a provider does not need

    if wrong := no_url(text):
        raise mistake(f"this is no URL to ask: {wrong}", "write https://HOST/PATH, as users reach the service")
    return text


class CloudRunMember(BaseModel):
    """The region's service. `url`: what must answer (a status of 2xx or 3xx) for its instances to count as healthy,
    asked from where cloudfail runs; left out, Google's word that its revisions are ready."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: ServicePath
    url: Annotated[str, AfterValidator(_a_url)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"service": written} if isinstance(written, str) else written
