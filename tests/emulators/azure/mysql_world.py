"""A database of MySQL's flexible servers: Resource Manager and Azure Monitor behind the front, and no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.clock import SystemClock
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_azure import provider
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.database.mysql_flexible import MysqlFlexible
from cloudfail_azure.sessions import Sessions
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION
from tests.emulators.azure.standins.mysql_flexible import SERVERS, Lags, MysqlServers

IDS = {WEST: f"{SERVERS}/orders-w", NORTH: f"{SERVERS}/orders-n"}
KIND = provider.kinds()[PortName.DATABASE, "mysql-flexible"]
PACKAGE = "azure.mgmt.mysqlflexibleservers"
Serve = Callable[[str, Any], Any]


def served(serve: Serve, *, style: str = "status", **more: Any) -> MysqlServers:
    """orders-w in westeurope, and its replica orders-n in northeurope."""
    made = MysqlServers(style=style)
    made.server("orders-n", NORTH, source=made.server("orders-w", WEST, **more))
    serve(PACKAGE, made)
    serve("azure.mgmt.monitor", Lags(made))
    return made


def topology(members: Mapping[str, Any] | None = None, **options: Any) -> tuple[Resource, Topology]:
    """As the loader makes it: what was written goes through the kind's own models."""
    assert KIND.member is not None
    assert KIND.options is not None
    written = KIND.options.model_validate(options).model_dump()
    checked = {region: KIND.member.model_validate(one).model_dump() for region, one in (members or IDS).items()}
    one = Resource("orders", PortName.DATABASE, "mysql-flexible", "azure", None, checked, written)
    regions = {name: Region(name, "azure", SUBSCRIPTION) for name in IDS}
    return one, Topology("shop", Objectives(900.0, 30.0), regions, WEST, "memory:", {one.name: one})


def port(members: Mapping[str, Any] | None = None, **options: Any) -> MysqlFlexible:
    """A new one, with sessions and a budget of its own."""
    one, whole = topology(members, **options)
    clock = SystemClock()
    return MysqlFlexible(one, whole, Asking(one, whole, Sessions(), Budget(clock), clock))
