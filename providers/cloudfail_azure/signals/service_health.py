"""signals: service-health. What Azure Service Health says of a region: active issues of the services that were named.

The events of a subscription are those that concern what it has. It is Azure's own word, given when Azure gives it,
which in the outages that mattered was late; so quiet is weak evidence, and an active issue may be of something that is
not used here. Issues that Azure puts in no region ("Global") are none of a region's, and neither are advisories,
maintenance and security.

Where Service Health has never told of anything, its silence says nothing: unknown, as for a subscription in which
Microsoft.ResourceHealth is not registered. Events are kept for ninety days. Its API belongs to no region.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState
from cloudfail.model.topology import Resource, Topology
from cloudfail_azure.asking import Asking
from cloudfail_azure.paths import plain_region
from cloudfail_azure.signals.options import HealthMember

API = "2025-05-01"
READ_SECONDS = 8.0
GOOD_FOR_SECONDS = 60.0
NAMED_MAX = 5
KEPT_DAYS = 90


class ServiceHealth:
    """Fulfils ports.Signals. members: region of cloudfail.yaml -> (Azure's name of it, the subscription that is
    asked). now: wall seconds."""

    def __init__(
        self,
        asking: Asking,
        members: Mapping[str, tuple[str, str]],
        services: tuple[str, ...],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._asking = asking
        self._members = members
        self._services = services
        self._now = now

    def read(self, region: str) -> Known[SignalState] | Unknown:
        where, subscription = self._members.get(region, ("", ""))
        if not where:
            return Unknown(f"no region of Azure is written for {region}", self._now())
        if not subscription:
            return Unknown(f"no subscription is written for {region}: give the region its account", self._now())
        try:
            return self._told(region, where, subscription)
        except CloudfailError as error:
            return Unknown(f"Service Health could not be asked of {where}: {error.happened}", self._now())

    def _told(self, region: str, where: str, subscription: str) -> Known[SignalState] | Unknown:
        now = self._now()
        since = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=KEPT_DAYS)
        # No filter is sent: what the reference says of its words are examples, and one that does not select what it
        # should is silence.
        events = self._asking.pages(
            region,
            f"/subscriptions/{subscription}/providers/Microsoft.ResourceHealth/events",
            API,
            within=READ_SECONDS,
            query={"queryStartTime": since.strftime("%m/%d/%Y")},
        )
        if not events:
            return Unknown(
                f"Service Health has no event of the subscription {subscription} at all, so that it has none now says "
                "nothing",
                self._now(),
            )
        issues = sorted(self._issues(events, where))
        if not issues:
            said = f"Service Health has no active issue of {', '.join(self._services)} in {where}"
            return Known(SignalState(False, now, GOOD_FOR_SECONDS, said), self._now())
        more = f" and {len(issues) - NAMED_MAX} more" if len(issues) > NAMED_MAX else ""
        said = f"Service Health has active issues in {where}: {', '.join(issues[:NAMED_MAX])}{more}"
        return Known(SignalState(True, now, GOOD_FOR_SECONDS, said), self._now())

    def _issues(self, events: list[Any], where: str) -> Iterator[str]:
        """Each that is active there, once for each service."""
        wanted = {one.lower(): one for one in self._services}
        for event in events:
            told = event.get("properties") or {}
            if told.get("eventType") != "ServiceIssue" or told.get("status") != "Active":
                continue
            for impact in told.get("impact") or []:
                named = wanted.get(str(impact.get("impactedService", "")).lower())
                if named and any(_is_active(one, where) for one in impact.get("impactedRegions") or []):
                    yield f"{named} {event.get('name', 'without a name')}"


def _is_active(region: Mapping[str, Any], where: str) -> bool:
    """Whether an event that is active is so there: a region of it may be well again."""
    return plain_region(str(region.get("impactedRegion", ""))) == where and region.get("status") != "Resolved"


def build(resource: Resource, topology: Topology) -> ServiceHealth:
    """Kind.build."""
    members = {region: HealthMember.model_validate(member) for region, member in resource.members.items()}
    asked = {
        region: (members[region].region, members[region].subscription or of.account or "")
        if region in members
        else (region, of.account or "")
        for region, of in topology.regions.items()
        if region in members or (not members and of.provider == resource.provider)
    }
    return ServiceHealth(Asking.of(resource, topology), asked, tuple(resource.options["services"]))
