"""Workers: Auto Scaling groups, ECS services, EKS node groups, and aliases with provisioned concurrency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloudfail.discovering.pairing import Thing, asked, pair
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_aws.discovering.looking import Look, tags_of
from cloudfail_aws.discovering.targets import Served

SERVICES_AT_ONCE = 10
"""That DescribeServices takes (ECS API reference)."""
_Ask = Callable[[Look, Served, str], list[Thing]]


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind."""
    served = Served(look)

    def kind(service: str, name: str, words: str, ask: _Ask) -> Iterator[Found | str]:
        return paired(look, PortName.COMPUTE, service, name, words, lambda region: ask(look, served, region))

    yield from kind("autoscaling", "autoscaling", "Auto Scaling groups", _groups)
    yield from kind("ecs", "ecs", "ECS services", _services)
    yield from kind("eks", "eks-nodegroup", "EKS node groups", _node_groups)
    yield from kind("lambda", "lambda-concurrency", "Lambda aliases with provisioned concurrency", _aliases)


def paired(
    look: Look, port: PortName, service: str, kind: str, words: str, ask: Callable[[str], list[Thing]]
) -> Iterator[Found | str]:
    """The things of one sort that `ask` lists in each region, as resources, and what is asked of the rest."""
    listed = look.each(service, ask)
    result = pair([one for found in listed.values() for one in found], look.wanted.regions, look.words)
    for one in result.pairs:
        yield Found(port, kind, one.name, one.members, one.why)
    yield from asked(words, f"{port}: {kind}", result, look.missing(listed))


def _groups(look: Look, served: Served, region: str) -> list[Thing]:
    """Without those that another service scales: EKS for a node group, ECS for a capacity provider."""
    groups = look.pages("autoscaling", region, "describe_auto_scaling_groups", "AutoScalingGroups")
    made = []
    for one in groups:
        tags = tags_of(one.get("Tags"))
        if look.is_meant(tags) and not {"eks:nodegroup-name", "AmazonECSManaged"} & set(tags):
            serves = served.names(region, one.get("TargetGroupARNs") or ())
            made.append(Thing(region, one["AutoScalingGroupName"], tags=tags, serves=serves))
    return made


def _services(look: Look, served: Served, region: str) -> list[Thing]:
    made = []
    for cluster in sorted(look.pages("ecs", region, "list_clusters", "clusterArns")):
        arns = sorted(look.pages("ecs", region, "list_services", "serviceArns", cluster=cluster))
        for start in range(0, len(arns), SERVICES_AT_ONCE):
            some = arns[start : start + SERVICES_AT_ONCE]
            told = look.read("ecs", region, "describe_services", cluster=cluster, services=some, include=["TAGS"])
            made += [_service(one, served, region, cluster) for one in told["services"]]
    return [one for one in made if look.is_meant(one.tags)]


def _service(one: Mapping[str, Any], served: Served, region: str, cluster: str) -> Thing:
    groups = [each["targetGroupArn"] for each in one.get("loadBalancers") or () if each.get("targetGroupArn")]
    name = f"{cluster.rpartition('/')[2]}/{one['serviceName']}"
    return Thing(region, name, tags=tags_of(one.get("tags"), "key", "value"), serves=served.names(region, groups))


def _node_groups(look: Look, _served: Served, region: str) -> list[Thing]:
    made = []
    for cluster in sorted(look.pages("eks", region, "list_clusters", "clusters")):
        for name in sorted(look.pages("eks", region, "list_nodegroups", "nodegroups", clusterName=cluster)):
            told = look.read("eks", region, "describe_nodegroup", clusterName=cluster, nodegroupName=name)
            tags = told["nodegroup"].get("tags") or {}
            if look.is_meant(tags):
                made.append(Thing(region, f"{cluster}/{name}", tags=tags))
    return made


def _aliases(look: Look, _served: Served, region: str) -> list[Thing]:
    """A version has provisioned concurrency too, and is another one after each deployment: aliases alone are moved."""
    made = []
    for function in look.pages("lambda", region, "list_functions", "Functions"):
        name, arn = function["FunctionName"], function["FunctionArn"]
        operation, key = "list_provisioned_concurrency_configs", "ProvisionedConcurrencyConfigs"
        configs = look.pages("lambda", region, operation, key, FunctionName=name)
        aliases = sorted(one["FunctionArn"].rpartition(":")[2] for one in configs)
        aliases = [alias for alias in aliases if not alias.isdigit()]
        tags = look.read("lambda", region, "list_tags", Resource=arn).get("Tags") or {} if aliases else {}
        if look.is_meant(tags):
            made += [Thing(region, f"{name}:{alias}", tags=tags) for alias in aliases]
    return made
