"""The runbooks that ship for the documentation's example, played in turn on a FakeCloud: away, restored, home again."""

from __future__ import annotations

from cloudfail import config
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.states import Role
from cloudfail.testing.provider import FakeProvider
from tests.kit import EXAMPLE, RUNBOOKS, Stage

EAST, WEST = "us-east-1", "us-west-2"


def test_the_example_is_evacuated_restored_and_brought_home() -> None:
    files = [RUNBOOKS / f"{name}.yaml" for name in ("evacuate", "restore", "failback")]
    stage = Stage(config.load(EXAMPLE, files, {"aws": FakeProvider("aws")}))
    stage.cloud.kill(EAST)
    away = stage.open("evacuate", EAST, WEST)
    stage.drive()
    stage.cloud.give_back(EAST, database=False)
    stage.drive()
    assert stage.run(away).phase is Phase.DEGRADED
    restored = stage.open("restore", EAST, WEST)
    stage.drive()
    assert stage.run(restored).phase is Phase.DONE, stage.run(restored).story
    home = stage.open("failback", WEST, EAST)
    stage.drive()
    assert stage.run(home).phase is Phase.DONE, stage.run(home).story
    members = stage.cloud.databases["orders"]
    assert {region: one.role for region, one in members.items()} == {EAST: Role.PRIMARY, WEST: Role.REPLICA}
    assert stage.cloud.weights["www"] == {EAST: 100, WEST: 0}
