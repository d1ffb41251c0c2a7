"""Route 53's zones and health checks, read once and whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail_aws.discovering.looking import Look

HOME = "us-east-1"
"""Where the control plane of Route 53 is asked, whatever regions are looked at."""
TYPES = ("A", "AAAA", "CNAME")
Record = Mapping[str, Any]


def records(look: Look) -> list[tuple[Mapping[str, Any], list[Record]]]:
    """(zone, its record sets that lead somewhere). Where one zone cannot be read none is taken for all."""
    return look.each("route53", lambda _at: _zones(look), (HOME,)).get(HOME, [])


def _zones(look: Look) -> list[tuple[Mapping[str, Any], list[Record]]]:
    found = []
    for zone in sorted(look.pages("route53", HOME, "list_hosted_zones", "HostedZones"), key=lambda one: one["Id"]):
        number = identifier(zone)
        if look.wanted.tag is not None:
            told = look.read("route53", HOME, "list_tags_for_resource", ResourceType="hostedzone", ResourceId=number)
            if not look.is_meant({one["Key"]: one["Value"] for one in told["ResourceTagSet"].get("Tags") or ()}):
                continue
        listed = look.pages("route53", HOME, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=number)
        found.append((zone, [one for one in listed if one["Type"] in TYPES]))
    return found


def health_checks(look: Look) -> dict[str, Mapping[str, Any]]:
    """Identifier -> configuration."""
    listed = look.each(
        "route53 health checks", lambda _at: look.pages("route53", HOME, "list_health_checks", "HealthChecks"), (HOME,)
    )
    return {one["Id"]: one["HealthCheckConfig"] for one in listed.get(HOME, [])}


def identifier(zone: Mapping[str, Any]) -> str:
    return str(zone["Id"]).rpartition("/")[2]


def host(name: str) -> str:
    """A host as it is compared: Route 53 puts `dualstack.` before a balancer's, and a dot behind each."""
    return name.lower().rstrip(".").removeprefix("dualstack.")


def hosts_of(record: Record) -> list[str]:
    """The hosts that an alias or a CNAME leads to."""
    alias = record.get("AliasTarget")
    if alias is not None:
        return [host(alias["DNSName"])]
    return [host(one["Value"]) for one in record.get("ResourceRecords") or ()] if record["Type"] == "CNAME" else []
