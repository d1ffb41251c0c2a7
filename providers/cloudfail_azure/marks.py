"""The epoch's mark on what Azure keeps tags on: `cloudfail-epoch: <epoch> <run>`. It is read with the object itself,
written before what it stands for, and refused where it is a newer run's.

A tag's value holds at most 256 characters, and may be empty ("Use tags to organize your Azure resources").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Conflict
from cloudfail.ports import Call

TAG = "cloudfail-epoch"
VALUE_MAX = 256
_UNFIT = re.compile(r"[^A-Za-z0-9_.:-]")


def epoch_in(tags: Mapping[str, Any] | None) -> int | None:
    """The epoch that these tags carry; None for none. Tags are the same in any case of their names."""
    for name, value in (tags or {}).items():
        word = str(value).split(" ", 1)[0]
        if name.lower() == TAG and word.isdigit():
            return int(word)
    return None


def mark(call: Call) -> dict[str, str]:
    return {TAG: f"{int(call.epoch)} {_UNFIT.sub('-', call.run)}"[:VALUE_MAX]}


def refuse_older(epoch: int | None, call: Call, what: str) -> None:
    """Raises Conflict where the mark on `what` is a newer run's."""
    if epoch is not None and epoch > call.epoch:
        raise Conflict(f"{what} carries the mark of epoch {epoch}, later than this run's {call.epoch}.")
