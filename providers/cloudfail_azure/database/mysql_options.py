"""What people write in cloudfail.yaml for flexible servers of Azure Database for MySQL: strict models (an unknown key
is a mistake). A member is the id of the server alone, or a mapping that also says which of its firewall's rules stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_azure.database.flexible_options import FirewallRules
from cloudfail_azure.paths import pattern, written

if TYPE_CHECKING:
    ServerId = str
else:
    ServerId = written(
        pattern("Microsoft.DBforMySQL", "flexibleServers"),
        "id of a flexible server of MySQL",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.DBforMySQL/flexibleServers/NAME",
    )


class MysqlMember(Shape):
    """A flexible server in that region."""

    server: ServerId
    firewall_rules: FirewallRules | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"server": value} if isinstance(value, str) else value


class MysqlOptions(Shape):
    """database: mysql-flexible. api_within bounds what is asked of the control plane, with its second attempts."""

    api_within: PositiveDuration = Seconds(8)
    fences: Annotated[tuple[Literal["firewall-rules"], ...], Field(strict=False)] = ("firewall-rules",)
