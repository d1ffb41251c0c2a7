"""Balancers of one region that forward to several: listeners and rules whose target groups stand for regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail.discovering.pairing import named_region
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_aws.discovering.looking import Look, tags_of
from cloudfail_aws.discovering.targets import balancers

TAGGED_AT_ONCE = 20
"""That DescribeTags takes (Elastic Load Balancing API reference)."""
KINDS = {"application": "app", "network": "net"}


def found(look: Look) -> Iterator[Found | str]:
    """Region by region: a balancer forwards within its own, and reaches the others by addresses."""
    balancers(look)
    listed = look.each("elbv2 listeners", lambda region: _forwarding(look, region))
    for region in look.wanted.regions:
        for balancer, option, arn, groups in listed.get(region, []):
            yield _drafted(look, region, balancer, option, arn, groups)


def _forwarding(look: Look, region: str) -> list[tuple[str, str, str, dict[str, str]]]:
    """(balancer, listener or rule, its ARN, target group -> its name), of those that forward to several."""
    made = []
    for one in sorted(_meant(look, region), key=lambda one: str(one["LoadBalancerArn"])):
        arn, name = one["LoadBalancerArn"], one["LoadBalancerName"]
        for listener in look.pages("elbv2", region, "describe_listeners", "Listeners", LoadBalancerArn=arn):
            made.append((name, "listener", listener["ListenerArn"], _groups(listener.get("DefaultActions"))))
            if one.get("Type") != "application":
                continue
            for rule in look.pages("elbv2", region, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]):
                if not rule.get("IsDefault"):
                    made.append((name, "rule", rule["RuleArn"], _groups(rule.get("Actions"))))
    return sorted((one for one in made if len(one[3]) > 1), key=lambda one: one[2])


def _meant(look: Look, region: str) -> list[Mapping[str, Any]]:
    listed = [one for one in balancers(look).get(region, []) if one.get("Type") in KINDS]
    if look.wanted.tag is None:
        return listed
    tags: dict[str, dict[str, str]] = {}
    arns = sorted(one["LoadBalancerArn"] for one in listed)
    for start in range(0, len(arns), TAGGED_AT_ONCE):
        told = look.read("elbv2", region, "describe_tags", ResourceArns=arns[start : start + TAGGED_AT_ONCE])
        tags |= {one["ResourceArn"]: tags_of(one.get("Tags")) for one in told["TagDescriptions"]}
    return [one for one in listed if look.is_meant(tags.get(one["LoadBalancerArn"], {}))]


def _groups(actions: Any) -> dict[str, str]:
    arns = [
        group["TargetGroupArn"]
        for action in actions or ()
        for group in (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    ]
    return {arn: arn.split(":", 5)[5].split("/")[1] for arn in arns}


def _drafted(look: Look, region: str, balancer: str, option: str, arn: str, groups: Mapping[str, str]) -> Found | str:
    named = sorted((named_region(name, look.words), group) for group, name in groups.items())
    regions = [at for at, _ in named if at]
    shown = ", ".join(sorted(groups.values()))
    if len(set(regions)) < 2:
        return f"{balancer} in {region}: do these target groups of {arn} stand for regions? {shown}."
    if len(set(regions)) != len(named):
        return f"{balancer} in {region}: not one target group for each region stands in {arn}: {shown}."
    members = {at: dict(named)[at] for at in look.wanted.regions if at in regions}
    why = f"the {option} of {balancer} in {region} forwards to {shown}: which region each stands for, by its name alone"
    return Found(PortName.LOADBALANCER, "alb", f"{balancer}-traffic", members, why, options={option: arn})
