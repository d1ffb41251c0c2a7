"""Databases that take writes in every region by design: no runbook fences or promotes them, and a write proves them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

import pytest
from paper import EVACUATE, TOPOLOGY, changed

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.actions.conditions import _in_sync
from cloudfail.app import App
from cloudfail.config.loaded import Loaded
from cloudfail.execution.lifecycle import Phase
from cloudfail.lint import Severity, lint
from cloudfail.lint.possible import explained
from cloudfail.model.observation import Known
from cloudfail.model.states import DatabaseState, Role
from cloudfail.packaging import chosen
from cloudfail.packaging.targets import target_of
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.fakecloud import FakeCloud
from cloudfail.testing.fakeworld import FakeWorld
from cloudfail.testing.provider import FakeProvider
from cloudfail.testing.simulation.own import own
from cloudfail_aws import provider as aws
from tests.kit import Stage

EAST, WEST = "us-east-1", "us-west-2"
SESSIONS = "  sessions: {database: dynamodb-global, members: {us-east-1: sessions, us-west-2: sessions}}\n"
WITH_SESSIONS = changed(TOPOLOGY, ("checks:\n", SESSIONS + "checks:\n"))
ALONE = "\n".join(line for line in WITH_SESSIONS.splitlines() if not line.lstrip().startswith("orders:")) + "\n"
PROVEN = """\
name: evacuate
mode: failover
steps:
  freeze:   {action: change.freeze, with: {where: "${to}"}, limit: 20s}
  scale:    {action: compute.scale, with: {group: web, like: "recorded ${from}"}, needs: [freeze], limit: 4m}
  sessions: {action: verify.write, with: {database: sessions}, needs: [freeze], limit: 30s}
  traffic:  {action: traffic.switch, with: {name: www}, needs: [sessions, scale], limit: 2m}
  users:    {action: verify.users, with: {check: checkout}, needs: [traffic], limit: 3m}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [users], limit: 20s}
"""
BACK = PROVEN.replace("name: evacuate", "name: back")


def loaded(tmp_path: Path, topology: str, *runbooks: str) -> Loaded:
    """With the real kinds of AWS: what they say of themselves is what lint reads."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "cloudfail.yaml").write_text(topology)
    files = []
    for number, text in enumerate(runbooks):
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text(text)
    return config.load(tmp_path / "cloudfail.yaml", files, {"aws": FakeProvider("aws", like=aws)})


def found(files: Loaded, *rules: str) -> list[tuple[str, str | None, str, str]]:
    return [(one.rule, one.step, one.message, one.instead) for one in lint(files, ACTIONS) if one.rule in rules]


def errors(files: Loaded) -> list[str]:
    return [str(one) for one in lint(files, ACTIONS) if one.severity is Severity.ERROR]


def test_the_kind_says_it_of_itself_and_no_other_does() -> None:
    said = {name for (port, name), kind in aws.kinds().items() if kind.many_writers}
    assert said == {"dynamodb-global"}


@pytest.mark.parametrize(
    ("action", "mode"),
    [
        ("database.fence", "failover"),
        ("database.unfence", "switchover"),
        ("database.failover", "failover"),
        ("database.switchover", "switchover"),
        ("database.follow", "restore"),
    ],
)
def test_a_runbook_that_would_fence_or_move_it_is_refused_with_what_to_write(
    tmp_path: Path, action: str, mode: str
) -> None:
    more = ', member: "${from}", upstream: "${to}"' if action == "database.follow" else ""
    step = f"  move: {{action: {action}, with: {{database: sessions{more}}}, limit: 60s}}\n"
    files = loaded(tmp_path, WITH_SESSIONS, f"name: wrong\nmode: {mode}\nsteps:\n{step}")
    ((_, step_name, message, instead),) = found(files, "many-writers")
    assert step_name == "move"
    assert message.startswith(f"move ({action}): sessions takes writes in every region by design")
    assert instead == "write {action: verify.write, with: {database: sessions}} instead, and let the traffic need it"


def test_where_a_write_proves_it_already_the_step_is_to_be_removed(tmp_path: Path) -> None:
    fence = "  fence: {action: database.fence, with: {database: sessions, unreachable: owe}, limit: 60s}\n"
    files = loaded(tmp_path, WITH_SESSIONS, changed(PROVEN, ("  scale: ", fence + "  scale: ")))
    ((_, _, _, instead),) = found(files, "many-writers")
    assert instead == "remove it, and where others need fence write sessions, which proves that sessions takes writes"


