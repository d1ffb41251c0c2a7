"""What people write in cloudfail.yaml for balancers on Google Cloud. A path is literal: nothing is looked up by name on
the bad day, and a plan's checksum covers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, model_validator

from cloudfail.config.fields import Shape, mistake
from cloudfail_gcp.paths import pattern, written

_ZONAL = pattern("zones", "instanceGroups|networkEndpointGroups")
_REGIONAL = pattern("regions", "instanceGroups")
GROUP = re.compile(f"(?:{_ZONAL.pattern}|{_REGIONAL.pattern})")
"""Endpoint groups outside of a zone (serverless, internet, Private Service Connect) have no capacity to scale."""

if TYPE_CHECKING:
    BackendServicePath = str
    GroupPath = str
else:
    BackendServicePath = written(
        pattern("global|regions", "backendServices"),
        "path of a backend service",
        "projects/PROJECT/global/backendServices/NAME or projects/PROJECT/regions/REGION/backendServices/NAME",
    )
    GroupPath = written(
        GROUP,
        "path of an instance group or of a zonal network endpoint group",
        "projects/PROJECT/regions/REGION/instanceGroups/NAME or projects/PROJECT/zones/ZONE/networkEndpointGroups/NAME",
    )


class BackendServiceOptions(Shape):
    """loadbalancer: backend-service."""

    service: BackendServicePath


class BackendMember(BaseModel):
    """The region's groups: the path of one, or a list of paths (a zonal endpoint group for each zone, say)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: tuple[GroupPath, ...]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        groups = [written] if isinstance(written, str) else written
        if isinstance(groups, list):
            if not groups:
                raise mistake("a region without a group serves nothing", "write the path of its group")
            return {"groups": tuple(groups)}
        return written
