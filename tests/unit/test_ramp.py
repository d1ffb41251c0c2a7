"""traffic.ramp: users go home step by step, as long as they are served there, and back while they are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.actions.ramp import spread
from cloudfail.errors import LeaseLost, Refused
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import Track
from cloudfail.lint import estimate
from cloudfail.model.journal import Kind
from cloudfail.model.states import Role
from cloudfail.model.topology import PortName, Resource
from cloudfail.plan import bind, warnings
from cloudfail.ports import Kind as PortKind
from cloudfail.ports import VerbFacts
from cloudfail.report.situation import state_of
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.provider import FakeProvider
from tests.crash.moves import entries
from tests.kit import ROOT, Stage

HOLD = 10.0
BEGAN = VirtualClock().boot()
TOPOLOGY = """\
application: shop
objectives: {rto: 15m, rpo: 30s}
regions: {east: {provider: local}, west: {provider: local}}
primary: east
state: sqlite:state.db
resources:
  web:  {compute: command, members: {east: web-e, west: web-w}}
  edge: {loadbalancer: haproxy, members: {east: east, west: west}}
"""
DATABASE = "  orders: {database: postgresql, members: {east: orders-e, west: orders-w}}\n"
REST = """\
checks: {shop: {http: "http://${region}.shop.example/", every: 1s, timeout: 500ms, fall: 3, rise: 2, vantages: 2 of 3}}
policy: {automation: off, hold_down: 2m, cool_down: 1h}
"""
RUNBOOK = """\
name: home
mode: switchover
steps:
  edge: {action: traffic.ramp, with: {name: edge, steps: [10, 50, 100], hold: 10s}, limit: 10m}
