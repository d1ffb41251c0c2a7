"""How people name AWS's regions within other names, and which region an address belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_WITHIN = re.compile(r"(?<![a-z0-9])([a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d)(?![a-z0-9])")
_SHORT = {
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw", "central": "c", "north": "n",
    "south": "s", "east": "e", "west": "w",
}  # fmt: skip


def is_region(text: str) -> bool:
    return _REGION.fullmatch(text) is not None


def region_in(address: str) -> str:
    """The region that stands as a label in a host's name or an ARN; "" where none does, or several."""
    found = set(_WITHIN.findall(address.lower()))
    return found.pop() if len(found) == 1 else ""


def words_of(regions: Sequence[str]) -> Mapping[str, frozenset[tuple[str, ...]]]:
    """Region -> how it may be named: us-east-1 as us-east-1, useast1, use1, ue1, east1, east, e1 or e. What would name
    two of the regions names none of them."""
    all_of_them = {region: _namings(region) for region in regions}
    return {
        region: frozenset(
            one for one in namings if not any(one in more for other, more in all_of_them.items() if other != region)
        )
        for region, namings in all_of_them.items()
    }


def _namings(region: str) -> set[tuple[str, ...]]:
    area, *between, number = region.split("-")
    way = between[-1]
    short = _SHORT.get(way, way)
    return {
        (area, *between, number),
        (area + "".join(between), number),
        (area + short, number),
        (area[0] + short, number),
        (way, number),
        (way,),
        (short, number),
        (short,),
    }
