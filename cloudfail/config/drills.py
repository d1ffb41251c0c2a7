"""Drill files: what is broken, how, under which load, and what it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cloudfail.config.checking import validated
from cloudfail.config.fields import Duration, Name, PositiveDuration, Shape
from cloudfail.config.mistakes import Mistakes
from cloudfail.config.reading import read
from cloudfail.config.shapes import ObjectivesShape
from cloudfail.errors import ConfigError

Rate = Annotated[float | int, Field(gt=0, le=500)]
RegionName = Literal["east", "west"]


def _workers() -> Mapping[RegionName, int]:
    return {"east": 2, "west": 1}


class LabShape(Shape):
    """The lab that the drill starts."""

    mode: Literal["auto", "netns", "loopback"] = "auto"
    synchronous: Literal["off", "on", "remote_apply"] = "remote_apply"
    ttl: Duration = 1.0
    workers: Mapping[RegionName, Annotated[int, Field(ge=1, le=4)]] = Field(default_factory=_workers)


class FaultShape(Shape):
    """What breaks, `after` so much calm load. One fault; `kill` ends every process of the region with SIGKILL."""

    kill: RegionName
    after: PositiveDuration = 4.0


class RunbooksShape(Shape):
    """The runbooks that are exercised. Without `failback` the drill ends when redundancy is restored."""

    failover: Name
    restore: Name
    failback: Name | None = None


class DrillPolicyShape(Shape):
    """The policy in force during the drill (`scope: site`)."""

    lease: PositiveDuration = 30.0
    hold_down: Duration = 0.0


class LoadShape(Shape):
    """Writes per second by group of clients."""

    edge: Rate = 100
    dns: Rate = 50
    inside_east: Annotated[Rate, Field(alias="inside-east")] = 20
    inside_west: Annotated[Rate, Field(alias="inside-west")] = 20

    def rates(self) -> dict[str, float]:
        return {name: float(rate) for name, rate in self.model_dump(by_alias=True).items()}


class Drill(Shape):
    """A drill file. `limit` bounds the whole, after which everything is ended and the drill failed."""

    name: Name
    description: str = ""
    lab: LabShape = LabShape()
    objectives: ObjectivesShape
    fault: FaultShape
    runbooks: RunbooksShape
    load: LoadShape = LoadShape()
    policy: DrillPolicyShape = DrillPolicyShape()
    limit: PositiveDuration = 150.0


def load_drill(path: Path) -> Drill:
    """Read a drill file. Raises ConfigError with every mistake, each with its place and its cure."""
    mistakes = Mistakes()
    document = read(path, mistakes)
    drill = validated(Drill, document, (), mistakes) if document is not None else None
    if drill is None or mistakes.found:
        raise ConfigError(mistakes.in_order([str(path)]))
    return drill