@pytest.mark.parametrize("signal", ["fenced", "replica"])
def test_a_condition_that_it_can_never_fulfil_is_refused(tmp_path: Path, signal: str) -> None:
    waits = f'pre: [{{{signal}: sessions, in: "${{to}}"}}], limit: 30s}}'
    broken = changed(PROVEN, ("with: {database: sessions}, needs: [freeze], limit: 30s}",
                              "with: {database: sessions}, needs: [freeze], " + waits))  # fmt: skip
    ((_, _, message, instead),) = found(loaded(tmp_path, WITH_SESSIONS, broken), "many-writers")
    assert f"waits until sessions is {signal}, which it never is" in message
    assert instead == 'write {writable: sessions, in: "${to}"}, or remove the condition'


def test_traffic_before_a_write_was_seen_is_told(tmp_path: Path) -> None:
    early = changed(PROVEN, ("needs: [sessions, scale]", "needs: [scale]"), ("[users]", "[users, sessions]"))
    ((_, step, message, instead),) = found(loaded(tmp_path, ALONE, early), "write-before-traffic")
    assert (step, instead) == ("traffic", "write needs: [scale, sessions]")
    assert "before a write to sessions was seen to succeed there" in message
    never = "\n".join(line for line in early.splitlines() if "verify.write" not in line).replace(", sessions]", "]")
    ((_, _, _, instead),) = found(loaded(tmp_path, ALONE, never), "write-before-traffic")
    assert instead == "write a step {action: verify.write, with: {database: sessions}} before it"


def test_no_order_pair_asks_for_a_fence_or_a_gate_for_it(tmp_path: Path) -> None:
    files = loaded(tmp_path, ALONE, PROVEN)
    assert errors(files) == []
    assert found(files, "many-writers", "write-before-traffic") == []
    lines = "\n".join(explained(files, EAST, WEST, ACTIONS))
    assert "sessions  data plane of us-west-2, not of us-east-1" in lines


def test_beside_a_database_with_one_writer_that_one_is_still_fenced(tmp_path: Path) -> None:
    step = "  sessions: {action: verify.write, with: {database: sessions}, needs: [freeze], limit: 30s}\n"
    both = changed(EVACUATE, ("  traffic:", step + "  traffic:"), ("[write, scale]", "[write, scale, sessions]"))
    assert errors(loaded(tmp_path, WITH_SESSIONS, both)) == []
    unfenced = changed(both, ("needs: [fence]", "needs: [freeze]"), ("[users]", "[users, fence]"))
    assert "fence-before-promote" in "".join(errors(loaded(tmp_path / "b", WITH_SESSIONS, unfenced)))


# ---- a run


class ManyStage(Stage):
    """On a FakeCloud whose `sessions` take writes everywhere."""

    def __post_init__(self) -> None:
        self.cloud = FakeCloud(self.loaded.topology, self.clock, synchronous=False, many_writers=["sessions"])


def test_an_evacuation_ends_without_fence_or_promotion_and_the_primary_is_where_the_users_are(tmp_path: Path) -> None:
    stage = ManyStage(loaded(tmp_path, ALONE, PROVEN, BACK))
    stage.cloud.kill(EAST)
    run = stage.open("evacuate", EAST, WEST)
    log = stage.drive()
    assert stage.run(run).phase is Phase.DONE, stage.run(run).story
    assert log.primary == WEST, "a run home must be able to begin there"
    assert {one.verb for one in stage.cloud.effects} & {"fence", "failover", "switchover"} == set()
    assert ("canary", WEST) in {(one.verb, one.region) for one in stage.cloud.effects}
    stage.cloud.give_back(EAST)
    assert stage.cloud.writable_regions("sessions") == {EAST, WEST}
    back = stage.open("back", WEST, EAST)
    log = stage.drive()
    assert stage.run(back).phase is Phase.DONE, stage.run(back).story
    assert log.primary == EAST


def test_users_who_are_taken_back_take_the_primary_back(tmp_path: Path) -> None:
    stage = ManyStage(loaded(tmp_path, ALONE, PROVEN))
    run = stage.open("evacuate", EAST, WEST)

    def shifted(verb: str) -> None:
        if verb == "shift":
            stage.cloud.unhealthy.add(WEST)  # users are not served there, so that the run stays before its end

    stage.cloud.after_effect = shifted
    for _ in range(30):
        if stage.drive(seconds=10.0).primary:
            break
    assert stage.engine("reader").read().primary == WEST
    stage.command(run, "abort")
    log = stage.drive()
    assert stage.run(run).phase is Phase.UNDONE, stage.run(run).story
    assert log.primary == EAST


