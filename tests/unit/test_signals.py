"""What a provider says of itself is one voice: never a quorum, never against who sees a region serve; and what is
missing, stale or unreadable is never healthy and never dead (safety rule 11)."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail import config
from cloudfail.app import App
from cloudfail.decide import DecisionKind, History, decide
from cloudfail.detect import PROVIDER, Detection, observe, said_by_the_provider, verdicts
from cloudfail.errors import ConfigError
from cloudfail.execution.lifecycle import Phase
from cloudfail.lint import lint
from cloudfail.live import Live
from cloudfail.model.observation import Health, Known, Observation, Unknown, Verdict
from cloudfail.model.signal import SignalState, heard
from cloudfail.model.topology import SIGNAL, Check, Objectives, PortName, Region, Resource, Topology, Vantage
from cloudfail.permissions import needed
from cloudfail.probes.signals import SignalReader, read_once
from cloudfail.probes.targets import targets
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.provider import FakeProvider
from tests.kit import Stage

GOOD, BAD, UNKNOWN = Health.HEALTHY, Health.DOWN, Health.UNKNOWN
QUIET = SignalState(False, 1000.0, 60.0, "5xx-e is OK")
FIRING = SignalState(True, 1000.0, 60.0, "5xx-e is in ALARM")

Seen = dict[str, list[Health]]


def topology(vantages: dict[str, str | None] | None = None, signals: int = 1, probed: bool = True) -> Topology:
    seen_from = {"a": None, "b": None, "c": None} if vantages is None else vantages
    checks = {"web": Check("web", "tcp", "h:1", every_seconds=10, timeout_seconds=5)} if probed else {}
    for number in range(signals):
        checks[f"errors{number}"] = Check(f"errors{number}", SIGNAL, "errors", every_seconds=10, fall=1, rise=1)
    return Topology(
        "shop",
        Objectives(600, 30),
        {name: Region(name, "aws") for name in ("east", "west")},
        "east",
        "",
        {"errors": Resource("errors", PortName.SIGNALS, "alarm", "aws", None, {})},
        checks,
        {name: Vantage(name, region=region) for name, region in seen_from.items()},
    )


def judged(where: Topology, now: float = 20.0, signal: Any = None, **answers: list[Health]) -> Verdict:
    """East, by what each vantage saw at 0, 10, 20 (its last answers), and what each signal was read to say at 15. West
    is seen healthy by all, and its signals are quiet."""
    state = Detection(where.checks)
    for vantage in where.vantages:
        for at in (0.0, 10.0, 20.0):
            state = observe(state, Observation(vantage, "west", "web", GOOD, at))
        for at, health in zip((0.0, 10.0, 20.0), answers.get(vantage, []), strict=False):
            state = observe(state, Observation(vantage, "east", "web", health, at, detail="what it saw"))
    for check in where.signalled.values():
        state = observe(state, said_by_the_provider(check, "west", Known(QUIET, 1010.0), 15.0))
        if signal is not None:
            state = observe(state, said_by_the_provider(check, "east", signal, 15.0))
    return verdicts(state, where, now)["east"]


ALL_GOOD = {"a": [GOOD] * 3, "b": [GOOD] * 3, "c": [GOOD] * 3}
CANNOT_LOOK = [UNKNOWN] * 3


# ---- what one reading says


def test_a_reading_counts_as_long_as_its_data_is_fresh_and_not_as_long_as_somebody_answers() -> None:
    assert heard(Known(QUIET, 1060.0)) == Known(QUIET, 1060.0)
    stale = heard(Known(QUIET, 1061.0))
    assert isinstance(stale, Unknown)
    assert "5xx-e is OK, of data that is 61 s old" in stale.reason
    assert isinstance(heard(Known(FIRING, 1061.0)), Unknown), "a stale alarm is no evidence of a loss either"


def test_data_from_the_future_says_nothing() -> None:
    assert isinstance(heard(Known(QUIET, 940.0)), Known)
    assert isinstance(heard(Known(QUIET, 939.0)), Unknown)


# ---- healthy


def test_a_region_is_healthy_when_the_vantages_and_the_signal_say_so() -> None:
    verdict = judged(topology(), signal=Known(QUIET, 1010.0), **ALL_GOOD)
    assert verdict.health is GOOD
    assert (verdict.since, verdict.at) == (15.0, 15.0), "the signal is part of the evidence, and was heard last"
    assert "errors0: errors is quiet (5xx-e is OK)" in verdict.reasons


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (None, "nobody has read errors yet"),
        (Unknown("INSUFFICIENT_DATA"), "errors is unknown (INSUFFICIENT_DATA)"),
        (Known(QUIET, 2000.0), "of data that is 1000 s old"),
        (Known(FIRING, 1010.0), "errors fires (5xx-e is in ALARM)"),
    ],
    ids=["never read", "unknown", "stale", "firing"],
)
def test_a_region_whose_signal_is_missing_unknown_stale_or_firing_is_neither_healthy_nor_dead(
    signal: Any, reason: str
) -> None:
    verdict = judged(topology(), signal=signal, **ALL_GOOD)
    assert verdict.health is UNKNOWN
    assert any(reason in said for said in verdict.reasons), verdict.reasons


def test_a_signal_that_nobody_reads_any_more_says_nothing() -> None:
    where = topology()
    assert judged(where, now=44.0, signal=Known(QUIET, 1010.0), **ALL_GOOD).health is GOOD
    state = judged(where, now=46.0, signal=Known(QUIET, 1010.0), **ALL_GOOD)
    assert state.health is UNKNOWN


# ---- down


def test_an_alarm_alone_is_no_loss_however_many_of_them_fire() -> None:
    nobody_looks = {"a": CANNOT_LOOK, "b": CANNOT_LOOK, "c": CANNOT_LOOK}
    for where in (topology(), topology(signals=5), topology(signals=5, vantages={"a": None})):
        assert judged(where, signal=Known(FIRING, 1010.0), **nobody_looks).health is UNKNOWN
        assert judged(where, signal=Known(FIRING, 1010.0)).health is UNKNOWN


def test_without_a_check_of_a_vantage_nothing_is_healthy_or_down() -> None:
    where = topology(probed=False)
    for said in (QUIET, FIRING):
        verdict = judged(where, signal=Known(said, 1010.0))
        assert verdict.health is UNKNOWN
        assert "never enough" in verdict.reasons[0]


def test_an_alarm_stands_in_for_a_vantage_that_says_nothing_beside_one_that_says_down() -> None:
    seen: Seen = {"a": [BAD] * 3, "b": CANNOT_LOOK, "c": CANNOT_LOOK}
    assert judged(topology(), signal=Known(QUIET, 1010.0), **seen).health is UNKNOWN
    verdict = judged(topology(), signal=Known(FIRING, 1010.0), **seen)
    assert verdict.health is BAD
    assert verdict.since == 20.0, "since the last of what it takes was so"
    assert "the provider says so too" in verdict.reasons[0]
    assert "errors0: errors fires (5xx-e is in ALARM)" in verdict.reasons


def test_several_alarms_are_one_voice() -> None:
    """Of five, three must agree: one vantage and five alarms are two."""
    where = topology(vantages=dict.fromkeys("abcde"), signals=5)
    seen: Seen = {"a": [BAD] * 3}
    assert judged(where, signal=Known(FIRING, 1010.0), **seen).health is UNKNOWN
    assert judged(where, signal=Known(FIRING, 1010.0), a=[BAD] * 3, b=[BAD] * 3).health is BAD


@pytest.mark.parametrize(
    "other",
    [[GOOD] * 3, [GOOD, GOOD, BAD], [BAD, BAD, GOOD], [UNKNOWN, UNKNOWN, GOOD]],
    ids=["healthy", "healthy, one bad answer", "coming back", "one good answer"],
)
def test_an_alarm_never_outvotes_a_vantage_that_sees_the_region_serve(other: list[Health]) -> None:
    seen: Seen = {"a": [BAD] * 3, "b": other, "c": CANNOT_LOOK}
    assert judged(topology(), signal=Known(FIRING, 1010.0), **seen).health is UNKNOWN


def test_an_alarm_and_a_vantage_in_the_judged_region_are_no_witness_from_outside() -> None:
    where = topology(vantages={"a": "east", "b": None, "c": None})
    seen: Seen = {"a": [BAD] * 3, "b": CANNOT_LOOK, "c": CANNOT_LOOK}
    assert judged(where, signal=Known(FIRING, 1010.0), **seen).health is UNKNOWN


def test_a_stale_or_unreadable_alarm_stands_in_for_nobody() -> None:
    seen: Seen = {"a": [BAD] * 3, "b": CANNOT_LOOK, "c": CANNOT_LOOK}
    for signal in (None, Unknown("AccessDenied"), Known(FIRING, 2000.0)):
        assert judged(topology(), signal=signal, **seen).health is UNKNOWN


def test_a_quorum_of_vantages_needs_no_alarm_and_no_quiet_one_stops_it() -> None:
    seen: Seen = {"a": [BAD] * 3, "b": [BAD] * 3, "c": CANNOT_LOOK}
    for signal in (None, Known(QUIET, 1010.0), Known(FIRING, 1010.0)):
        verdict = judged(topology(), signal=signal, **seen)
        assert (verdict.health, verdict.since) == (BAD, 20.0)


def test_a_loss_with_an_alarm_begins_when_the_others_fell_silent() -> None:
    """A vantage that saw the region serve until 40 was against it until then: a hold-down counted from before would be
    short."""
    where = topology(vantages={"a": None, "b": None})
    state = Detection(where.checks)
    for at in (0.0, 10.0, 20.0, 30.0, 40.0, 50.0):
        for vantage, health in (("a", BAD), ("b", GOOD if at < 40 else UNKNOWN)):
            state = observe(state, Observation(vantage, "east", "web", health, at))
            state = observe(state, Observation(vantage, "west", "web", GOOD, at))
        alarm = said_by_the_provider(where.checks["errors0"], "east", Known(FIRING, 1010.0), at)
        state = observe(state, alarm)
    verdict = verdicts(state, where, 50.0)["east"]
    assert (verdict.health, verdict.since) == (BAD, 40.0)


HEALTHS = st.sampled_from([GOOD, BAD, UNKNOWN])
ANSWERS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["east", "west"]), HEALTHS), max_size=40)
READINGS = st.lists(
    st.tuples(
        st.sampled_from(["errors0", "errors1"]),
        st.sampled_from(["east", "west"]),
        st.sampled_from([Known(QUIET, 1010.0), Known(FIRING, 1010.0), Known(FIRING, 5000.0), Unknown("no answer")]),
    ),
    max_size=12,
)


@settings(max_examples=400, deadline=None)
@given(
    answers=ANSWERS,
    readings=READINGS,
    stands=st.sampled_from(["", "east"]),
    needs=st.sampled_from([0, 1, 2, 3]),
    later=st.floats(0.0, 60.0),
)
def test_whatever_signals_say_they_make_nothing_healthy_and_nothing_down_without_a_witness(
    answers: list[tuple[str, str, Health]],
    readings: list[tuple[str, str, Any]],
    stands: str,
    needs: int,
    later: float,
) -> None:
    """Beside the same observations without any: they can take a healthy verdict away, and add one voice."""
    where = topology(vantages={"a": stands or None, "b": None, "c": None}, signals=2)
    checks = {
        name: replace(check, vantages_needed=needs if check.kind != SIGNAL else 0, fall=1, rise=1)
        for name, check in where.checks.items()
    }
    where = replace(where, checks=checks)
    alone = replace(where, checks=where.probed)
    state, bare, now = Detection(where.checks), Detection(alone.checks), 0.0
    for vantage, region, health in answers:
        now += 1.0
        seen = Observation(vantage, region, "web", health, now)
        state, bare = observe(state, seen), observe(bare, seen)
    for check, region, reading in readings:
        now += 1.0
        state = observe(state, said_by_the_provider(where.checks[check], region, reading, now))
    now += later
    with_signals, without = verdicts(state, where, now), verdicts(bare, alone, now)
    for region in ("east", "west"):
        mine, theirs = with_signals[region], without[region]
        assert mine.since <= now
        if mine.health is GOOD:
            assert theirs.health is GOOD
        if theirs.health is BAD:
            assert (mine.health, mine.since) == (BAD, pytest.approx(theirs.since))
        elif mine.health is BAD:
            voices = {
                vantage: count.voice(where.checks["web"], now)
                for (place, check, vantage), count in state.counts.items()
                if (place, check) == (region, "web")
            }
            assert any(
                voice is BAD and where.vantages[vantage].region != region for vantage, voice in voices.items()
            ), "somebody outside says so"
            assert GOOD not in voices.values(), "nobody sees it serve"
            fires = [
                count.voice(where.checks[check], now) is BAD
                for (place, check, who), count in state.counts.items()
                if place == region and who == PROVIDER
            ]
            assert any(fires), "and the provider says so too"


# ---- what is decided


def history(now: float) -> History:
    return History(primary="east", observer_since=now - 10_000)


def test_an_alarm_over_a_region_that_serves_warns_and_names_the_alarm() -> None:
    where = topology()
    east = judged(where, signal=Known(FIRING, 1010.0), **ALL_GOOD)
    west = Verdict("west", GOOD, 0.0, 20.0)
    decision = decide(where, {"east": east, "west": west}, history(20.0), 20.0)
    assert decision.kind is DecisionKind.WARN
    assert any("5xx-e is in ALARM" in reason for reason in decision.reasons)


def test_a_standby_whose_alarm_fires_is_no_target_and_the_refusal_names_the_alarm() -> None:
    where = replace(topology(), policy=replace(topology().policy, hold_down_seconds=0))
    down = Verdict("east", BAD, 0.0, 20.0)
    fires = ("errors0: errors fires (5xx-w is in ALARM)",)
    other = Verdict("north", GOOD, 0.0, 20.0)
    where = replace(where, regions={**where.regions, "north": Region("north", "aws")})
    west = Verdict("west", UNKNOWN, 0.0, 20.0, fires)
    decision = decide(where, {"east": down, "west": west, "north": replace(other, at=-100.0)}, history(20.0), 20.0)
    assert decision.kind is DecisionKind.REFUSE
    assert "5xx-w is in ALARM" in decision.reasons[-1]


# ---- traffic


def test_no_traffic_is_moved_to_a_region_whose_alarm_fires() -> None:
    where, clock = topology(), VirtualClock()
    live = Live(where, clock)
    now = clock.boot()
    for vantage in where.vantages:
        for _ in range(3):
            live.deliver(Observation(vantage, "east", "web", GOOD, now))
    live.deliver(said_by_the_provider(where.checks["errors0"], "east", Known(FIRING, 1010.0), now))
    read = live.healthy("web", "east")
    assert isinstance(read, Unknown)
    assert "5xx-e is in ALARM" in read.reason
    live.deliver(said_by_the_provider(where.checks["errors0"], "east", Known(QUIET, 1010.0), now))
    assert live.healthy("web", "east") == Known(True, clock.wall())


# ---- reading them


class Scripted:
    """Says what the test tells it to, or raises it."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {}
        self.asked = threading.Event()

    def read(self, region: str) -> Known[SignalState] | Unknown:
        self.asked.set()
        said = self.says.get(region, Known(QUIET, 1010.0))
        if isinstance(said, Exception):
            raise said
        if isinstance(said, threading.Event):
            said.wait(60)
            return Unknown("it took too long")
        read: Known[SignalState] | Unknown = said
        return read


