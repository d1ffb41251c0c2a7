"""How a discovery asks: reads alone, within bounds, each listing once, and what failed by name."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from pydantic import ValidationError

from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError, Refused, Transient
from cloudfail.model.discovered import Wanted
from cloudfail.model.observation import Known
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Roles, Topology
from cloudfail.ports import Kind
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.discovering.regions import is_region, words_of
from cloudfail_gcp.errors import Answered
from cloudfail_gcp.identity import own_project
from cloudfail_gcp.roles import project_of_role, role_mistake

READ_SECONDS = 20.0
"""How long one request may take, with its turns and second attempts."""
PAGES_SECONDS = 120.0
"""The same for one list over all its pages."""
ALL_SECONDS = 900.0
"""After that nothing more is asked: what is missing then is named like all that could not be listed."""

T = TypeVar("T")


class Look:
    """One discovery, of one project. Safe to share between threads."""

    def __init__(self, wanted: Wanted, kinds: Mapping[tuple[PortName, str], Kind]) -> None:
        for region in wanted.regions:
            if not is_region(region):
                raise Refused(f"{region} is no region of Google's.", "Nothing was asked.", "Write us-central1, say.")
        if wanted.role and (mistake := role_mistake(wanted.role)) is not None:
            raise Refused(f"The role {wanted.role}: {mistake[0]}.", "Nothing was asked.", f"Instead {mistake[1]}")
        self.wanted = wanted
        self.words = words_of(wanted.regions)
        self.project = wanted.account or _project(wanted.role)
        self._kinds = kinds
        regions = {name: Region(name, "gcp", self.project, roles=Roles(watch=wanted.role)) for name in wanted.regions}
        # What asks is a resource of a topology, wherever it comes from. This one is in no file.
        nothing = Resource("discovery", PortName.CHANGE, "discovery", "gcp", None, {})
        self._topology = Topology("discovery", Objectives(0, 0), regions, wanted.regions[0], "memory:", {})
        self._asking = Asking.of(nothing, self._topology)
        self._clock = SystemClock()
        self._until = self._clock.boot() + ALL_SECONDS
        self._lock = threading.Lock()
        self._listings: dict[tuple[str, str], Future[Any]] = {}
        self._unread: set[str] = set()
        self._homes: dict[str, set[str]] = {}

    # ---- asking

    def read(self, api: str, region: str, path: str) -> dict[str, Any]:
        """One reply. Raises Transient, Permanent or OutcomeUnknown."""
        return self._asking.read(api, region, path, within=self._left(READ_SECONDS))

    def pages(self, api: str, region: str, path: str, key: str) -> list[Any]:
        """All of `key`. Raises as `read`, and where the pages do not end: part of a list is never taken for it."""
        return self._asking.pages(api, region, path, key, within=self._left(PAGES_SECONDS))

    # ---- listing

    def each(self, what: str, ask: Callable[[str], T], regions: Sequence[str] = ()) -> dict[str, T]:
        """What each region answers ("global" for what stands in none); one that does not is left out, and named among
        what is unread. what: as a person is told; asked for twice, it is listed once."""
        where = regions or self.wanted.regions
        with ThreadPoolExecutor(len(where), "cloudfail-listing") as pool:
            asked = {region: pool.submit(self._once, what, region, ask) for region in where}
        return {region: answer.value for region, one in asked.items() if (answer := one.result()) is not None}

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(sorted(self._unread))

    def missing(self, listed: Mapping[str, Any]) -> list[str]:
        """The regions that gave no answer."""
        return [region for region in self.wanted.regions if region not in listed]

    def _once(self, what: str, region: str, ask: Callable[[str], T]) -> Known[T] | None:
        with self._lock:
            waiting = self._listings.get((what, region))
            if waiting is None:
                mine = self._listings[what, region] = Future()
        if waiting is not None:
            known: Known[T] | None = waiting.result(ALL_SECONDS * 2)
            return known
        answer: Known[T] | None = None
        try:
            answer = Known(ask(region), 0.0)
        except CloudfailError as error:
            where = "" if region == "global" else f" in {region}"
            with self._lock:
                self._unread.add(f"{what}{where} of {self.project} could not be listed: {reason(error)}")
        finally:
            mine.set_result(answer)
        return answer

    def _left(self, seconds: float) -> float:
        left = self._until - self._clock.boot()
        if left <= 0:
            raise Transient(f"The {ALL_SECONDS:.0f} s that a discovery may take were over")
        return min(seconds, left)

    # ---- what all families share

    def is_meant(self, labels: Mapping[str, str] | None) -> bool:
        """Whether a thing with these labels is asked for."""
        return self.wanted.tag is None or (labels or {}).get(self.wanted.tag[0]) == self.wanted.tag[1]

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


def reason(error: CloudfailError) -> str:
    """What Google said, where it said something."""
    cause = error.__cause__
    if isinstance(cause, Answered):
        return " ".join(filter(None, (str(cause.said.status), cause.said.message))).rstrip(".")
    return " ".join(str(error).split()).rstrip(".")


def _project(role: str) -> str:
    """Raises Refused where nothing says it. The variables are those of Google's own tools."""
    named = (os.environ.get(name, "") for name in ("CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT"))
    found = next(filter(None, named), "") or project_of_role(role) or own_project()
    if not found:
        raise Refused("Nothing says which project is looked at.", "Nothing was asked.", "Name it: --account PROJECT")
    return found
