"""The epoch's mark on what Google keeps labels on: `cloudfail-epoch: <epoch>_<run>`. It is read with the object itself,
written before what it stands for, and refused where it is a newer run's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Conflict
from cloudfail.ports import Call

LABEL = "cloudfail-epoch"
LENGTH = 63


def epoch_in(labels: Mapping[str, Any] | None) -> int | None:
    """The epoch that these labels carry; None for none."""
    word = str((labels or {}).get(LABEL, "")).split("_", 1)[0]
    return int(word) if word.isdigit() else None


def mark(call: Call) -> dict[str, str]:
    """The label. A value holds small letters, digits, "_" and "-" alone, 63 at most (Resource Manager, "Requirements
    for labels")."""
    run = "".join(sign if sign in "abcdefghijklmnopqrstuvwxyz0123456789_-" else "-" for sign in call.run.lower())
    return {LABEL: f"{int(call.epoch)}_{run}"[:LENGTH]}


def refuse_older(epoch: int | None, call: Call, what: str) -> None:
    """Raises Conflict where the mark on `what` is a newer run's."""
    if epoch is not None and epoch > call.epoch:
        raise Conflict(f"{what} carries the mark of epoch {epoch}, later than this run's {call.epoch}.")
