"""A scalable target of Application Auto Scaling: the bounds within which policies change somebody else's count, and the
switches that hold them.

A service of its own, in the member's region. What a RegisterScalableTarget leaves out stays as it is (API reference);
of the switches all three are written out, so that none is set by being left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.compute.groups import Size

SUSPENDED = ("DynamicScalingInSuspended", "ScheduledScalingSuspended")
"""What holds scale-in. Scaling out goes on."""
_OUT = "DynamicScalingOutSuspended"


@dataclass(frozen=True)
class Scalable:
    """One target, as it is addressed. `expected`: whether there must be one; None where nobody said."""

    asking: Asking
    namespace: str
    resource: str
    dimension: str
    expected: bool | None = None

    def look(self, region: str, *, within: float) -> Mapping[str, Any]:
        """As AWS describes it; empty where none is registered. Raises Transient where that is not what was said."""
        answer = self.asking.read(
            "application-autoscaling",
            region,
            "describe_scalable_targets",
            within=within,
            ServiceNamespace=self.namespace,
            ResourceIds=[self.resource],
            ScalableDimension=self.dimension,
        )
        found = answer.get("ScalableTargets") or []
        if not found and self.expected:
            raise Transient(f"no scalable target of {self.resource} is listed, and it is said to have one.")
        if found and self.expected is False:
            raise Transient(f"{self.resource} has a scalable target, and it is said to have none.")
        return found[0] if found else {}

    def bound(self, region: str, seen: Mapping[str, Any], size: Size, *, call: TimeLeft) -> None:
        """Floor and ceiling, where there is a target and they are others."""
        if seen and (size.floor, size.ceiling) != (int(seen["MinCapacity"]), int(seen["MaxCapacity"])):
            self._register(region, call, MinCapacity=size.floor, MaxCapacity=size.ceiling)

    def suspend(self, region: str, seen: Mapping[str, Any], names: Iterable[str], *, call: TimeLeft) -> None:
        self._switch(region, seen, names, to=True, call=call)

    def resume(self, region: str, seen: Mapping[str, Any], names: Iterable[str], *, call: TimeLeft) -> None:
        self._switch(region, seen, names, to=False, call=call)

    def refuse_without(self, seen: Mapping[str, Any], name: str, region: str) -> None:
        """Raise Permanent where there is nothing to hold."""
        if not seen:
            raise Permanent(
                f"{name} in {region} has no scalable target, so nothing scales it in.",
                "It was not changed.",
                "Take the step out of the runbook, or register the target.",
            )

    def not_ours(self, name: str, region: str) -> Permanent:
        """What is said where somebody else holds it."""
        return Permanent(
            f"Scale-in of {name} in {region} was not held by cloudfail: somebody else suspended it.",
            "It stays suspended.",
            f"If nobody needs that any more: aws application-autoscaling register-scalable-target --region {region} "
            f"--service-namespace {self.namespace} --resource-id {self.resource} --scalable-dimension "
            f"{self.dimension} --suspended-state {','.join(f'{switch}=false' for switch in SUSPENDED)}",
        )

    def _switch(self, region: str, seen: Mapping[str, Any], names: Iterable[str], *, to: bool, call: TimeLeft) -> None:
        on = switches(seen)
        state = {switch: switch in on for switch in (*SUSPENDED, _OUT)} | dict.fromkeys(names, to)
        self._register(region, call, SuspendedState=state)

    def _register(self, region: str, call: TimeLeft, **change: Any) -> None:
        self.asking.change(
            "application-autoscaling",
            region,
            "register_scalable_target",
            call=call.rest(),
            ServiceNamespace=self.namespace,
            ResourceId=self.resource,
            ScalableDimension=self.dimension,
            **change,
        )


def switches(seen: Mapping[str, Any]) -> frozenset[str]:
    """Those that are on."""
    return frozenset(name for name, on in (seen.get("SuspendedState") or {}).items() if on)


def is_held(seen: Mapping[str, Any]) -> bool:
    return switches(seen) >= set(SUSPENDED)
