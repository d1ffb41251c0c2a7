"""How a discovery asks: reads alone, within bounds, each listing once, and what failed by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from cloudfail.discovering.looking import PAGES_SECONDS, READ_SECONDS, Looking
from cloudfail.errors import CloudfailError, Refused, Transient
from cloudfail.model.discovered import Wanted
from cloudfail.model.observation import Known
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Roles, Topology
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.discovering.regions import is_region, words_of
from cloudfail_aws.errors import code_of
from cloudfail_aws.roles import role_mistake

PAGES_MAX = 1000
READS = ("describe_", "list_", "get_", "head_")

T = TypeVar("T")


class Look(Looking):
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
        super().__init__(wanted)
        self.words = words_of(wanted.regions)
        regions = {name: Region(name, "aws", roles=Roles(watch=wanted.role)) for name in wanted.regions}
        # What asks is a resource of a topology, wherever it comes from. This one is in no file.
        nothing = Resource("discovery", PortName.CHANGE, "discovery", "aws", None, {})
        self._topology = Topology("discovery", Objectives(0, 0), regions, wanted.regions[0], "memory:", {})
        self._asking = Asking.of(nothing, self._topology, clients)

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
            asked = {region: pool.submit(self._list, what, region, ask) for region in where}
        return {region: answer.value for region, one in asked.items() if (answer := one.result()) is not None}

    def _list(self, what: str, region: str, ask: Callable[[str], T]) -> Known[T] | None:
        return self._once(
            what,
            region,
            lambda: ask(region),
            lambda error: f"{what} in {region} could not be listed: {reason(error)}",
        )

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


def reason(error: CloudfailError) -> str:
    """The service's own code where it gave one, else what was said."""
    code = code_of(error.__cause__) if isinstance(error.__cause__, Exception) else ""
    return code or " ".join(str(error).split()).rstrip(".")


def tags_of(listed: Sequence[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Tags as most services list them."""
    return {one[key]: one.get(value, "") for one in listed or ()}
