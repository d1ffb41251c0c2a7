"""What people write in cloudfail.yaml for the kinds of this port: literal paths and addresses alone.

backbone: {network: route, vpc: projects/shop/global/networks/main, destinations: [10.20.0.0/16], members: {
           us-central1: 10.1.0.2, europe-west1: {hop: projects/shop/zones/europe-west1-b/instances/gw, reach: "10.20.7.1:443"}}}
vip:      {network: static-ip, address: projects/shop/regions/europe-west1/addresses/vip, members: {
           zone-b: projects/shop/zones/europe-west1-b/instances/gw-b, zone-c: projects/shop/zones/europe-west1-c/instances/gw-c}}
onprem:   {network: router-advertisement, router: projects/shop/regions/europe-west1/routers/edge,
           ranges: [10.20.0.0/17, 10.20.128.0/17], members: {us-central1: "10.20.7.1:443", europe-west1: "10.20.7.1:443"}}
"""  # noqa: E501 - resources, as they are written

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape, mistake
from cloudfail_gcp.paths import path_of, pattern, written
from cloudfail_paths.options import ReachedMember

PRIORITY = 1000
"""Google's own, of a route that names none (Compute Engine v1, `Route.priority`)."""
PRIORITY_MAX = 65535

_INSTANCE = pattern("zones", "instances")
_RULE = pattern("regions", "forwardingRules")
_TUNNEL = pattern("regions", "vpnTunnels")
_GATEWAY = re.compile(r"projects/[a-z][a-z0-9.:-]{2,62}/global/gateways/default-internet-gateway")
_HOPS = {"nextHopInstance": _INSTANCE, "nextHopIlb": _RULE, "nextHopVpnTunnel": _TUNNEL, "nextHopGateway": _GATEWAY}


def key_of(hop: str) -> str:
    """The key of a route that takes that next hop; a bare address is an instance's (`nextHopIp`)."""
    return next((key for key, accepted in _HOPS.items() if accepted.fullmatch(hop)), "nextHopIp")


def _hop(told: Any) -> Any:
    """In the form in which Google tells it again, or a look would never find it."""
    if not isinstance(told, str):
        return told
    path = path_of(told)
    if any(accepted.fullmatch(path) for accepted in _HOPS.values()):
        return path
    try:
        return str(ipaddress.ip_address(told))
    except ValueError:
        raise mistake(
            "this is no next hop",
            "write the address of an instance, or the path of an instance, an internal forwarding rule, a VPN tunnel "
            "or the default internet gateway: projects/PROJECT/zones/ZONE/instances/NAME, say",
        ) from None


def _cidr(told: Any) -> Any:
    if not isinstance(told, str):
        return told
    try:
        network = ipaddress.ip_network(told, strict=False)
    except ValueError:
        raise mistake("this is no range of addresses", "write one as 10.20.0.0/16") from None
    if str(network) != told:
        raise mistake("Google tells this range in another form", f"write {network}")
    return told


def _regional(told: Any) -> Any:
    if isinstance(told, str) and "/global/addresses/" in told:
        raise mistake(
            "a global address is announced everywhere at once, and is moved nowhere",
            "shift the load balancer behind it (loadbalancer: backend-service), and keep the address",
        )
    return told


if TYPE_CHECKING:
    RouterPath = str
    NetworkPath = str
    InstancePath = str
    RegionalAddress = str
else:
    RouterPath = written(
        pattern("regions", "routers"), "path of a Cloud Router", "projects/PROJECT/regions/REGION/routers/NAME"
    )
    NetworkPath = written(
        pattern("global", "networks"), "path of a VPC network", "projects/PROJECT/global/networks/NAME"
    )
    InstancePath = written(_INSTANCE, "path of an instance", "projects/PROJECT/zones/ZONE/instances/NAME")
    RegionalAddress = Annotated[
        written(
            pattern("regions", "addresses"),
            "path of a regional address",
            "projects/PROJECT/regions/REGION/addresses/NAME",
        ),
        BeforeValidator(_regional),
    ]
Hop = Annotated[str, BeforeValidator(_hop)]
Cidr = Annotated[str, BeforeValidator(_cidr)]
Tag = Annotated[str, Field(pattern=r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$")]


class HopMember(ReachedMember):
    """Where the routes go while they lead to this member."""

    hop: Hop

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"hop": told} if isinstance(told, str) else told


class HolderMember(ReachedMember):
    """The instance that holds the address, and on which of its interfaces."""

    holder: InstancePath
    interface: Annotated[str, Field(pattern=r"^nic[0-7]$")] = "nic0"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"holder": told} if isinstance(told, str) else told


class AdvertisedMember(ReachedMember):
    """A region to which neighbours send packets; what must answer there."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"reach": told} if isinstance(told, str) else told


class RouteOptions(Shape):
    """Each destination is one path, and is led by itself. tags: of the instances that the routes are for, as the routes
    have them; none if nothing is written. priority: of a route where there was none before."""

    vpc: NetworkPath
    destinations: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=20, strict=False)]
    tags: Annotated[tuple[Tag, ...], Field(max_length=64, strict=False)] = ()
    priority: Annotated[int, Field(ge=1, le=PRIORITY_MAX)] = PRIORITY
    answer_within: PositiveDuration = Seconds(2)


class AddressOptions(Shape):
    """One static external address. It stands in one region, and moves between instances of that region."""

    address: RegionalAddress
    answer_within: PositiveDuration = Seconds(2)


class Priorities(Shape):
    """What a session's base priority is while neighbours are to send packets by it, and while they are not. The lower
    one wins."""

    leads: Annotated[int, Field(ge=0, le=PRIORITY_MAX)]
    waits: Annotated[int, Field(ge=0, le=PRIORITY_MAX)]

    @model_validator(mode="after")
    def _better(self) -> Priorities:
        if self.leads >= self.waits:
            raise mistake("the lower priority wins", "write leads: a lower number than waits")
        return self


class AdvertisementOptions(Shape):
    """One Cloud Router, which takes the neighbours' packets over from whatever else they have: by `ranges` that it
    advertises only then, or by the `priority` of its sessions. peers: which sessions; all if nothing is written."""

    router: RouterPath
    ranges: Annotated[tuple[Cidr, ...], Field(max_length=100, strict=False)] = ()
    priority: Priorities | None = None
    peers: Annotated[tuple[Tag, ...], Field(max_length=64, strict=False)] = ()
    answer_within: PositiveDuration = Seconds(2)

    @model_validator(mode="after")
    def _one_way(self) -> AdvertisementOptions:
        if bool(self.ranges) == (self.priority is not None):
            raise mistake(
                "a router takes over by ranges of its own or by its priority",
                "write ranges: [10.20.0.0/17, …], or priority: {leads: 50, waits: 10200}",
            )
        return self
