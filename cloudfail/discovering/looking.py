"""How a discovery asks, whatever cloud it looks at: each list once, within bounds, and what failed by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError, Transient
from cloudfail.model.discovered import Wanted
from cloudfail.model.observation import Known
from cloudfail.model.topology import PortName
from cloudfail.ports import Kind

READ_SECONDS = 20.0
"""How long one request may take, with its turns and second attempts."""
PAGES_SECONDS = 120.0
"""The same for one list over all its pages."""
ALL_SECONDS = 900.0
"""After that nothing more is asked: what is missing then is named like all that could not be listed."""

T = TypeVar("T")


class Looking:
    """One discovery. Safe to share between threads. kinds: those that its provider serves."""

    def __init__(self, wanted: Wanted, kinds: Mapping[tuple[PortName, str], Kind] = MappingProxyType({})) -> None:
        self.wanted = wanted
        self._kinds = kinds
        self._clock = SystemClock()
        self._until = self._clock.boot() + ALL_SECONDS
        self._lock = threading.Lock()
        self._listings: dict[tuple[str, str], Future[Any]] = {}
        self._unread: set[str] = set()
        self._homes: dict[str, set[str]] = {}

    # ---- listing

    def note(self, line: str) -> None:
        """Something that could not be read."""
        with self._lock:
            self._unread.add(line)

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(sorted(self._unread))

    def missing(self, listed: Mapping[str, Any]) -> list[str]:
        """The regions that gave no answer."""
        return [region for region in self.wanted.regions if region not in listed]

    def _once(
        self, what: str, where: str, ask: Callable[[], T], unheard: Callable[[CloudfailError], str]
    ) -> Known[T] | None:
        """The list of that sort there; whoever asks for it meanwhile, or later, has the same. None where it could not
        be listed, which is noted as `unheard` words it."""
        with self._lock:
            waiting = self._listings.get((what, where))
            if waiting is None:
                mine = self._listings[what, where] = Future()
        if waiting is not None:
            known: Known[T] | None = waiting.result(ALL_SECONDS * 2)
            return known
        answer: Known[T] | None = None
        try:
            answer = Known(ask(), 0.0)
        except CloudfailError as error:
            self.note(unheard(error))
        finally:
            mine.set_result(answer)
        return answer

    def _left(self, seconds: float) -> float:
        """So many seconds, or what is left of all. Raises Transient where nothing is."""
        left = self._until - self._clock.boot()
        if left <= 0:
            raise Transient(f"The {ALL_SECONDS:.0f} s that a discovery may take were over")
        return min(seconds, left)

    # ---- what all families share

    def takes(self, port: PortName, kind: str, members: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
        """Whether there is such a kind here that reads this as it is written: else it is asked about, and a draft that
        does not load is handed to nobody."""
        served = self._kinds.get((port, kind))
        try:
            if served is None or served.member is None:
                return False
            for member in members.values():
                served.member.model_validate(member)
            if served.options is not None:
                served.options.model_validate(dict(options))
        except ValidationError:
            return False
        return True

    def at_home(self, region: str, why: str) -> None:
        """Something says that the application's primary region is this one."""
        with self._lock:
            self._homes.setdefault(region, set()).add(why)

    def home(self) -> tuple[str, str]:
        """(region, why), where all that says something says the same."""
        if not self._homes:
            return "", ""
        if len(self._homes) > 1:
            said = "; ".join(f"{region}: {', '.join(sorted(why))}" for region, why in sorted(self._homes.items()))
            return "", f"not one region: {said}"
        region, why = next(iter(self._homes.items()))
        return region, f"the primary: {', '.join(sorted(why))}"
