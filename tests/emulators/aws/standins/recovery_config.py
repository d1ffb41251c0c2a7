"""Where Application Recovery Controller's panels and clusters are described: route53-recovery-control-config."""

from __future__ import annotations

from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Refused

HOME = "us-west-2"


class RecoveryConfig:
    """One cluster with one panel. endpoints: region -> URL."""

    def __init__(self, endpoints: dict[str, str], account: str) -> None:
        self.endpoints = endpoints
        self.cluster = f"arn:aws:route53-recovery-control::{account}:cluster/c1a57e12"
        self.panel = f"arn:aws:route53-recovery-control::{account}:controlpanel/9a6e1f00"

    def control(self, name: str) -> str:
        return f"{self.panel}/routingcontrol/{name}"

    def describe_control_panel(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._found(what, given["ControlPanelArn"] == self.panel)
        told = {"ClusterArn": self.cluster, "ControlPanelArn": self.panel, "Name": "shop", "Status": "DEPLOYED"}
        return {"ControlPanel": told}

    def describe_cluster(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._found(what, given["ClusterArn"] == self.cluster)
        endpoints = [{"Region": region, "Endpoint": url} for region, url in self.endpoints.items()]
        told = {"ClusterArn": self.cluster, "Name": "shop", "Status": "DEPLOYED", "ClusterEndpoints": endpoints}
        return {"Cluster": told}

    def _found(self, what: Asked, there: bool) -> None:
        if what.region != HOME or not there:
            raise Refused("ResourceNotFoundException", f"There is no such thing in {what.region}.")
