"""What people write in cloudfail.yaml for balancers on Azure. An id is literal: nothing is looked up by name on the bad
day, and a plan's checksum covers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloudfail.config.fields import Shape
from cloudfail_azure.paths import Region, pattern, written

_GROUP = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP"
PROFILE = pattern("Microsoft.Network", "trafficManagerProfiles")
ENDPOINT = pattern("Microsoft.Network", "trafficManagerProfiles", "azureEndpoints|externalEndpoints|nestedEndpoints")
ORIGIN_GROUP = pattern("Microsoft.Cdn", "profiles", "originGroups")
ORIGIN = pattern("Microsoft.Cdn", "profiles", "originGroups", "origins")
POOL = pattern("Microsoft.Network", "loadBalancers", "backendAddressPools")
GATEWAY = pattern("Microsoft.Network", "applicationGateways")
GATEWAY_POOL = pattern("Microsoft.Network", "applicationGateways", "backendAddressPools")

if TYPE_CHECKING:
    ProfileId = str
    EndpointId = str
    OriginGroupId = str
    OriginId = str
    PoolId = str
    GatewayId = str
    GatewayPoolId = str
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
    PoolId = written(
        POOL,
        "id of a backend address pool of a load balancer",
        f"{_GROUP}/providers/Microsoft.Network/loadBalancers/NAME/backendAddressPools/NAME",
    )
    GatewayId = written(
        GATEWAY,
        "id of an application gateway",
        f"{_GROUP}/providers/Microsoft.Network/applicationGateways/NAME",
    )
    GatewayPoolId = written(
        GATEWAY_POOL,
        "id of a backend pool of an application gateway",
        f"{_GROUP}/providers/Microsoft.Network/applicationGateways/NAME/backendAddressPools/NAME",
    )

Name = Annotated[str, Field(min_length=1, max_length=128)]


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


class LoadBalancerOptions(Shape):
    """loadbalancer: azure-load-balancer. region: where the balancer stands, and its control plane with it; of a global
    one its home region. rule: whose probe tells how many are well; nobody is asked if nothing is written."""

    pool: PoolId
    region: Region
    rule: Name | None = None


class AddressesMember(BaseModel):
    """The names of the pool's backend addresses that stand for the region."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    addresses: Annotated[tuple[Name, ...], Field(min_length=1, max_length=500, strict=False)]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"addresses": [given]} if isinstance(given, str) else given


class ApplicationGatewayOptions(Shape):
    """loadbalancer: application-gateway. region: where it stands. rule: the request routing rule; path: the name of a
    path rule in that rule's map, where it routes by paths and its default is not what is moved."""

    gateway: GatewayId
    region: Region
    rule: Name
    path: Name | None = None


class GatewayPoolMember(BaseModel):
    """The id of the gateway's backend pool that stands for the region."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pool: GatewayPoolId

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"pool": given} if isinstance(given, str) else given
