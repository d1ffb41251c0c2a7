"""What people write in cloudfail.yaml for names on Google Cloud: strict models (an unknown key is a mistake)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator

from cloudfail.errors import Permanent
from cloudfail.model.topology import Resource, Topology
from cloudfail_names.names import RecordType
from cloudfail_names.options import Duration, Seen, Strict, duration

Routing = Literal["simple", "wrr", "geo", "primary-backup"]
ZoneName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
ProjectId = Annotated[str, Field(pattern=r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
NetworkUrl = Annotated[
    str, Field(pattern=r"^https://www\.googleapis\.com/compute/v1/projects/[^/\s]+/global/networks/[^/\s]+$")
]
Location = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)+\d+$")]


class Balancer(Strict):
    """An internal load balancer whose own health Cloud DNS follows: `internalLoadBalancers` of a routing policy."""

    type: Literal["regionalL4ilb", "regionalL7ilb", "globalL7ilb"]
    ip_address: str
    port: Annotated[int, Field(ge=1, le=65535)]
    ip_protocol: Literal["tcp", "udp"] = "tcp"
    network_url: NetworkUrl
    project: str
    region: str | None = None


class CloudDnsMember(Strict):
    """What one region answers with; a plain text is one value.

    health_checked: the answers are external endpoints which the policy's health check looks at. load_balancers:
    internal ones, whose addresses are the answers. location: the region's place in a geo policy, its own name if it is
    not given.
    """

    answers: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    health_checked: bool = False
    load_balancers: tuple[Balancer, ...] = ()
    location: Location | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_value(cls, data: Any) -> Any:
        return {"answers": (data,)} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _either(self) -> CloudDnsMember:
        if bool(self.answers) == bool(self.load_balancers):
            raise ValueError(
                "a region answers with values or with load balancers; write answers: [192.0.2.10] or "
                "load_balancers: […]"
            )
        if self.load_balancers and self.health_checked:
            raise ValueError("load balancers are followed by their own health; leave health_checked out")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        return {"anyOf": [{"type": "string"}, handler.resolve_ref_schema(handler(schema))]}


class CloudDnsOptions(Seen):
    """dns: cloud-dns. One name of one managed zone. zone: the zone's own name ("shop-example"), not its domain.
    project: where the zone is kept; the regions' `account:` if they all have one and the same."""

    zone: ZoneName
    name: str
    project: ProjectId | None = None
    type: RecordType = "A"
    ttl: Duration = duration("60s")
    routing: Routing = "simple"


def project_of(resource: Resource, topology: Topology) -> str:
    """Where the zone is kept. Raises Permanent if nobody said."""
    said = str(resource.options.get("project") or "")
    own = {one.account for one in topology.regions.values() if one.provider == resource.provider and one.account}
    if not said and len(own) != 1:
        raise Permanent(
            f"{resource.name} does not say in which project its zone is kept, and the regions have "
            f"{'several' if own else 'none'}.",
            "Nothing was asked.",
            "Write project: … beside zone: in cloudfail.yaml.",
        )
    return said or str(own.pop())
