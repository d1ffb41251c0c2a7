"""Which region a host or an address leads to, by what stands in the subscriptions and by the host itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from cloudfail_azure.discovering.looking import Look

VERSION = "2026-03-01"
_NETWORK = "/providers/Microsoft.Network"
_SITES = ".azurewebsites.net"


def known(look: Look) -> Mapping[str, str]:
    """Address, or host in lower case -> the region of what has it. One that several regions have (a private address of
    two networks) is left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in look.listed("public IP addresses", f"{_NETWORK}/publicIPAddresses", VERSION):
        found[str(one.properties.get("ipAddress") or "")].add(one.region)
        found[str((one.properties.get("dnsSettings") or {}).get("fqdn") or "").lower()].add(one.region)
    for one in look.listed("load balancers", f"{_NETWORK}/loadBalancers", VERSION):
        for frontend in one.properties.get("frontendIPConfigurations") or ():
            found[str((frontend.get("properties") or {}).get("privateIPAddress") or "")].add(one.region)
    for one in look.everything():
        if one.type == "microsoft.web/sites":
            found[f"{one.name.lower()}{_SITES}"].add(one.region)
    return {name: regions.pop() for name, regions in found.items() if name and len(regions) == 1}


def region_of(host: str, hosts: Mapping[str, str], regions: Sequence[str]) -> str:
    """ "" where nothing says it. Hosts that Azure makes name their region in a label of their own:
    `shop.westeurope.cloudapp.azure.com`, `shop-1f2e.westeurope-01.azurewebsites.net`."""
    name = host.rstrip(".").lower()
    if name in hosts:
        return hosts[name]
    labels = {label.partition("-")[0] if label.partition("-")[2].isdigit() else label for label in name.split(".")[1:]}
    said = [region for region in regions if region in labels]
    return said[0] if len(said) == 1 else ""