"""


class Divided(FakeProvider):
    """Whose names and balancers divide as it is told."""

    def __init__(self, divides: str) -> None:
        super().__init__("local")
        self._divides = divides

    def kinds(self) -> Any:
        shift = {"shift": VerbFacts(home=None, typical_seconds=1.0, divides=self._divides)}
        return {
            key: dataclasses.replace(kind, verbs=shift) if "shift" in kind.verbs else kind
            for key, kind in super().kinds().items()
        }


def loaded(root: Path, *, database: bool = False, runbook: str = RUNBOOK, divides: str = "percent") -> config.Loaded:
    (root / "cloudfail.yaml").write_text(TOPOLOGY + (DATABASE if database else "") + REST)
    (root / "home.yaml").write_text(runbook)
    return config.load(root / "cloudfail.yaml", [root / "home.yaml"], {"local": Divided(divides)})


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(loaded(tmp_path))


def path(stage: Stage) -> list[int]:
    """What west was given, in turn."""
    return [effect.value["west"] for effect in stage.cloud.effects if effect.verb == "shift"]


def times(stage: Stage) -> list[float]:
    return [round(effect.at - BEGAN, 3) for effect in stage.cloud.effects if effect.verb == "shift"]


def told(stage: Stage) -> list[str]:
    """What the journal says of the ramp, besides its end."""
    return [e.data["detail"] for e in entries(stage) if e.kind is Kind.SEEN and not e.data["ended"]]


def at(stage: Stage, seconds: float, what: Any) -> None:
    stage.clock.at(seconds, what)


# ---- while all is well


def test_each_step_is_held_before_the_next_one(stage: Stage) -> None:
    run = stage.open("home", "east", "west")
    stage.drive()
    assert stage.run(run).phase is Phase.DONE
    assert path(stage) == [10, 50, 100]
    first, second, third = times(stage)
    assert first < 1.0
    assert HOLD <= second - first <= HOLD + 3.0
    assert HOLD <= third - second <= HOLD + 3.0
    assert told(stage) == [
        "point edge to east 50, west 50: in 10 s, if it stays so",
        "point edge to west 100: in 10 s, if it stays so",
    ]


def test_nothing_moves_before_the_target_is_seen_healthy(stage: Stage) -> None:
    stage.cloud.unhealthy.add("west")
    at(stage, 30.0, lambda: stage.cloud.unhealthy.discard("west"))
    stage.open("home", "east", "west")
    stage.drive()
    assert path(stage) == [10, 50, 100]
    assert times(stage)[0] >= 30.0


def test_a_balancer_that_counts_no_healthy_target_there_is_believed(stage: Stage) -> None:
    stage.cloud.targets_down.add("west")
    at(stage, 30.0, lambda: stage.cloud.targets_down.discard("west"))
    stage.open("home", "east", "west")
    stage.drive()
    assert times(stage)[0] >= 30.0


def test_a_change_that_is_still_being_deployed_is_not_held_yet(stage: Stage) -> None:
    stage.open("home", "east", "west")
    at(stage, 0.5, lambda: stage.cloud.deploying.add("edge"))
    at(stage, 40.0, lambda: stage.cloud.deploying.discard("edge"))
    stage.drive()
    assert path(stage) == [10, 50, 100]
    assert times(stage)[1] >= 40.0 + HOLD


def test_status_says_since_when_a_step_is_held(stage: Stage) -> None:
    run = stage.open("home", "east", "west")
    stage.drive(seconds=15.0)
    word, detail = state_of(stage.run(run), Track("edge", "do"))
    assert word == "holds"
    assert detail.endswith(", and if it stays so: point edge to west 100")


# ---- back-off


def test_a_check_that_fails_takes_the_last_step_back_at_once_and_the_ramp_goes_on_when_it_passes(stage: Stage) -> None:
    run = stage.open("home", "east", "west")
    at(stage, 15.0, lambda: stage.cloud.unhealthy.add("west"))
    at(stage, 18.0, lambda: stage.cloud.unhealthy.discard("west"))
    stage.drive()
    assert path(stage) == [10, 50, 10, 50, 100]
    back, again = times(stage)[2:4]
    assert 15.0 <= back <= 18.0
    assert again >= 18.0 + HOLD
    ordered = [e.data for e in entries(stage) if e.kind is Kind.INTENT]
    assert ordered[2]["effect"] == "take edge back to east 90, west 10, since checks do not pass in west"
    assert ordered[2]["before"] == "east 50, west 50; west gets no traffic while shop does not pass there"
    assert stage.run(run).phase is Phase.DONE


def test_a_condition_that_stands_before_the_step_does_not_hold_up_the_way_back(tmp_path: Path) -> None:
    runbook = RUNBOOK.replace("limit: 10m", 'limit: 10m, pre: [{healthy: shop, in: "${to}"}]')
    stage = Stage(loaded(tmp_path, runbook=runbook))
    stage.open("home", "east", "west")
    at(stage, 15.0, lambda: stage.cloud.unhealthy.add("west"))
    at(stage, 18.0, lambda: stage.cloud.unhealthy.discard("west"))
    stage.drive()
    assert path(stage) == [10, 50, 10, 50, 100]


def test_a_target_that_stays_sick_is_left_step_by_step_down_to_what_it_had_and_then_the_run_waits(stage: Stage) -> None:
    run = stage.open("home", "east", "west")
    at(stage, 15.0, lambda: stage.cloud.unhealthy.add("west"))
    stage.drive()
    assert path(stage) == [10, 50, 10, 0]
    back, further = times(stage)[2:]
    assert further - back >= HOLD, "the step before had its time to recover"
    state = stage.run(run)
    assert state.phase is Phase.HALTED
    assert "west gets no traffic while shop does not pass there" in state.halted_because
    stage.cloud.unhealthy.discard("west")
    stage.command(run, "resume")
    stage.drive()
    assert stage.run(run).phase is Phase.DONE
    assert path(stage)[4:] == [10, 50, 100], "it begins where users are"
    assert times(stage)[4] >= times(stage)[3] + HOLD


def test_one_look_that_fails_or_cannot_be_made_begins_the_hold_anew(stage: Stage) -> None:
    stage.open("home", "east", "west")
    at(stage, 8.0, lambda: stage.cloud.cut.add("west"))
    at(stage, 10.5, lambda: stage.cloud.cut.discard("west"))
    stage.drive()
    assert path(stage) == [10, 50, 100], "what is unknown moves nothing, in neither direction"
    assert times(stage)[1] >= 10.5 + HOLD
    assert "anew: whether shop passes in west: west does not answer" in told(stage)


def test_nobody_is_sent_back_to_where_checks_do_not_pass_either(stage: Stage) -> None:
    stage.open("home", "east", "west")
    at(stage, 15.0, lambda: stage.cloud.unhealthy.update({"west", "east"}))
    at(stage, 40.0, lambda: stage.cloud.unhealthy.clear())
    stage.drive()
    assert path(stage) == [10, 50, 100]
    assert times(stage)[2] >= 40.0 + HOLD


@pytest.mark.parametrize("fenced", [True, False])
def test_nobody_is_sent_back_to_a_region_whose_database_is_fenced(tmp_path: Path, fenced: bool) -> None:
    stage = Stage(loaded(tmp_path, database=True))
    members = stage.cloud.databases["orders"]
    members["west"].role, members["west"].upstream, members["west"].timeline = Role.PRIMARY, None, 2
    members["east"].fenced = True
    if not fenced:
        members["east"].role, members["east"].upstream = Role.REPLICA, "west"
    stage.open("home", "east", "west")
    at(stage, 15.0, lambda: stage.cloud.unhealthy.add("west"))
    at(stage, 18.0, lambda: stage.cloud.unhealthy.discard("west"))
    stage.drive()
    assert path(stage) == ([10, 50, 100] if fenced else [10, 50, 10, 50, 100])


# ---- a source that stops serving


def test_a_source_that_no_longer_serves_is_left_at_once_when_its_check_counts_as_failed(stage: Stage) -> None:
    stage.open("home", "east", "west")
    at(stage, 4.0, lambda: stage.cloud.unhealthy.add("east"))
    stage.drive()
    assert path(stage) == [10, 100]
    assert 4.0 + 3 * 1.0 <= times(stage)[1] < HOLD


def test_a_source_that_fails_for_a_look_is_not_left(stage: Stage) -> None:
    stage.open("home", "east", "west")
    at(stage, 4.0, lambda: stage.cloud.unhealthy.add("east"))
    at(stage, 5.5, lambda: stage.cloud.unhealthy.discard("east"))
    stage.drive()
    assert path(stage) == [10, 50, 100]


# ---- whoever carries on


def test_a_hold_goes_on_over_the_turns_of_a_function(stage: Stage) -> None:
    """Each turn is shorter than the hold, and its worker knows nothing but the journal."""
    run = stage.open("home", "east", "west")
    turns = 0
    while not stage.run(run).phase.final and turns < 30:
        stage.drive(seconds=4.0, worker=f"tick-{turns}")
        turns += 1
    assert path(stage) == [10, 50, 100]
    assert 5 <= turns <= 10


def test_a_break_that_one_turn_saw_is_known_to_the_next(stage: Stage) -> None:
    stage.open("home", "east", "west")
    stage.drive(seconds=6.0, worker="one")
    stage.cloud.cut.add("west")
    stage.drive(seconds=2.0, worker="two")
    stage.cloud.cut.discard("west")
    broken = round(stage.clock.boot() - BEGAN, 3)
    stage.drive(worker="three")
    assert path(stage) == [10, 50, 100]
    assert times(stage)[1] >= broken + HOLD


def silent_after(stage: Stage, seconds: float) -> None:
    """A worker that is killed after so long: it holds the lease, and says no more."""
    engine = stage.engine("dead")

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    stage.clock.at(seconds, kill)
    with pytest.raises(Killed):
        engine.drive()


def test_whoever_takes_over_holds_anew_and_goes_on_from_what_users_are_given(stage: Stage) -> None:
    run = stage.open("home", "east", "west")
    silent_after(stage, 17.0)
    assert path(stage) == [10, 50]
    stage.drive(worker="next")
    assert path(stage) == [10, 50, 100], "no step again, and none left out"
    claimed = next(e.t for e in entries(stage) if e.kind is Kind.CLAIM and e.data["took_over"])
    ordered = [e.t for e in entries(stage) if e.kind is Kind.INTENT][-1]
    assert claimed is not None and ordered is not None
    assert ordered - claimed >= HOLD
    assert stage.run(run).phase is Phase.DONE


def test_weights_that_a_person_set_meanwhile_are_where_it_goes_on(stage: Stage) -> None:
    stage.open("home", "east", "west")
    at(stage, 5.0, lambda: stage.cloud.weights.update(edge={"east": 70, "west": 30}))
    stage.drive()
    assert path(stage) == [10, 50, 100]
    stage.cloud.effects.clear()
    stage.cloud.weights["edge"] = {"east": 40, "west": 60}
    stage.open("home", "east", "west")
    stage.drive()
    assert path(stage) == [100]


@pytest.mark.parametrize("seconds", [-600.0, 600.0])
def test_a_wall_clock_that_jumps_in_a_hold_shortens_nothing(stage: Stage, seconds: float) -> None:
    run = stage.open("home", "east", "west")
    at(stage, 4.0, lambda: stage.clock.jump_wall(seconds))
    with pytest.raises(LeaseLost):
        stage.drive(worker="w1")
    assert path(stage) == [10]
    stage.drive(worker="w1")
    assert stage.run(run).phase is Phase.DONE
    assert path(stage) == [10, 50, 100]
    assert times(stage)[1] - times(stage)[0] >= HOLD


def test_a_pause_in_a_hold_begins_it_anew(stage: Stage) -> None:
    run = stage.open("home", "east", "west")
    at(stage, 8.0, lambda: stage.command(run, "pause"))
    stage.drive()
    assert stage.run(run).phase is Phase.PAUSED
    stage.command(run, "resume")
    resumed = round(stage.clock.boot() - BEGAN, 3)
    stage.drive()
    assert path(stage) == [10, 50, 100]
    assert times(stage)[1] >= resumed + HOLD


# ---- taken back, and watched


def test_an_abort_gives_each_region_what_it_had(stage: Stage) -> None:
    stage.cloud.weights["edge"] = {"east": 95, "west": 5}
    run = stage.open("home", "east", "west")
    stage.drive(seconds=15.0)
    assert stage.cloud.weights["edge"] == {"east": 50, "west": 50}
    stage.command(run, "abort")
    stage.drive()
    assert stage.run(run).phase is Phase.UNDONE
    assert stage.cloud.weights["edge"] == {"east": 95, "west": 5}


def test_after_its_end_a_late_change_is_put_back_whole_and_a_sick_target_moves_nobody(stage: Stage) -> None:
    run = stage.open("home", "east", "west")
    stage.drive()
    stage.clock.suspend(60)
    stage.cloud.weights["edge"] = {"east": 50, "west": 50}
    stage.engine("tick").watch_over(run)
    assert stage.cloud.weights["edge"] == {"east": 0, "west": 100}
    stage.cloud.unhealthy.add("west")
    stage.clock.suspend(60)
    stage.engine("tick").watch_over(run)
    assert stage.cloud.weights["edge"] == {"east": 0, "west": 100}


# ---- shares


@pytest.mark.parametrize(
    ("first", "percent", "wanted"),
    [
        ({"a": 100, "b": 0}, 1, {"a": 99, "b": 1}),
        ({"a": 30, "b": 0, "c": 10}, 50, {"a": 38, "b": 50, "c": 12}),
        ({"a": 1, "b": 0, "c": 1, "d": 1}, 1, {"a": 33, "b": 1, "c": 33, "d": 33}),
        ({"a": 256, "b": 0}, 100, {"a": 0, "b": 100}),
        ({"a": 90, "b": 10, "c": 0}, 50, {"a": 50, "b": 50, "c": 0}),
        ({"a": 0, "b": 0}, 10, {"a": 0, "b": 100}),
    ],
)
def test_what_is_left_is_spread_as_it_was(first: dict[str, int], percent: int, wanted: dict[str, int]) -> None:
    assert spread(first, "b", percent) == wanted
    assert sum(wanted.values()) == 100


@pytest.mark.parametrize(("divides", "steps"), [("percent", [10, 50, 100]), ("evenly", [50, 100]), ("not", [100])])
def test_a_name_that_cannot_carry_its_shares_takes_the_steps_that_it_can_if_the_file_says_so(
    tmp_path: Path, divides: str, steps: list[int]
) -> None:
    runbook = RUNBOOK.replace("hold: 10s", "hold: 10s, otherwise: fewer_steps")
    stage = Stage(loaded(tmp_path, runbook=runbook, divides=divides))
    plan = bind(stage.loaded, stage.loaded.runbooks["home"], "east", "west", {}, ACTIONS)
    assert plan.step("edge").arguments["steps"] == steps
    assert warnings(plan, {}) == (
        ["edge: edge moves all of its users at once, so this is no ramp."] if steps == [100] else []
    )
    stage.open("home", "east", "west")
    stage.drive()
    assert path(stage) == steps


def test_else_the_plan_is_refused(tmp_path: Path) -> None:
    made = loaded(tmp_path, divides="not")
    with pytest.raises(Refused) as refused:
        bind(made, made.runbooks["home"], "east", "west", {}, ACTIONS)
    assert refused.value.happened == (
        "edge: edge moves all of its users at once, and cannot be given 10, 50 and 100 % of the traffic."
    )
    assert refused.value.to_do.startswith("Write steps: [100], or otherwise: fewer_steps")


def test_every_kind_that_moves_traffic_says_how_it_divides() -> None:
    """So that a new one is thought about; `not` is a thought too."""
    import cloudfail_aws
    import cloudfail_gcp
    import cloudfail_local

    said: dict[str, str] = {}
    for provider in (cloudfail_aws.provider, cloudfail_gcp.provider, cloudfail_local.provider):
        kinds: dict[Any, PortKind] = dict(provider.kinds())
        said |= {name: kind.verbs["shift"].divides for (_, name), kind in kinds.items() if "shift" in kind.verbs}
    assert said == {
        "route53": "not",
        "route53-zone": "not",
        "s3-switch": "not",
        "routing-control": "not",
        "alb": "percent",
        "global-accelerator": "percent",
        "cloudfront": "not",
        "s3-mrap": "not",
        "zonal-shift": "evenly",
        "cloud-dns": "not",
        "backend-service": "not",
        "url-map": "not",
        "forwarding-rule": "not",
        "haproxy": "percent",
        "rfc2136": "evenly",
    }


@pytest.mark.parametrize(
    ("kind", "options", "divides"),
    [
        ("route53", {}, "not"),
        ("route53", {"routing": "weighted"}, "percent"),
        ("route53", {"routing": "multivalue"}, "evenly"),
        ("route53", {"routing": "latency"}, "not"),
        ("route53", {"routing": "failover"}, "not"),
        ("route53", {"switch": {"object": "s3://b/east-out"}}, "not"),
        ("route53", {"routing": "weighted", "switch": {"objects": {}}}, "evenly"),
        ("route53", {"routing": "latency", "switch": {"objects": {}}}, "not"),
        ("s3-switch", {"routing": "weighted"}, "evenly"),
        ("s3-switch", {"routing": "failover"}, "not"),
    ],
)
def test_a_name_on_aws_divides_as_its_records_are_routed(kind: str, options: dict[str, Any], divides: str) -> None:
    import cloudfail_aws

    one = cloudfail_aws.provider.kinds()[PortName.DNS, kind]
    assert one.facts("shift", Resource("www", PortName.DNS, kind, "aws", None, {}, options)).divides == divides


@pytest.mark.parametrize(
    ("options", "divides"),
    [
        ({}, "evenly"),
        ({"type": "CNAME"}, "not"),
        ({"routing": "wrr"}, "percent"),
        ({"routing": "wrr", "type": "CNAME"}, "percent"),
        ({"routing": "primary-backup"}, "percent"),
        ({"routing": "geo"}, "not"),
    ],
)
def test_a_name_on_google_divides_as_its_record_set_is_routed(options: dict[str, Any], divides: str) -> None:
    import cloudfail_gcp

    one = cloudfail_gcp.provider.kinds()[PortName.DNS, "cloud-dns"]
    www = Resource(
        "www", PortName.DNS, "cloud-dns", "gcp", None, {}, {"zone": "z", "name": "www.shop.example", **options}
    )
    assert one.facts("shift", www).divides == divides


def test_the_estimate_holds_all_of_its_holds(tmp_path: Path) -> None:
    def expected(divides: str) -> float:
        fewer = RUNBOOK.replace("hold: 10s", "hold: 1m, otherwise: fewer_steps")
        return estimate(loaded(tmp_path, runbook=fewer, divides=divides), "home").path_expected

    assert [expected(divides) for divides in ("percent", "evenly", "not")] == [123.0, 62.0, 1.0]


def test_the_shipped_failback_ramps(tmp_path: Path) -> None:
    written = config.load(
        ROOT / "tests/fixtures/config/cloudfail.yaml", [ROOT / "runbooks/failback.yaml"], {"aws": FakeProvider("aws")}
    )
    step = written.runbooks["failback"].steps["traffic"]
    assert step.action == "traffic.ramp"
    assert step.arguments["steps"] == [1, 10, 50, 100]
    assert step.arguments["hold"] == 60.0
