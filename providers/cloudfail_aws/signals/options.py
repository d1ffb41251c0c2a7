"""What people write in cloudfail.yaml for the kinds of this port: strict models (an unknown key is a mistake).

errors: {signals: cloudwatch-alarm, members: {us-east-1: checkout-5xx, us-west-2: {alarm: checkout-5xx, in: us-west-2}}}
health: {signals: health-events, services: [EC2, RDS]}
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape

AlarmName = Annotated[str, Field(min_length=1, max_length=255)]
RegionName = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]


class AlarmOptions(Shape):
    """stale_after: so old may the newest of the alarm's data be. CloudWatch has a datapoint a minute or two after its
    period; an alarm over periods of five minutes needs twelve."""

    stale_after: PositiveDuration = Seconds(300)


ServiceName = Annotated[str, Field(pattern=r"^[A-Z0-9_]{2,30}$")]


class HealthOptions(Shape):
    """services: whose issues count, as AWS Health names them (EC2, RDS, ELASTICLOADBALANCING). Without members the
    regions are asked for by their own names; a member is AWS's name of the region where that is another one."""

    services: Annotated[list[ServiceName], Field(min_length=1, max_length=10)]


class AlarmMember(Shape):
    """The name of the alarm that judges the region; `in` where it does not stand in that region itself."""

    alarm: AlarmName
    stands_in: RegionName | None = Field(default=None, alias="in")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"alarm": written} if isinstance(written, str) else written
