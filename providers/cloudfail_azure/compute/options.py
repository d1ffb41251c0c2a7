"""What people write in cloudfail.yaml for workers on Azure: an id, or a mapping where more must be said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from cloudfail.config.fields import mistake
from cloudfail_azure.paths import pattern, written

_GROUP = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers"
if TYPE_CHECKING:
    ScaleSetId = str
    AutoscaleId = str
    PlanId = str
    SiteId = str
    ContainerAppId = str
    AgentPoolId = str
else:
    ScaleSetId = written(
        pattern("Microsoft.Compute", "virtualMachineScaleSets"),
        "id of a scale set",
        f"{_GROUP}/Microsoft.Compute/virtualMachineScaleSets/NAME",
    )
    AutoscaleId = written(
        pattern("Microsoft.Insights", "autoscaleSettings"),
        "id of an autoscale setting",
        f"{_GROUP}/Microsoft.Insights/autoscaleSettings/NAME",
    )
    PlanId = written(
        pattern("Microsoft.Web", "serverfarms"), "id of an App Service plan", f"{_GROUP}/Microsoft.Web/serverfarms/NAME"
    )
    SiteId = written(
        pattern("Microsoft.Web", "sites"), "id of an app of App Service", f"{_GROUP}/Microsoft.Web/sites/NAME"
    )
    ContainerAppId = written(
        pattern("Microsoft.App", "containerApps"), "id of a container app", f"{_GROUP}/Microsoft.App/containerApps/NAME"
    )
    AgentPoolId = written(
        pattern("Microsoft.ContainerService", "managedClusters", "agentPools"),
        "id of a node pool of AKS",
        f"{_GROUP}/Microsoft.ContainerService/managedClusters/CLUSTER/agentPools/NAME",
    )


def _a_url(text: str) -> str:
    from cloudfail.probes.serves import no_url  # it brings asyncio, which importing a provider does not need

    if wrong := no_url(text):
        raise mistake(f"this is no URL to ask: {wrong}", "write https://HOST/PATH, as users reach the service")
    return text


Url = Annotated[str, AfterValidator(_a_url)]


class ScaleSetMember(BaseModel):
    """The region's scale set. autoscale: the setting that sizes it, if one does: it must be named, since it undoes what
    is ordered beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale_set: ScaleSetId
    autoscale: AutoscaleId | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"scale_set": given} if isinstance(given, str) else given


class AppServiceMember(BaseModel):
    """plan: what is scaled. site: the app on it whose instances are counted. autoscale: as of a scale set. url: must
    answer 2xx for its instances to count as healthy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: PlanId
    site: SiteId
    autoscale: AutoscaleId | None = None
    url: Url | None = None


class ContainerAppMember(BaseModel):
    """The region's container app. url: must answer 2xx for its replicas to count as healthy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    app: ContainerAppId
    url: Url | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"app": given} if isinstance(given, str) else given


class AgentPoolMember(BaseModel):
    """The region's node pool. url: must answer 2xx for its nodes to count as healthy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pool: AgentPoolId
    url: Url | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"pool": given} if isinstance(given, str) else given
