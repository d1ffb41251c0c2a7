"""One call's time, spent by several requests: none of them is given what another has used up."""

from __future__ import annotations

import time
from dataclasses import replace

from cloudfail.ports import Call

LEAST_SECONDS = 0.05


class Timed:
    """`call`, from now on: `left` is the same call with what is left of its time."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._until = time.monotonic() + call.timeout_seconds

    @property
    def left(self) -> Call:
        return replace(self._call, timeout_seconds=max(LEAST_SECONDS, self._until - time.monotonic()))
