"""Threat: an approval that nobody gave for this. It passes no gate but the one that it was given for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.journal import Journal
from cloudfail.model.codec import checksum_of, plan_document, plan_from_document
from cloudfail.model.journal import BrokenChain, Entry, Kind, encode
from cloudfail.report.status import status_text
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.simulation.setups import shipped_setups
from tests.kit import Stage, load_local


def at_the_gate(**opening: Any) -> tuple[Stage, str]:
    """An evacuation of a region that is lost, fenced, waiting for a person."""
    stage = Stage(load_local())
    stage.cloud.kill("east")
    run = stage.open("evacuate-local", "east", "west", **{"preapproved": "", **opening})
    stage.drive(seconds=10)
    assert stage.run(run).phase is Phase.GATED
    return stage, run


def entries(stage: Stage) -> list[Entry]:
    return Journal(stage.store, stage.application, stage.clock, "reader").refresh()


def write(stage: Stage, kind: Kind, data: dict[str, Any], *, by: str = "mallory", epoch: int = 0) -> None:
    journal = Journal(stage.store, stage.application, stage.clock, by)
    journal.refresh()
    journal.append(kind, data, epoch=epoch)


def promoted(stage: Stage) -> bool:
    return any(effect.verb == "failover" for effect in stage.cloud.effects)


def test_nobodys_approval_passes_nothing() -> None:
    stage, run = at_the_gate()
    stage.drive(seconds=60)
    assert stage.run(run).phase is Phase.GATED and not promoted(stage)
    stage.command(run, "approve")
    stage.drive()
    assert stage.run(run).phase.final and promoted(stage)


@pytest.mark.parametrize("other", ["", "r", "r0", "r1 ", "R1", "r2"])
def test_an_approval_of_another_run_does_not_pass_this_ones_gate(other: str) -> None:
    stage, run = at_the_gate()
    assert run == "r1"
    stage.command(other, "approve", accept_owed_fence=True, loss_seconds=1e9)
    stage.drive(seconds=60)
    assert stage.run(run).phase is Phase.GATED and not promoted(stage)


def test_the_approval_of_an_older_run_of_the_same_plan_is_spent() -> None:
    stage, first = at_the_gate()
    stage.command(first, "approve")
    stage.command(first, "abort")
    stage.drive()
    assert stage.run(first).phase is Phase.UNDONE
    second = stage.open("evacuate-local", "east", "west", preapproved="")
    assert stage.run(second).plan.checksum == stage.run(first).plan.checksum
    stage.drive(seconds=60)
    assert stage.run(second).phase is Phase.GATED and not promoted(stage)


def test_an_approval_of_another_gate_does_not_pass_this_one() -> None:
    setup = next(setup for setup in shipped_setups() if setup.name == "evacuate-gates")
    stage = Stage(setup.loaded)
    stage.cloud.kill("east")
    run = stage.open("evacuate-gates", "east", "west", preapproved="")
    stage.drive(seconds=10)
    stage.command(run, "approve", gate="ready")
    stage.drive(seconds=60)
    assert not promoted(stage) and not stage.run(run).did("approve").ended


def test_an_approval_says_nothing_of_a_fence_that_is_owed() -> None:
    stage = Stage(load_local(), synchronous=False)
    stage.cloud.cut_off("east")
    run = stage.open("evacuate-local", "east", "west", preapproved="alice", automation="automatic", standing=True)
    stage.drive(seconds=10)
    stage.command(run, "approve")
    stage.drive(seconds=60)
    assert stage.run(run).phase is Phase.GATED and not promoted(stage)


def test_stage_one_automation_never_approves_its_own_run() -> None:
    """A signature that automation may act, and the signer's name, pass no gate where the policy stops at it."""
    stage, run = at_the_gate(automation="stage-1", standing=True, signed_by="alice")
    for worker in ("w2", "w3"):
        stage.drive(seconds=60, worker=worker)
    assert stage.run(run).phase is Phase.GATED and not promoted(stage)


def test_a_replayed_approval_is_no_entry() -> None:
    """Byte for byte, an older approval names its own place in the chain, and stands nowhere else."""
    stage, first = at_the_gate()
    stage.command(first, "approve")
    (body,) = [stored.body for stored in stage.store.read(stage.application, 0) if b'"approve"' in stored.body[:400]
               and b'"kind":"command"' in stored.body]  # fmt: skip
    stage.command(first, "abort")
    stage.drive()
    second = stage.open("evacuate-local", "east", "west", preapproved="")
    stage.drive(seconds=10)
    assert stage.store.append(stage.application, len(entries(stage)) + 1, body)
    with pytest.raises(BrokenChain):
        stage.drive()
    assert not promoted(stage) and second