def test_each_signal_of_each_region_is_read_and_whatever_it_raises_is_unknown() -> None:
    signals = Scripted()
    signals.says["west"] = RuntimeError("a provider's mistake")
    seen = {one.region: one for one in read_once(topology(), lambda _name: signals)}
    assert (seen["east"].vantage, seen["east"].health) == (PROVIDER, GOOD)
    assert seen["west"].health is UNKNOWN
    assert "a provider's mistake" in seen["west"].detail


def test_what_a_provider_says_reaches_people_without_control_characters_and_secrets() -> None:
    signals = Scripted()
    signals.says["east"] = Known(replace(FIRING, detail="in ALARM\x1b[2J: password=hunter2hunter2"), 1010.0)
    seen = {one.region: one for one in read_once(topology(), lambda _name: signals)}
    assert seen["east"].health is BAD
    assert "\x1b" not in seen["east"].detail
    assert "hunter2" not in seen["east"].detail


def test_an_adapter_that_cannot_be_built_is_unknown() -> None:
    def of(_name: str) -> Any:
        raise RuntimeError("no such thing")

    assert {one.health for one in read_once(topology(), of)} == {UNKNOWN}


def test_a_signal_that_hangs_holds_up_neither_the_others_nor_the_end() -> None:
    signals, hangs = Scripted(), threading.Event()
    signals.says["west"] = hangs
    seen: list[Observation] = []
    there = threading.Event()

    def deliver(observation: Observation) -> None:
        seen.append(observation)
        there.set()

    with SignalReader(topology(), lambda _name: signals, deliver):
        assert there.wait(30)
    assert {one.region for one in seen} == {"east"}
    (only,) = read_once(topology(), lambda _name: signals, deadline_seconds=0.5)
    assert only.region == "east"
    hangs.set()


