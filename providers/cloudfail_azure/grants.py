"""What a kind says that its roles must be allowed: actions of Azure RBAC, each on the resource's own id."""

from __future__ import annotations

from collections.abc import Iterable

from cloudfail.ports import Grant, Permissions


def stated(told: Iterable[tuple[bool, Grant]]) -> Permissions:
    """told: (whether it changes something, what is granted)."""
    found = list(told)
    return Permissions(
        tuple(one for changes, one in found if not changes), tuple(one for changes, one in found if changes)
    )
