"""What a role must be allowed so that it can be asked what it is allowed. Pure; no vendor library."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.ports import Grant
from cloudfail_azure.access.scopes import group_of

ACTION = "Microsoft.Authorization/permissions/read"
"""Source: "Azure permissions for Management and governance" (learn.microsoft.com/azure/role-based-access-control/
permissions/management-and-governance): all the permissions the caller has at a scope."""


def with_asking(grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """What a kind needs, and what asking about it does: on each of its scopes that can be asked about (asked.py)."""
    asked = (Grant(one.region, (ACTION,), tuple(filter(group_of, one.on)), one.verbs, why=one.why) for one in grants)
    return (*grants, *(one for one in asked if one.on))
