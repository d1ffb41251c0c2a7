"""signals: health-events. What AWS Health says of a region: open issues of the services that were named.

Health has two endpoints, of which one is active; which one, its global name says (user guide, "Accessing the AWS Health
API"): it is an alias of the regional name, and a request is signed for that region. What the other one says may be old,
so it is not asked.

An account without one of AWS's larger support plans gets SubscriptionRequiredException: unknown, and no word that all
is well. So is an empty account: where Health has never told of anything, its silence says nothing. It is AWS's own
word, given when AWS gives it, which in the outages that mattered was late; so quiet is weak evidence, and an open issue
may be of something that is not used here.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState
from cloudfail.model.topology import Resource, Topology
from cloudfail.retry import within
from cloudfail_aws.asking import Asking

GLOBAL_NAME = "global.health.amazonaws.com"
HOMES = ("us-east-1", "us-east-2")
READ_SECONDS = 8.0
LOOKUP_SECONDS = 3.0
GOOD_FOR_SECONDS = 60.0
NAMED_MAX = 5
_REGIONAL = re.compile(r"^health\.(us-east-[12])\.amazonaws\.com\.?$")
_OWN_ENDPOINT = ("AWS_ENDPOINT_URL_HEALTH", "AWS_ENDPOINT_URL")


def looked_up() -> tuple[str, ...]:
    """All names that the global name stands for now. Raises OSError."""
    name, aliases, _ = socket.gethostbyname_ex(GLOBAL_NAME)
    return (name, *aliases)


def active(names: Iterable[str]) -> str:
    """The region whose endpoint is active, "" where the names do not say it."""
    return next((found[1] for name in names if (found := _REGIONAL.match(name))), "")


class HealthEvents:
    """Fulfils ports.Signals. members: region of cloudfail.yaml -> AWS's name of it."""

    def __init__(
        self,
        asking: Asking,
        members: Mapping[str, str],
        services: tuple[str, ...],
        lookup: Callable[[], tuple[str, ...]] = looked_up,
    ) -> None:
        self._asking = asking
        self._members = members
        self._services = services
        self._lookup = lookup

    def read(self, region: str) -> Known[SignalState] | Unknown:
        where = self._members.get(region)
        if where is None:
            return self._unknown(f"no region of AWS is written for {region}")
        try:
            return self._told(where)
        except CloudfailError as error:
            return self._unknown(f"AWS Health could not be asked of {where}: {error.happened}")
        except (OSError, KeyError) as error:
            return self._unknown(f"AWS Health could not be asked of {where}: {type(error).__name__}: {error}")

    def _unknown(self, why: str) -> Unknown:
        return Unknown(why, self._asking.wall())

    def _told(self, where: str) -> Known[SignalState] | Unknown:
        home, endpoint = self._endpoint()
        if not home:
            return self._unknown(f"{GLOBAL_NAME} does not say which endpoint of AWS Health is active")
        until = self._asking.deadline(READ_SECONDS)
        now = self._asking.wall()
        wanted = {
            "regions": [where],
            "services": list(self._services),
            "eventTypeCategories": ["issue"],
            "eventStatusCodes": ["open"],
        }
        reply = self._events(home, endpoint, until, filter=wanted, maxResults=100)
        # Whatever was asked for, what came is looked at: an event of elsewhere is none of this region's.
        issues = [
            one
            for one in reply.get("events") or []
            if one["region"] == where and one["statusCode"] == "open" and one["service"] in self._services
        ]
        if issues:
            named = ", ".join(f"{one['service']} {one['eventTypeCode']}" for one in issues[:NAMED_MAX])
            more = f" and {len(issues) - NAMED_MAX} more" if len(issues) > NAMED_MAX else ""
            return self._known(True, now, f"AWS Health has open issues in {where}: {named}{more}")
        if reply.get("nextToken"):
            return self._unknown(f"AWS Health did not tell all of {where}")
        if not self._events(home, endpoint, until, maxResults=10).get("events"):
            return self._unknown("AWS Health has no event of this account at all, so that it has none now says nothing")
        return self._known(False, now, f"AWS Health has no open issue of {', '.join(self._services)} in {where}")

    def _known(self, firing: bool, now: float, detail: str) -> Known[SignalState]:
        """As old as the question."""
        return Known(SignalState(firing, now, GOOD_FOR_SECONDS, detail), self._asking.wall())

    def _endpoint(self) -> tuple[str, str]:
        """Region and URL of the active endpoint; the SDK's own variables go before it."""
        if any(os.environ.get(name) for name in _OWN_ENDPOINT):
            return HOMES[0], ""
        home = active(within(LOOKUP_SECONDS, self._lookup))
        return home, f"https://health.{home}.amazonaws.com"

    def _events(self, home: str, endpoint: str, until: float, **parameters: Any) -> dict[str, Any]:
        left = self._asking.left_until(until)
        return self._asking.read("health", home, "describe_events", within=left, endpoint=endpoint, **parameters)


def build(resource: Resource, topology: Topology) -> HealthEvents:
    """Kind.build."""
    members = {region: str(where) for region, where in resource.members.items()}
    names = members or {region: region for region in topology.regions}
    return HealthEvents(Asking.of(resource, topology), names, tuple(resource.options["services"]))
