"""What people write in cloudfail.yaml for Azure SQL: strict models (an unknown key is a mistake).

A member is an id alone, or a mapping that also says how cloudfail reaches its server over TDS. Without that nobody here
sees a write, and the verbs say so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_azure.paths import pattern, written
from cloudfail_postgres.secret import SecretRef

_EXAMPLE = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Sql"
if TYPE_CHECKING:
    GroupId = str
    InstanceGroupId = str
    DatabaseId = str
else:
    GroupId = written(
        pattern("Microsoft.Sql", "servers", "failoverGroups"),
        "id of a failover group on a server",
        f"{_EXAMPLE}/servers/SERVER/failoverGroups/NAME, of the server in this region",
    )
    InstanceGroupId = written(
        pattern("Microsoft.Sql", "locations", "instanceFailoverGroups"),
        "id of a failover group of managed instances",
        f"{_EXAMPLE}/locations/REGION/instanceFailoverGroups/NAME, in this region",
    )
    DatabaseId = written(
        pattern("Microsoft.Sql", "servers", "databases"),
        "id of a database",
        f"{_EXAMPLE}/servers/SERVER/databases/NAME, on the server in this region",
    )

_URL = re.compile(r"mssql://([^@/:\s]+)@([^@/:\s]+)(?::(\d{1,5}))?/?")


def login_of(url: str) -> tuple[str, int, str]:
    """(host, port, user) of what was accepted."""
    found = _URL.fullmatch(url)
    assert found is not None
    return found[2], int(found[3] or 1433), found[1]


def _url(value: str) -> str:
    if value.startswith("mssql://") and ":" in value.removeprefix("mssql://").rpartition("@")[0]:
        raise ValueError(
            "a secret is never written here; leave the password out, and write where it is: password: env:NAME"
        )
    if _URL.fullmatch(value) is None:
        raise ValueError("write mssql://USER@HOST or mssql://USER@HOST:PORT, of this member's own server")
    return value


Url = Annotated[str, AfterValidator(_url)]
DatabaseName = Annotated[str, Field(pattern=r"^[^\s;]{1,128}$")]


class SqlReached(Shape):
    """url: cloudfail's own login; writer: an application's, for heartbeats, canaries and the writes that prove a fence.
    Both go to this member's own server, never to a listener."""

    named: ClassVar[str] = ""

    url: Url | None = None
    writer: Url | None = None
    password: SecretRef | None = None
    writer_password: SecretRef | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {cls.named: value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _both_logins(self) -> SqlReached:
        if (self.url is None) != (self.writer is None):
            raise ValueError("`url` and `writer` come together: one is cloudfail's login, the other an application's")
        if self.url is not None and (self.password is None or self.writer_password is None):
            raise ValueError("write where both passwords are: password: env:NAME, writer_password: env:NAME")
        return self

    @property
    def resource(self) -> str:
        """The id of the member."""
        return str(getattr(self, self.named))


class GroupMember(SqlReached):
    """The failover group as the server in that region has it."""

    named: ClassVar[str] = "group"
    group: GroupId


class InstanceGroupMember(SqlReached):
    """The failover group of managed instances as that region has it."""

    named: ClassVar[str] = "group"
    group: InstanceGroupId


class DatabaseMember(SqlReached):
    """A database by itself, with a geo-replica."""

    named: ClassVar[str] = "database"
    database: DatabaseId


class SqlDatabaseOptions(Shape):
    """database: sql-database. planned_first: how long a failover without loss is tried before the one with loss is
    ordered; where it is not written, the one with loss is ordered at once. answer_within bounds a question to a server,
    api_within one to Resource Manager, with its second attempts."""

    fences: Annotated[tuple[Literal["logins"], ...], Field(strict=False)] = ("logins",)
    planned_first: PositiveDuration | None = None
    answer_within: PositiveDuration = Seconds(4)
    api_within: PositiveDuration = Seconds(8)


class SqlGroupOptions(SqlDatabaseOptions):
    """databases: the names of all that the group holds; each is asked for itself."""

    databases: Annotated[tuple[DatabaseName, ...], Field(strict=False)] = ()
