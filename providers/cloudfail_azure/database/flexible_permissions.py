"""What the kind calls, as Azure RBAC names it. What goes over SQL needs logins and no role. Source: "Azure permissions
for Databases" (learn.microsoft.com/azure/role-based-access-control/permissions/databases): a promotion and a tag are
both a PATCH of the server, which is `write`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.database.flexible_options import FlexibleMember
from cloudfail_azure.grants import NETWORK_ORDERED, ORDERED, stated
from cloudfail_azure.paths import subscription_of

_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
_OPERATIONS = "Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read"
_GROUPS = "Microsoft.Network/networkSecurityGroups"
MOVES = ("failover", "switchover")


def postgresql_flexible(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = FlexibleMember.model_validate(resource.members[region])
            on = (member.server,)
            listed = member.firewall_rules is not None
            reads = [f"{_SERVERS}/read", f"{_SERVERS}/virtualendpoints/read", f"{_SERVERS}/replicas/read"]
            yield False, Grant(region, (*reads, *([f"{_SERVERS}/firewallRules/read"] if listed else [])), on)
            subscription = (subscription_of(member.server).lower(),)
            yield False, Grant(region, (_OPERATIONS,), subscription, why=ORDERED)
            yield True, Grant(region, (f"{_SERVERS}/write",), on, (*MOVES, *(("fence", "follow") if listed else ())))
            if member.security_group is not None:
                yield from _group(region, member.security_group.group)
            if listed:
                rules = (f"{_SERVERS}/firewallRules/write", f"{_SERVERS}/firewallRules/delete")
                yield True, Grant(region, rules, on, ("fence", "follow"))

    return stated(told())


def _group(region: str, id_: str) -> Iterator[tuple[bool, Grant]]:
    """A tag of a group is a PATCH of it, which is `write`."""
    yield False, Grant(region, (f"{_GROUPS}/read",), (id_,))
    subscription = (subscription_of(id_).lower(),)
    yield False, Grant(region, NETWORK_ORDERED, subscription, why="What became of a rule is told there.")
    rules = (f"{_GROUPS}/write", f"{_GROUPS}/securityRules/write", f"{_GROUPS}/securityRules/delete")
    yield True, Grant(region, rules, (id_,), ("fence", "follow"))
