"""What people write in cloudfail.yaml for balancers on Google Cloud. A path is literal: nothing is looked up by name on
the bad day, and a plan's checksum covers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloudfail.config.fields import Shape, mistake
from cloudfail_gcp.paths import pattern, written

_ZONAL = pattern("zones", "instanceGroups|networkEndpointGroups")
_REGIONAL = pattern("regions", "instanceGroups")
GROUP = re.compile(f"(?:{_ZONAL.pattern}|{_REGIONAL.pattern})")
"""Endpoint groups outside of a zone (serverless, internet, Private Service Connect) have no capacity to scale."""

if TYPE_CHECKING:
    BackendServicePath = str
    GroupPath = str
    GlobalServicePath = str
    UrlMapPath = str
    ForwardingRulePath = str
    TargetPath = str
else:
    GlobalServicePath = written(
        pattern("global", "backendServices"),
        "path of a global backend service",
        "projects/PROJECT/global/backendServices/NAME",
    )
    UrlMapPath = written(
        pattern("global", "urlMaps"),
        "path of a global URL map (a regional one leads to services of its own region alone)",
        "projects/PROJECT/global/urlMaps/NAME",
    )
    ForwardingRulePath = written(
        pattern("global", "forwardingRules"),
        "path of a global forwarding rule (a regional one leads to targets of its own region alone)",
        "projects/PROJECT/global/forwardingRules/NAME",
    )
    TargetPath = written(
        pattern("global", "targetHttpProxies|targetHttpsProxies|targetTcpProxies|targetSslProxies"),
        "path of a global target proxy",
        "projects/PROJECT/global/targetHttpsProxies/NAME, or one of targetHttpProxies, targetTcpProxies, "
        "targetSslProxies",
    )
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


class UrlMapOptions(Shape):
    """loadbalancer: url-map. matcher: the path matcher whose default route it is, none for the map's own. path or
    priority: of one rule of that matcher. routing: what stands there, one service or a split by weights."""

    url_map: UrlMapPath
    matcher: str | None = None
    path: Annotated[str, Field(pattern="^/")] | None = None
    priority: Annotated[int, Field(ge=0)] | None = None
    routing: Literal["single", "weighted"] = "single"

    @model_validator(mode="after")
    def _one_route(self) -> UrlMapOptions:
        if self.path is not None and self.priority is not None:
            raise ValueError("path and priority name two rules; write one of them")
        if self.matcher is None and (self.path is not None or self.priority is not None):
            raise ValueError("a rule stands in a path matcher; write matcher: NAME beside it")
        return self


class ServiceMember(BaseModel):
    """The region's backend service: its path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: GlobalServicePath

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"service": written} if isinstance(written, str) else written


class ForwardingRuleOptions(Shape):
    """loadbalancer: forwarding-rule."""

    forwarding_rule: ForwardingRulePath


class TargetMember(BaseModel):
    """The region's target proxy: its path. backend_services: those behind it, whose healthy targets are counted; the
    one that has the fewest counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: TargetPath
    backend_services: tuple[GlobalServicePath, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"target": written} if isinstance(written, str) else written
