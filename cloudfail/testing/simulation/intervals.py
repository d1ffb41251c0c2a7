"""Sets of whole numbers as sorted, disjoint, half-open spans: what thousands of writes cost to keep and to compare."""

from __future__ import annotations

Spans = list[tuple[int, int]]


def cut_off(spans: Spans, end: int) -> Spans:
    """Those below `end`."""
    return [(first, min(last, end)) for first, last in spans if first < end]


def subtract(spans: Spans, taken: Spans) -> Spans:
    """Those of `spans` that are not in `taken`."""
    left: Spans = []
    for span_first, last in spans:
        first = span_first
        for taken_first, taken_last in taken:
            if taken_last <= first or taken_first >= last:
                continue
            if taken_first > first:
                left.append((first, taken_first))
            first = max(first, taken_last)
            if first >= last:
                break
        if first < last:
            left.append((first, last))
    return left


def size(spans: Spans) -> int:
    return sum(last - first for first, last in spans)
