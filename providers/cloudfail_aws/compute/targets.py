"""Who is healthy, as the load balancer counts (safety rule 8): not the scaler's word for an instance that has begun to
run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudfail.errors import Transient
from cloudfail_aws.asking import Asking

Target = tuple[str, int]


def healthy_targets(asking: Asking, region: str, arn: str, *, within: float) -> list[Target] | None:
    """(id, port) of each healthy target; None where the balancer lists no target at all.

    `unavailable` (health checks off) and `unused` (no balancer sends this group anything) are not healthy.
    """
    answer = asking.read("elbv2", region, "describe_target_health", within=within, TargetGroupArn=arn)
    listed = answer.get("TargetHealthDescriptions") or []
    if not listed:
        return None
    return [
        (str(one["Target"]["Id"]), int(one["Target"].get("Port", 0)))
        for one in listed
        if one.get("TargetHealth", {}).get("State") == "healthy"
    ]


def counted(
    asking: Asking, region: str, arns: Sequence[str], running: Mapping[str, int] | int, *, within: float
) -> int:
    """Healthy in every one of these target groups: the least of them.

    running: instance id -> how much it counts for, where targets are instances; else how many workers run. Raises
    Transient where workers run and a target group lists no target: a list that is empty says nothing.
    """
    until = asking.deadline(within)
    anything = sum(running.values()) if isinstance(running, Mapping) else running
    least: int | None = None
    for arn in arns:
        found = healthy_targets(asking, region, arn, within=max(0.1, asking.left_until(until)))
        if found is None and anything:
            raise Transient(f"{anything} run, and {arn} lists no target.")
        least_here = _weigh(found or [], running)
        least = least_here if least is None else min(least, least_here)
    if least is None:
        raise Transient("it is in no target group, so nothing counts who of it is healthy.")
    return least


def _weigh(found: Sequence[Target], running: Mapping[str, int] | int) -> int:
    """Targets may be addresses, which say nothing of the instance behind them: each counts for one then."""
    if isinstance(running, Mapping) and all(name.startswith("i-") for name, _ in found):
        return sum(running.get(name, 0) for name in {name for name, _ in found})
    return len(set(found))
