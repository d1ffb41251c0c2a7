"""Names: record sets of Azure DNS, public and private, whose answers stand for several of the regions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.discovering import hosts
from cloudfail_azure.discovering.looking import Look, Stood
from cloudfail_azure.discovering.pairs import Sort, drafted

PUBLIC, PRIVATE = "microsoft.network/dnszones", "microsoft.network/privatednszones"
VERSION = {PUBLIC: "2018-05-01", PRIVATE: "2024-06-01"}
_BELOW = {PUBLIC: "recordsets", PRIVATE: "ALL"}
NAMES = Sort(PortName.DNS, "azure-dns", "record sets")
DRAFTS = ((NAMES.port, NAMES.kind),)
RESOLVERS = "fill in: resolvers, addresses that users ask; without them, this machine's"
PRIVATE_RESOLVERS = "fill in: resolvers inside of the private zone's network; from elsewhere nobody sees the name"


def found(look: Look) -> Iterator[Found | str]:
    """Zone by zone, name by name."""
    known = hosts.known(look)
    for type_ in (PUBLIC, PRIVATE):
        zones = look.of_type(type_)
        sets = look.each("record sets", [f"{zone.id}/{_BELOW[type_]}" for zone in zones], VERSION[type_])
        by_zone = {zone.id.lower(): zone for zone in zones}
        for one in sets:
            zone = by_zone.get(one.id.lower().rsplit("/", 2)[0])
            if zone is not None:
                yield from _name(look, known, zone, one)


def values(one: Stood) -> tuple[str, tuple[str, ...]]:
    """(type, what it answers with); "" for a type that leads nowhere."""
    told = {key.lower(): value for key, value in one.properties.items()}
    for type_, list_, key in (("A", "arecords", "ipv4Address"), ("AAAA", "aaaarecords", "ipv6Address")):
        if told.get(list_):
            return type_, tuple(str(each.get(key)) for each in told[list_])
    if alias := (told.get("cnamerecord") or {}).get("cname"):
        return "CNAME", (str(alias),)
    return "", ()


def _name(look: Look, known: Mapping[str, str], zone: Stood, one: Stood) -> Iterator[Found | str]:
    name = zone.name if one.name == "@" else f"{one.name}.{zone.name}"
    target = str((one.properties.get("targetResource") or {}).get("id") or "")
    if target:
        if (region := look.region_of(target)) in look.wanted.regions:
            yield f"{name} is an alias of {target} in {region}, which no kind of name here moves."
        return
    type_, answers = values(one)
    by_region: dict[str, list[str]] = defaultdict(list)
    for value in answers:
        by_region[hosts.region_of(value, known, look.wanted.regions)].append(value)
    here = [region for region in look.wanted.regions if region in by_region]
    if not here:
        return
    rest = [value for region in sorted(set(by_region) - set(here)) for value in by_region[region]]
    if rest:
        yield f"{name} {type_}: which region does {' and '.join(rest)} stand for? Nothing here says it."
        return
    if len(here) < 2:
        others = " and ".join(region for region in look.wanted.regions if region not in here)
        yield f"{name} {type_} answers with {here[0]} alone. If it is to move, write what {others} answers with."
        return
    members = {region: by_region[region][0] if len(by_region[region]) == 1 else {"answers": by_region[region]}
               for region in here}  # fmt: skip
    ttl = one.properties.get("TTL", one.properties.get("ttl", 60))
    options = {"zone": zone.id, "name": name} | ({"type": type_} if type_ != "A" else {}) | {"ttl": f"{int(ttl)}s"}
    remark = RESOLVERS if zone.type == PUBLIC else PRIVATE_RESOLVERS
    why = f"{name}: each region by the addresses that it answers with"
    yield drafted(look, NAMES, name.partition(".")[0], members, why, options, remarks=(remark,))
