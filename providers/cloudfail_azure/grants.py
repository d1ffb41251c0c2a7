"""What a kind says that its roles must be allowed: actions of Azure RBAC, each on the resource's own id."""

from __future__ import annotations

from collections.abc import Iterable

from cloudfail.ports import Grant, Permissions

ORDERED = "What became of an order is told there."
"""Why the status of an operation is read on the whole subscription: it stands in none of its groups ("Track
asynchronous Azure operations", learn.microsoft.com/azure/azure-resource-manager/management/async-operations)."""


NETWORK_ORDERED = (
    "Microsoft.Network/locations/operations/read",
    "Microsoft.Network/locations/operationResults/read",
)
"""By which it is read of whatever Microsoft.Network was ordered."""


def stated(told: Iterable[tuple[bool, Grant]]) -> Permissions:
    """told: (whether it changes something, what is granted)."""
    found = list(told)
    return Permissions(
        tuple(one for changes, one in found if not changes), tuple(one for changes, one in found if changes)
    )
