"""What people write in cloudfail.yaml for the kinds of this port: strict models (an unknown key is a mistake).

A member may be one name, or a mapping where more must be said:

    web: {compute: autoscaling, members: {us-east-1: web-e, us-west-2: web-w}}
    web: {compute: autoscaling, members: {us-west-2: {name: web-w, target_groups: ["arn:aws:elasticloadbalancing:…"]}}}
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

TargetGroupArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup/[^/\s]+/[^/\s]+$")
]
Name = Annotated[str, Field(pattern=r"^[^\s/:*]{1,255}$")]
_ECS_ARN = re.compile(r"^arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:service/(.+)$")


class Strict(BaseModel):
    """An unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _named(written: Any, keys: tuple[str, ...], between: str, example: str) -> Any:
    """One text as the mapping that it is short for."""
    if not isinstance(written, str):
        return written
    parts = written.split(between) if len(keys) > 1 else [written]
    if len(parts) != len(keys) or not all(parts):
        raise ValueError(f"{written!r} is not {between.join(key.upper() for key in keys)}; write {example}, say")
    return dict(zip(keys, parts, strict=True))


class AutoScalingMember(Strict):
    """An Auto Scaling group of the region. `target_groups`: where its healthy instances are counted; left out, in
    those that the group itself names."""

    name: Name
    target_groups: tuple[TargetGroupArn, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return _named(written, ("name",), "/", "web-w")


class EcsMember(Strict):
    """A service: its ARN, or CLUSTER/SERVICE. `autoscaled`: whether it must have a scalable target; left out, it is
    scaled by policies where one is registered."""

    cluster: Name
    service: Name
    target_groups: tuple[TargetGroupArn, ...] = ()
    autoscaled: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        if isinstance(written, str) and (arn := _ECS_ARN.match(written)):
            written = arn[1]
        return _named(written, ("cluster", "service"), "/", "shop/web")


class NodegroupMember(Strict):
    """A managed node group: CLUSTER/NODEGROUP. `target_groups`: where its nodes are counted; left out, nodes count
    that are in service and healthy in the node group's own Auto Scaling group."""

    cluster: Name
    nodegroup: Name
    target_groups: tuple[TargetGroupArn, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return _named(written, ("cluster", "nodegroup"), "/", "shop/workers")


class LambdaConcurrencyMember(Strict):
    """A function's alias or version: FUNCTION:QUALIFIER. Provisioned concurrency belongs to one of those.
    `autoscaled` as of an ECS service."""

    function: Name
    qualifier: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
    autoscaled: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return _named(written, ("function", "qualifier"), ":", "orders:live")