def test_no_vantage_is_asked_for_a_signal() -> None:
    where = replace(topology(), regions={name: Region(name, "local") for name in ("east", "west")})
    assert {target.check for target in targets(where)} == {"web"}


# ---- in the files

FILE = """
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  east: {provider: aws}
  west: {provider: aws}
primary: east
state: "memory:"
resources:
  deploys: {change: pipeline, members: {east: e, west: w}}
  errors:  {signals: alarm, members: {east: 5xx-e, west: 5xx-w}}
checks:
  web:  {tcp: "h:1"}
  errs: {signal: errors}
"""
RUNBOOK = """
name: hold
mode: restore
steps:
  freeze:
    action: change.freeze
    with: {where: "${to}"}
    pre: [{quiet: errors, in: "${to}"}]
    limit: 20s
"""


def load(folder: Path, file: str = FILE, runbook: str = RUNBOOK) -> config.Loaded:
    (folder / "cloudfail.yaml").write_text(file, encoding="utf-8")
    (folder / "hold.yaml").write_text(runbook, encoding="utf-8")
    return config.load(folder / "cloudfail.yaml", [folder / "hold.yaml"], {"aws": FakeProvider("aws")})


def test_an_alarm_has_counted_before_it_fires_and_is_not_counted_again_unless_the_file_says_so(tmp_path: Path) -> None:
    check = load(tmp_path).topology.checks["errs"]
    assert (check.kind, check.target, check.fall, check.rise) == (SIGNAL, "errors", 1, 1)
    again = load(tmp_path, FILE.replace("{signal: errors}", "{signal: errors, fall: 2, rise: 4}")).topology.checks
    assert (again["errs"].fall, again["errs"].rise) == (2, 4)


