"""How people name Azure's regions within other names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_NAME = re.compile(r"[a-z]+[0-9]*")
_WAYS = {
    "northcentral": "nc", "southcentral": "sc", "westcentral": "wc", "northeast": "ne", "northwest": "nw",
    "southeast": "se", "southwest": "sw", "central": "c", "north": "n", "south": "s", "east": "e", "west": "w",
}  # fmt: skip
_AREAS = {
    "us": "us", "europe": "eu", "asia": "as", "uk": "uk", "australia": "au", "brazil": "br", "canada": "ca",
    "france": "fr", "germany": "ge", "india": "in", "italy": "it", "japan": "ja", "korea": "ko", "norway": "no",
    "poland": "pl", "qatar": "qa", "southafrica": "sa", "spain": "sp", "sweden": "se", "switzerland": "sw",
    "uae": "ua", "israel": "il", "mexico": "mx", "newzealand": "nz", "jioindia": "ji",
}  # fmt: skip


def is_region(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and text != "global"


def words_of(regions: Sequence[str]) -> Mapping[str, frozenset[tuple[str, ...]]]:
    """Region -> how it may be named: westeurope as westeurope, west-europe, weu, we, west or w. What would name two of
    the regions names none of them."""
    all_of_them = {region: _namings(region) for region in regions}
    return {
        region: frozenset(
            one for one in namings if not any(one in more for other, more in all_of_them.items() if other != region)
        )
        for region, namings in all_of_them.items()
    }


def parts(region: str) -> tuple[str, str, str]:
    """(way, area, number): ("west", "europe", ""), ("east", "us", "2"). Empty where it is not made of these."""
    base, number = region.rstrip("0123456789"), region[len(region.rstrip("0123456789")) :]
    for area in sorted(_AREAS, key=len, reverse=True):
        for way in _WAYS:
            if base in (way + area, area + way):
                return way, area, number
    return "", "", number


def _namings(region: str) -> set[tuple[str, ...]]:
    """A name's words are its runs of letters and of digits."""
    way, area, number = parts(region)
    base = region.removesuffix(number)
    tail = (number,) if number else ()
    namings = {(base, *tail)}
    if not way:
        return namings
    short, brief = _AREAS[area], _WAYS[way]
    for first, second in ((way, area), (area, way), (way, short), (short, way)):
        namings |= {(first, second, *tail), (first + second, *tail)}
    namings |= {(brief, short, *tail), (brief + short, *tail), (short + brief, *tail), (short, brief, *tail)}
    namings |= {(brief + short[0], *tail), (way, *tail), (brief, *tail), (area,)}
    return namings
