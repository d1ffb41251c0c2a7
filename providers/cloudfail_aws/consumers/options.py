"""What people write in cloudfail.yaml for the kinds of this port: strict models (an unknown key is a mistake).

mailer:  {consumers: event-source, members: {us-west-2: 14e0db71-5d35-4eb5-b481-8945cf9d10c2}}
orders:  {consumers: eventbridge-rule, members: {us-west-2: shop-bus/orders}}
nightly: {consumers: schedule, members: {us-west-2: nightly/close-the-books}}
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class Strict(BaseModel):
    """An unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _within(written: Any, outer: str, inner: str) -> Any:
    """OUTER/INNER or INNER alone as the mapping that it is short for."""
    if not isinstance(written, str):
        return written
    before, slash, after = written.rpartition("/")
    if not after or (slash and not before):
        raise ValueError(f"{written!r} is neither {inner.upper()} nor {outer.upper()}/{inner.upper()}")
    return {outer: before, inner: after} if slash else {inner: after}


class EventSourceMember(Strict):
    """The UUID of an event source mapping of the region."""

    uuid: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"uuid": written} if isinstance(written, str) else written


class RuleMember(Strict):
    """RULE of the default bus, or BUS/RULE. A partner's bus has slashes in its own name; the last one counts."""

    bus: Annotated[str, Field(pattern=r"^[A-Za-z0-9/._-]{1,256}$")] = "default"
    rule: Name

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return _within(written, "bus", "rule")


class ScheduleMember(Strict):
    """SCHEDULE of the default group, or GROUP/SCHEDULE."""

    group: Name = "default"
    schedule: Name

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return _within(written, "group", "schedule")
