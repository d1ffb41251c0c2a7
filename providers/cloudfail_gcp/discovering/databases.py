"""Databases: instances of Cloud SQL with a replica in another region, clusters of AlloyDB with a secondary one, and
those that take writes everywhere (everywhere.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.discovering import everywhere
from cloudfail_gcp.discovering.looking import Look

BLANKS = (
    "fill in for each member: dsn is cloudfail's own login, writer an application's; where their passwords are, never "
    "what they are"
)


def found(look: Look) -> Iterator[Found | str]:
    """Primary by primary, then those that have none."""
    instances = look.each(
        "Cloud SQL instances",
        lambda at: look.pages("sqladmin", at, f"v1/projects/{look.project}/instances", "items"),
        ("global",),
    ).get("global", [])
    by_name = {str(one["name"]): one for one in instances if look.is_meant(_labels(one))}
    for name, one in sorted(by_name.items()):
        replicas = [
            other
            for _, other in sorted(by_name.items())
            if str(other.get("masterInstanceName", "")).rpartition(":")[2] == name
        ]
        members = {str(each["region"]): str(each["name"]) for each in (one, *replicas)}
        yield from _drafted(look, "cloud-sql", "instance", name, str(one["region"]), members, _sql(one, replicas))
    yield from _clusters(look)
    yield from everywhere.found(look)


def _labels(instance: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = (instance.get("settings") or {}).get("userLabels") or {}
    return labels


def _sql(primary: Mapping[str, Any], replicas: list[Any]) -> dict[str, str]:
    """Region -> the address at which it is reached, where one is told."""
    found = {}
    for one in (primary, *replicas):
        addresses = {each.get("type"): each.get("ipAddress") for each in one.get("ipAddresses") or ()}
        found[str(one["region"])] = str(addresses.get("PRIVATE") or addresses.get("PRIMARY") or "HOST")
    return found


def _clusters(look: Look) -> Iterator[Found | str]:
    """A secondary names its primary; each is listed in its own region (AlloyDB v1, `Cluster.secondaryConfig`)."""
    listed = look.each(
        "AlloyDB clusters",
        lambda at: look.pages("alloydb", at, f"v1/projects/{look.project}/locations/{at}/clusters", "clusters"),
    )
    everything = [one for clusters in listed.values() for one in clusters if look.is_meant(one.get("labels"))]
    for one in sorted(everything, key=lambda one: str(one["name"])):
        _, _, _, region, _, name = str(one["name"]).split("/")
        secondaries = [
            other
            for other in everything
            if _tail((other.get("secondaryConfig") or {}).get("primaryClusterName", "")) == _tail(one["name"])
        ]
        members = {str(each["name"]).split("/")[3]: str(each["name"]).split("/")[5] for each in (one, *secondaries)}
        yield from _drafted(look, "alloydb", "cluster", name, region, members, dict.fromkeys(members, "HOST"))


def _tail(name: object) -> str:
    """Without the project, which Google words by its number or its id."""
    return "/".join(str(name).split("/")[2:])


def _drafted(
    look: Look,
    kind: str,
    key: str,
    name: str,
    primary: str,
    members: Mapping[str, str],
    hosts: Mapping[str, str],
) -> Iterator[Found | str]:
    here = [region for region in look.wanted.regions if region in members]
    if len(here) < 2:
        return
    if primary in here:
        look.at_home(primary, "where databases take writes")
    written = {region: {key: members[region]} for region in here}
    why = f"{name} in {primary} is the source of the others"
    if not look.takes(PortName.DATABASE, kind, written, {}):
        shown = ", ".join(f"{region}: {members[region]}" for region in here)
        yield f"{name} ({why}): nothing here drafts database: {kind} of {shown}."
        return
    blanks = {
        region: (
            f'dsn: "host={hosts[region]} port=5432 dbname=DATABASE user=USER"',
            f'writer: "host={hosts[region]} port=5432 dbname=DATABASE user=USER"',
            "password: env:NAME",
            "writer_password: env:NAME",
        )
        for region in here
    }
    yield Found(PortName.DATABASE, kind, name, written, why, remarks=(BLANKS,), blanks=blanks)
