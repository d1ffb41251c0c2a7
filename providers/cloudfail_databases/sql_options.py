"""What people write in cloudfail.yaml of how a member is reached over SQL, whatever cloud it stands in."""

from __future__ import annotations

from pydantic import model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_postgres.secret import SecretRef


class SqlMember(Shape):
    """dsn: cloudfail's own login; writer: an application's, for heartbeats, canaries and the writes that prove a fence.
    Both go to this member's own endpoint, never to one that moves."""

    dsn: str | None = None
    writer: str | None = None
    password: SecretRef | None = None
    writer_password: SecretRef | None = None

    @model_validator(mode="after")
    def _both_logins(self) -> SqlMember:
        if (self.dsn is None) != (self.writer is None):
            raise ValueError("`dsn` and `writer` come together: one is cloudfail's login, the other an application's")
        return self


class SqlTimes(Shape):
    """answer_within bounds a question to a server, api_within one to a control plane, with its second attempts.
    heartbeat_stale: so old may be the newest heartbeat that a replica holds."""

    answer_within: PositiveDuration = Seconds(2)
    api_within: PositiveDuration = Seconds(8)
    heartbeat_stale: PositiveDuration = Seconds(10)
