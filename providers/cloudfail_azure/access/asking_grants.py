"""What a role must be allowed so that it can be asked what it is allowed. Pure; no vendor library."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.ports import Grant
from cloudfail_azure.access.scopes import covers, group_of

ACTION = "Microsoft.Authorization/permissions/read"
"""Source: "Azure permissions for Management and governance" (learn.microsoft.com/azure/role-based-access-control/
permissions/management-and-governance): all the permissions the caller has at a scope."""


def with_asking(grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """What a kind needs, and what asking about it does: on each of its scopes that can be asked about (asked.py), and
    on a subscription where that is none of them."""
    below = [scope for one in grants for scope in one.on if group_of(scope)]

    def asked_on(one: Grant) -> tuple[str, ...]:
        return tuple(on for on in one.on if group_of(on) or not any(covers(on, other) for other in below))

    asked = (Grant(one.region, (ACTION,), asked_on(one), one.verbs, why=one.why) for one in grants)
    return (*grants, *(one for one in asked if one.on))
