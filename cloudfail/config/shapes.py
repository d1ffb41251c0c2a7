"""The shape of the two files. The JSON Schemas that editors use are generated from these models."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from cloudfail.config.fields import Duration, Name, PositiveDuration, Shape, mistake
from cloudfail.config.mistakes import did_you_mean
from cloudfail.errors import Refused
from cloudfail.model.topology import PortName
from cloudfail.signers import AllowedSigners

CONDITIONS = ("healthy", "writable", "replica", "in_sync", "fenced", "quiet")
CHECK_KINDS = ("http", "tcp", "sql", "signal")
STATE_SCHEMES = ("sqlite", "memory", "postgresql", "dynamodb", "s3", "gs", "azblob")
ANCHOR_SCHEMES = ("file", "s3", "gs", "azblob", "sqlite", "postgresql", "dynamodb")

Text = Annotated[str, Field(min_length=1, max_length=4096)]
Count = Annotated[int, Field(ge=1, le=1000)]


def _statuses(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _vantages(value: Any) -> Any:
    """`2 of 3`. Fewer than half would let a minority decide."""
    found = re.fullmatch(r"([0-9]{1,3}) of ([0-9]{1,3})", value) if isinstance(value, str) else None
    if found is None:
        raise mistake("this does not say how many vantages must agree", 'write "2 of 3"')
    needed, total = int(found[1]), int(found[2])
    if not 1 <= needed <= total:
        raise mistake(f"{needed} of {total} can never agree", f"write {total // 2 + 1} of {max(total, 1)}")
    if needed * 2 <= total:
        raise mistake(f"{needed} of {total} is not more than half", f"write {total // 2 + 1} of {total}")
    return value


def _percent(value: Any) -> Any:
    found = re.fullmatch(r"(100|[1-9][0-9]?)%", value) if isinstance(value, str) else None
    if found is None:
        raise mistake("this is no share of the workers", "write 25%, say")
    return int(found[1])


def _state(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", value)
    scheme = (
        found[1].replace("postgres", "postgresql") if found and found[1] == "postgres" else found[1] if found else ""
    )
    if found is None or scheme not in STATE_SCHEMES:
        wanted = did_you_mean(scheme or value, STATE_SCHEMES, "stores")
        raise mistake(
            "this names no kind of state store", f"{wanted}; write sqlite:state.db or dynamodb://table?region=…"
        )
    if scheme == "sqlite" and not found[2]:
        raise mistake("sqlite: names no file", "write sqlite:state.db")
    if scheme == "memory" and found[2]:
        raise mistake("memory: takes nothing after the colon", "write memory:, or sqlite:PATH to keep what happens")
    if scheme not in ("sqlite", "memory") and not (found[2].startswith("//") and len(found[2]) > 2):
        raise mistake(f"{scheme}: names no store", f"write {scheme}://name")
    return value


def _approver(value: str) -> str:
    """A line of OpenSSH's allowed_signers file: `alice@shop.example ssh-ed25519 AAAA…`."""
    try:
        lines = AllowedSigners.parse(value).lines
    except Refused as refused:
        raise mistake(refused.happened.rstrip("."), refused.to_do) from refused
    if len(lines) != 1:
        raise mistake("this names nobody's key", "write NAME ssh-ed25519 AAAA…, as in the file of ssh-keygen -Y verify")
    return value


def _https(value: str) -> str:
    """Over plain HTTP whoever stands between could read what is asked for, and answer in the function's place."""
    if not re.match(r"https://[^/]", value):
        raise mistake("this is no https:// address", "write the function's URL: https://…")
    return value


