"""One call's time, spent by several requests: none of them is given what another has used up."""

from __future__ import annotations

from dataclasses import replace

from cloudfail.clock import SystemClock
from cloudfail.errors import Transient
from cloudfail.ports import Call

_CLOCK = SystemClock()


class TimeLeft:
    """Of `call`, from now on, by the clock that leases are counted on."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._until = _CLOCK.boot() + call.timeout_seconds

    @property
    def seconds(self) -> float:
        return max(0.0, self._until - _CLOCK.boot())

    def rest(self) -> Call:
        """The call for the next request. Raises Transient where no time is left for one: it was not sent."""
        if self.seconds <= 0:
            raise Transient("The time of this call was over before its next request.")
        return replace(self._call, timeout_seconds=self.seconds)
