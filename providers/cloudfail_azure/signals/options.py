"""What people write in cloudfail.yaml for the kinds of this port: strict models (an unknown key is a mistake).

errors: {signals: monitor-alert, members: {westeurope: /subscriptions/S/resourceGroups/G/providers/Microsoft.Insights/
         metricAlerts/checkout-errors-weu}}
health: {signals: service-health, services: [Virtual Machines, SQL Database]}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_azure.paths import pattern, written

if TYPE_CHECKING:
    RuleId = str
    SubscriptionId = str
else:
    RuleId = written(
        pattern("Microsoft.Insights", "metricAlerts"),
        "id of a metric alert rule",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Insights/metricAlerts/NAME "
        "(az monitor metrics alert list --query '[].id')",
    )
    SubscriptionId = written(
        re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE),
        "id of a subscription",
        "what this prints: az account show --query id",
    )


class AlertOptions(Shape):
    """stale_after: so old may the newest of the rule's data be. Azure's metrics are of whole minutes, and are there a
    few minutes later."""

    stale_after: PositiveDuration = Seconds(420)


class RuleMember(Shape):
    """The metric alert rule that judges the region."""

    rule: RuleId

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"rule": told} if isinstance(told, str) else told


ServiceName = Annotated[str, Field(min_length=2, max_length=80)]
RegionName = Annotated[str, Field(pattern=r"^[a-z]+[0-9]*$", examples=["westeurope"])]


class HealthOptions(Shape):
    """services: whose issues count, as Service Health names them (Virtual Machines, SQL Database). Without members each
    region is asked for by its own name, in its own account."""

    services: Annotated[list[ServiceName], Field(min_length=1, max_length=10)]


class HealthMember(Shape):
    """Azure's name of the region, where it is another one than the file's; subscription: the one that is asked, where
    it is not the region's `account`."""

    region: RegionName
    subscription: SubscriptionId | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"region": told} if isinstance(told, str) else told
