"""What people write in cloudfail.yaml for `database: documentdb-global`: strict models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_aws.database.options import GroupId, Identifier, NetworkAcls
from cloudfail_postgres.secret import SecretRef

_START = "mongodb://"


def _url(value: str) -> str:
    login, at, rest = value.removeprefix(_START).rpartition("@")
    hosts, _, database = rest.partition("?")[0].partition("/")
    if not value.startswith(_START) or not at or not login or not hosts:
        raise ValueError("write mongodb://USER@HOST:PORT/?tls=true, with the login that it is for")
    if ":" in login:
        raise ValueError(
            "a secret is never written here; leave the password out, and write where it is: password: env:NAME"
        )
    if database:
        raise ValueError("write no database after the hosts: DocumentDB keeps every login in `admin`")
    return value


Url = Annotated[str, AfterValidator(_url)]


class DocumentAcls(NetworkAcls):
    """As NetworkAcls, at DocumentDB's port."""

    port: Annotated[int, Field(ge=1, le=65535)] = 27017


class DocumentMember(Shape):
    """A DB cluster of DocumentDB. url: cloudfail's own login; writer: an application's, for heartbeats, canaries and
    the writes that prove a fence. Both go to this member's own endpoints, tried in the order in which they are written.
    closed_group: a security group without inbound rules, for the fence `security-group`."""

    cluster: Identifier
    url: Url | None = None
    writer: Url | None = None
    password: SecretRef | None = None
    writer_password: SecretRef | None = None
    network: DocumentAcls | None = None
    closed_group: GroupId | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"cluster": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _both_logins(self) -> DocumentMember:
        if (self.url is None) != (self.writer is None):
            raise ValueError("`url` and `writer` come together: one is cloudfail's login, the other an application's")
        if self.url is not None and (self.password is None or self.writer_password is None):
            raise ValueError("write where both passwords are: password: env:NAME, writer_password: env:NAME")
        return self


class DocumentDbGlobalOptions(Shape):
    """database: documentdb-global. The global cluster is the resource's `id`. fences: in the order in which they are
    tried. answer_within bounds a question to a server, api_within one to a control plane, with its second attempts."""

    fences: Annotated[tuple[Literal["roles", "network-acl", "security-group"], ...], Field(strict=False)] = (
        "roles", "network-acl", "security-group",
    )  # fmt: skip
    answer_within: PositiveDuration = Seconds(2)
    api_within: PositiveDuration = Seconds(8)
