"""What people write in cloudfail.yaml for Google's databases: strict models (an unknown key is a mistake).

A member is the name of the instance alone (`us-central1: orders-c`), or a mapping that also says how cloudfail reaches
it over SQL. Without that nobody here sees a write, and the verbs say so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape, mistake
from cloudfail_databases.sql_options import SqlMember, SqlTimes

InstanceName = Annotated[str, Field(pattern=r"^[a-z](?:[a-z0-9-]{0,96}[a-z0-9])?$")]
Network = Annotated[str, Field(pattern=r"^(?:\d{1,3}\.){3}\d{1,3}/(?:[0-9]|[12][0-9]|3[0-2])$")]

DAY_SECONDS = 86400.0


class AuthorizedNetworks(Shape):
    """The fence by the list of networks that may reach the instance's public address. keep: those which stay on it (the
    one that cloudfail asks from, so that the fence can be proven)."""

    keep: Annotated[tuple[Network, ...], Field(strict=False)] = ()


class CloudSqlMember(SqlMember):
    """An instance of Cloud SQL in that region."""

    instance: InstanceName
    authorized_networks: AuthorizedNetworks | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"instance": value} if isinstance(value, str) else value


class CloudSqlOptions(SqlTimes):
    """database: cloud-sql. fences: in the order in which they are tried. switchover_within: for how long Cloud SQL may
    wait until the replica has everything, before it gives a switchover up; ten minutes are its own default, and a day
    its most."""

    fences: Annotated[tuple[Literal["logins", "authorized-networks"], ...], Field(strict=False)] = (
        "logins",
        "authorized-networks",
    )
    switchover_within: PositiveDuration = Seconds(600)

    @field_validator("switchover_within")
    @classmethod
    def _at_most_a_day(cls, value: float) -> float:
        if value > DAY_SECONDS:
            raise mistake("Cloud SQL waits for a day at most", "write 24h or less")
        return value
