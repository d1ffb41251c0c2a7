"""What an account may run in a region, held against what a plan wants there, and again right before the order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cloudfail.actions import StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Permanent
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room, most_of_any, short
from cloudfail.model.states import ComputeState
from cloudfail.plan import bind, refusals, scaled, warnings
from cloudfail.rooms import reports, rooms_of
from cloudfail.testing.conformance import Calls
from cloudfail.testing.fakeworld import FakeCompute, FakeWorld
from tests.crash.moves import LOADED, stage

VCPUS = Room("vCPUs", limit=24, unit="vCPUs", each=2, own=2, used=14, reserved=1)


def test_at_most_is_what_others_leave() -> None:
    """14 used, of which 2 workers and 1 reserved are ours: 8 by others. 16 of 24 are left, for 8 workers."""
    assert VCPUS.others == 8
    assert VCPUS.at_most == 8
    assert VCPUS.in_words() == "at most 8 (vCPUs: 24 vCPUs, 8 used by others, 2 each; 1 more are held by reservations)"


@pytest.mark.parametrize(
    ("change", "at_most"),
    [
        ({"used": None}, 12),  # what is not known to be taken counts as free
        ({"used": 0}, 12),
        ({"used": 100}, 0),
        ({"limit": 0}, 0),
        ({"limit": 25}, 8),
        ({"reserved": None}, 7),
        ({"own": 0, "reserved": 0, "used": 24}, 0),
    ],
)
def test_what_is_not_known_to_be_taken_is_free(change: dict[str, Any], at_most: int) -> None:
    assert replace(VCPUS, **change).at_most == at_most


def test_groups_that_fit_alone_and_not_together_are_found() -> None:
    rooms = {"web": VCPUS, "jobs": replace(VCPUS, own=1, reserved=0)}
    assert short({"web": 8}, rooms) == []
    assert short({"jobs": 6}, rooms) == []
    ((groups, why),) = short({"web": 5, "jobs": 6}, rooms)
    assert groups == ("web", "jobs")
    assert why == "5 of web and 6 of jobs need 22 vCPUs, beside the 6 that others use; vCPUs allows 24."


def test_pools_are_apart() -> None:
    rooms = {"web": VCPUS, "gpu": replace(VCPUS, pool="P vCPUs", limit=0, used=None)}
    assert [groups for groups, _ in short({"web": 8, "gpu": 1}, rooms)] == [("gpu",)]


def test_each_region_may_have_to_run_the_most_that_any_ran() -> None:
    assert most_of_any({"web": {"east": 12, "west": 2}}, ["web", "jobs"]) == {"web": 12}


# ---- the plan


def plan(count: int = 4) -> Any:
    return bind(LOADED, LOADED.runbooks["evacuate-all"], "east", "west", {"web": {"east": count}}, ACTIONS)


def test_a_plan_above_the_quota_of_the_target_is_refused_and_at_it_is_not() -> None:
    rooms = {"web": Known(Room("the quota of west", 4, "workers", 1, own=1, used=1), 0.0)}
    assert scaled(plan()) == {"web": 4}
    assert refusals(plan(), LOADED.topology, LogState(), {}, rooms) == []
    (said,) = refusals(plan(5), LOADED.topology, LogState(), {}, rooms)
    assert said == (
        "In west the account may not run that: 5 of web need 5 workers; the quota of west allows 4. "
        "Raise the quota, or write a lower count: at the step that scales web."
    )


def test_a_quota_that_is_not_known_is_said_and_is_neither_zero_nor_boundless() -> None:
    rooms = {"web": Unknown("service-quotas is silent")}
    assert refusals(plan(), LOADED.topology, LogState(), {}, rooms) == []
    assert [one for one in warnings(plan(), {}, rooms) if "may run" in one] == [
        "how many of web the account may run in west is not known: service-quotas is silent"
    ]


def test_a_review_asks_the_target_alone() -> None:
    made = stage()
    made.cloud.quotas = {"east": 0, "west": 3}
    made.cloud.kill("east")
    world: Any = Everywhere(FakeWorld(made.cloud))
    rooms = rooms_of(world, scaled(plan()), "west")
    assert refusals(plan(), LOADED.topology, LogState(), {}, rooms)
    assert set(rooms) == {"web"}


@dataclass
class Everywhere:
    """`world.Ports`, as far as rooms ask it."""

    world: FakeWorld
    boundless: bool = False

    @property
    def topology(self) -> Any:
        return self.world.topology

    def computes(self) -> dict[str, Any]:
        return {"web": object() if self.boundless else self.world.compute("web")}


def test_on_a_calm_day_the_standby_that_may_not_run_what_the_primary_runs_is_found() -> None:
    made = stage()
    made.cloud.quotas = {"east": 50, "west": 3}
    world: Any = Everywhere(FakeWorld(made.cloud))
    east, west = reports(world, {"web": {"east": 12, "west": 1}})
    assert east.startswith("east  web  may run at most 50")
    assert east.endswith("12 may be wanted.")
    assert west.endswith("TOO LITTLE: 12 of web need 12 workers; the quota of west allows 3.")


def test_a_region_that_does_not_answer_is_unknown_and_a_cloud_without_such_bounds_is_passed_over() -> None:
    made = stage()
    made.cloud.kill("west")
    world: Any = Everywhere(FakeWorld(made.cloud))
    assert any(
        line.startswith("west  web  unknown: west does not answer") for line in reports(world, {"web": {"east": 4}})
    )
    world.boundless = True
    assert reports(world, {"web": {"east": 4}}) == []


def test_a_room_that_breaks_is_unknown() -> None:
    class Broken:
        def room(self, region: str) -> Any:
            raise RuntimeError(f"no such thing in {region}")

    @dataclass
    class World:
        def computes(self) -> dict[str, Any]:
            return {"web": Broken()}

    world: Any = World()
    assert rooms_of(world, ["web"], "west") == {"web": Unknown("RuntimeError: no such thing in west")}


# ---- right before the order


@dataclass
class Group:
    """A Compute of which the account may run so many."""

    at_most: Known[Room] | Unknown
    scaled: list[int] = field(default_factory=list)

    def compute(self, _name: str) -> Group:
        return self

    def read(self, _region: str) -> Known[ComputeState]:
        return Known(ComputeState(2, 2, 2), 0.0)

    def room(self, _region: str) -> Known[Room] | Unknown:
        return self.at_most

    def scale(self, _region: str, count: int, *, expect: Any, call: Any) -> None:
        self.scaled.append(count)


def order(group: Group, *, undoing: bool = False) -> list[str]:
    step = plan(12).step("scale")
    context = StepContext(step, "r1", "east", "west", {"wanted": 30} if undoing else {}, undoing)
    world: Any = group
    seen = ACTIONS["compute.scale"].observe(world, context)
    assert isinstance(seen, Todo)
    lines: list[str] = []
    ACTIONS["compute.scale"].act(world, context, seen, replace(Calls().make(), log=lines.append))
    return lines


def room(limit: int) -> Known[Room]:
    return Known(Room("the quota", limit, "workers", 1, own=2, used=2), 0.0)


def test_within_the_quota_it_is_ordered_without_a_word() -> None:
    group = Group(room(12))
    assert order(group) == []
    assert group.scaled == [12]


def test_where_fewer_may_run_by_now_it_is_ordered_for_those_that_still_come_and_said() -> None:
    group = Group(room(8))
    assert order(group) == [
        "The account may not run 12 of web in west, but at most 8 (the quota: 8 workers, 0 used by others, 1 each)."
    ]
    assert group.scaled == [12]


def test_where_nothing_would_come_of_it_it_is_refused_at_once_with_what_to_do() -> None:
    group = Group(room(2))
    with pytest.raises(Permanent, match="may not run 12 of web") as refused:
        order(group)
    assert "Raise the quota and resume" in refused.value.to_do
    assert group.scaled == []


def test_a_quota_that_is_not_known_stops_nobody_and_is_said() -> None:
    group = Group(Unknown("throttled"))
    assert order(group) == ["how many of web may run in west is not known: throttled"]
    assert group.scaled == [12]


def test_what_is_put_back_is_not_held_against_a_quota() -> None:
    group = Group(room(2))
    assert order(group, undoing=True) == []
    assert group.scaled == [30]


def test_a_run_whose_target_may_run_no_more_halts_for_a_person_with_the_reason() -> None:
    made = stage()
    made.cloud.quotas = {"west": 1}
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    state = made.run(run)
    assert state.phase is Phase.HALTED
    assert "The account may not run 4 of web in west" in state.did("scale").detail
    assert FakeCompute(made.cloud, "web").cloud.workers["web"]["west"][0] == 1
    made.cloud.quotas = {"west": 9}
    made.command(run, "resume")
    made.drive()
    assert made.run(run).phase is Phase.DONE