def test_a_lying_canary_sends_no_users(tmp_path: Path) -> None:
    stage = ManyStage(loaded(tmp_path, ALONE, PROVEN))
    stage.cloud.lie("canary", 100)
    run = stage.open("evacuate", EAST, WEST)
    stage.drive(seconds=3600)
    assert stage.run(run).phase is not Phase.DONE
    assert "shift" not in {one.verb for one in stage.cloud.effects}


def test_two_writers_of_it_are_no_second_primary(tmp_path: Path) -> None:
    """Invariant I1 exempts it; of a database with one writer the same cloud counts every second."""
    stage = ManyStage(loaded(tmp_path, WITH_SESSIONS, EVACUATE))
    assert stage.cloud.writable_regions("sessions") == {EAST, WEST}
    assert stage.cloud.most_writers_at_once() == 1


@pytest.mark.parametrize(
    ("lag_seconds", "in_sync", "holds"),
    [(0.4, False, True), (3.0, False, False), (None, False, False), (None, True, True)],
)
def test_it_is_in_sync_where_it_lacks_less_than_a_second_of_the_others(
    lag_seconds: float | None, in_sync: bool, holds: bool
) -> None:
    """So that a switchover can wait for it before users come: `pre: [{in_sync: sessions, in: "${to}"}]`."""
    state = DatabaseState(Role.PRIMARY, True, 0, lag_seconds=lag_seconds, in_sync=in_sync)
    assert _in_sync(FakeWorld, Known(state, 0.0)) == Known(holds, 0.0)  # type: ignore[arg-type]  # nobody else is asked


# ---- what is said before


class _Ports(FakeWorld):
    def databases(self) -> Any:
        return {}

    def computes(self) -> Any:
        return {}

    def warm(self) -> None: ...


def test_a_review_says_what_the_other_region_lacks(tmp_path: Path) -> None:
    files = loaded(tmp_path, ALONE, changed(PROVEN, ('like: "recorded ${from}"', "count: 4")))
    clock = VirtualClock()
    cloud = FakeCloud(files.topology, clock, synchronous=False, many_writers=["sessions"])
    world = _Ports(cloud)
    beat = world.database("sessions").beat(EAST)
    assert isinstance(beat, Known)
    clock.sleep(5)
    app = App(files, MemoryStore(), by="alice", clock=clock)
    app.world = world
    app.heartbeat = lambda database, region: Known(beat.value + 2.0, clock.wall())
    (said,) = app._behind(app.bind(EAST, WEST))
    assert said.startswith("sessions has many writers by design, and nothing of it is promoted.")
    assert said.endswith("What us-west-2 lacks of us-east-1's: 2.0 s of writes (heartbeats).")


# ---- beside


def test_the_simulation_leaves_it_out_and_says_so(tmp_path: Path) -> None:
    step = "  sessions: {action: verify.write, with: {database: sessions}, needs: [freeze], limit: 30s}\n"
    both = changed(EVACUATE, ("  traffic:", step + "  traffic:"), ("[write, scale]", "[write, scale, sessions]"))
    loaded(tmp_path, WITH_SESSIONS, both)
    made = own(tmp_path / "cloudfail.yaml", [tmp_path / "0.yaml"], runbook="evacuate")
    assert "sessions" not in made.topology.resources
    assert "sessions takes writes in every region by design: it is left out, with sessions." in made.assumed
    traffic = next(one for one in made.plan.steps if one.name == "traffic")
    assert traffic.needs == ("write", "scale", "freeze")


def test_its_archive_carries_no_driver(tmp_path: Path) -> None:
    loaded(tmp_path, ALONE, PROVEN)
    needs = chosen.needs_of(tmp_path / "cloudfail.yaml", [tmp_path / "0.yaml"], target_of("aws"))
    assert needs.extras == ("aws",)


@pytest.mark.parametrize(
    ("kind", "extras"),
    [
        ("{database: elasticache-global, id: x, members: {us-east-1: a, us-west-2: b}}", ("aws", "redis")),
        ("{database: rds-replica, members: {us-east-1: a, us-west-2: b}}", ("aws", "postgres")),
    ],
)
def test_an_archive_carries_the_driver_of_its_databases(tmp_path: Path, kind: str, extras: tuple[str, ...]) -> None:
    old = "{database: dynamodb-global, members: {us-east-1: sessions, us-west-2: sessions}}"
    loaded(tmp_path, changed(ALONE, (old, kind)), PROVEN)
    needs = chosen.needs_of(tmp_path / "cloudfail.yaml", [tmp_path / "0.yaml"], target_of("aws"))
    assert needs.extras == extras
