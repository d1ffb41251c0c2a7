"""Balancers that stand in no one region: Global Accelerator, CloudFront, S3's multi-region access points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail.errors import Transient
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_aws.discovering.looking import PAGES_MAX, Look, tags_of
from cloudfail_aws.discovering.regions import region_in
from cloudfail_aws.discovering.targets import balancers
from cloudfail_aws.discovering.zones import host
from cloudfail_aws.iam import partition

WEST, EAST = "us-west-2", "us-east-1"
"""Global Accelerator and S3's access points are described in us-west-2 alone, CloudFront in us-east-1."""


def found(look: Look) -> Iterator[Found | str]:
    """Service by service."""
    yield from _accelerators(look)
    yield from _distributions(look)
    yield from _access_points(look)


def _accelerators(look: Look) -> Iterator[Found | str]:
    listed = look.each("globalaccelerator", lambda at: _listeners(look, at), (WEST,))
    for name, listener, groups in listed.get(WEST, []):
        members = {
            region: group["EndpointGroupArn"]
            for region in look.wanted.regions
            for group in groups
            if group["EndpointGroupRegion"] == region
        }
        if len(members) > 1:
            why = f"the endpoint groups of one listener of the accelerator {name} ({listener})"
            yield Found(PortName.LOADBALANCER, "global-accelerator", name, members, why)


def _listeners(look: Look, at: str) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    made = []
    for one in look.pages("globalaccelerator", at, "list_accelerators", "Accelerators"):
        arn = one["AcceleratorArn"]
        if look.wanted.tag is not None:
            told = look.read("globalaccelerator", at, "list_tags_for_resource", ResourceArn=arn)
            if not look.is_meant(tags_of(told.get("Tags"))):
                continue
        for listener in look.pages("globalaccelerator", at, "list_listeners", "Listeners", AcceleratorArn=arn):
            key = listener["ListenerArn"]
            groups = look.pages("globalaccelerator", at, "list_endpoint_groups", "EndpointGroups", ListenerArn=key)
            made.append((str(one["Name"]), str(key), groups))
    return sorted(made, key=lambda one: one[1])


def _distributions(look: Look) -> Iterator[Found | str]:
    known = {host(one["DNSName"]): region for region, found in balancers(look).items() for one in found}
    listed = look.each("cloudfront", lambda at: _listed(look, at), (EAST,))
    for one in listed.get(EAST, []):
        origins = {each["Id"]: host(each["DomainName"]) for each in one.get("Origins", {}).get("Items") or ()}
        where = {origin: known.get(at) or region_in(at) for origin, at in origins.items()}
        where = {origin: region for origin, region in where.items() if region in look.wanted.regions}
        if len(set(where.values())) > 1:
            yield _distribution(look, one, where)


def _distribution(look: Look, one: Mapping[str, Any], where: Mapping[str, str]) -> Found | str:
    """Its origin groups stand for the regions where each has one that asks it first; else its origins do."""
    name = str(one["Id"])
    first = {
        group["Id"]: region
        for group in one.get("OriginGroups", {}).get("Items") or ()
        if (region := where.get(group["Members"]["Items"][0]["OriginId"]))
    }
    behaviours = [one["DefaultCacheBehavior"], *(one.get("CacheBehaviors", {}).get("Items") or ())]
    targets = {each["TargetOriginId"] for each in behaviours}
    for candidates, sort in ((first, "origin groups"), (where, "origins")):
        members = {region: origin for origin, region in candidates.items()}
        if len(members) == len(candidates) > 1 and targets & set(candidates):
            ordered = {region: members[region] for region in look.wanted.regions if region in members}
            why = f"the {sort} of the distribution {name}, by the hosts that they ask"
            return Found(
                PortName.LOADBALANCER, "cloudfront", f"cdn-{name}", ordered, why, options={"distribution": name}
            )
    shown = ", ".join(f"{origin} ({region})" for origin, region in sorted({**where, **first}.items()))
    return (
        f"distribution {name}: which origin, or origin group, stands for each region? {shown}; its behaviours target "
        f"{', '.join(sorted(targets))}. An origin group that falls back by itself is no switch."
    )


def _listed(look: Look, at: str) -> list[Mapping[str, Any]]:
    """Its pages are within a list of their own."""
    made: list[Mapping[str, Any]] = []
    marker: dict[str, str] = {}
    for _ in range(PAGES_MAX):
        page = look.read("cloudfront", at, "list_distributions", **marker)["DistributionList"]
        made += page.get("Items") or []
        if not page.get("IsTruncated"):
            break
        if marker == {"Marker": page["NextMarker"]}:
            raise Transient("cloudfront gave the same page of list_distributions twice.")
        marker = {"Marker": page["NextMarker"]}
    else:
        raise Transient(f"cloudfront has more than {PAGES_MAX} pages of list_distributions.")
    return sorted((one for one in made if _is_meant(look, at, one)), key=lambda one: str(one["Id"]))


def _is_meant(look: Look, at: str, one: Mapping[str, Any]) -> bool:
    if look.wanted.tag is None:
        return True
    told = look.read("cloudfront", at, "list_tags_for_resource", Resource=one["ARN"])
    return look.is_meant(tags_of(told["Tags"].get("Items")))


def _access_points(look: Look) -> Iterator[Found | str]:
    """Tags are those of its buckets, if at all: with a tag asked for, none is drafted."""
    if look.wanted.tag is not None:
        return
    operation, key = "list_multi_region_access_points", "AccessPoints"
    listed = look.each(
        "s3control", lambda at: look.by_token("s3control", at, operation, key, AccountId=look.account), (WEST,)
    )
    for one in sorted(listed.get(WEST, []), key=lambda one: str(one["Name"])):
        buckets = {each.get("Region"): each["Bucket"] for each in one.get("Regions") or ()}
        members = {region: buckets[region] for region in look.wanted.regions if region in buckets}
        if len(members) > 1 and one.get("Alias"):
            arn = f"arn:{partition(WEST)}:s3::{look.account}:accesspoint/{one['Alias']}"
            why = f"the buckets of the multi-region access point {one['Name']}"
            yield Found(PortName.LOADBALANCER, "s3-mrap", one["Name"], members, why, options={"access_point": arn})
