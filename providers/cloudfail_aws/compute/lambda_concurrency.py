"""compute: lambda-concurrency. Execution environments that an alias has ready: its provisioned concurrency.

wanted is what was asked for, running what is allocated, healthy what is available: initialised, and taking requests;
Lambda is its own load balancer. The ceiling is the function's reserved concurrency, where some is reserved: the
provisioned must fit into it, so it is raised first. A scalable target, where one is registered, is bounded along.

An alias has no tags. Its marks are its function's, with the alias behind their keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.model.room import Room
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.compute import marks
from cloudfail_aws.compute.by_target import ScaledByTarget
from cloudfail_aws.compute.groups import Group, Size, member_of
from cloudfail_aws.compute.options import LambdaConcurrencyMember
from cloudfail_aws.compute.scalable import Scalable, is_held
from cloudfail_aws.errors import code_of

_NONE_YET = "ProvisionedConcurrencyConfigNotFoundException"


class LambdaConcurrency(ScaledByTarget):
    """One function's alias in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, LambdaConcurrencyMember]) -> None:
        super().__init__(asking)
        self._members = members

    def describe(self, region: str, *, within: float) -> Group:
        member: LambdaConcurrencyMember = member_of(self._members, region)
        until = self._asking.deadline(within)

        def ask(operation: str, **parameters: str) -> dict[str, Any]:
            left = max(0.1, self._asking.left_until(until))
            return self._asking.read("lambda", region, operation, within=left, **parameters)

        # Its own ARN, unqualified: what reserved concurrency and tags belong to.
        arn = str(ask("get_function_configuration", FunctionName=member.function)["FunctionArn"])
        reserved = ask("get_function_concurrency", FunctionName=member.function).get("ReservedConcurrentExecutions")
        tags = ask("list_tags", Resource=arn).get("Tags") or {}
        try:
            told = ask("get_provisioned_concurrency_config", FunctionName=member.function, Qualifier=member.qualifier)
        except Permanent as error:
            if not isinstance(error.__cause__, Exception) or code_of(error.__cause__) != _NONE_YET:
                raise
            told = {}
        target = self.scalable(region).look(region, within=max(0.1, self._asking.left_until(until)))
        own = {key.removesuffix(self._mine(member)): str(value) for key, value in tags.items()
               if key.endswith(self._mine(member))}  # fmt: skip
        return Group(
            name=f"{member.function}:{member.qualifier}",
            size=Size(
                int(told.get("RequestedProvisionedConcurrentExecutions", 0)),
                int(target["MinCapacity"]) if target else 0,
                None if reserved is None else int(reserved),
            ),
            running=int(told.get("AllocatedProvisionedConcurrentExecutions", 0)),
            held=is_held(target),
            marks=marks.read(own),
            raw={**told, "FunctionArn": arn},
            more=target,
        )

    @staticmethod
    def _mine(member: LambdaConcurrencyMember) -> str:
        return f":{member.qualifier}"

    def scalable(self, region: str) -> Scalable:
        member = self._members[region]
        resource = f"function:{member.function}:{member.qualifier}"
        return Scalable(self._asking, "lambda", resource, "lambda:function:ProvisionedConcurrency", member.autoscaled)

    def healthy(self, region: str, group: Group, *, within: float) -> int:
        if group.raw.get("Status") == "FAILED":
            raise Transient(f"{group.name}: {group.raw.get('StatusReason') or 'its provisioned concurrency failed'}")
        return int(group.raw.get("AvailableProvisionedConcurrentExecutions", 0))

    def account(self, region: str, group: Group, *, within: float) -> Room:
        """Of the account's concurrent executions less what is reserved for other functions. Lambda keeps some back for
        functions without a reserve (100, and fewer for a new account), which is not counted here."""
        said = self._asking.read("lambda", region, "get_account_settings", within=within).get("AccountLimit") or {}
        if "ConcurrentExecutions" not in said or "UnreservedConcurrentExecutions" not in said:
            raise Transient("Lambda does not say how many executions the account may have.")
        limit, unreserved = int(said["ConcurrentExecutions"]), int(said["UnreservedConcurrentExecutions"])
        own = group.size.ceiling or 0
        return Room("Lambda's concurrent executions", limit, "executions", 1.0, own=own, used=limit - unreserved)

    def tag(self, region: str, group: Group, tags: Mapping[str, str], *, call: Call) -> None:
        mine = self._mine(self._members[region])
        self._asking.change(
            "lambda",
            region,
            "tag_resource",
            call=call,
            Resource=group.raw["FunctionArn"],
            Tags={f"{key}{mine}": value for key, value in tags.items()},
        )

    def resize(self, region: str, group: Group, size: Size, *, call: TimeLeft) -> None:
        """Bounds and reserve before the count, which must fit into them. A reserve that was raised stays: to take it
        away could throttle what runs, and the count alone is what is paid for."""
        member = self._members[region]
        if group.more:
            ceiling = max(int(group.more["MaxCapacity"]), size.wanted)
            bounds = Size(size.wanted, size.floor, ceiling)
            self.scalable(region).bound(region, group.more, bounds, call=call)
        if size.ceiling is not None and size.ceiling > (group.size.ceiling or 0):
            self._reserve(region, member, size.ceiling, call)
        if size.wanted == 0:
            self._asking.change(
                "lambda",
                region,
                "delete_provisioned_concurrency_config",
                call=call.rest(),
                FunctionName=member.function,
                Qualifier=member.qualifier,
            )
            return
        self._asking.change(
            "lambda",
            region,
            "put_provisioned_concurrency_config",
            call=call.rest(),
            FunctionName=member.function,
            Qualifier=member.qualifier,
            ProvisionedConcurrentExecutions=size.wanted,
        )

    def _reserve(self, region: str, member: LambdaConcurrencyMember, count: int, call: TimeLeft) -> None:
        self._asking.change(
            "lambda",
            region,
            "put_function_concurrency",
            call=call.rest(),
            FunctionName=member.function,
            ReservedConcurrentExecutions=count,
        )


def build(resource: Resource, topology: Topology) -> LambdaConcurrency:
    """Kind.build."""
    members = {region: LambdaConcurrencyMember.model_validate(one) for region, one in resource.members.items()}
    return LambdaConcurrency(Asking.of(resource, topology), members)
