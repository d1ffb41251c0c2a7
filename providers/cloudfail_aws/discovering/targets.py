"""What load balancers there are, and which names lead to them."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from cloudfail_aws.discovering.looking import Look
from cloudfail_aws.discovering.zones import host, hosts_of, records


def balancers(look: Look) -> dict[str, list[Mapping[str, Any]]]:
    """Region -> its balancers, as elbv2 describes them."""
    return look.each("elbv2", lambda at: look.pages("elbv2", at, "describe_load_balancers", "LoadBalancers"))


def groups(look: Look) -> dict[str, list[Mapping[str, Any]]]:
    """Region -> its target groups."""
    return look.each("elbv2 groups", lambda at: look.pages("elbv2", at, "describe_target_groups", "TargetGroups"))


class Served:
    """The names that lead to a target group: two workers that one name leads to, in two regions, are one resource."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def names(self, region: str, group_arns: Iterable[str]) -> frozenset[str]:
        """Of the group's balancers, by the zones' records. Empty where nothing is known of one of these."""
        wanted = set(group_arns)
        if not wanted:
            return frozenset()
        told = groups(self._look).get(region, [])
        arns = {arn for one in told if one["TargetGroupArn"] in wanted for arn in one.get("LoadBalancerArns") or ()}
        here = balancers(self._look).get(region, [])
        hosts = {host(one["DNSName"]) for one in here if one["LoadBalancerArn"] in arns}
        return frozenset(name for one in hosts for name in self._leading.get(one, ()))

    @functools.cached_property
    def _leading(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for _, kept in records(self._look):
            for one in kept:
                for target in hosts_of(one):
                    found[target].add(host(one["Name"]))
        return found
