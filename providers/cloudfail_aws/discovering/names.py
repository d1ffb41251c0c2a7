"""Names: record sets of Route 53 that answer with several of the regions, and the switches that they hang on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.discovering.pairing import named_region
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_aws.discovering import switches
from cloudfail_aws.discovering.looking import Look
from cloudfail_aws.discovering.regions import region_in
from cloudfail_aws.discovering.targets import balancers
from cloudfail_aws.discovering.zones import Record, health_checks, host, hosts_of, identifier, records
from cloudfail_names.names import canonical

ROUTINGS = {"Weight": "weighted", "Failover": "failover", "Region": "latency", "MultiValueAnswer": "multivalue"}


@dataclass(frozen=True)
class Places:
    """How a region is told from what a record answers."""

    look: Look
    balancers: Mapping[str, str]
    addresses: Mapping[str, str]

    def of(self, record: Record) -> tuple[str, str]:
        """(region, why); ("", "") where nothing says one, or two things say two."""
        said: dict[str, str] = {}
        for region, why in self._says(record):
            if region in self.look.wanted.regions:
                said.setdefault(region, why)
        return next(iter(said.items())) if len(said) == 1 else ("", "")

    def region_of(self, target: str) -> str:
        return self.balancers.get(target) or region_in(target)

    def _says(self, record: Record) -> Iterator[tuple[str, str]]:
        for target in hosts_of(record):
            yield self.region_of(target), "by the host that it leads to"
        for one in record.get("ResourceRecords") or ():
            yield self.addresses.get(one["Value"], ""), "by the Elastic IP that it answers with"
        if "Region" in record:
            yield str(record["Region"]), "by its latency region"
        named = str(record.get("SetIdentifier", ""))
        if named in self.look.wanted.regions:
            yield named, "by its set identifier"
        else:
            yield named_region(named, self.look.words), f"by its set identifier {named} alone"


def found(look: Look) -> Iterator[Found | str]:
    """Name by name, as the zones list them."""
    places = Places(look, _balancers(look), _addresses(look))
    checks = health_checks(look)
    for zone, listed in records(look):
        names: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for one in listed:
            names[canonical(one["Name"]), one["Type"]].append(one)
        for (name, sort), sets in sorted(names.items()):
            for said in _name(look, places, checks, zone, name.rstrip("."), sort, sets):
                private = (zone.get("Config") or {}).get("PrivateZone")
                yield f"{said} Its zone is private." if private and isinstance(said, str) else said


def _balancers(look: Look) -> dict[str, str]:
    return {host(one["DNSName"]): region for region, found in balancers(look).items() for one in found}


def _addresses(look: Look) -> dict[str, str]:
    listed = look.each("ec2", lambda at: look.read("ec2", at, "describe_addresses").get("Addresses") or [])
    return {one["PublicIp"]: region for region, found in listed.items() for one in found if one.get("PublicIp")}


def _name(
    look: Look,
    places: Places,
    checks: Mapping[str, Mapping[str, Any]],
    zone: Mapping[str, Any],
    name: str,
    sort: str,
    sets: Sequence[Record],
) -> Iterator[Found | str]:
    if len(sets) == 1 and "SetIdentifier" not in sets[0]:
        yield from _simple(look, places, zone, name, sort, sets[0])
        return
    routing = {next((word for key, word in ROUTINGS.items() if key in one), "") for one in sets}
    told = [(one, *places.of(one)) for one in sorted(sets, key=lambda one: str(one.get("SetIdentifier")))]
    regions = {region for _, region, _ in told if region}
    if len(regions) < 2:
        # It is none of this application's, or what it answers with says nothing of where that is.
        if len(sets) > 1 and any(not region for _, region, _ in told):
            yield f"{name} {sort}: which region does each record set stand for? {_identifiers(sets)}."
        return
    if len(routing) != 1 or "" in routing:
        yield f"{name} {sort} answers with {_and(regions)}, by a routing that no kind of name here moves."
        return
    if len(regions) != len(told):
        yield f"{name} {sort}: not one record set for each region, so that it is not moved: {_identifiers(sets)}."
        return
    by_region = {region: (one, why) for one, region, why in told}
    ordered = {region: by_region[region] for region in look.wanted.regions if region in by_region}
    yield from _drafted(look, checks, zone, name, sort, routing.pop(), ordered)


def _drafted(
    look: Look,
    checks: Mapping[str, Mapping[str, Any]],
    zone: Mapping[str, Any],
    name: str,
    sort: str,
    routing: str,
    sets: Mapping[str, tuple[Record, str]],
) -> Iterator[Found | str]:
    first = next((region for region, (one, _) in sets.items() if one.get("Failover") == "PRIMARY"), "")
    if first:
        look.at_home(first, f"{name} answers with it first")
    ttls = sorted({int(one["TTL"]) for one, _ in sets.values() if "TTL" in one})
    remarks = [f"Its record sets have TTLs of {_and(str(ttl) for ttl in ttls)} s."] if len(ttls) > 1 else []
    members = {region: _member(one, region) for region, (one, _) in sets.items()}
    said = switches.of(look, checks, {region: one for region, (one, _) in sets.items()}, routing, first)
    if isinstance(said, str):
        yield f"{name} {sort}: {said}"
        return
    for region, more in said.members.items():
        members[region] |= more
    options: dict[str, Any] = {} if said.kind == "routing-control" else {"zone": identifier(zone)}
    options |= {"name": name} | ({"type": sort} if sort != "A" else {}) | {"ttl": f"{ttls[0] if ttls else 60}s"}
    options |= {} if said.kind == "routing-control" and routing == "failover" else {"routing": routing}
    why = "; ".join(f"{region} {why}" for region, (_, why) in sets.items())
    yield Found(
        PortName.DNS,
        said.kind,
        name.partition(".")[0],
        members,
        f"{name}: {why}",
        options={**options, **said.options},
        remarks=(*remarks, *said.remarks, "fill in: resolvers, addresses that users ask; without them, this machine's"),
    )


def _member(one: Record, region: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if "AliasTarget" in one:
        alias = one["AliasTarget"]
        made["alias"] = {"zone": alias["HostedZoneId"], "name": str(alias["DNSName"]).rstrip(".")}
        if alias.get("EvaluateTargetHealth"):
            made["alias"]["evaluate_target_health"] = True
    else:
        made["answers"] = [each["Value"] for each in one["ResourceRecords"]]
    if one.get("SetIdentifier", region) != region:
        made["set_identifier"] = one["SetIdentifier"]
    if one.get("HealthCheckId"):
        made["health_check"] = one["HealthCheckId"]
    return made


def _simple(
    look: Look, places: Places, zone: Mapping[str, Any], name: str, sort: str, one: Record
) -> Iterator[Found | str]:
    """One record set: of several regions' addresses, or of one region's target. What the other one would answer with
    stands in no zone then."""
    by_address: dict[str, list[str]] = defaultdict(list)
    values = [each["Value"] for each in one.get("ResourceRecords") or ()]
    for value in values:
        by_address[places.addresses.get(value, "")].append(value)
    here = [region for region in look.wanted.regions if by_address.get(region)]
    if len(here) > 1 and "" not in by_address:
        yield Found(
            PortName.DNS,
            "route53",
            name.partition(".")[0],
            {region: {"answers": sorted(by_address[region])} for region in here},
            f"{name}: each region by the Elastic IPs that it answers with",
            options={
                "zone": identifier(zone), "name": name, **({"type": sort} if sort != "A" else {}),
                "ttl": f"{one['TTL']}s",
            },
            remarks=("fill in: resolvers, addresses that users ask; without them, this machine's",),
        )  # fmt: skip
        return
    region, _ = places.of(one)
    if region:
        others = _and(other for other in look.wanted.regions if other != region)
        yield f"{name} {sort} answers with {region} alone. If it is to move, write what {others} answers with."


def _identifiers(sets: Sequence[Record]) -> str:
    return ", ".join(sorted(str(one.get("SetIdentifier")) for one in sets))


def _and(words: Any) -> str:
    return " and ".join(sorted(words))
