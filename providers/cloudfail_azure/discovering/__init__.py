"""What stands in the regions of subscriptions, as values from which a draft of cloudfail.yaml is written
(ports.Discovers).

One file per family. Resource Manager lists all of a subscription at once, with regions and tags; a family asks for what
that does not tell, pairs what belongs together, and asks about the rest. A listing that fails is named with its reason,
and the families beside it go on. All of it are reads, as one role, within the same bounds and the subscription's budget
as those of a run; what two families need is listed once.

A new kind is found by a family that names it in its `DRAFTS`, or stands in `NOT_DRAFTED` with the reason. Importing
this package imports no vendor library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cloudfail.model.discovered import Discovered, Found, Wanted
from cloudfail.model.topology import PortName
from cloudfail.ports import Kind

if TYPE_CHECKING:
    from cloudfail_azure.discovering.looking import Look

Said = Found | str
"""A resource, or what a person is asked."""

_POOLS = "which of its pools serves which region, and by which rule, a person says"
NOT_DRAFTED: Mapping[tuple[PortName, str], str] = {
    (PortName.CUSTOM, "isolated-network"): "which network is a drill's, and what is kept, a person says",
    (PortName.DATABASE, "cosmos-db"): "a container of cloudfail's own is to be made first: each account is asked about",
    (PortName.DATABASE, "cosmos-db-multi-write"): "as of cosmos-db",
    (PortName.DATABASE, "sql-database"): "what replicates to what, only each database says; a failover group is found",
    (PortName.DATABASE, "sql-instance-group"): "its groups are listed by resource group and place, and not of all",
    (PortName.LOADBALANCER, "azure-load-balancer"): _POOLS,
    (PortName.LOADBALANCER, "application-gateway"): _POOLS,
    (PortName.NETWORK, "public-ip"): "where an address would go, nothing says",
    (PortName.NETWORK, "route-table"): "no table says where a route leads in the other region: each is asked about",
    (PortName.SIGNALS, "service-health"): "it stands nowhere, and which services count, a person says",
}
"""What no family drafts, and why. Some of these kinds may not be served."""


def drafted() -> Mapping[tuple[PortName, str], Callable[[Look], Iterator[Said]]]:
    """(port, kind) -> the family that finds it."""
    from cloudfail_azure.discovering import consumers, databases, edges, names, signals, workers

    return {kind: family.found for family in (databases, workers, names, edges, consumers, signals)
            for kind in family.DRAFTS}  # fmt: skip


def discover(wanted: Wanted, kinds: Mapping[tuple[PortName, str], Kind]) -> Discovered:
    """ports.Discovers. kinds: those that this provider serves; what stands there of another one is asked about. Raises
    Refused."""
    from cloudfail_azure.discovering import tables
    from cloudfail_azure.discovering.looking import Look

    look = Look(wanted, kinds)
    families = (*dict.fromkeys(drafted().values()), tables.found)
    with ThreadPoolExecutor(len(families), "cloudfail-discover") as pool:
        said = [pool.submit(_all, family, look) for family in families]
        everything = [one for each in said for one in each.result()]
    primary, why = look.home()
    return Discovered(
        found=tuple(one for one in everything if isinstance(one, Found)),
        asks=tuple(one for one in everything if isinstance(one, str)),
        unread=look.unread,
        accounts=look.accounts(),
        primary=primary,
        primary_why=why,
    )


def _all(family: Callable[[Look], Iterator[Said]], look: Look) -> list[Said]:
    return list(family(look))
