"""How a discovery asks: reads alone, within bounds, each listing once, and what failed by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError, Refused, Transient
from cloudfail.model.discovered import Wanted
from cloudfail.model.observation import Known
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Roles, Topology
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.discovering.regions import is_region, words_of
from cloudfail_aws.errors import code_of
from cloudfail_aws.roles import role_mistake

READ_SECONDS = 20.0
"""How long one request may take, with its turns and second attempts."""
PAGES_SECONDS = 120.0
"""The same for one list over all its pages."""
ALL_SECONDS = 900.0
"""After that nothing more is asked: what is missing then is named like all that could not be listed."""
PAGES_MAX = 1000
READS = ("describe_", "list_", "get_", "head_")

T = TypeVar("T")


class Look:
    """One discovery. Safe to share between threads."""

    def __init__(self, wanted: Wanted, clients: Clients | None = None) -> None:
        for region in wanted.regions:
            if not is_region(region):
                raise Refused(f"{region} is no region of AWS.", "Nothing was asked.", "Write us-east-1, say.")
        if wanted.role and (mistake := role_mistake(wanted.role)) is not None:
            raise Refused(f"The role {wanted.role}: {mistake[0]}.", "Nothing was asked.", f"Instead {mistake[1]}")
        if wanted.account:
            raise Refused(
                "On AWS the credentials say whose account is looked at.",
                "Nothing was asked.",
                "Leave --account out, and name a role of that account: --role ARN",
            )
        self.wanted = wanted
        self.words = words_of(wanted.regions)
        regions = {name: Region(name, "aws", roles=Roles(watch=wanted.role)) for name in wanted.regions}
        # What asks is a resource of a topology, wherever it comes from. This one is in no file.
        nothing = Resource("discovery", PortName.CHANGE, "discovery", "aws", None, {})
        self._topology = Topology("discovery", Objectives(0, 0), regions, wanted.regions[0], "memory:", {})
        self._asking = Asking.of(nothing, self._topology, clients)
        self._clock = SystemClock()
        self._until = self._clock.boot() + ALL_SECONDS
        self._lock = threading.Lock()
        self._listings: dict[tuple[str, str], Future[Any]] = {}
        self._unread: set[str] = set()
        self._homes: dict[str, set[str]] = {}

    # ---- asking

    def read(self, service: str, region: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """One reply. Raises Transient, Permanent or OutcomeUnknown."""
        assert operation.startswith(READS), f"{operation} is no read"
        return self._asking.read(service, region, operation, within=self._left(READ_SECONDS), **parameters)

    def pages(self, service: str, region: str, operation: str, key: str, /, **parameters: Any) -> list[Any]:
        """All of `key`. Raises as `read`, and where the pages do not end: part of a list is never taken for it."""
        assert operation.startswith(READS), f"{operation} is no read"
        left = self._left(PAGES_SECONDS)
        return self._asking.pages(service, region, operation, key, within=left, **parameters)

    def by_token(self, service: str, region: str, operation: str, key: str, /, **parameters: Any) -> list[Any]:
        """The same of an operation whose pages the SDK does not describe: they go on by NextToken."""
        found: list[Any] = []
        token: dict[str, Any] = {}
        for _ in range(PAGES_MAX):
            page = self.read(service, region, operation, **parameters, **token)
            found += page.get(key) or []
            more = page.get("NextToken")
            if not more:
                return found
            if token == {"NextToken": more}:
                raise Transient(f"{service} gave the same page of {operation} twice.")
            token = {"NextToken": more}
        raise Transient(f"{service} has more than {PAGES_MAX} pages of {operation}.")

    # ---- listing

    def each(self, what: str, ask: Callable[[str], T], regions: Sequence[str] = ()) -> dict[str, T]:
        """What each region answers; one that does not is left out, and named among what is unread. what: the service,
        as a person is told; asked for twice, it is listed once."""
        where = regions or self.wanted.regions
        with ThreadPoolExecutor(len(where), "cloudfail-listing") as pool:
            asked = {region: pool.submit(self._once, what, region, ask) for region in where}
        return {region: answer.value for region, one in asked.items() if (answer := one.result()) is not None}

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
            self.note(f"{what} in {region} could not be listed: {reason(error)}")
        finally:
            mine.set_result(answer)
        return answer

    def _left(self, seconds: float) -> float:
        left = self._until - self._clock.boot()
        if left <= 0:
            raise Transient(f"The {ALL_SECONDS:.0f} s that a discovery may take were over")
        return min(seconds, left)

    # ---- what all families share

    def is_meant(self, tags: Mapping[str, str]) -> bool:
        """Whether a thing with these tags is asked for."""
        return self.wanted.tag is None or tags.get(self.wanted.tag[0]) == self.wanted.tag[1]

    def accounts(self) -> dict[str, str]:
        """Region -> the account that answers there."""

        def ask(region: str) -> str:
            return str(self.read("sts", region, "get_caller_identity")["Account"])

        return self.each("sts", ask)

    @property
    def account(self) -> str:
        """The account, where any region told it. Raises Transient where none did."""
        for account in self.accounts().values():
            return account
        raise Transient("The account is not known")

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
    """The service's own code where it gave one, else what was said."""
    code = code_of(error.__cause__) if isinstance(error.__cause__, Exception) else ""
    return code or " ".join(str(error).split()).rstrip(".")


def tags_of(listed: Sequence[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Tags as most services list them."""
    return {one[key]: one.get(value, "") for one in listed or ()}
