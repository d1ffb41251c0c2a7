"""What people write of a name in cloudfail.yaml, whoever keeps its zone: strict models."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h)$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RESOLVER = re.compile(r"^(?:\[[0-9A-Fa-f:.]+\]|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?$")


class _Seconds(float):
    """Seconds that remember how they were written, so that a dumped model validates again."""

    text: str


def duration(value: Any) -> _Seconds:
    if isinstance(value, _Seconds):
        return value
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write a number with its unit: 500ms, 2s, 5m or 1h")
    seconds = _Seconds(float(match[1]) * _UNIT_SECONDS[match[2]])
    seconds.text = value
    return seconds


def _resolver(value: str) -> str:
    if _RESOLVER.match(value) is None:
        raise ValueError(
            f"{value!r} is no address of a resolver; write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"
        )
    return value


Duration = Annotated[
    float,
    BeforeValidator(duration),
    PlainSerializer(lambda value: getattr(value, "text", f"{value}s"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"}),
]
Resolver = Annotated[str, AfterValidator(_resolver)]


class Strict(BaseModel):
    """An unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Seen(Strict):
    """Where its answers are asked for. Without resolvers, those of this machine are asked."""

    resolvers: tuple[Resolver, ...] = ()
    answer_within: Duration = duration("5s")
