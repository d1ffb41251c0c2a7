"""What a kind says that its roles must be allowed: IAM permissions, each on the resource's own path."""

from __future__ import annotations

from collections.abc import Iterable

from cloudfail.ports import Grant, Permissions


def stated(told: Iterable[tuple[bool, Grant]]) -> Permissions:
    """told: (whether it changes something, what is granted)."""
    found = list(told)
    return Permissions(
        tuple(one for changes, one in found if not changes), tuple(one for changes, one in found if changes)
    )