@pytest.mark.parametrize(
    ("old", "new", "problem", "instead"),
    [
        ("signal: errors", "signal: erors", 'no signals resource "erors"', "did you mean errors?"),
        ("signal: errors", "signal: deploys", 'no signals resource "deploys"', "errors"),
        ("{east: 5xx-e, west: 5xx-w}", "{east: 5xx-e}", "says nothing of west", "members: {west: …}"),
        ("signal: errors", "signal: errors, vantages: 2 of 3", "the word of one", "remove vantages"),
        ("signal: errors", "signal: errors, timeout: 3s", "its provider's own time", "remove timeout"),
        ("signal: errors", 'signal: errors, tcp: "h:1"', "at once", "signal: NAME"),
    ],
)
def test_a_signal_that_cannot_be_meant_is_a_mistake(
    tmp_path: Path, old: str, new: str, problem: str, instead: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, FILE.replace(old, new))
    assert problem in str(caught.value)
    assert instead in str(caught.value)


def test_a_condition_that_names_no_signal_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='"deploys" is a change, not a signals'):
        load(tmp_path, FILE, RUNBOOK.replace("quiet: errors", "quiet: deploys"))


def test_lint_refuses_a_signal_without_a_check_that_a_vantage_makes(tmp_path: Path) -> None:
    loaded = load(tmp_path, FILE.replace('  web:  {tcp: "h:1"}\n', ""))
    assert [one.rule for one in lint(loaded) if one.rule == "signals-alone"] == ["signals-alone"]
    assert not [one for one in lint(load(tmp_path)) if one.rule == "signals-alone"]