def _anchor_place(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    scheme, colon, rest = value.partition(":")
    if not colon or scheme not in ANCHOR_SCHEMES:
        wanted = did_you_mean(scheme, ANCHOR_SCHEMES, "places")
        raise mistake("this names no place for anchors", f"{wanted}; write s3://bucket/anchors?region=…, or file:/path")
    if not rest.strip("/"):
        raise mistake(f"{scheme}: names no place", f"write {scheme}:{'//name' if scheme != 'file' else '/path'}")
    return value


def _reference(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+", value):
        raise mistake("a key is never written here", "write where it is: env:NAME or file:PATH")
    return value


class ObjectivesShape(Shape):
    """What was promised."""

    rto: PositiveDuration = Field(description="Until users are served again.")
    rpo: Duration = Field(description="Acknowledged writes that may be lost, in time.")


class RolesShape(Shape):
    """As whom the provider is asked, in its own words. What is left out is asked as the process itself."""

    watch: Text | None = Field(default=None, description="For reads, at any time.")
    execute: Text | None = Field(default=None, description="For changes: taken on only while a run is open.")


class StandInShape(Shape):
    """What a region has that stands in for the whole site at a fraction of its cost."""

    serves: Annotated[list[Name], Field(min_length=1, description="The checks that must pass there, and no others.")]
    share: Annotated[
        int,
        BeforeValidator(_percent),
        WithJsonSchema({"type": "string", "pattern": "^(100|[1-9][0-9]?)%$"}),
    ] = Field(default=100, description="Of the workers that a whole region runs: 25%, say.")


class RegionShape(Shape):
    """One place that can fail as a whole."""

    provider: Name
    account: Text | None = None
    roles: RolesShape | None = None
    stand_in: StandInShape | None = None
    variables: dict[Name, Text] = Field(default={}, description="What ${name} stands for in the targets of checks.")


class ResourceShape(Shape):
    """One thing that steps act on. One key names its port and says its kind (`database: postgresql`); the keys that
    are not listed here are the kind's own, and are checked against the provider."""

    model_config = ConfigDict(extra="allow")

    database: Name | None = None
    dns: Name | None = None
    loadbalancer: Name | None = None
    compute: Name | dict[Name, Name] | None = Field(
        default=None, description="Region → kind, where the members of one group are of several kinds."
    )
    network: Name | None = None
    consumers: Name | None = None
    change: Name | None = None
    custom: Name | None = None
    signals: Name | None = None
    provider: Name | None = None
    roles: RolesShape | None = None
    id: Text | None = None
    members: dict[Name, Any] = Field(default={}, description="Region → literal identifier, or the kind's own keys.")

    @model_validator(mode="after")
    def _one_port(self) -> Self:
        ports = [port.value for port in PortName if port.value in self.model_fields_set]
        if len(ports) != 1:
            known = [port.value for port in PortName]
            typed = [did_you_mean(key, known) for key in (self.model_extra or {})]
            meant = next((one for one in typed if one.startswith("did")), f"one of {', '.join(known)}")
            problem = "this resource names no port" if not ports else f"this resource is {' and '.join(ports)} at once"
            raise mistake(problem, meant if not ports else "write two resources")
        return self


class CheckShape(Shape):
    """What says whether a region serves: a probe (exactly one of http, tcp and sql holds its target), or a signal, the
    name of a resource by which a provider says it."""

    http: Text | None = None
    tcp: Text | None = None
    sql: Text | None = None
    signal: Name | None = None
    every: PositiveDuration = Field(default=10.0)
    timeout: PositiveDuration = Field(default=5.0)
    fall: Count = 3
    rise: Count = 2
    vantages: (
        Annotated[
            str, BeforeValidator(_vantages), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,3} of [0-9]{1,3}$"})
        ]
        | None
    ) = None
    expect_status: Annotated[list[Annotated[int, Field(ge=100, le=599)]], BeforeValidator(_statuses)] = Field(
        default=[], json_schema_extra={"type": ["array", "integer"]}
    )
    expect_body: Text | None = None

    @property
    def kind(self) -> str:
        return next(kind for kind in CHECK_KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        targets = [kind for kind in CHECK_KINDS if getattr(self, kind) is not None]
        if len(targets) != 1:
            problem = "this check has no target" if not targets else f"this check is {' and '.join(targets)} at once"
            raise mistake(problem, 'write one of http: "https://…", tcp: "host:port", sql: "…", signal: NAME')
        if targets == ["signal"] and self.vantages is not None:
            raise mistake("a signal is the word of one, whoever looks at it", "remove vantages")
        if targets == ["signal"] and "timeout" in self.model_fields_set:
            raise mistake("a signal is read within its provider's own time", "remove timeout")
        if targets != ["http"] and (self.expect_status or self.expect_body):
            raise mistake(f"a {targets[0]} check has no status and no body", "remove expect_status and expect_body")
        if targets != ["signal"] and self.timeout > self.every * 10:
            raise mistake("the time-out is more than ten times the interval", "write a shorter timeout")
        return self


class VantageShape(Shape):
    """A place that looks. `command` is an argv prefix that runs the observer there; without it, it runs here."""

    command: Annotated[list[Text], Field(max_length=64)] = Field(default=[])
    region: Name | None = None


class ApprovalPathShape(Shape):
    """A way in which an approval reaches the log. Exactly one of terminal and function says what stands there."""

    terminal: Text | None = Field(default=None, description="A machine that reaches the log: cloudfail approve.")
    function: Annotated[Text, AfterValidator(_https)] | None = Field(
        default=None, description="URL of the approvals' own function."
    )
    region: Name | None = Field(default=None, description="Where it stands. A function always stands in one.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.terminal is None) == (self.function is None):
            problem = "this path is two at once" if self.terminal else "this path does not say how an approval comes in"
            raise mistake(problem, 'write one of terminal: "any laptop of ours", function: "https://…"')
        if self.function is not None and self.region is None:
            raise mistake("this does not say where the function stands", "write region: eu-west-3, say")
        return self


class PolicyShape(Shape):
    """What automation may do, and how sure it must be first."""

    automation: Literal["off", "stage-1", "automatic"] = "off"
    scope: Literal["region", "site"] = "region"
    hold_down: Duration = Field(default=180.0)
    cool_down: Duration = Field(default=3600.0)
    plan_expires: PositiveDuration = Field(default=3600.0)
    lease: PositiveDuration = Field(default=30.0)
    watch_after: Duration = Field(default=600.0)
    runbook: Name = "evacuate"
    approvers: Annotated[list[Annotated[Text, AfterValidator(_approver)]], Field(max_length=200)] = Field(default=[])
    approval_paths: Annotated[dict[Name, ApprovalPathShape], Field(max_length=20)] = Field(
        default={}, description="Name → a way in which an approval reaches the log."
    )


class AuditShape(Shape):
    """Where the log's head is anchored, with which key, and whose anchors are believed."""

    anchors: Annotated[
        list[Annotated[Text, BeforeValidator(_anchor_place)]],
        Field(min_length=1, max_length=8, description="Places that are written once, outside of the state store."),
    ]
    key: Annotated[
        Text,
        BeforeValidator(_reference),
        WithJsonSchema({"type": "string", "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"}),
    ] = Field(description="Where the private key of whoever runs is: env:NAME or file:PATH.")
    signers: Text = Field(description="OpenSSH's allowed_signers file, by its path from this file.")


class TopologyShape(Shape):
    """cloudfail.yaml: an application, where it runs, and what may be done for it."""

    model_config = ConfigDict(title="cloudfail.yaml")

    application: Name
    objectives: ObjectivesShape
    regions: Annotated[dict[Name, RegionShape], Field(min_length=1, max_length=64)]
    primary: Name
    state: Annotated[Text, BeforeValidator(_state)]
    resources: Annotated[dict[Name, ResourceShape], Field(max_length=1000)] = Field(default={})
    checks: Annotated[dict[Name, CheckShape], Field(max_length=200)] = Field(default={})
    vantages: Annotated[dict[Name, VantageShape], Field(max_length=100)] = Field(default={})
    policy: PolicyShape = PolicyShape()
    audit: AuditShape | None = None


class ConditionShape(Shape):
    """What must be seen: `{in_sync: orders, in: "${to}"}`."""

    healthy: Name | None = None
    writable: Name | None = None
    replica: Name | None = None
    in_sync: Name | None = None
    fenced: Name | None = None
    quiet: Name | None = None
    region: Text = Field(default="${to}", alias="in")

    @property
    def signal(self) -> str:
        return next(signal for signal in CONDITIONS if getattr(self, signal) is not None)

    @model_validator(mode="after")
    def _one_signal(self) -> Self:
        if sum(getattr(self, signal) is not None for signal in CONDITIONS) != 1:
            raise mistake("a condition names exactly one signal", 'write {in_sync: orders, in: "${to}"}, say')
        return self


class UndoShape(Shape):
    """A compensation of a step's own."""

    action: Text
    arguments: dict[str, Any] = Field(default={}, alias="with")


class StepShape(Shape):
    """One step: exactly one of `action` and `gate`."""

    action: Text | None = None
    gate: Literal["approval"] | None = None
    arguments: dict[str, Any] = Field(default={}, alias="with")
    needs: Annotated[list[Name], Field(max_length=200)] = Field(default=[])
    limit: PositiveDuration | None = None
    expires: PositiveDuration | None = None
    retries: Annotated[int, Field(ge=0, le=20)] | None = None
    pre: Annotated[list[ConditionShape], Field(max_length=50)] = Field(default=[])
    post: Annotated[list[ConditionShape], Field(max_length=50)] = Field(default=[])
    undo: Annotated[str | UndoShape | None, Field(description="An action, {action, with}, or none.")] = None
    override: dict[str, Annotated[str, Field(min_length=8, max_length=500)]] = Field(
        default={}, description="Order rule → why it is set aside here. It is reported each time."
    )

    @model_validator(mode="after")
    def _one_sort(self) -> Self:
        if (self.action is None) == (self.gate is None):
            problem = (
                "a step is an action or a gate, not both" if self.action else "this step has neither action nor gate"
            )
            raise mistake(problem, "write action: database.fence, say, or gate: approval")
        if self.gate is not None:
            wrong = self.model_fields_set - {"gate", "needs", "expires", "override"}
            if wrong:
                keys = ", ".join(sorted({"arguments": "with"}.get(key, key) for key in wrong))
                raise mistake(f"a gate has no {keys}", "a gate has needs and expires")
        elif self.expires is not None:
            raise mistake("only a gate expires", "write limit: instead")
        return self


class RunbookShape(Shape):
    """A runbook: a graph of named steps."""

    model_config = ConfigDict(title="cloudfail runbook")

    name: Name
    mode: Literal["failover", "switchover", "restore"]
    description: Annotated[str, Field(max_length=4096)] = ""
    limit: PositiveDuration | None = None
    steps: Annotated[dict[Name, StepShape], Field(min_length=1, max_length=200)]
