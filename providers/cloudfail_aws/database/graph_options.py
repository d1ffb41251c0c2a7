"""What people write in cloudfail.yaml for `database: neptune-global`: strict models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_aws.database.options import GroupId, Identifier, NetworkAcls

Endpoint = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:\d{1,5})?$")]
RoleArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$", max_length=600)]
ResourceId = Annotated[str, Field(pattern=r"^cluster-[A-Z0-9]{4,64}$")]


class GraphAcls(NetworkAcls):
    """As NetworkAcls, at Neptune's port."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8182


class GraphMember(Shape):
    """A DB cluster of Neptune. endpoints: its own, tried in their order. writers: the roles under which applications
    write; cloudfail takes on the first one, for heartbeats, canaries and the writes that prove a fence. resource:
    Neptune's own id of the cluster, by which IAM knows its data. closed_group: a security group without inbound rules,
    for the fence `security-group`."""

    cluster: Identifier
    endpoints: Annotated[tuple[Endpoint, ...], Field(strict=False)] = ()
    writers: Annotated[tuple[RoleArn, ...], Field(strict=False)] = ()
    resource: ResourceId | None = None
    network: GraphAcls | None = None
    closed_group: GroupId | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"cluster": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _all_or_none(self) -> GraphMember:
        given = [bool(self.endpoints), bool(self.writers), self.resource is not None]
        if any(given) and not all(given):
            raise ValueError(
                "`endpoints`, `writers` and `resource` come together: where it is asked, as whom an application writes,"
                " and what IAM calls its data"
            )
        return self


class NeptuneGlobalOptions(Shape):
    """database: neptune-global. The global cluster is the resource's `id`. fences: in the order of trying them.
    requests_only: the operator's word that every client sends HTTPS requests, each of which is authorised by itself; a
    Bolt or WebSocket connection is authorised when it is opened. answer_within bounds a question to a server,
    api_within one to a control plane, with its second attempts."""

    fences: Annotated[tuple[Literal["iam", "network-acl", "security-group"], ...], Field(strict=False)] = (
        "iam", "network-acl", "security-group",
    )  # fmt: skip
    requests_only: bool = False
    answer_within: PositiveDuration = Seconds(2)
    api_within: PositiveDuration = Seconds(8)
