"""The least capacity with which a person lets a gate pass: so many healthy workers of a group, where users are to go.

Group and number, sorted by group; nothing stated is the empty tuple. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Refused

Capacity = tuple[tuple[str, int], ...]
AS_PLANNED = "as the plan's steps have it"
_NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,62}"
_IN_WORDS = re.compile(rf"({_NAME}) at least ([1-9][0-9]{{0,5}}) healthy")
_TYPED = re.compile(rf"({_NAME})=([1-9][0-9]{{0,5}})")
_SHARE = re.compile(r"([1-9][0-9]?|100) ?%")


def in_words(capacity: Capacity) -> str:
    """As it stands in an approval's text: `web at least 4 healthy, workers at least 2 healthy`."""
    return ", ".join(f"{group} at least {count} healthy" for group, count in capacity) or AS_PLANNED


def from_words(text: str) -> Capacity:
    """Read `in_words` back. Raises ValueError for anything else."""
    return () if text == AS_PLANNED else _read(text.split(", "), _IN_WORDS)


def from_entry(said: Mapping[str, Any] | None) -> Capacity:
    """What an entry of the log says. Raises ValueError or TypeError for what no version of ours wrote."""
    return tuple(sorted((str(group), int(count)) for group, count in (said or {}).items()))


def typed(text: str, planned: Mapping[str, int]) -> Capacity:
    """What a person typed: `80%` of what the plan's steps make of each group, rounded up, or `web=4,workers=2`. Raises
    Refused for what that plan could never meet. planned: group -> workers, as the plan's bounds have them."""
    share = _SHARE.fullmatch(text.strip())
    if share and planned:
        return tuple(sorted((group, math.ceil(count * int(share[1]) / 100)) for group, count in planned.items()))
    scales = ", ".join(f"{group} to {count}" for group, count in sorted(planned.items())) or "nothing"
    refused = Refused(
        f"{text!r} is no capacity that this plan can have: it scales {scales}.",
        "Nothing was approved.",
        "Write a share of that, 80%, or healthy workers of its groups: web=4,workers=2.",
    )
    if share:
        raise refused
    try:
        capacity = _read(text.replace(" ", "").split(","), _TYPED)
    except ValueError as error:
        raise refused from error
    if any(count > planned.get(group, 0) for group, count in capacity):
        raise refused
    return capacity


def allows(capacity: Capacity, healthy: Mapping[str, int | None]) -> bool:
    """Whether so many are healthy. What could not be counted is not there."""
    return all((healthy.get(group) or 0) >= count for group, count in capacity)


def _read(parts: list[str], form: re.Pattern[str]) -> Capacity:
    found = [form.fullmatch(part) for part in parts]
    capacity = tuple(sorted((one[1], int(one[2])) for one in found if one))
    if None in found or len(dict(capacity)) != len(parts):
        raise ValueError("this says nothing of healthy workers")
    return capacity
