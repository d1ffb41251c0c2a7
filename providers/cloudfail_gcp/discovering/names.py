"""Names: record sets of Cloud DNS whose answers, or whose routing policy's items, stand for several of the regions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.discovering.looking import Look
from cloudfail_gcp.dns.sets import routing_of

TYPES = ("A", "AAAA", "CNAME")
RESOLVERS = "fill in: resolvers, addresses that users ask; without them, this machine's"
Item = Mapping[str, Any]


def found(look: Look) -> Iterator[Found | str]:
    """Name by name, as the zones list them."""
    addresses = _addresses(look)
    listed = look.each("Cloud DNS zones", lambda _at: _zones(look), ("global",)).get("global", [])
    for zone, sets in listed:
        for one in sorted(sets, key=lambda one: (str(one["name"]), str(one["type"]))):
            for said in _name(look, addresses, str(zone["name"]), one):
                private = zone.get("visibility") == "private"
                yield f"{said} Its zone is private." if private and isinstance(said, str) else said


def _zones(look: Look) -> list[tuple[Mapping[str, Any], list[Item]]]:
    """(zone, its record sets that lead somewhere). Where one zone cannot be read none is taken for all."""
    base = f"dns/v1/projects/{look.project}/managedZones"
    made = []
    for zone in sorted(look.pages("dns", "global", base, "managedZones"), key=lambda one: str(one["name"])):
        if look.is_meant(zone.get("labels")):
            sets = look.pages("dns", "global", f"{base}/{zone['name']}/rrsets", "rrsets")
            made.append((zone, [one for one in sets if one.get("type") in TYPES]))
    return made


def _addresses(look: Look) -> dict[str, str]:
    """Address -> the region in which it is reserved, or a load balancer has it."""

    def ask(region: str) -> list[str]:
        base = f"projects/{look.project}/regions/{region}"
        reserved = look.pages("compute", region, f"{base}/addresses", "items")
        rules = look.pages("compute", region, f"{base}/forwardingRules", "items")
        return [str(one.get("address", "")) for one in reserved] + [str(one.get("IPAddress", "")) for one in rules]

    return {one: region for region, found in look.each("addresses", ask).items() for one in found if one}


def _name(look: Look, addresses: Mapping[str, str], zone: str, one: Item) -> Iterator[Found | str]:
    name, sort, routing = str(one["name"]).rstrip("."), str(one["type"]), routing_of(one)
    if routing == "simple":
        told = _simple(addresses, one)
    elif routing == "wrr":
        told = _items(addresses, one["routingPolicy"]["wrr"].get("items") or ())
    elif routing == "geo":
        told = _items(addresses, one["routingPolicy"]["geo"].get("items") or ())
    elif routing == "primary-backup":
        told = _primary_backup(look, addresses, name, one["routingPolicy"]["primaryBackup"])
    else:
        told = {}
    here = {region: told[region] for region in look.wanted.regions if region in told}
    if "" in told and (here or routing != "simple"):
        yield f"{name} {sort}: which region does each answer of its policy ({routing}) stand for? Nothing here says it."
        return
    if len(here) < 2:
        if here:
            others = " and ".join(region for region in look.wanted.regions if region not in here)
            alone = next(iter(here))
            yield f"{name} {sort} answers with {alone} alone. If it is to move, write what {others} answers with."
        return
    if any(len(items) > 1 for items in here.values()):
        yield f"{name} {sort}: not one item of its policy ({routing}) for each region, so that it is not moved."
        return
    members = {region: _member(items[0], region) for region, items in here.items()}
    options: dict[str, Any] = {"zone": zone, "name": name} | ({"type": sort} if sort != "A" else {})
    options |= {"ttl": f"{int(one.get('ttl', 60))}s"} | ({"routing": routing} if routing != "simple" else {})
    if not look.takes(PortName.DNS, "cloud-dns", members, options):
        both = " and ".join(here)
        yield f"{name} {sort} answers with {both}, by a policy ({routing}) that no kind of name here moves."
        return
    by = "the place in its policy" if routing == "geo" else "the addresses that it answers with"
    title = name.partition(".")[0]
    why = f"{name}: each region by {by}"
    yield Found(PortName.DNS, "cloud-dns", title, members, why, options=options, remarks=(RESOLVERS,))


Told = dict[str, list[dict[str, Any]]]
"""Region, "" where nothing says it -> what answers for it."""


def _simple(addresses: Mapping[str, str], one: Item) -> Told:
    by_region: dict[str, list[str]] = defaultdict(list)
    for value in one.get("rrdatas") or ():
        by_region[addresses.get(str(value), "")].append(str(value))
    return {region: [{"rrdatas": values}] for region, values in by_region.items()}


def _items(addresses: Mapping[str, str], items: Sequence[Item]) -> Told:
    found: Told = defaultdict(list)
    for item in items:
        found[str(item.get("location") or _region(addresses, item))].append(dict(item))
    return dict(found)


def _primary_backup(look: Look, addresses: Mapping[str, str], name: str, policy: Item) -> Told:
    primary: dict[str, Any] = {"healthCheckedTargets": policy.get("primaryTargets") or {}}
    region = _region(addresses, primary)
    if region in look.wanted.regions:
        look.at_home(region, f"{name} answers with it first")
    found = _items(addresses, (policy.get("backupGeoTargets") or {}).get("items") or ())
    found[region] = [*found.get(region, []), primary]
    return found


def _region(addresses: Mapping[str, str], item: Item) -> str:
    """The one region of all that it answers with; "" where that is not one."""
    targets = item.get("healthCheckedTargets") or {}
    said = {str(one.get("region", "")) for one in targets.get("internalLoadBalancers") or ()}
    values = [*(item.get("rrdatas") or ()), *(targets.get("externalEndpoints") or ())]
    said |= {addresses.get(str(value), "") for value in values}
    return said.pop() if len(said) == 1 else ""


def _member(item: Item, region: str) -> dict[str, Any]:
    """As `dns: cloud-dns` writes it."""
    targets = item.get("healthCheckedTargets") or {}
    made: dict[str, Any] = {}
    if balancers := targets.get("internalLoadBalancers"):
        made["load_balancers"] = [_balancer(one) for one in balancers]
    elif endpoints := targets.get("externalEndpoints"):
        made |= {"answers": list(endpoints), "health_checked": True}
    else:
        made["answers"] = list(item.get("rrdatas") or ())
    place = item.get("location")
    return made | ({"location": place} if place and place != region else {})


def _balancer(one: Item) -> dict[str, Any]:
    keys = {
        "type": "loadBalancerType", "ip_address": "ipAddress", "ip_protocol": "ipProtocol",
        "network_url": "networkUrl", "project": "project", "region": "region",
    }  # fmt: skip
    return {key: str(one[theirs]) for key, theirs in keys.items() if theirs in one} | {"port": int(one.get("port", 0))}
