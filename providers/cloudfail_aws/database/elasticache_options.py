"""What people write in cloudfail.yaml for `database: elasticache-global` (an unknown key is a mistake)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_aws.database.options import Identifier, NetworkAcls
from cloudfail_postgres.secret import SecretRef

HostPort = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}:[1-9][0-9]{0,4}$")]
UserId = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,39}$")]
Login = Annotated[str, Field(min_length=1, max_length=120)]


class CacheAcls(NetworkAcls):
    """As `network:` of a database, with the port of a cache."""

    port: Annotated[int, Field(ge=1, le=65535)] = 6379


class CacheMember(Shape):
    """The replication group of one region: its identifier alone, or with what is needed to reach it.

    endpoint: its own primary endpoint, host:port. user, password: cloudfail's own login; writer, writer_password: an
    application's, for heartbeats, canaries and the writes that prove a fence. users: the ElastiCache user ids of all
    applications of this region, whose access the fence takes away. spares: names of users who
    may keep theirs, being no application's: the operator's word. ca: a file with the authority that signs the
    server's certificate, where it is not one of the system's.
    """

    group: Identifier
    endpoint: HostPort | None = None
    tls: bool = True
    ca: str | None = None
    user: Login | None = None
    password: SecretRef | None = None
    writer: Login | None = None
    writer_password: SecretRef | None = None
    users: Annotated[tuple[UserId, ...], Field(strict=False, max_length=100)] = ()
    spares: Annotated[tuple[Login, ...], Field(strict=False, max_length=100)] = ()
    network: CacheAcls | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"group": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _two_logins(self) -> CacheMember:
        logins = (self.user, self.writer)
        if self.endpoint is not None and (None in logins or self.user == self.writer):
            raise ValueError(
                "`endpoint` needs `user` and `writer`, and they differ: one is cloudfail's login, the other an "
                "application's"
            )
        if self.endpoint is None and any(one is not None for one in logins):
            raise ValueError("`user` and `writer` are of no use without `endpoint`")
        return self


Fence = Literal["users", "network-acl"]


class ElastiCacheGlobalOptions(Shape):
    """database: elasticache-global. The global datastore is the resource's `id`. fences: in the order in which they are
    tried. answer_within bounds a question to a server, api_within one to a control plane, with its second attempts."""

    fences: Annotated[tuple[Fence, ...], Field(strict=False)] = ("users", "network-acl")
    answer_within: PositiveDuration = Seconds(2)
    api_within: PositiveDuration = Seconds(8)
    heartbeat_stale: PositiveDuration = Seconds(10)
