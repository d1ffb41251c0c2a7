"""How AWS is asked: within a bound, again where that helps, in the next region where there is one.

Why asking again is safe here, whatever came of the first time: a read changes nothing, and an append is one write under
the condition that its number is free. If the first write landed and its answer was lost, the second is refused by that
condition; the journal then reads the entry back and finds its own nonce. The same holds for a write that was given up
and lands later.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from cloudfail.errors import Conflict, Permanent, StoreUnavailable
from cloudfail.retry import within
from cloudfail_aws.errors import RAISES, classify, to_do, words

CALL_SECONDS = 9.0
"""How long one call may take, with all its attempts. A lease that cannot be renewed in that time is nearly lost."""
REQUEST_SECONDS = 3.0
ATTEMPTS = 3
_PAUSE_SECONDS = 0.1

T = TypeVar("T")


class Unanswered(Exception):
    """No region gave an answer. `failures`: the last error of each that was asked."""

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        super().__init__("; ".join(f"{region}: {words(error)}" for region, error in failures.items()))
        self.failures = failures

    def all_say(self, code: Callable[[Exception], bool]) -> bool:
        """Whether each region's answer was this one."""
        return bool(self.failures) and all(code(error) for error in self.failures.values())

    def unavailable(self, name: str, service: str, see: str) -> StoreUnavailable:
        """As a person is told. `see`: the command that shows whether the service answers."""
        advice = [to_do(error, service) for error in self.failures.values()]
        return StoreUnavailable(
            f"The state store {name} does not answer ({self}).",
            "Nothing is changed while the journal cannot be written.",
            next((said for said in advice if said), f"See whether it can be reached from here: {see}"),
        )


def deadline(seconds: float) -> float:
    """When a call that begins now is given up."""
    return time.monotonic() + seconds


def ask(request: Callable[[str], T], regions: Sequence[str], *, until: float) -> tuple[str, T]:
    """The first region that answered, and its answer to `request(region)`. Raises Conflict where the condition did not
    hold, which is an answer; else Unanswered, once every region refused for good, or by `until`."""
    failures: dict[str, Exception] = {}
    for attempt in range(ATTEMPTS):
        for region in regions:
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                return region, within(min(REQUEST_SECONDS, left), partial(request, region))
            except RAISES as error:
                kind = classify(error)
                if isinstance(kind, Conflict):
                    raise kind from error
                failures[region] = error
        if all(isinstance(classify(error), Permanent) for error in failures.values()):
            break
        if attempt < ATTEMPTS - 1:
            time.sleep(max(0.0, min(random.uniform(0, _PAUSE_SECONDS * 4**attempt), until - time.monotonic())))
    raise Unanswered(failures or {region: TimeoutError("no time was left to ask") for region in regions})
