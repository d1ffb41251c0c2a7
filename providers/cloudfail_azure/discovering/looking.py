"""How a discovery asks: reads alone, within bounds, each listing once, and what failed by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cloudfail.discovering.looking import PAGES_SECONDS, Looking
from cloudfail.errors import CloudfailError, Refused
from cloudfail.model.discovered import Wanted
from cloudfail.model.observation import Known
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Roles, Topology
from cloudfail.ports import Kind
from cloudfail_azure.arm_errors import Answered
from cloudfail_azure.asking import Asking
from cloudfail_azure.discovering.regions import is_region, words_of
from cloudfail_azure.paths import group_of, plain_region
from cloudfail_azure.roles import role_mistake

RESOURCES_API = "2025-04-01"
SUBSCRIPTIONS = ("AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID")
"""Where Azure's own tools, and Terraform, have it."""
_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EVERYTHING = "resources"
UNREGISTERED = "MissingSubscriptionRegistration"
"""The subscription does not use that provider, and then has nothing of it: one is not unregistered as long as something
of it is there (learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types)."""


@dataclass(frozen=True)
class Stood:
    """One resource, as every list of Azure's has it. type: "microsoft.network/dnszones"; region: "global" for what
    stands in none. tags: by names in lower case, since Azure takes them in any. told: the whole of it."""

    id: str
    name: str
    type: str
    region: str
    tags: Mapping[str, str]
    told: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def properties(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.told.get("properties") or {}
        return found

    @property
    def group(self) -> str:
        """The resource group's name."""
        return group_of(self.id)


class Look(Looking):
    """One discovery, of one or several subscriptions. Safe to share between threads."""

    def __init__(self, wanted: Wanted, kinds: Mapping[tuple[PortName, str], Kind]) -> None:
        for region in wanted.regions:
            if not is_region(region):
                raise Refused(f"{region} is no region of Azure's.", "Nothing was asked.", "Write westeurope, say.")
        if wanted.role and (mistake := role_mistake(wanted.role)) is not None:
            raise Refused(f"The role {wanted.role}: {mistake[0]}.", "Nothing was asked.", f"Instead {mistake[1]}")
        super().__init__(wanted, kinds)
        self.words = words_of(wanted.regions)
        self.subscriptions = _subscriptions(wanted.account)
        regions = {name: Region(name, "azure", roles=Roles(watch=wanted.role)) for name in wanted.regions}
        # What asks is a resource of a topology, wherever it comes from. This one is in no file.
        nothing = Resource("discovery", PortName.CHANGE, "discovery", "azure", None, {})
        topology = Topology("discovery", Objectives(0, 0), regions, wanted.regions[0], "memory:", {})
        self._asking = Asking.of(nothing, topology)
        self._regions: dict[str, str] | None = None

    # ---- listing

    def listed(self, what: str, below: str, version: str) -> list[Stood]:
        """All of one sort, of every subscription. what: as a person is told. below: the path of the list within one."""
        paths = [f"/subscriptions/{one}{below}" for one in self.subscriptions]
        return self.each(what, paths, version)

    def each(self, what: str, paths: Iterable[str], version: str) -> list[Stood]:
        """The lists at these paths, as one, in the order of ids. One that does not answer is left out, and named among
        what is unread; asked for twice, it is listed once."""
        where = sorted(set(paths))
        if not where:
            return []
        with ThreadPoolExecutor(min(len(where), 8), "cloudfail-listing") as pool:
            answers = list(pool.map(lambda path: self._list(what, path, version), where))
        found = [one for answer in answers if answer is not None for one in answer.value]
        return sorted(found, key=lambda one: one.id.lower())

    def everything(self) -> list[Stood]:
        """What Resource Manager itself lists: all but what stands below something else."""
        return self.listed(_EVERYTHING, "/resources", RESOURCES_API)

    def of_type(self, type_: str) -> list[Stood]:
        """All of one type that is asked for, in whichever region."""
        return [one for one in self.everything() if one.type == type_.lower() and self.is_meant(one)]

    def region_of(self, id_: str) -> str:
        """Where a resource stands, or the one that it stands below; "" where that is not known."""
        if self._regions is None:
            self._regions = {one.id.lower(): one.region for one in self.everything()}
        at = id_.lower()
        while at.count("/") > 4:
            if at in self._regions:
                return self._regions[at]
            at = at.rpartition("/")[0]
        return ""

    def _list(self, what: str, path: str, version: str) -> Known[list[Stood]] | None:
        def ask() -> list[Stood]:
            within = self._left(PAGES_SECONDS)
            try:
                return [_stood(one) for one in self._asking.pages(self.wanted.regions[0], path, version, within=within)]
            except CloudfailError as error:
                if _code(error) == UNREGISTERED:
                    return []
                raise

        unheard = f"{what} of {_above(path)} could not be listed"
        return self._once(what, path, ask, lambda error: f"{unheard}: {reason(error)}")

    # ---- what all families share

    def is_meant(self, one: Stood) -> bool:
        """Whether a thing with these tags is asked for."""
        return self.wanted.tag is None or one.tags.get(self.wanted.tag[0].lower()) == self.wanted.tag[1]

    def accounts(self) -> dict[str, str]:
        """Region -> the subscription of what stands there; without an entry where that is not one."""
        if len(self.subscriptions) == 1:
            return dict.fromkeys(self.wanted.regions, self.subscriptions[0])
        here = {region: {one.id.split("/")[2].lower() for one in self.everything() if one.region == region}
                for region in self.wanted.regions}  # fmt: skip
        return {region: found.pop() for region, found in here.items() if len(found) == 1}


def reason(error: CloudfailError) -> str:
    """What Azure said, where it said something."""
    cause = error.__cause__
    if isinstance(cause, Answered):
        said = cause.said
        return " ".join(filter(None, (str(said.status), said.code, said.message))).rstrip(".")
    return " ".join(str(error).split()).rstrip(".")


def _code(error: CloudfailError) -> str:
    cause = error.__cause__
    return cause.said.code if isinstance(cause, Answered) else ""


def _above(path: str) -> str:
    """What a list is of: the resource that it stands below, or the subscription."""
    return path.rpartition("/")[0] if "/resourcegroups/" in path.lower() else "/".join(path.split("/")[:3])


def _stood(told: Mapping[str, Any]) -> Stood:
    id_ = str(told.get("id", ""))
    return Stood(
        id_,
        str(told.get("name") or id_.rpartition("/")[2]),
        str(told.get("type") or "").lower(),
        plain_region(str(told.get("location") or "global")),
        {str(key).lower(): str(value) for key, value in (told.get("tags") or {}).items()},
        told,
    )


def _subscriptions(account: str) -> tuple[str, ...]:
    """Raises Refused where nothing says it, or what does is none."""
    said = account or next(filter(None, (os.environ.get(name, "") for name in SUBSCRIPTIONS)), "")
    found = tuple(dict.fromkeys(one.strip().lower() for one in said.split(",") if one.strip()))
    if not found:
        raise Refused(
            "Nothing says which subscription is looked at.", "Nothing was asked.", "Name it: --account SUBSCRIPTION"
        )
    for one in found:
        if not _SUBSCRIPTION.fullmatch(one):
            raise Refused(
                f"{one} is no id of a subscription.",
                "Nothing was asked.",
                "What this prints: az account list --output table",
            )
    return found
