"""What people write in cloudfail.yaml for the kinds of this port: strict models (an unknown key is a mistake).

drain: {custom: ssm-command, members: {us-west-2: {document: shop-drain, instances: [i-0123456789abcdef0],
                                                   observe: {document: shop-drained}}}}
purge: {custom: lambda, members: {us-west-2: purge-cdn:live}}
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration

RUNS_ANYTHING = frozenset({"AWS-RunShellScript", "AWS-RunPowerShellScript", "AWS-RunRemoteScript"})
DELIVERY_SECONDS_MIN, DELIVERY_SECONDS_MAX = 30.0, 3600.0
PARAMETERS_MAX = 50

DocumentName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,128}$")]
Node = Annotated[str, Field(pattern=r"^(i-([0-9a-f]{8}|[0-9a-f]{17})|mi-[0-9a-f]{17})$")]
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/=+@ -]{1,128}$")]
TagValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/=+@ -]{1,256}$")]
Function = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Qualifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class Strict(BaseModel):
    """An unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _literal(value: Any) -> Any:
    """Nothing is put in for a reference here, and whoever may read the command's history could read the secret."""
    if isinstance(value, str) and re.match(r"(env|file):", value):
        raise ValueError(
            f"{value!r} would be handed over as it stands; let what runs read its secret itself "
            "(from Secrets Manager or the Parameter Store)"
        )
    return value


Plain = Annotated[str, AfterValidator(_literal)]
Values = Annotated[tuple[Plain, ...], BeforeValidator(_listed), Field(min_length=1, max_length=PARAMETERS_MAX)]
Parameters = Annotated[dict[str, Values], Field(max_length=PARAMETERS_MAX)]


class Document(Strict):
    """A command document of the region, by name, and the literal parameters that it is sent with. `version`: a number;
    left out, its default version, whatever that is then."""

    document: DocumentName
    version: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}$")] | None = None
    parameters: Parameters = Field(default={})


def _delivery(seconds: float) -> float:
    if not DELIVERY_SECONDS_MIN <= seconds <= DELIVERY_SECONDS_MAX:
        raise ValueError("Systems Manager takes no less than 30s, and after an hour nobody wants it any more; write 1m")
    return seconds


class CommandMember(Document):
    """One region's command. On `instances`, or on those that have all of `tags`. `needed`: how many of them must do it,
    and must say that it is done. `deliver_within`: an instance that did not take it by then never runs it.

    `observe`: another document, whose output begins with done, moving or todo. It must be another one, since the role
    that only watches may send it; and none that runs whatever it is told.
    """

    instances: Annotated[tuple[Node, ...], Field(max_length=50)] = ()
    tags: Annotated[dict[Tag, TagValue], Field(max_length=5)] = Field(default={})
    needed: Literal["all"] | Annotated[int, Field(ge=1, le=10_000)] = "all"
    deliver_within: Annotated[PositiveDuration, AfterValidator(_delivery)] = Seconds(60)
    observe: Document | None = None
    answer_within: PositiveDuration = Seconds(15)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.instances) == bool(self.tags):
            raise ValueError("a command runs on instances or on tags; write one of them")
        if isinstance(self.needed, int) and self.instances and self.needed > len(self.instances):
            raise ValueError(f"{self.needed} of {len(self.instances)} instances can never do it; write needed: all")
        if self.observe is not None and self.observe.document in RUNS_ANYTHING:
            raise ValueError(
                f"whoever may send {self.observe.document} may run anything, and observing is done by the role that "
                "only watches; write a document of your own that only looks"
            )
        if self.observe is not None and self.observe.document == self.document:
            raise ValueError("observe sends the document that acts; write another one, that only looks")
        return self


class FunctionName(Strict):
    """FUNCTION, or FUNCTION:QUALIFIER (an alias or a version)."""

    function: Function
    qualifier: Qualifier | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        if not isinstance(written, str):
            return written
        name, colon, qualifier = written.partition(":")
        return {"function": name, "qualifier": qualifier} if colon else {"function": name}


Literals = Plain | int | float | bool | None


class FunctionMember(FunctionName):
    """One region's function. `arguments`: literals that it is given each time. `observe`: the function that says what
    is so; left out, the same one, which the role that only watches may then invoke."""

    arguments: Annotated[dict[str, Literals | list[Literals]], Field(max_length=PARAMETERS_MAX)] = Field(default={})
    observe: FunctionName | None = None
