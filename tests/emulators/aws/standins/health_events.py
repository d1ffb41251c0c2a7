"""AWS Health: the events of an account, newest first, as its API reference has it. An account without a support plan is
refused (`plan` off)."""

from __future__ import annotations

import datetime
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Refused


class HealthEventsOf:
    """The events of one account; every filter that is given holds."""

    def __init__(self) -> None:
        self.plan = True
        self.events: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    def add(self, region: str, service: str = "RDS", status: str = "open", category: str = "issue") -> dict[str, Any]:
        number = len(self.events)
        code = f"AWS_{service}_OPERATIONAL_ISSUE"
        now = datetime.datetime.now(datetime.UTC)
        event = {
            "arn": f"arn:aws:health:{region}::event/{service}/{code}/{code}_{number}",
            "service": service,
            "eventTypeCode": code,
            "eventTypeCategory": category,
            "region": region,
            "startTime": now,
            "lastUpdatedTime": now,
            "statusCode": status,
            "eventScopeCode": "PUBLIC",
        }
        self.events.insert(0, event)
        return event

    def describe_events(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self.asked.append(given)
        if not self.plan:
            raise Refused("SubscriptionRequiredException", "")
        wanted = given.get("filter", {})
        held = {
            "regions": "region",
            "services": "service",
            "eventTypeCategories": "eventTypeCategory",
            "eventStatusCodes": "statusCode",
        }
        found = [event for event in self.events if all(event[held[key]] in values for key, values in wanted.items())]
        start, size = int(given.get("nextToken", "0")), given.get("maxResults", 10)
        more = {"nextToken": f"{start + size:04d}"} if start + size < len(found) else {}
        return {"events": found[start : start + size], **more}
