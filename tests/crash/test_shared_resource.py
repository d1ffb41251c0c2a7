"""A list that two applications write at the same time: no change is lost, whoever dies or stands still."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, Track, fold
from cloudfail.journal import Journal
from cloudfail.model.journal import Kind
from cloudfail.ports import Call
from cloudfail.report.situation import state_of
from cloudfail.resource_log import Held, Last, ResourceLogs, Writer
from cloudfail.stores.sqlite import SQLiteStore
from cloudfail.testing.simulation.machine import WALL_AT_START
from tests.crash.sharing import APPLICATIONS, CALL_SECONDS, LISTENER, WANTED, Play

FULL = bool(os.environ.get("CLOUDFAIL_FULL"))
DRIVES = 10_000 if FULL else 300
CONTROLS = 300
STALE_SECONDS = 3.0


def played(seed: int, **how: object) -> Play:
    play = Play(seed, **how)  # type: ignore[arg-type]
    play.both()
    play.run(120.0)
    return play


@pytest.mark.timeout(3600 if FULL else 240)
def test_no_change_is_lost_where_two_applications_write_one_list() -> None:
    for seed in range(DRIVES):
        play = played(seed)
        play.ends_right()
        play.one_at_a_time()


@pytest.mark.timeout(240)
def test_without_the_log_changes_are_lost_so_the_test_above_can_fail() -> None:
    plays = [played(seed, shared=False) for seed in range(CONTROLS)]
    assert sum(bool(play.shared.lost) for play in plays) > CONTROLS / 10
    ended = [play for play in plays if all(play.end(name).phase.final for name in APPLICATIONS)]
    assert any(play.shared.weights(name) != WANTED for play in ended for name in APPLICATIONS)


@pytest.mark.timeout(3600 if FULL else 240)
def test_a_read_that_may_be_stale_is_waited_for_before_the_next_one_writes() -> None:
    for seed in range(DRIVES // 3):
        played(seed, stale_seconds=STALE_SECONDS).ends_right()


@pytest.mark.timeout(240)
def test_a_backend_that_is_staler_than_its_provider_says_loses_changes_so_the_wait_is_needed() -> None:
    plays = [played(seed, stale_seconds=STALE_SECONDS, settle_seconds=0.0) for seed in range(CONTROLS // 3)]
    assert any(play.shared.lost for play in plays)


@pytest.mark.timeout(600)
def test_on_a_store_on_a_disk_it_is_the_same(tmp_path: Path) -> None:
    for seed in range(200 if FULL else 20):
        play = played(seed, store=SQLiteStore(tmp_path / f"{seed}.db"))
        play.ends_right()
        play.one_at_a_time()


# ---- a request whose answer is lost, and that lands late


def late(seed: int) -> Play:
    """The first two requests of `billing` land up to a call's time later, when their caller has long given up."""
    play = Play(seed)
    play.late_seconds["billing"] = [play.random.uniform(0.0, CALL_SECONDS - 3.0) for _ in range(2)]
    play.both()
    play.run(300.0)
    return play


