"""What people write in cloudfail.yaml for balancers on Azure. An id is literal: nothing is looked up by name on the bad
day, and a plan's checksum covers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from cloudfail.config.fields import Shape
from cloudfail_azure.paths import pattern, written

_GROUP = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP"
PROFILE = pattern("Microsoft.Network", "trafficManagerProfiles")
ENDPOINT = pattern("Microsoft.Network", "trafficManagerProfiles", "azureEndpoints|externalEndpoints|nestedEndpoints")
ORIGIN_GROUP = pattern("Microsoft.Cdn", "profiles", "originGroups")
ORIGIN = pattern("Microsoft.Cdn", "profiles", "originGroups", "origins")

if TYPE_CHECKING:
    ProfileId = str
    EndpointId = str
    OriginGroupId = str
    OriginId = str
else:
    ProfileId = written(
        PROFILE,
        "id of a Traffic Manager profile",
        f"{_GROUP}/providers/Microsoft.Network/trafficManagerProfiles/NAME",
    )
    EndpointId = written(
        ENDPOINT,
        "id of a Traffic Manager endpoint",
        f"{_GROUP}/providers/Microsoft.Network/trafficManagerProfiles/NAME/azureEndpoints/NAME",
    )
    OriginGroupId = written(
        ORIGIN_GROUP,
        "id of an origin group of Front Door",
        f"{_GROUP}/providers/Microsoft.Cdn/profiles/NAME/originGroups/NAME",
    )
    OriginId = written(
        ORIGIN,
        "id of an origin of Front Door",
        f"{_GROUP}/providers/Microsoft.Cdn/profiles/NAME/originGroups/NAME/origins/NAME",
    )


class TrafficManagerOptions(Shape):
    """loadbalancer: traffic-manager. routing: the profile's own method, which decides what a shift can be."""

    profile: ProfileId
    routing: Literal["priority", "weighted", "performance", "multivalue"] = "priority"


class EndpointMember(BaseModel):
    """The id of the endpoint that stands for the region."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: EndpointId

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"endpoint": given} if isinstance(given, str) else given


class FrontDoorOptions(Shape):
    """loadbalancer: front-door. routing: `priority`, where an origin serves, stands by or is closed, or `weighted`,
    where those that serve have one priority, and weights divide between them."""

    origin_group: OriginGroupId
    routing: Literal["priority", "weighted"] = "priority"


class OriginMember(BaseModel):
    """The id of the origin that stands for the region."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: OriginId

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"origin": given} if isinstance(given, str) else given
