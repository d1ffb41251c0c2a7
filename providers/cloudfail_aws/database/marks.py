"""The epoch's mark on what AWS keeps tags on: `cloudfail:epoch` = `<epoch> <run>`. It is read with the object itself,
written before what it stands for, and refused where it is a newer run's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudfail.errors import Conflict
from cloudfail.ports import Call

TAG = "cloudfail:epoch"


def epoch_in(tags: Iterable[Mapping[str, Any]]) -> int | None:
    """The epoch that these tags carry; None for none."""
    for tag in tags:
        if tag.get("Key") == TAG:
            word = str(tag.get("Value", "")).split(" ", 1)[0]
            return int(word) if word.isdigit() else None
    return None


def mark(call: Call) -> dict[str, str]:
    """The tag. A tag's value holds no other signs than these (RDS user guide, "Tagging")."""
    run = "".join(sign if sign.isalnum() or sign in "_.:/=+-@" else "_" for sign in call.run)[:200]
    return {"Key": TAG, "Value": f"{int(call.epoch)} {run}"}


def refuse_older(epoch: int | None, call: Call, what: str) -> None:
    """Raises Conflict where the mark on `what` is a newer run's."""
    if epoch is not None and epoch > call.epoch:
        raise Conflict(f"{what} carries the mark of epoch {epoch}, later than this run's {call.epoch}.")
