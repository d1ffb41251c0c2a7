"""Times carry their unit: `500ms`, `10s`, `2m`, `1h`, `7d`. A bare number is a mistake, since nobody knows its unit."""

from __future__ import annotations

import re

PATTERN = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?(ms|s|m|h|d)$"
UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST_SECONDS = 366 * 86400.0


class Seconds(float):
    """A number of seconds that was written with its unit. A plain number is not one."""

    __slots__ = ()


def parse(text: str) -> Seconds:
    """`2m` → 120.0. Raises ValueError, whose text says what to write instead."""
    found = re.match(PATTERN, text)
    if found is None or text.endswith("\n"):
        raise ValueError(advice(text))
    value = round(float(found[1] + (found[2] or "")) * UNIT_SECONDS[found[3]], 6)
    if value > LONGEST_SECONDS:
        raise ValueError("write at most 366d")
    return Seconds(value)


def advice(written: object) -> str:
    """What to write instead of something that is no duration."""
    text = str(written).strip()
    number = re.match(r"^0*([0-9]{1,9}(?:\.[0-9]{1,3})?)", text)
    if isinstance(written, int | float) and not isinstance(written, bool) and number:
        return f"write {number[1]}s"
    words = {"sec": "s", "min": "m", "hour": "h", "hr": "h", "day": "d", "msec": "ms", "milli": "ms"}
    unit = re.match(r"^[0-9.]+\s*([A-Za-z]+)$", text)
    if number and unit:
        lower = unit[1].lower()
        short = next((one for word, one in words.items() if lower.startswith(word)), lower)
        if short in UNIT_SECONDS:
            return f"write {number[1]}{short}"
    if number and number[0] == text:
        return f"write {number[1]}s"
    return "write a number with its unit, one of ms, s, m, h, d: 500ms, 10s, 2m, 1h"


def written(seconds: float) -> str:
    """120.0 → `2m`, 160.0 → `2m 40s`, 0.5 → `500ms`: for people."""
    if seconds < 0:
        return f"-{written(-seconds)}"
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if seconds else "0s"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f}s"
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts)
