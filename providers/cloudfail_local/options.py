"""What people write in cloudfail.yaml for this provider's kinds: strict models (an unknown key is a mistake).

Durations carry their unit (`500ms`, `1s`, `2m`); a bare number is refused. Secrets are written as references
(`env:NAME`, `file:PATH`), resolved when they are used and never logged, printed or kept in a model.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from cloudfail.config.custom import CustomShape
from cloudfail_postgres.secret import SecretRef

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h)$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ADDRESS = re.compile(r"^(?:unix:)?/.+$|^unix:.+$|^\[[0-9A-Fa-f:.]+\]:\d{1,5}$|^[^\s:/]+:\d{1,5}$")


def seconds_of(text: str) -> float:
    """Seconds of a duration with its unit. ValueError says what to write instead."""
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number with its unit: 500ms, 2s, 5m or 1h")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


class Seconds(float):
    """Seconds that remember how they were written, so that a dumped model validates again."""

    text: str

    def __new__(cls, text: str) -> Seconds:
        self = super().__new__(cls, seconds_of(text))
        self.text = text
        return self


def _duration(value: Any) -> Seconds:
    if isinstance(value, Seconds):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a duration; write a number with its unit: 500ms, 2s, 5m or 1h")
    return Seconds(value)


def _address(value: str) -> str:
    if _ADDRESS.match(value) is None:
        raise ValueError(f"{value!r} is not an address; write unix:/path/to/socket or host:port")
    return value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(lambda value: getattr(value, "text", f"{value}s"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"}),
]
Address = Annotated[str, AfterValidator(_address)]
Argv = Annotated[tuple[str, ...], Field(min_length=1)]
# Handed to programs as an argument: one that began with a dash would be read as an option.
AbsolutePath = Annotated[str, Field(pattern=r"^/[^\x00-\x1f]*$")]
# Part of a line of HAProxy's runtime API, in which `;` begins another command (its manual, §2.2 and §9.3).
HAPROXY_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
HaproxyName = Annotated[str, Field(pattern=f"^{HAPROXY_NAME.pattern}$")]


class Strict(BaseModel):
    """An unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CommandFence(Strict):
    """A fence of the site's own: commands that cut the old side off, and one that says whether they stand.

    check exits 0 while it stands, 1 while it does not; anything else is unknown. `prevents: true` is the site's word
    that what `check` looks at makes it impossible for the old side to take a client's write (power off, asked of the
    management board; a deny rule on the only path): only then does it count as prevented. Else it counts by the writes
    that are refused, and as owed where none can be tried.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    apply: Argv
    lift: Argv
    check: Argv
    prevents: bool = False


class PostgresMember(Strict):
    """One server. Commands run as the operating system user that owns `data`, through `run` (empty: here)."""

    dsn: str
    writer: str
    run: tuple[str, ...] = ()
    data: AbsolutePath | None = None
    bin: AbsolutePath | None = None
    log: AbsolutePath | None = None
    upstream: str | None = None
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$")] | None = None
    """The application_name that this server streams under; its region's name where it is not given."""


class PostgresOptions(Strict):
    """database: postgresql. `synchronous` says whether a primary is to acknowledge only with the other member; left
    out, it is so where any region's last heartbeat was committed that way."""

    fences: tuple[Literal["synchronous", "logins"] | CommandFence, ...] = ("synchronous", "logins")
    rejoin: Literal["rewind", "clone"] = "rewind"
    archive: AbsolutePath | None = None
    synchronous: bool | None = None
    answer_within: Duration = Seconds("500ms")
    heartbeat_stale: Duration = Seconds("10s")


class HaproxyOptions(Strict):
    """loadbalancer: haproxy. A member is the name of the server in `backend` that stands for the region."""

    socket: Address
    backend: HaproxyName
    answer_within: Duration = Seconds("1s")


class TsigKey(Strict):
    """The key that signs updates."""

    name: str
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    secret: SecretRef


class Rfc2136Options(Strict):
    """dns: rfc2136. A member is the address that the region answers with."""

    server: Address
    zone: str
    name: str
    type: Literal["A", "AAAA"] = "A"
    ttl: Duration = Seconds("60s")
    key: TsigKey
    resolvers: tuple[Address, ...] = ()
    answer_within: Duration = Seconds("2s")


class ComputeMember(Strict):
    """One region's workers. read prints JSON: {"wanted": n, "running": n}, and may add "ceiling" and "held"."""

    read: Argv
    scale: Argv
    hold: Argv | None = None
    socket: Address
    backend: HaproxyName


class ComputeOptions(Strict):
    """compute: command."""

    answer_within: Duration = Seconds("2s")


class FlagOptions(Strict):
    """change: flag. A member is the name of the flag file in `directory` that the region's deploy tools look at."""

    directory: str


class ChangeMember(Strict):
    """One region's commands. read exits 0 while changes are held, 1 while they are not; anything else is unknown."""

    read: Argv
    freeze: Argv
    thaw: Argv


class ChangeCommandOptions(Strict):
    """change: command."""

    answer_within: Duration = Seconds("2s")


class Reach(Strict):
    """What must answer by TCP from here, once the path leads to this member: `host:port`, or `{at, says}` where a
    greeting tells the regions apart."""

    at: Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}$")]
    says: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"at": written} if isinstance(written, str) else written


class NetworkMember(Strict):
    """What the site's commands call the region; its own name where none is given."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$")] | None = None
    reach: Reach | None = None


class NetworkOptions(Strict):
    """network: command. verb: what a runbook calls the move. read prints JSON: {"leads": NAME}, null for nowhere, and
    may add "moving" and "version". lead has `${to}` in it. release lets it lead nowhere, as it may have before."""

    verb: Literal["route", "move_address"] = "route"
    read: Argv
    lead: Argv
    release: Argv | None = None
    answer_within: Duration = Seconds("2s")


class CustomMember(Strict):
    """One region's commands. observe exits 0 and prints `done`, `moving` or `todo`; anything else is unknown."""

    act: Argv
    observe: Argv


class CustomCommandOptions(CustomShape):
    """custom: command."""

    answer_within: Duration = Seconds("5s")
