"""How a discovery asks: reads alone, within bounds, each listing once, and what failed by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from cloudfail.discovering.looking import PAGES_SECONDS, READ_SECONDS, Looking
from cloudfail.errors import CloudfailError, Refused
from cloudfail.model.discovered import Wanted
from cloudfail.model.observation import Known
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Roles, Topology
from cloudfail.ports import Kind
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.discovering.regions import is_region, words_of
from cloudfail_gcp.errors import Answered
from cloudfail_gcp.identity import own_project
from cloudfail_gcp.roles import project_of_role, role_mistake

T = TypeVar("T")


class Look(Looking):
    """One discovery, of one project. Safe to share between threads."""

    def __init__(self, wanted: Wanted, kinds: Mapping[tuple[PortName, str], Kind]) -> None:
        for region in wanted.regions:
            if not is_region(region):
                raise Refused(f"{region} is no region of Google's.", "Nothing was asked.", "Write us-central1, say.")
        if wanted.role and (mistake := role_mistake(wanted.role)) is not None:
            raise Refused(f"The role {wanted.role}: {mistake[0]}.", "Nothing was asked.", f"Instead {mistake[1]}")
        super().__init__(wanted, kinds)
        self.words = words_of(wanted.regions)
        self.project = wanted.account or _project(wanted.role)
        regions = {name: Region(name, "gcp", self.project, roles=Roles(watch=wanted.role)) for name in wanted.regions}
        # What asks is a resource of a topology, wherever it comes from. This one is in no file.
        nothing = Resource("discovery", PortName.CHANGE, "discovery", "gcp", None, {})
        self._topology = Topology("discovery", Objectives(0, 0), regions, wanted.regions[0], "memory:", {})
        self._asking = Asking.of(nothing, self._topology)

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
            asked = {region: pool.submit(self._list, what, region, ask) for region in where}
        return {region: answer.value for region, one in asked.items() if (answer := one.result()) is not None}

    def _list(self, what: str, region: str, ask: Callable[[str], T]) -> Known[T] | None:
        where = "" if region == "global" else f" in {region}"
        return self._once(
            what,
            region,
            lambda: ask(region),
            lambda error: f"{what}{where} of {self.project} could not be listed: {reason(error)}",
        )

    # ---- what all families share

    def is_meant(self, labels: Mapping[str, str] | None) -> bool:
        """Whether a thing with these labels is asked for."""
        return self.wanted.tag is None or (labels or {}).get(self.wanted.tag[0]) == self.wanted.tag[1]


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