def test_the_readings_of_a_look_reach_the_verdict(tmp_path: Path) -> None:
    """The application's own look, with a probe that finds nobody and a signal that answers."""
    app = App(load(tmp_path, FILE.replace("h:1", "localhost:1")), MemoryStore(), "alice")
    app.world.signals = lambda _name: Scripted()  # type: ignore[method-assign]
    said = app.look_once().verdicts()["east"]
    assert "errs: errors is quiet (5xx-e is OK)" in said.reasons


# ---- a signal that blocks


def hold(tmp_path: Path, runbook: str = RUNBOOK) -> tuple[Stage, str]:
    stage = Stage(load(tmp_path, runbook=runbook))
    return stage, stage.open("hold", "east", "west")


def test_a_step_that_asks_for_quiet_runs_while_the_signal_is(tmp_path: Path) -> None:
    stage, run = hold(tmp_path)
    stage.drive()
    assert stage.run(run).phase is Phase.DONE
    assert stage.cloud.frozen["deploys", "west"]


@pytest.mark.parametrize("how", ["fires", "is stale", "does not answer"])
def test_a_step_that_asks_for_quiet_does_nothing_while_the_signal_is_not_known_to_be(tmp_path: Path, how: str) -> None:
    stage, run = hold(tmp_path)
    if how == "fires":
        stage.cloud.firing.add(("errors", "west"))
    elif how == "is stale":
        stage.cloud.silent_since["errors", "west"] = stage.clock.wall() - 1000
    else:
        stage.cloud.cut_off("west")
    stage.drive()
    assert not stage.cloud.frozen.get(("deploys", "west"))
    assert stage.run(run).phase is not Phase.DONE