def test_a_gate_entry_that_no_holder_wrote_passes_nothing() -> None:
    """`gate passed` is the holder's word; a person's approval is not to be skipped by writing its consequence."""
    stage, run = at_the_gate()
    log = stage.engine("reader").read()
    write(stage, Kind.GATE, {"run": run, "step": "approve", "event": "gate passed", "detail": "by alice"}, epoch=0)
    write(stage, Kind.GATE, {"run": run, "step": "approve", "event": "gate passed", "detail": ""}, epoch=log.epoch - 1)
    stage.drive(seconds=60)
    assert stage.run(run).phase is Phase.GATED and not promoted(stage)


def other_steps(document: dict[str, Any]) -> dict[str, Any]:
    """The same plan without its gate, under the same checksum."""
    plan = plan_from_document(document)
    steps = tuple(
        replace(step, needs=tuple("fence" if need == "approve" else need for need in step.needs))
        for step in plan.steps
        if step.name != "approve"
    )
    return plan_document(replace(plan, steps=steps))


def test_a_run_whose_steps_are_not_those_of_its_checksum_is_not_opened() -> None:
    """Who reviewed or signed a plan agreed to its checksum; other steps under it are nobody's."""
    stage, run = at_the_gate()
    stage.command(run, "abort")
    stage.drive()
    (opened,) = [entry for entry in entries(stage) if entry.kind is Kind.OPENED]
    effects = len(stage.cloud.effects)
    altered = other_steps(dict(opened.data["plan"]))
    assert altered["checksum"] == opened.data["plan"]["checksum"] != checksum_of(plan_from_document(altered))
    write(stage, Kind.OPENED, {**opened.data, "run": "r9", "plan": altered, "preapproved": "alice"}, by="alice")
    log = stage.drive()
    assert "r9" not in log.runs and log.run is None
    assert len(stage.cloud.effects) == effects
    assert "is not the one that its checksum names" in status_text(log, stage.loaded.topology)
    again = stage.open("evacuate-local", "east", "west", preapproved="")
    assert stage.run(again).phase is Phase.RUNNING, "a forged entry keeps nobody from opening a run"


@pytest.mark.parametrize("name", ["r1; rm -rf ~", "$(id)", "r1\nr2", "-rf", "", "r1 --accept-owed-fence"])
def test_a_run_is_not_opened_under_a_name_that_a_person_could_not_paste(name: str) -> None:
    """The commands that a run suggests hold its name."""
    stage, run = at_the_gate()
    stage.command(run, "abort")
    stage.drive()
    (opened,) = [entry for entry in entries(stage) if entry.kind is Kind.OPENED]
    write(stage, Kind.OPENED, {**opened.data, "run": name})
    log = stage.drive()
    assert set(log.runs) == {run} and log.run is None


def test_an_old_runs_history_is_not_rewritten_by_opening_it_again() -> None:
    stage, run = at_the_gate()
    stage.command(run, "abort")
    stage.drive()
    (opened,) = [entry for entry in entries(stage) if entry.kind is Kind.OPENED]
    write(stage, Kind.OPENED, {**opened.data, "preapproved": "mallory"})
    assert stage.run(run).phase is Phase.UNDONE
    assert not promoted(stage)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.COMMAND, {"run": "r1", "command": "explode"}),
        (Kind.COMMAND, {"run": "r1"}),
        (Kind.OPENED, {"run": "r2", "plan": {"checksum": "ab"}}),
        (Kind.OPENED, {"run": "r2", "plan": []}),
        (Kind.REVIEWED, {}),
        (Kind.STANDING, {"checksum": "ab", "expires_seconds": "soon"}),
        (Kind.SAMPLE, []),
    ],
)
def test_an_entry_that_no_version_wrote_stops_everybody_in_three_sentences(kind: Kind, data: Any) -> None:
    """It is not guessed at, and nothing goes on behind it: whoever may append can stop a run, and that is all."""
    stage, run = at_the_gate()
    log, effects = stage.engine("reader").read(), len(stage.cloud.effects)
    if kind is Kind.OPENED:
        stage.command(run, "abort")
        stage.drive()
        effects = len(stage.cloud.effects)
    tail = entries(stage)[-1]
    body = encode(
        seq=tail.seq + 1, kind=kind, epoch=0, by="mallory", at=0.0, t=None, nonce="", previous=tail.digest, data=data
    )
    assert stage.store.append(stage.application, tail.seq + 1, body)
    with pytest.raises(BrokenChain) as raised:
        stage.drive()
    assert raised.value.happened and raised.value.true_now and raised.value.to_do
    assert len(stage.cloud.effects) == effects and log.seq < tail.seq + 1


def test_what_was_changed_in_the_store_is_noticed_and_not_acted_on() -> None:
    """A pause is made an approval, in an entry that others stand behind."""
    stage, run = at_the_gate()
    stage.command(run, "pause")
    stage.command(run, "resume")
    forged = MemoryStore()
    for stored in stage.store.read(stage.application, 0):
        forged.append(stage.application, stored.seq, stored.body.replace(b'"pause"', b'"approve"'))
    assert any(b'"approve"' in stored.body for stored in forged.read(stage.application, 0))
    stage.store = forged
    with pytest.raises(BrokenChain):
        stage.drive()
    assert not promoted(stage)
