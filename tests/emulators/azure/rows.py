"""The form of a row of needs.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """actions: what Resource Manager makes of method and path. also: what is asked for besides, on the same scope."""

    actions: tuple[str, ...]
    also: tuple[str, ...] = ()


def one(action: str, *also: str) -> Row:
    return Row((action,), also)


def instead(*actions: str) -> Row:
    """Of what does not follow from method and path."""
    return Row((), actions)
