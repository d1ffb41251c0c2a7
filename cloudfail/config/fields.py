"""The kinds of value that stand in the files, as pydantic fields. Providers use them in their own option models.

class Options(Shape):
    zone: str
    ttl: Duration = Seconds(60)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cloudfail.config import durations
from cloudfail.config.durations import Seconds

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]{0,62}$"


class Shape(BaseModel):
    """The base of every model of a file: no unknown key, no quiet conversion, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


def mistake(problem: str, instead: str) -> PydanticCustomError:
    """An error whose two halves reach the person who wrote the file."""
    return PydanticCustomError("cloudfail", "{problem}", {"problem": problem, "instead": instead})


def _duration(value: Any) -> Seconds:
    if isinstance(value, Seconds):
        return value
    if not isinstance(value, str):
        raise mistake("a time carries its unit", durations.advice(value))
    try:
        return durations.parse(value)
    except ValueError as error:
        raise mistake("this is not a time with its unit", str(error)) from None


def _positive(value: Any) -> Seconds:
    parsed = _duration(value)
    if parsed <= 0:
        raise mistake("this time must be more than nothing", "write 30s, say")
    return parsed


_DURATION_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": durations.PATTERN, "description": "A time with its unit: 500ms, 10s, 2m, 1h."}
)
Duration = Annotated[float, PlainValidator(_duration), _DURATION_SCHEMA]
PositiveDuration = Annotated[float, PlainValidator(_positive), _DURATION_SCHEMA]


def _name(value: Any) -> Any:
    if isinstance(value, str) and not re.match(NAME_PATTERN, value.replace("\n", " ")):
        raise mistake(
            "a name begins with a letter and holds letters, digits, `_`, `.` and `-`, at most 63 in all",
            f"write {_tidied(value)}",
        )
    return value


def _tidied(value: str) -> str:
    tidy = re.sub(r"[^A-Za-z0-9_.-]+", "-", value).lstrip("0123456789_.-")[:63].rstrip("-")
    return tidy or "a name such as orders"


Name = Annotated[str, BeforeValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]


@dataclass(frozen=True)
class Refers:
    """Marks a field that names something of the topology.

    sort: "region", "check", "traffic" (a dns or loadbalancer resource), or a port's name. For regions: `reached` says
    that the step cannot end while that region does not answer; `side` is "target" where only the region that takes
    over makes sense.
    """

    sort: str
    reached: bool = False
    side: Literal["any", "target"] = "any"
