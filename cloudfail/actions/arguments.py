"""What stands under `with:` for each action, and what lint must know of the action.

One model per action. The runbook loader checks `with:` against it and fills in the defaults, so that a plan's checksum
covers them; the JSON Schema of runbooks is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from cloudfail.config.fields import PositiveDuration, Refers, Shape, mistake

Database = Annotated[str, Refers("database")]
Group = Annotated[str, Refers("compute")]
ConsumersName = Annotated[str, Refers("consumers")]
NetworkName = Annotated[str, Refers("network")]
TrafficName = Annotated[str, Refers("traffic")]
CustomName = Annotated[str, Refers("custom")]
CheckName = Annotated[str, Refers("check")]
Region = Annotated[str, Refers("region")]
ReachedRegion = Annotated[str, Refers("region", reached=True)]
TargetRegion = Annotated[str, Refers("region", reached=True, side="target")]
ShiftedRegion = Annotated[str, Refers("region", side="target")]
Unreachable = Annotated[
    Literal["fail", "owe"],
    Field(
        description="What a region that does not answer means: fail the step, or owe it (it stands as an obligation)."
    ),
]


class Arguments(Shape):
    """Base. `verb` finds the provider's facts (Kind.verbs); `undo` is the action that takes it back; `waits_for_source`
    says that it cannot end while the source does not answer; `changes` is False for what only looks."""

    action: ClassVar[str]
    verb: ClassVar[str]
    undo: ClassVar[str | None] = None
    waits_for_source: ClassVar[bool] = False
    changes: ClassVar[bool] = True


class ChangeFreeze(Arguments):
    """Hold deploys, schedulers and infrastructure tools in a region."""

    action: ClassVar[str] = "change.freeze"
    verb: ClassVar[str] = "freeze"
    undo: ClassVar[str | None] = "change.unfreeze"
    where: ReachedRegion
    unreachable: Unreachable = "fail"


class ChangeUnfreeze(Arguments):
    """Let them go again."""

    action: ClassVar[str] = "change.unfreeze"
    verb: ClassVar[str] = "freeze"
    undo: ClassVar[str | None] = "change.freeze"
    where: ReachedRegion
    unreachable: Unreachable = "fail"


class DatabaseFence(Arguments):
    """Keep the old primary from taking writes, and prove it by writes that are refused."""

    action: ClassVar[str] = "database.fence"
    verb: ClassVar[str] = "fence"
    undo: ClassVar[str | None] = "database.unfence"
    waits_for_source: ClassVar[bool] = True
    database: Database
    unreachable: Unreachable = "fail"


class DatabaseUnfence(Arguments):
    """Lift every fence that stands on the source."""

    action: ClassVar[str] = "database.unfence"
    verb: ClassVar[str] = "fence"
    undo: ClassVar[str | None] = "database.fence"
    waits_for_source: ClassVar[bool] = True
    database: Database


class DatabaseFailover(Arguments):
    """Promote the target's member, whatever the source still held."""

    action: ClassVar[str] = "database.failover"
    verb: ClassVar[str] = "failover"
    database: Database


class DatabaseSwitchover(Arguments):
    """Move the writer without loss, both sides healthy."""

    action: ClassVar[str] = "database.switchover"
    verb: ClassVar[str] = "switchover"
    waits_for_source: ClassVar[bool] = True
    database: Database


class DatabaseFollow(Arguments):
    """Make the member in one region a replica of the member in another."""

    action: ClassVar[str] = "database.follow"
    verb: ClassVar[str] = "follow"
    database: Database
    member: ReachedRegion
    upstream: ReachedRegion


class ComputeScale(Arguments):
    """Run as many workers as were recorded elsewhere, or a number that is written out."""

    action: ClassVar[str] = "compute.scale"
    verb: ClassVar[str] = "scale"
    undo: ClassVar[str | None] = "compute.scale"
    group: Group
    like: Annotated[str, Field(pattern=r"^recorded \S+$", examples=["recorded ${from}"])] | None = None
    count: Annotated[int, Field(ge=0, le=100_000)] | None = None
    where: TargetRegion = "${to}"

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.like is None) == (self.count is None):
            raise mistake("compute.scale takes one of like and count", 'write like: "recorded ${from}", or count: 4')
        return self


class ComputeHold(Arguments):
    """Suspend (or resume) scale-in."""

    action: ClassVar[str] = "compute.hold"
    verb: ClassVar[str] = "hold"
    undo: ClassVar[str | None] = "compute.hold"
    group: Group
    where: ReachedRegion = "${to}"
    held: bool = True


