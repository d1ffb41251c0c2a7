"""What people write in cloudfail.yaml for workers on Azure: the id of a scale set, or a mapping where more must be
said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, model_validator

from cloudfail_azure.paths import pattern, written

_GROUP = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers"
if TYPE_CHECKING:
    ScaleSetId = str
    AutoscaleId = str
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
