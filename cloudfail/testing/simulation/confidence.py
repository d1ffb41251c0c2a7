"""What the share that missed, among some seeds, says of all seeds: by the binomial's own tails, since approximations
fail where few were played or few missed (Clopper and Pearson, Biometrika 26, 1934)."""

from __future__ import annotations

import math
from collections.abc import Callable

DOUBT = 0.05
"""An answer is given where chance alone would do as much in fewer than one trial of twenty."""
SEEDS_TO_PLAY = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
_STEPS = 60


def at_least(missed: int, judged: int, share: float) -> float:
    """How likely so many miss, or more, of which each misses with probability `share`."""
    if missed <= judged * share:
        return 1.0 - (_below(missed - 1, judged, share) if missed > 0 else 0.0)
    return _below(judged - missed, judged, 1.0 - share)


def at_most(missed: int, judged: int, share: float) -> float:
    """How likely so many miss, or fewer."""
    return at_least(judged - missed, judged, 1.0 - share)


def _below(count: int, judged: int, share: float) -> float:
    """P(X <= count), summed downwards from `count`, which lies below the mean, so that the terms only grow less."""
    if share <= 0.0 or count >= judged:
        return 1.0
    if share >= 1.0:
        return 0.0
    ways = math.lgamma(judged + 1) - math.lgamma(count + 1) - math.lgamma(judged - count + 1)
    term = math.exp(ways + count * math.log(share) + (judged - count) * math.log1p(-share))
    total = term
    for k in range(count, 0, -1):
        term *= k * (1.0 - share) / ((judged - k + 1) * share)
        total += term
        if term < total * 1e-12:
            break
    return min(1.0, total)


def kept(missed: int, judged: int, share_max: float) -> bool | None:
    """Whether no more than `share_max` of all miss, as far as those played can say: None where they cannot. With a
    bound of none at all one that missed is enough to say no, and that none did is all that can be asked for."""
    if share_max <= 0.0:
        return missed == 0
    if share_max >= 1.0 or at_most(missed, judged, share_max) < DOUBT:
        return True
    return False if at_least(missed, judged, share_max) < DOUBT else None


def between(missed: int, judged: int) -> tuple[float, float]:
    """The share of all that misses lies between these; beyond either with less than DOUBT."""
    low = _where(lambda share: at_least(missed, judged, share) < DOUBT) if missed else 0.0
    high = _where(lambda share: at_most(missed, judged, share) >= DOUBT) if missed < judged else 1.0
    return low, high


def _where(holds: Callable[[float], bool]) -> float:
    """The share up to which that holds."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def seeds_to_tell(missed: int, judged: int, played: int, share_max: float) -> int | None:
    """How many seeds would answer, if the share that missed stays as it is: the next round number. None: it is so near
    to the line that not even a hundred thousand would."""
    for seeds in SEEDS_TO_PLAY:
        more = round(seeds * judged / played) if played else 0
        if seeds > played and judged and kept(round(more * missed / judged), more, share_max) is not None:
            return seeds
    return None
