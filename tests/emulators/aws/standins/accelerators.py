"""Global Accelerator: endpoint groups with traffic dials, and an accelerator that takes its time to deploy.

As its documentation has it: its API stands in us-west-2 alone; the list of endpoints in UpdateEndpointGroup replaces
the one that was; what the call leaves out stays; a change shows in the API at once, and at the edge only when the
accelerator's status is DEPLOYED again.
"""

from __future__ import annotations

import copy
import datetime
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Hours, RealHours, Refused

HOME = "us-west-2"
_SETTINGS = (
    "TrafficDialPercentage",
    "HealthCheckPort",
    "HealthCheckProtocol",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "ThresholdCount",
    "PortOverrides",
)


class Accelerators:
    """`deploy_seconds`: how long a change takes to reach the edge; None: it never does. `health` gives an endpoint's
    state by its id."""

    def __init__(self, hours: Hours | None = None, account: str = "123456789012") -> None:
        self.hours = hours or RealHours()
        self.account = account
        self.deploy_seconds: float | None = 0.0
        self.health: dict[str, str] = {}
        # Each update that was accepted, for tests to count.
        self.updates: list[dict[str, Any]] = []
        self._accelerators: dict[str, dict[str, Any]] = {}
        self._listeners: dict[str, str] = {}
        self._groups: dict[str, dict[str, Any]] = {}
        self._at_edge: dict[str, dict[str, Any]] = {}
        self._changes = 0
        self._tags: dict[str, dict[str, str]] = {}

    def accelerator(self, name: str = "shop") -> str:
        """A new one, with one listener. Returns its ARN."""
        arn = f"arn:aws:globalaccelerator::{self.account}:accelerator/{len(self._accelerators) + 1:08d}"
        made = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        self._accelerators[arn] = {
            "AcceleratorArn": arn,
            "Name": name,
            "IpAddressType": "IPV4",
            "Enabled": True,
            "DnsName": f"{name}.awsglobalaccelerator.com",
            "Status": "DEPLOYED",
            "CreatedTime": made,
            "LastModifiedTime": made,
        }
        self._listeners[f"{arn}/listener/0001"] = arn
        return arn

    def group(self, accelerator: str, region: str, endpoints: dict[str, int], dial: float = 100.0) -> str:
        """A new endpoint group of the accelerator's listener: weights by endpoint id. Returns its ARN."""
        arn = f"{accelerator}/listener/0001/endpoint-group/{len(self._groups) + 1:012d}"
        self._groups[arn] = {
            "EndpointGroupArn": arn,
            "EndpointGroupRegion": region,
            "TrafficDialPercentage": dial,
            "HealthCheckPort": 443,
            "HealthCheckProtocol": "TCP",
            "HealthCheckIntervalSeconds": 30,
            "ThresholdCount": 3,
            "EndpointDescriptions": [{"EndpointId": name, "Weight": weight} for name, weight in endpoints.items()],
        }
        self._at_edge[arn] = copy.deepcopy(self._groups[arn])
        return arn

    def at_edge(self, group: str) -> dict[str, Any]:
        """What the edge does: the group as it was when the accelerator was last deployed."""
        return copy.deepcopy(self._at_edge[group])

    def describe_accelerator(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._at_home(what)
        return {"Accelerator": self._accelerator(given["AcceleratorArn"])}

    def list_accelerators(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._at_home(what)
        page, more = _page(list(self._accelerators.values()), given)
        return {"Accelerators": page, **more}

    def list_listeners(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._at_home(what)
        self._accelerator(given["AcceleratorArn"])
        found = [
            {"ListenerArn": arn, "PortRanges": [{"FromPort": 443, "ToPort": 443}], "Protocol": "TCP"}
            for arn, accelerator in self._listeners.items()
            if accelerator == given["AcceleratorArn"]
        ]
        page, more = _page(found, given)
        return {"Listeners": page, **more}

    def list_endpoint_groups(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._at_home(what)
        if given["ListenerArn"] not in self._listeners:
            raise Refused("ListenerNotFoundException", f"There is no {given['ListenerArn']}.")
        prefix = f"{given['ListenerArn']}/"
        page, more = _page([self._described(arn) for arn in self._groups if arn.startswith(prefix)], given)
        return {"EndpointGroups": page, **more}

    def describe_endpoint_group(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._at_home(what)
        return {"EndpointGroup": self._described(given["EndpointGroupArn"])}

    def update_endpoint_group(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._at_home(what)
        arn = given["EndpointGroupArn"]
        self._described(arn)
        group = self._groups[arn]
        if "EndpointConfigurations" in given:
            group["EndpointDescriptions"] = [
                {"EndpointId": one["EndpointId"], "Weight": one.get("Weight", 128)}
                for one in given["EndpointConfigurations"]
            ]
        group |= {name: given[name] for name in _SETTINGS if name in given}
        self.updates.append(copy.deepcopy(given))
        self._deploy(arn.partition("/listener/")[0])
        return {"EndpointGroup": self._described(arn)}

    def list_tags_for_resource(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._at_home(what)
        self._accelerator(given["ResourceArn"])
        tags = self._tags.get(given["ResourceArn"], {})
        return {"Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}

    def tag_resource(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self._at_home(what)
        self._accelerator(given["ResourceArn"])
        self._tags.setdefault(given["ResourceArn"], {}).update({one["Key"]: one["Value"] for one in given["Tags"]})
        return {}

    def _deploy(self, accelerator: str) -> None:
        self._changes += 1
        mine = self._changes
        self._accelerators[accelerator]["Status"] = "IN_PROGRESS"

        def deployed() -> None:
            # A later change has its own time to take.
            if mine == self._changes:
                self._accelerators[accelerator]["Status"] = "DEPLOYED"
                self._at_edge.update(copy.deepcopy(self._groups))

        if self.deploy_seconds == 0:
            deployed()
        elif self.deploy_seconds is not None:
            self.hours.at(self.deploy_seconds, deployed)

    def _described(self, arn: str) -> dict[str, Any]:
        if arn not in self._groups:
            raise Refused("EndpointGroupNotFoundException", f"There is no {arn}.")
        group = copy.deepcopy(self._groups[arn])
        for one in group["EndpointDescriptions"]:
            one["HealthState"] = self.health.get(one["EndpointId"], "HEALTHY")
        return group

    def _accelerator(self, arn: str) -> dict[str, Any]:
        if arn not in self._accelerators:
            raise Refused("AcceleratorNotFoundException", f"There is no {arn}.")
        return copy.deepcopy(self._accelerators[arn])

    def _at_home(self, what: Asked) -> None:
        if what.region != HOME:
            raise Refused("AccessDeniedException", f"Signed for {what.region}: the API stands in {HOME}.")


def _page(found: list[dict[str, Any]], given: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    start, size = int(given.get("NextToken", "0")), given.get("MaxResults", 10)
    return found[start : start + size], {"NextToken": str(start + size)} if start + size < len(found) else {}
