"""What people write in cloudfail.yaml for the kinds of this port: strict models (an unknown key is a mistake).

errors: {signals: monitoring-alert, members: {us-central1: projects/shop-prod/alertPolicies/1234567890}}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_gcp.paths import PROJECT, written

if TYPE_CHECKING:
    PolicyPath = str
else:
    PolicyPath = written(
        re.compile(rf"{PROJECT}/alertPolicies/[0-9]{{1,30}}"),
        "path of an alerting policy",
        "projects/PROJECT/alertPolicies/NUMBER (gcloud monitoring policies list)",
    )


class AlertOptions(Shape):
    """stale_after: so old may the newest of the policy's data be. Many of Google's metrics are measured each minute and
    seen up to four minutes later (Monitoring, "Retention and latency of metric data")."""

    stale_after: PositiveDuration = Seconds(420)


class PolicyMember(Shape):
    """The alerting policy that judges the region."""

    policy: PolicyPath

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"policy": written} if isinstance(written, str) else written
