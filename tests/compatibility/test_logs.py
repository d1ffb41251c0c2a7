"""Logs written by each release are kept, and resume under the present code.

tests/fixtures/logs/VERSION holds them, written by `script/keep-logs` when VERSION was released; kept.py says what the
files are. A log that no longer means what it meant, or a run that a new worker cannot carry on from some point of it,
would strand whoever upgrades in the middle of an evacuation.
"""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, RunState, fold
from cloudfail.journal import Journal
from cloudfail.model.journal import Entry, Kind
from tests.compatibility import keep
from tests.compatibility.kept import LOGS, KeptLog, carried_on, carried_to, kept_logs, load, meaning, put_back
from tests.compatibility.kept import moment_of as moment
from tests.compatibility.kept import world_document as world
from tests.kit import ROOT, Stage, load_local

KEPT = list(kept_logs())
each_log = pytest.mark.parametrize("log", KEPT, ids=lambda log: f"{log.version} {log.name}")


def entries(stage: Stage) -> list[Entry]:
    """Read through the journal, which checks every entry's link to the one before."""
    return Journal(stage.store, stage.application, stage.clock, "reader").refresh()


def whole(log: KeptLog) -> Stage:
    return carried_to(load(log.config), log.bodies, log.moments[-1])


def open_prefixes(log: KeptLog) -> list[int]:
    """After how many entries a run was open."""
    state, found = LogState(), []
    for entry in entries(whole(log)):
        state = fold(state, [entry])
        if state.open_run:
            found.append(entry.seq)
    return found


def test_some_logs_are_kept() -> None:
    assert KEPT


@each_log
def test_the_chain_of_a_kept_log_still_verifies(log: KeptLog) -> None:
    assert [entry.seq for entry in entries(whole(log))] == list(range(1, len(log.bodies) + 1))
    assert len(log.moments) == len(log.bodies) + 1


@each_log
def test_a_kept_log_still_means_what_it_meant(log: KeptLog) -> None:
    state = fold(LogState(), entries(whole(log)))
    assert not state.refused
    assert json.loads(json.dumps(meaning(state))) == log.meaning


@each_log
def test_a_run_is_carried_on_from_every_point_of_a_kept_log_to_the_end_it_had_to_come_to(log: KeptLog) -> None:
    """The worker died right after the entry, or right before the next one, when an effect may have landed between."""
    loaded = load(log.config)
    prefixes = open_prefixes(log)
    assert prefixes
    for seq in prefixes:
        for when in log.moments_after(seq):
            stage = carried_to(loaded, log.bodies[:seq], when)
            run, end = carried_on(stage)
            where = (log.name, seq, run.story[-1])
            assert end == log.end_after(seq), where
            if not run.phase.final:
                assert run.halted_because and "cloudfail" in run.to_do, where
            no_rule_was_broken(stage, run, seq)


def no_rule_was_broken(stage: Stage, run: RunState, since: int) -> None:
    """What the worker did that carried it on: one writer (I1), each change announced (I9) and made once (I4)."""
    if not run.accepted.owed_fence:
        assert stage.cloud.most_writers_at_once() <= 1
    changes = Counter((e.verb, e.resource, e.region, str(e.value), e.step) for e in stage.cloud.effects)
    assert not changes or max(changes.values()) == 1
    announced = Counter(
        str(entry.data["step"]) if entry.data["way"] == "do" else f"{entry.data['way']} {entry.data['step']}"
        for entry in entries(stage)
        if entry.kind is Kind.INTENT and entry.seq > since
    )
    assert not Counter(effect.step for effect in stage.cloud.effects) - announced


@each_log
def test_a_person_can_end_every_run_of_a_kept_log_that_waits_for_one(log: KeptLog) -> None:
    loaded = load(log.config)
    waiting = {"gated", "halted", "paused", "parked"}
    for seq in [last for last, end in log.ends if end.phase in waiting]:
        stage = carried_to(loaded, log.bodies[:seq], log.moments[seq])
        run, _end = carried_on(stage)
        for command in ("abort", "close"):
            if not run.phase.final:
                stage.command(run.id, command)
                stage.drive(worker="the next one")
                run = stage.run(run.id)
        assert run.phase in {Phase.UNDONE, Phase.DEGRADED}, (seq, run.story[-1])


def test_a_world_is_the_same_after_it_was_written_out_and_put_back() -> None:
    made = Stage(load_local())
    made.cloud.kill("east")
    made.open("evacuate-local", "east", "west")
    made.drive(8.0)
    other = Stage(load_local())
    assert world(other.cloud) != world(made.cloud)
    put_back(other.cloud, world(made.cloud))
    assert world(other.cloud) == world(made.cloud)
    assert other.cloud.snapshot() == made.cloud.snapshot()
    there = moment(made)
    again = moment(carried_to(load_local(), [], there))
    assert (again.boot, again.wall) == pytest.approx((there.boot, there.wall))


def released(version: str) -> bool:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(rf"^## \[{re.escape(version)}\] - (.+)$", changelog, re.MULTILINE)
    assert heading, f"CHANGELOG.md says nothing of {version}"
    return heading[1].strip() != "unreleased"


def test_a_version_that_is_released_has_its_logs_kept() -> None:
    """The rule: CHANGELOG.md's heading of a version says `unreleased` until it is released, and then the date. From
    then on its logs must be kept, and are never written again. Until then they may be there, so that this suite has
    something to read; whoever changes what an entry says before the release removes them and runs script/keep-logs."""
    version = keep.version()
    if released(version):
        assert (LOGS / version).is_dir(), f"keep the logs of {version}: script/keep-logs"


def test_logs_that_are_kept_are_not_written_over() -> None:
    before = {path: path.read_bytes() for path in LOGS.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit, match="kept already"):
        keep.keep(LOGS / KEPT[0].version)
    assert {path: path.read_bytes() for path in LOGS.rglob("*") if path.is_file()} == before