class TrafficSwitch(Arguments):
    """Send users to one region: at most as many as it can serve if `at_most: healthy`, the rest shed with a 503.

    A name that two providers serve at once is two resources, each moved by a step of its own. One of them may go with
    the cloud that is lost: with `unreachable: owe` it is owed as soon as a name in `beside` sends users there."""

    action: ClassVar[str] = "traffic.switch"
    verb: ClassVar[str] = "shift"
    undo: ClassVar[str | None] = "traffic.switch"
    name: TrafficName
    to: ShiftedRegion = "${to}"
    at_most: Literal["healthy"] | None = None
    rest: Literal["shed"] | None = None
    unreachable: Annotated[
        Literal["fail", "owe"] | None,
        Field(description="What a provider that does not answer means: fail the step, or owe it (see `beside`)."),
    ] = None
    beside: Annotated[
        list[TrafficName] | None,
        Refers("traffic"),
        Field(
            min_length=1,
            max_length=10,
            description="The same name at other providers, one of which must give the new answer.",
        ),
    ] = None

    @model_validator(mode="after")
    def _owed_beside(self) -> Self:
        if (self.unreachable == "owe") != (self.beside is not None):
            raise mistake(
                "a name is owed only beside another that sends users where they are served",
                "write unreachable: owe and beside: [NAME], or none of the two",
            )
        return self


class TrafficRamp(Arguments):
    """Send users to one region step by step, each step only after every check has passed there for `hold`; while one
    does not, back to the step before. For where the source still serves: not in a failover."""

    action: ClassVar[str] = "traffic.ramp"
    verb: ClassVar[str] = "shift"
    undo: ClassVar[str | None] = "traffic.ramp"
    name: TrafficName
    to: ShiftedRegion = "${to}"
    steps: Annotated[
        list[Annotated[int, Field(ge=1, le=100)]],
        Field(min_length=1, max_length=100, description="Percent of all traffic, growing; the last one is 100."),
    ] = Field(default_factory=lambda: [1, 10, 50, 100])
    hold: PositiveDuration = 60.0
    otherwise: Annotated[
        Literal["refuse", "fewer_steps"],
        Field(description="Where its name cannot give these shares: refuse the plan, or take the steps that it can."),
    ] = "refuse"

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.steps[-1] != 100 or any(later <= step for step, later in zip(self.steps, self.steps[1:], strict=False)):
            raise mistake("the steps of a ramp grow, and end with 100", "write steps: [1, 10, 50, 100]")
        return self


class TrafficDrain(Arguments):
    """Take one region out of the answers."""

    action: ClassVar[str] = "traffic.drain"
    verb: ClassVar[str] = "shift"
    undo: ClassVar[str | None] = "traffic.drain"
    name: TrafficName
    region: Region


class ConsumersEnable(Arguments):
    """Start queue and event consumers in a region."""

    action: ClassVar[str] = "consumers.enable"
    verb: ClassVar[str] = "enable"
    undo: ClassVar[str | None] = "consumers.disable"
    consumers: ConsumersName
    where: TargetRegion = "${to}"
    unreachable: Unreachable = "fail"


class ConsumersDisable(Arguments):
    """Stop them."""

    action: ClassVar[str] = "consumers.disable"
    verb: ClassVar[str] = "enable"
    undo: ClassVar[str | None] = "consumers.enable"
    consumers: ConsumersName
    where: ReachedRegion
    unreachable: Unreachable = "fail"


class NetworkRoute(Arguments):
    """Lead the traffic of a route to one region's next hop."""

    action: ClassVar[str] = "network.route"
    verb: ClassVar[str] = "route"
    undo: ClassVar[str | None] = "network.route"
    network: NetworkName
    to: ShiftedRegion = "${to}"


class NetworkMoveAddress(Arguments):
    """Give an address to what stands for it in one region (or site, or zone)."""

    action: ClassVar[str] = "network.move_address"
    verb: ClassVar[str] = "move_address"
    undo: ClassVar[str | None] = "network.move_address"
    network: NetworkName
    to: ShiftedRegion = "${to}"


class CustomRun(Arguments):
    """Have a custom action done: the site's own command, document or function. `check` must pass there as well before
    it counts as done; where the action has no `observe` of its own, that is all there is to see."""

    action: ClassVar[str] = "custom.run"
    verb: ClassVar[str] = "run"
    name: CustomName
    where: ReachedRegion = "${to}"
    check: CheckName | None = None
    unreachable: Unreachable = "fail"


class VerifyWrite(Arguments):
    """Write a row as an application would, and read it back."""

    action: ClassVar[str] = "verify.write"
    verb: ClassVar[str] = "canary"
    changes: ClassVar[bool] = False
    database: Database
    where: TargetRegion = "${to}"


class VerifyUsers(Arguments):
    """See a check pass, from outside, as users would."""

    action: ClassVar[str] = "verify.users"
    verb: ClassVar[str] = ""
    changes: ClassVar[bool] = False
    check: CheckName
    where: TargetRegion = "${to}"


ARGUMENTS: Mapping[str, type[Arguments]] = MappingProxyType(
    {
        model.action: model
        for model in (
            ChangeFreeze,
            ChangeUnfreeze,
            DatabaseFence,
            DatabaseUnfence,
            DatabaseFailover,
            DatabaseSwitchover,
            DatabaseFollow,
            ComputeScale,
            ComputeHold,
            TrafficSwitch,
            TrafficRamp,
            TrafficDrain,
            ConsumersEnable,
            ConsumersDisable,
            NetworkRoute,
            NetworkMoveAddress,
            CustomRun,
            VerifyWrite,
            VerifyUsers,
        )
    }
)
"""Every action that a runbook may name."""
