"""Paths: route tables whose routes lead to an appliance. Where one would lead in the other region, no table says."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.model.discovered import Found
from cloudfail_azure.discovering.looking import Look
from cloudfail_azure.network.options import APPLIANCE
from cloudfail_azure.network.tables import VERSION

SHOWN_MAX = 12


def found(look: Look) -> Iterator[Found | str]:
    """Table by table: each is asked about."""
    for one in look.listed("route tables", "/providers/Microsoft.Network/routeTables", VERSION):
        if one.region not in look.wanted.regions or not look.is_meant(one):
            continue
        routes = [each.get("properties") or {} for each in one.properties.get("routes") or ()]
        shown = [
            f"{route.get('addressPrefix')} to {route.get('nextHopIpAddress')}"
            for route in routes
            if route.get("nextHopType") == APPLIANCE
        ]
        if not shown:
            continue
        more = f" and {len(shown) - SHOWN_MAX} more" if len(shown) > SHOWN_MAX else ""
        hops = ", ".join(f"{region}: ADDRESS" for region in look.wanted.regions)
        written = f"region: {one.region}, tables: [{one.id}], destinations: [PREFIX], members: {{{hops}}}"
        yield (
            f"{one.id} leads {', '.join(shown[:SHOWN_MAX])}{more}. If that is to move, write NAME: "
            f"{{network: route-table, {written}}}"
        )
