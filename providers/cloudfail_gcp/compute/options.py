"""What people write in cloudfail.yaml for workers on Google Cloud: the path of a managed instance group, or a mapping
where more must be said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, model_validator

from cloudfail_gcp.loadbalancer.options import BackendServicePath
from cloudfail_gcp.paths import pattern, written

if TYPE_CHECKING:
    GroupManagerPath = str
else:
    GroupManagerPath = written(
        pattern("zones|regions", "instanceGroupManagers"),
        "path of a managed instance group",
        "projects/PROJECT/regions/REGION/instanceGroupManagers/NAME, or zones/ZONE for a zonal one",
    )


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
