"""What watchers leave in the log for each other: the newest of each word counts. Pure.

A sample is somebody's note of what was seen, and decides nothing alone: a loss that an earlier tick noted counts only
while this process sees the region down itself. One that has not the shape of its word is left out, as if nobody had
noted anything, since every reader would stumble over it otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_number(one) for one in value.values())


def _down(value: Any) -> bool:
    return isinstance(value, Mapping) and _number(value.get("at")) and _numbers(value.get("seconds"))


def _workers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _numbers(one) and all(isinstance(count, int) for count in one.values()) for one in value.values()
    )


def _former(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and _number(one[0]) and _number(one[1]) and isinstance(one[1], int)
        for one in value
    )


def _workers_before(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(one, Mapping) and all(_former(ended) for ended in one.values()) for one in value.values()
    )


def _bundle(value: Any) -> bool:
    return isinstance(value, Mapping) and _number(value.get("serial")) and isinstance(value.get("digest"), str)


SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "down": _down,
    "workers": _workers,
    "workers_before": _workers_before,
    "acknowledged": _numbers,
    "detected": _numbers,
    "bundle": _bundle,
}


def sampled(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The samples after one more entry. Of bundles the highest serial stays: an older one is not to be put back."""
    after = dict(before)
    for word, value in said.items():
        if word in SHAPES and not SHAPES[word](value):
            continue
        if word == "bundle" and word in before and value["serial"] < before[word]["serial"]:
            continue
        after[word] = value
    return after
