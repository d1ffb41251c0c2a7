"""What people write in cloudfail.yaml for flexible servers: strict models (an unknown key is a mistake).

A member is the id of the server alone, or a mapping that also says how cloudfail reaches it over SQL. Without that
nobody here sees a write, and the verbs say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from cloudfail.config.fields import Shape
from cloudfail_azure.database.security_group_options import SecurityGroup
from cloudfail_azure.paths import pattern, written
from cloudfail_databases.sql_options import SqlMember, SqlTimes

if TYPE_CHECKING:
    ServerId = str
else:
    ServerId = written(
        pattern("Microsoft.DBforPostgreSQL", "flexibleServers"),
        "id of a flexible server",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.DBforPostgreSQL/flexibleServers/NAME",
    )
RuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class FirewallRules(Shape):
    """The fence by the rules of who may reach the server's public address. keep: the names of those which stay (the one
    for the address that cloudfail asks from, so that the fence can be proven)."""

    keep: Annotated[tuple[RuleName, ...], Field(strict=False)] = ()


class FlexibleMember(SqlMember):
    """A flexible server in that region."""

    server: ServerId
    firewall_rules: FirewallRules | None = None
    security_group: SecurityGroup | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"server": value} if isinstance(value, str) else value


class FlexibleOptions(SqlTimes):
    """database: postgresql-flexible. fences: in the order in which they are tried. promote: what a failover orders;
    where it is not written, what Azure says of the virtual endpoints decides."""

    fences: Annotated[tuple[Literal["logins", "firewall-rules", "security-group"], ...], Field(strict=False)] = (
        "logins",
        "firewall-rules",
        "security-group",
    )
    promote: Literal["switchover", "standalone"] | None = None
