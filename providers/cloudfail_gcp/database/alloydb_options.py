"""What people write in cloudfail.yaml for AlloyDB: strict models (an unknown key is a mistake).

A member is the cluster's name alone (`us-central1: orders-c`), or a mapping that also says how cloudfail reaches its
primary (or secondary) instance over SQL. Without that nobody here sees a write, and the verbs say so. Its project is
the region's `account:`, its region the one that it is written for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cloudfail_databases.sql_options import SqlMember, SqlTimes

Name = Annotated[str, Field(pattern=r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$")]


class AlloyDbMember(SqlMember):
    """A cluster of AlloyDB in that region. instance: the one that takes the writes while the cluster is the primary, by
    its name in the cluster; named for the fence `stop`, which stops it. read_pools: those that must be stopped before
    it."""

    cluster: Name
    instance: Name | None = None
    read_pools: Annotated[tuple[Name, ...], Field(strict=False)] = ()

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"cluster": value} if isinstance(value, str) else value


class AlloyDbOptions(SqlTimes):
    """database: alloydb. fences: in the order in which they are tried."""

    fences: Annotated[tuple[Literal["logins", "stop"], ...], Field(strict=False)] = ("logins", "stop")
