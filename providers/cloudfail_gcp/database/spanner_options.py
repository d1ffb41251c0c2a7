"""What people write in cloudfail.yaml for `database: spanner` (an unknown key is a mistake). The database is the
resource's `id`: `projects/P/instances/I/databases/D`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape

TableName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,127}$")]


class ReplicaMember(Shape):
    """The replicas of the database in one region, by what they are. A witness holds no data, and is no member."""

    replicas: Literal["read-write", "read-only"]

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"replicas": value} if isinstance(value, str) else value


class SpannerOptions(Shape):
    """table: where cloudfail writes, a table of its own with the columns word (the key), value and made_by, all
    text.
    answer_within bounds what is asked of rows, api_within a description of the instance, both with their second
    attempts."""

    table: TableName = "cloudfail"
    answer_within: PositiveDuration = Seconds(4)
    api_within: PositiveDuration = Seconds(8)
