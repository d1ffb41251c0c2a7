"""What people write in cloudfail.yaml for `database: spanner` (an unknown key is a mistake)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_gcp.paths import PROJECT

DatabasePath = Annotated[
    str,
    Field(pattern=rf"^{PROJECT}/instances/[a-z][-a-z0-9]{{1,62}}[a-z0-9]/databases/[a-z][a-z0-9_-]{{0,28}}[a-z0-9]$"),
]
TableName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,127}$")]
Location = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)+\d+$")]


class SpannerMember(Shape):
    """The read-write region of the instance's configuration that this region is: its location."""

    location: Location

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"location": value} if isinstance(value, str) else value


class SpannerOptions(Shape):
    """path: of the database. table: cloudfail's own, in it. answer_within bounds what is asked of rows, api_within what
    is asked of the instance, both with their second attempts."""

    path: DatabasePath
    table: TableName = "cloudfail"
    answer_within: PositiveDuration = Seconds(5)
    api_within: PositiveDuration = Seconds(8)
