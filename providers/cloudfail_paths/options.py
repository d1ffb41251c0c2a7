"""What people write of a path's members in cloudfail.yaml, whoever leads it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from cloudfail.config.fields import Shape, mistake


def _target(told: Any) -> Any:
    from cloudfail.probes.through import no_target  # it brings asyncio, which importing a provider does not need

    if isinstance(told, str) and no_target(told):
        raise mistake("this is no host:port", 'write reach: "10.20.7.1:443"')
    return told


class Reach(Shape):
    """What must answer by TCP from where cloudfail runs, once the path leads to this member: `host:port`, or
    `{at, says}` where a greeting tells the regions apart."""

    at: Annotated[str, BeforeValidator(_target)]
    says: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"at": told} if isinstance(told, str) else told


class ReachedMember(Shape):
    """A member that may say what must answer."""

    reach: Reach | None = None
