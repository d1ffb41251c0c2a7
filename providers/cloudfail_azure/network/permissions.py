"""What the kinds of this port call, as Azure RBAC names it. Source: "Azure permissions for Networking"
(learn.microsoft.com/azure/role-based-access-control/permissions/networking)."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.access.scopes import subscription_of
from cloudfail_azure.grants import ORDERED, stated

ROUTE = ("route",)
_TABLES = "Microsoft.Network/routeTables"
_OPERATIONS = "Microsoft.Network/locations/operations/read"


def route_table(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """The tables stand in the one region that the options name, whatever regions the members are in."""
    region, tables = str(resource.options["region"]), tuple(resource.options["tables"])
    subscriptions = tuple(dict.fromkeys(subscription_of(table).lower() for table in tables))
    routes = (f"{_TABLES}/routes/write", f"{_TABLES}/routes/delete")
    return stated(
        [
            (False, Grant(region, (f"{_TABLES}/read",), tables)),
            (False, Grant(region, (_OPERATIONS,), subscriptions, ROUTE, why=ORDERED)),
            (True, Grant(region, routes, tables, ROUTE, why="A route is deleted only where a run created it.")),
            (True, Grant(region, (f"{_TABLES}/write",), tables, ROUTE, why="The epoch stands in a tag of the table.")),
        ]
    )
