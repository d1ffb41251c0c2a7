"""DescribeTargetHealth of elbv2, whose answer asks the targets themselves: moto calls every target healthy.

A target is a port on loopback, and healthy if something listens there. Which targets a group has is told to this
stand-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Refused
from tests.emulators.listening import answers

OPERATION = "DescribeTargetHealth"


class TargetHealth:
    """Mount it for OPERATION alone. targets: group -> ports. `states`: group -> what all of its targets are said to be,
    whoever listens."""

    def __init__(self, targets: Mapping[str, list[int]]) -> None:
        self.targets = dict(targets)
        self.states: dict[str, str] = {}

    def describe_target_health(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        group = given["TargetGroupArn"]
        if group not in self.targets:
            raise Refused("TargetGroupNotFoundException", f"There is no target group {group}.")
        return {"TargetHealthDescriptions": [self._told(group, port) for port in self.targets[group]]}

    def _told(self, group: str, port: int) -> dict[str, Any]:
        health = {"State": "healthy"}
        if not answers(port):
            health = {"State": "unhealthy", "Reason": "Target.Timeout"}
        if group in self.states:
            health = {"State": self.states[group]}
        return {"Target": {"Id": "127.0.0.1", "Port": port}, "TargetHealth": health}