@pytest.mark.timeout(3600 if FULL else 240)
def test_a_request_whose_answer_was_lost_is_given_its_time_to_land_before_another_writes() -> None:
    for seed in range(DRIVES // 3):
        late(seed).ends_right()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", ["what others wait", "what is carried on"])
def test_without_that_wait_a_late_request_undoes_what_another_wrote(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left_for, claim = Last.left_for, ResourceLogs._try

    def no_wait(self: Last, writer: Writer, seen: float, leading: float) -> float:
        return left_for(self, writer, seen, leading) if self.held else self.settle_seconds - seen

    def forgets(self: ResourceLogs, *words: Any) -> Any:
        hold = claim(self, *words)
        if hold is not None:
            hold.owed_until = 0.0
        return hold

    if part == "what others wait":
        monkeypatch.setattr(Last, "left_for", no_wait)
    else:
        monkeypatch.setattr(ResourceLogs, "_try", forgets)
    assert any(late(seed).shared.lost for seed in range(CONTROLS))


@pytest.mark.timeout(240)
def test_without_the_lapse_a_holder_is_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    left_for = Last.left_for

    def none(self: Last, writer: Writer, seen: float, leading: float) -> float:
        return 0.0 if self.held else left_for(self, writer, seen, leading)

    monkeypatch.setattr(Last, "left_for", none)
    monkeypatch.setattr("cloudfail.resource_log._Hold.check", lambda _hold: None)
    assert any(played(seed).shared.lost for seed in range(CONTROLS))


def test_who_was_overtaken_all_the_same_begins_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` reads the log: whatever made the other think that it was free."""
    left_for = Last.left_for

    def none(self: Last, writer: Writer, seen: float, leading: float) -> float:
        return 0.0 if self.held else left_for(self, writer, seen, leading)

    monkeypatch.setattr(Last, "left_for", none)
    plays = [played(seed) for seed in range(CONTROLS // 3)]
    stopped = [
        entry
        for play in plays
        for name in APPLICATIONS
        for entry in play.entries(name)
        if entry.kind is Kind.RESULT and "taken over by another" in entry.data["message"]
    ]
    assert stopped and all(entry.data["outcome"] == "stopped" for entry in stopped)


# ---- who holds it dies, or stands still


def boundaries(seed: int) -> list[str]:
    """The names of the boundaries that the first worker of `billing` crosses, undisturbed."""
    names: list[str] = []
    play = Play(seed)
    play.both()
    machine = play.machines["billing-1"]
    machine.boundary = names.append  # type: ignore[method-assign]  # only listens
    play.run(120.0)
    play.ends_right()
    return names


def disturbed(seed: int, nth: int, how: str) -> tuple[Play, str]:
    """The same with the first worker of `billing` killed (or stopped for a minute) at its nth boundary; another carries
    its run on."""
    play = Play(seed)
    play.both()
    machine = play.machines["billing-1"]
    at = ""

    def strike(name: str) -> None:
        nonlocal at
        at = name
        play.worker("billing", "billing-2", after=1.0)
        machine.kill() if how == "kill" else machine.stop_for(200.0)

    machine.at_boundary[nth] = strike
    play.run(900.0)
    return play, at


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", range(6 if FULL else 2))
def test_whoever_dies_at_whichever_boundary_leaves_it_claimable_and_no_change_is_lost(seed: int) -> None:
    names = boundaries(seed)
    assert {"before append resource", "after append resource", "before check", "after check"} <= set(names)
    for nth in range(1, len(names) + 1):
        play, at = disturbed(seed, nth, "kill")
        assert at == names[nth - 1]
        play.ends_right()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", range(6 if FULL else 2))
def test_a_holder_that_stood_still_begins_no_request_when_it_wakes(seed: int) -> None:
    """But the one that had been let through lands, as every request that no cloud checks: watching finds that."""
    for nth, name in enumerate(boundaries(seed), start=1):
        play, at = disturbed(seed, nth, "stop")
        assert at == name
        wakes = 200.0
        late = [(when, who) for when, who in play.shared.writes if when >= wakes]
        if at == "after check":
            assert [who for _, who in late] == ["billing"], at
            continue
        assert late == [], at
        play.ends_right()


def test_the_other_application_takes_over_after_the_lapse_and_not_before() -> None:
    play = Play(3)
    first = play.worker("billing", "billing-1")
    died: list[float] = []

    def die(name: str) -> None:
        if name == "before check":
            died.append(play.hub.now)
            first.kill()
        else:
            arm()

    def arm() -> None:
        first.at_boundary[first.boundaries + 1] = die

    arm()
    play.worker("shop", "shop-1", after=2.0)
    play.run(300.0)
    assert play.shared.weights("shop") == WANTED
    assert play.end("shop").phase is Phase.DONE
    (written, _) = play.shared.writes[0]
    lapse = CALL_SECONDS * 1.25 + CALL_SECONDS
    assert died[0] + lapse <= written <= died[0] + lapse + 25.0
    run = play.end("shop")
    assert run.track(Track("edge", "do")).attempts <= 1, "waiting used up attempts"
    held = [entry for entry in play.entries("shop") if entry.kind is Kind.RESULT and entry.data["outcome"] == "held"]
    so_far = fold(LogState(), (entry for entry in play.entries("shop") if entry.seq <= held[0].seq)).runs["r1"]
    word, detail = state_of(so_far, Track("edge", "do"))
    assert (word, detail.partition(";")[0]) == ("waits", "for application billing: run r1 (edge) writes fake/listener")
    assert held and all(
        "waits for application billing: run r1 (edge) writes fake/listener" in e.data["message"] for e in held
    )


def test_what_stays_held_is_not_waited_for_beyond_the_limit_and_says_so() -> None:
    """Somebody claims it again and again: the step ends by its limit, with the reason, and not sooner."""
    play = Play(5, limit_seconds=60.0)
    greedy = play.machine("greedy")
    logs = ResourceLogs(play.store, greedy)

    def hog() -> None:
        writer = Writer("greedy", "r9", "all", 1, "greedy")
        while greedy.boot() < began + 200.0:
            call = Call("r9", "all", 1, "r9/all", 9.0, lambda: None)
            how = {"ends": greedy.boot() + 9.0, "leading_since": began, "settle_seconds": 5.0}
            try:
                with logs.claimed([LISTENER], writer, call=call, still=lambda: None, **how) as own:
                    own.check()
                    greedy.sleep(8.0)
            except Held:
                continue

    began = greedy.boot()
    greedy.spawn(hog)
    greedy.spawn(hog)
    play.worker("shop", "shop-1", after=4.0)
    play.run(400.0)
    run = play.end("shop")
    record = run.track(Track("edge", "do"))
    assert (record.ended, run.phase) == ("failed", Phase.HALTED), run.story
    assert record.ended_t >= 60.0
    assert "Not within its limit of 60 s" in record.detail
    assert "waits for application greedy: run r9 (all)" in record.detail
    assert LISTENER in run.halted_because
    assert play.shared.writes == [], "it was written after its step had ended"


def test_an_abort_is_heard_while_a_call_waits_for_its_turn() -> None:
    play = Play(7)
    holder = play.machine("holder")
    logs = ResourceLogs(play.store, holder)

    def hold() -> None:
        call = Call("r9", "all", 1, "r9/all", 60.0, lambda: None)
        writer = Writer("other", "r9", "all", 1, "holder")
        with logs.claimed(
            [LISTENER], writer, call=call, ends=holder.boot() + 60.0, leading_since=0.0, settle_seconds=0.0,
            still=lambda: None,
        ) as own:  # fmt: skip
            own.check()
            holder.sleep(50.0)

    holder.spawn(hold)
    play.worker("shop", "shop-1", after=1.0)

    def abort() -> None:
        journal = Journal(play.store, "shop", play.machines["opener of shop"], "bob")
        journal.refresh()
        journal.append(Kind.COMMAND, {"run": "r1", "command": "abort", "reason": "not now"})

    play.hub.at(10.0, abort)
    play.run(40.0)
    assert play.end("shop").phase is Phase.UNDONE
    told = [entry for entry in play.entries("shop") if entry.kind is Kind.CLOSED]
    assert told[0].at - WALL_AT_START <= 10.0 + CALL_SECONDS
    assert play.shared.writes == []
