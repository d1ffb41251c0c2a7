"""What a record set of Azure DNS says of the regions, and what it is to say. Pure.

Public and private zones word the same things in two ways: `TTL` and `ARecords`, `ttl` and `aRecords`. They are read in
either, and written as the zone's own API has it (Record Sets, 2018-05-01; private DNS, 2024-06-01).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail_names.names import RecordType, value_of

VERSION = {"dnszones": "2018-05-01", "privatednszones": "2024-06-01"}
_KEYS: Mapping[str, tuple[str, str, str]] = {
    # type: the list's name in a public zone, in a private one, and the value's in an item
    "A": ("ARecords", "aRecords", "ipv4Address"),
    "AAAA": ("AAAARecords", "aaaaRecords", "ipv6Address"),
    "CNAME": ("CNAMERecord", "cnameRecord", "cname"),
}


class NotOurs(Exception):
    """What stands there is not what cloudfail.yaml says; the text says what is to be done."""


def values_of(properties: Mapping[str, Any], kind: RecordType) -> tuple[str, ...]:
    """In the one way to write them. Raises NotOurs for an alias, whose addresses are its target's."""
    told = {key.lower(): value for key, value in properties.items()}
    target = (told.get("targetresource") or {}).get("id")
    if target:
        raise NotOurs(f"it is an alias of {target}, which is moved by that resource's own kind")
    found = told.get(_KEYS[kind][0].lower()) or []
    items = [found] if isinstance(found, dict) else found
    return tuple(sorted(value_of(str(one[_KEYS[kind][2]]), kind) for one in items))


def ttl_of(properties: Mapping[str, Any], otherwise: float) -> float:
    return float(next((value for key, value in properties.items() if key.lower() == "ttl"), None) or otherwise)


def body_of(
    values: tuple[str, ...], kind: RecordType, ttl_seconds: int, metadata: Mapping[str, str], *, private: bool
) -> dict[str, Any]:
    """The whole record set, which a PUT replaces."""
    public_key, private_key, inner = _KEYS[kind]
    items: Any = [{inner: value} for value in values]
    return {
        "properties": {
            "ttl" if private else "TTL": ttl_seconds,
            private_key if private else public_key: items[0] if kind == "CNAME" else items,
            "metadata": dict(metadata),
        }
    }


def weights_of(values: tuple[str, ...], places: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Which regions answer: all of a region's values, or none. Raises NotOurs for what is no region's, or a part."""
    there = set(values)
    whole = {region: 100 if set(answers) <= there else 0 for region, answers in places.items()}
    ours = {value for region, answers in places.items() if whole[region] for value in answers}
    if strange := sorted(there - ours):
        raise NotOurs(f"it answers {', '.join(strange)}, which is no region's in cloudfail.yaml, or a part of one's")
    if not any(whole.values()):
        raise NotOurs("it answers nothing")
    return whole


def answers_of(weights: Mapping[str, int], places: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({value for region, answers in places.items() if weights.get(region) for value in answers}))