def test_a_step_that_waits_for_quiet_says_which_alarm_it_waits_for(tmp_path: Path) -> None:
    from cloudfail.actions import Moving, StepContext, Todo
    from cloudfail.actions.catalog import ACTIONS
    from cloudfail.actions.conditions import unmet
    from cloudfail.plan import bind
    from cloudfail.testing.fakeworld import FakeWorld

    stage = Stage(load(tmp_path))
    stage.cloud.firing.add(("errors", "west"))
    (step,) = bind(stage.loaded, stage.loaded.runbooks["hold"], "east", "west", {}, ACTIONS).steps
    look = unmet(FakeWorld(stage.cloud), StepContext(step, "r1", "east", "west"), Todo("freeze deploys"))
    assert isinstance(look, Moving)
    assert "waits until quiet errors in west" in look.detail
    assert "errors in west is firing" in look.detail


def app_on(stage: Stage) -> App:
    from cloudfail.testing.fakeworld import FakeWorld

    app = App(stage.loaded, stage.store, "alice")
    app.world = FakeWorld(stage.cloud)  # type: ignore[assignment]  # it has no databases to warm
    app.record = lambda counted=None: None  # type: ignore[method-assign]  # nor workers to count
    return app


@pytest.mark.parametrize(
    ("how", "said"),
    [("fires", "and now errors in west is firing"), ("does not answer", "and that is not known now: errors in west")],
)
def test_who_plans_is_told_what_the_alarm_says_now(tmp_path: Path, how: str, said: str) -> None:
    stage = Stage(load(tmp_path, FILE.replace("h:1", "localhost:1")))
    if how == "fires":
        stage.cloud.firing.add(("errors", "west"))
    else:
        stage.cloud.cut_off("west")
    warned = app_on(stage).review("east", "west", "hold").warnings
    assert any(one.startswith("freeze waits until errors is quiet in west") and said in one for one in warned), warned


def test_who_plans_is_told_nothing_of_an_alarm_that_is_quiet(tmp_path: Path) -> None:
    stage = Stage(load(tmp_path, FILE.replace("h:1", "localhost:1")))
    assert not [one for one in app_on(stage).review("east", "west", "hold").warnings if "quiet" in one]


# ---- while somebody watches


def test_a_watch_hears_the_signals_and_says_which_alarm_keeps_a_region_from_being_healthy(tmp_path: Path) -> None:
    from cloudfail.watcher import Watcher

    signals = Scripted()
    signals.says["east"] = Known(FIRING, 1010.0)
    file = FILE.replace('web:  {tcp: "h:1"}', 'web:  {tcp: "h:1", every: 100ms, timeout: 100ms}')
    app = App(
        load(tmp_path, file.replace("{signal: errors}", "{signal: errors, every: 100ms}")), MemoryStore(), "alice"
    )
    app.world.signals = lambda _name: signals  # type: ignore[method-assign]
    app.world.warm = lambda: None  # type: ignore[method-assign]  # the kinds here are on paper
    watcher = Watcher(app)
    end = app.clock.boot() + 30

    def heard_it() -> bool:
        reasons = watcher.live.verdicts()["east"].reasons
        return "errs: errors fires (5xx-e is in ALARM)" in reasons

    watcher.run(until=end, stop=heard_it)
    assert heard_it()


def test_what_checks_and_conditions_read_is_in_the_permissions_of_every_runbook(tmp_path: Path) -> None:
    loaded = load(tmp_path, runbook=RUNBOOK.replace('    pre: [{quiet: errors, in: "${to}"}]\n', ""))
    assert needed(loaded, "aws", runbook="hold").unsaid == ("deploys", "errors")
