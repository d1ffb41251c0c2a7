"""A route table as Azure tells it: its own routes, which of them are under way, and the mark in its tags.

The mark is a tag of the table, one for each application, since a table may serve several and their epochs have nothing
to do with each other. A PATCH of tags replaces their map, so all others are written back as they were read.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Transient
from cloudfail_azure.asking import Asking
from cloudfail_azure.network.options import APPLIANCE
from cloudfail_azure.paths import must_stand

VERSION = "2026-03-01"
"""API version of Microsoft.Network."""
_UNDER_WAY = frozenset({"creating", "updating", "deleting"})
_ENDED_BADLY = frozenset({"failed", "canceled"})


@dataclass(frozen=True)
class Route:
    """hop: an address, or what else it leads to, as Azure words it. prefix: the destination, as it stands there."""

    id: str
    prefix: str
    hop: str
    state: str
    etag: str

    @property
    def moving(self) -> bool:
        return self.state.lower() in _UNDER_WAY

    @property
    def ended_badly(self) -> bool:
        return self.state.lower() in _ENDED_BADLY


@dataclass(frozen=True)
class Table:
    """routes: by destination, in its plain form."""

    id: str
    routes: Mapping[str, Route]
    tags: Mapping[str, str]
    etag: str
    state: str

    @property
    def moving(self) -> str:
        """What is under way on it: one operation at a time is taken ("RetryableErrorDueToAnotherOperation")."""
        found = next((route for route in self.routes.values() if route.moving), None)
        if found is not None:
            return f"the route {found.id} is {found.state}"
        return f"the table {self.id} is {self.state}" if self.state.lower() in _UNDER_WAY else ""

    def epoch(self, application: str) -> int | None:
        """What is no number was written by no run of ours. The names of tags are the same in any case."""
        wanted = tag_of(application).lower()
        said = next((str(value) for key, value in self.tags.items() if key.lower() == wanted), "")
        return int(said) if said.isascii() and said.isdigit() else None

    def marked(self, application: str, epoch: int) -> dict[str, str]:
        """The whole map of tags, with that mark."""
        own = tag_of(application)
        return {**{key: value for key, value in self.tags.items() if key.lower() != own.lower()}, own: str(epoch)}


def tag_of(application: str) -> str:
    return f"cloudfail-{application}-epoch"


def described(asking: Asking, region: str, id_: str, *, within: float) -> Table:
    """Raises Transient where the answer says nothing of its routes; Permanent where it stands in another region."""
    told = asking.read(region, id_, VERSION, within=within)
    properties = told.get("properties") or {}
    if "routes" not in properties or "location" not in told:
        raise Transient(f"Azure answers, and does not tell the routes of {id_}.")
    must_stand(f"The route table {id_}", region, str(told["location"]), asking.resource.name)
    routes = [_route(id_, one) for one in properties["routes"] or ()]
    return Table(
        id_,
        {plain(route.prefix): route for route in routes},
        told.get("tags") or {},
        str(told.get("etag") or ""),
        str(properties.get("provisioningState", "")),
    )


def _route(table: str, told: Mapping[str, Any]) -> Route:
    properties = told.get("properties") or {}
    kind = str(properties.get("nextHopType", ""))
    appliance = kind.lower() == APPLIANCE.lower() and properties.get("nextHopIpAddress")
    return Route(
        f"{table}/routes/{told.get('name')}",
        str(properties.get("addressPrefix", "")),
        _address(str(properties["nextHopIpAddress"])) if appliance else kind,
        str(properties.get("provisioningState", "")),
        str(told.get("etag") or ""),
    )


def _address(told: str) -> str:
    """In the form in which cloudfail.yaml has it."""
    try:
        return str(ipaddress.ip_address(told))
    except ValueError:
        return told


def plain(prefix: str) -> str:
    """A range in the form in which cloudfail.yaml has it; a service tag as it is."""
    try:
        return str(ipaddress.ip_network(prefix, strict=False))
    except ValueError:
        return prefix


def leading(prefix: str, hop: str) -> dict[str, Any]:
    """The body of a route: all of it, since a PUT replaces it."""
    try:
        ipaddress.ip_address(hop)
    except ValueError:
        return {"properties": {"addressPrefix": prefix, "nextHopType": hop}}
    return {"properties": {"addressPrefix": prefix, "nextHopType": APPLIANCE, "nextHopIpAddress": hop}}
