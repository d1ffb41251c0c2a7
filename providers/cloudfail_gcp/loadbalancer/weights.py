"""What may be asked of a balancer here: capacity scalers (hundredths, and either nothing or at least a tenth), shares,
or one region at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudfail.errors import Permanent

UNCHANGED = "Nothing was changed."
WHOLE, LEAST = 100, 10
"""A capacityScaler is 0, or from 0.1 to 1 (Compute Engine v1, `Backend.capacityScaler`)."""


def wanted(weights: Mapping[str, int], members: Iterable[str], what: str) -> dict[str, int]:
    """The weight of each member, 0 where none was given. Refuses (Permanent) an empty answer set (invariant I5), a
    region that `what` has no member for, and a weight that no capacity scaler can be."""
    known = list(members)
    _known_and_any(weights, known, what)
    for region, weight in weights.items():
        if weight != 0 and not LEAST <= weight <= WHOLE:
            raise Permanent(
                f"{what} takes 0, or a weight from {LEAST} to {WHOLE}, not {weight} for {region}.", UNCHANGED
            )
    return {region: weights.get(region, 0) for region in known}


def weight_of(backend: Mapping[str, Any]) -> int:
    """One backend's, in hundredths; what is open by a hair is not drained. Left out, the scaler is 1."""
    scaler = float(backend.get("capacityScaler", 1.0))
    return max(1, round(scaler * WHOLE)) if scaler > 0 else 0


def together(weights: Iterable[int]) -> int:
    """Of a region with several backends: what they have on average, which is nothing only where none is open."""
    each = list(weights)
    return max(1, round(sum(each) / len(each))) if any(each) else 0


def shares(weights: Mapping[str, int], members: Iterable[str], most: int, what: str) -> dict[str, int]:
    """The same for shares, each a number from 0 to `most`."""
    known = list(members)
    _known_and_any(weights, known, what)
    for region, weight in weights.items():
        if not 0 <= weight <= most:
            raise Permanent(f"{what} takes weights from 0 to {most}, not {weight} for {region}.", UNCHANGED)
    return {region: weights.get(region, 0) for region in known}


def one_of(weights: Mapping[str, int], members: Iterable[str], what: str, instead: str) -> dict[str, int]:
    """The same for what leads to one region at a time, which then has 100."""
    known = list(members)
    _known_and_any(weights, known, what)
    given = [region for region in known if weights.get(region, 0)]
    if len(given) > 1:
        raise Permanent(f"{what} leads to one region, not to {' and '.join(given)}.", UNCHANGED, instead)
    return {region: 100 if region in given else 0 for region in known}


def _known_and_any(weights: Mapping[str, int], known: list[str], what: str) -> None:
    for region in weights:
        if region not in known:
            raise Permanent(f"{what} has no member for {region}.", UNCHANGED, f"It has: {', '.join(known)}.")
    if not any(weights.values()):
        raise Permanent(f"Every weight of {what} is zero: that would leave nothing to answer.", UNCHANGED)
