"""How people name Google's regions within other names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_REGION = re.compile(r"([a-z]+(?:-[a-z]+)*)-([a-z]+)(\d+)")
_AREAS = {
    "us": "us", "europe": "eu", "asia": "as", "australia": "au", "northamerica": "na", "southamerica": "sa",
    "me": "me", "africa": "af",
}  # fmt: skip
_WAYS = {
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw", "central": "c", "north": "n",
    "south": "s", "east": "e", "west": "w",
}  # fmt: skip


def is_region(text: str) -> bool:
    return _REGION.fullmatch(text) is not None


def words_of(regions: Sequence[str]) -> Mapping[str, frozenset[tuple[str, ...]]]:
    """Region -> how it may be named: us-central1 as us-central1, uscentral1, usc1, central1, central, c1 or c. What
    would name two of the regions names none of them."""
    all_of_them = {region: _namings(region) for region in regions}
    return {
        region: frozenset(
            one for one in namings if not any(one in more for other, more in all_of_them.items() if other != region)
        )
        for region, namings in all_of_them.items()
    }


def _namings(region: str) -> set[tuple[str, ...]]:
    found = _REGION.fullmatch(region)
    if found is None:
        return set()
    area, way, number = found.groups()
    short, brief = _AREAS.get(area, area), _WAYS.get(way, way)
    namings = {(way, number), (way,), (brief, number), (brief,), (area,), (short,)}
    for one in {area, short}:
        namings |= {(one, way, number), (one + way, number), (one + brief, number), (one, brief, number), (one, way)}
    return namings
