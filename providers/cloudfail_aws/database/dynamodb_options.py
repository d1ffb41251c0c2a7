"""What people write in cloudfail.yaml for `database: dynamodb-global` (an unknown key is a mistake)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape

TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]


class TableMember(Shape):
    """The replica of the table in one region. A global table has one name in all of them."""

    table: TableName

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"table": value} if isinstance(value, str) else value


class DynamoDBGlobalOptions(Shape):
    """answer_within bounds what is asked of items, api_within a description of the table, both with their second
    attempts. heartbeat_stale: an older heartbeat says nothing of a lag."""

    answer_within: PositiveDuration = Seconds(2)
    api_within: PositiveDuration = Seconds(8)
    heartbeat_stale: PositiveDuration = Seconds(10)
