"""Threat: an approval in somebody else's name. With `policy.approvers`, only what a listed key signed counts, for what
it says, and nobody approves their own run in a moment."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from cloudfail.app import App
from cloudfail.approval import OWN_SECONDS, Approval, Approvers
from cloudfail.entrypoints.cli import signatures
from cloudfail.errors import Refused
from cloudfail.execution.gates import still_missing
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.state import Agreed, LogState, fold
from cloudfail.journal import Journal
from cloudfail.model.codec import checksum_of, plan_document
from cloudfail.model.journal import Kind
from cloudfail.signing import Namespace, public_line, sign
from tests.kit import Stage, load_local


def key(number: int) -> str:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    form = serialization.PrivateFormat.OpenSSH
    return private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


KEYS = {"alice": key(1), "bob": key(2), "mallory": key(3)}
LINES = tuple(f"{name} {public_line(KEYS[name])}" for name in ("alice", "bob"))
SHOP = Approvers.of("shop", LINES)


def at_the_gate(synchronous: bool = True, **opening: Any) -> Stage:
    """A run that alice opened, fenced (or owed), waiting for a person."""
    stage = Stage(load_local(), approvers=SHOP, synchronous=synchronous)
    if synchronous:
        stage.cloud.kill("east")
    else:
        stage.cloud.cut_off("east")
    stage.open("evacuate-local", "east", "west", **{"preapproved": "", **opening})
    stage.drive(seconds=10)
    return stage


def agreed(stage: Stage, **said: Any) -> Approval:
    plan = stage.run("r1").plan.checksum
    until = int(stage.clock.wall()) + 900
    return Approval(**{"application": "shop", "plan": plan, "until": until, "run": "r1", **said})


def give(stage: Stage, approval: Approval, by: str = "bob", run: str = "r1", **entry: Any) -> None:
    text = approval.text()
    signature = sign(text.encode(), entry.pop("namespace", Namespace.APPROVAL), KEYS[by])
    stage.command(run, "approve", by="whoever", **{"document": text, "signature": signature, **entry})


def passed(stage: Stage, seconds: float = 60.0) -> bool:
    stage.drive(seconds=seconds)
    return any(effect.verb == "failover" for effect in stage.cloud.effects)


def story(stage: Stage) -> str:
    return " ".join(line.text for line in stage.run("r1").story)


def test_a_name_alone_lets_nothing_pass() -> None:
    stage = at_the_gate(preapproved="bob")
    stage.command("r1", "approve", by="bob", accept_owed_fence=True, loss_seconds=1e9)
    assert not passed(stage)
    assert "An approval by bob does not count: shop takes signed approvals only" in story(stage)


def test_what_another_person_signed_counts_in_their_name() -> None:
    stage = at_the_gate()
    give(stage, agreed(stage))
    assert passed(stage)
    assert stage.run("r1").approvals == (Agreed("", "bob"),)


@pytest.mark.parametrize(
    ("said", "given", "why"),
    [
        ({"plan": "0" * 64}, {}, "bob signed for plan 00000000"),
        ({"run": "r2"}, {}, "bob signed for run r2"),
        ({"application": "bank"}, {}, "bob signed for bank"),
        ({"until": 999_999}, {}, "bob signed it until 999999"),
        ({"standing": True}, {}, "bob signed a standing plan"),
        ({}, {"by": "mallory"}, "does not count"),
        ({}, {"namespace": Namespace.BUNDLE}, "was made for 'bundle@cloudfail'"),
        ({}, {"document": "yes\n"}, "does not hold"),
        ({}, {"signature": "yes"}, "does not count"),
        ({}, {"signature": 7}, "signed approvals only"),
    ],
)
def test_what_was_not_signed_for_this_does_not_count(said: dict[str, Any], given: dict[str, Any], why: str) -> None:
    stage = at_the_gate()
    give(stage, agreed(stage, **said), **given)
    assert not passed(stage)
    assert why in story(stage)


def test_the_entry_around_it_adds_nothing_to_what_was_signed() -> None:
    stage = at_the_gate(synchronous=False)
    give(stage, agreed(stage), accept_owed_fence=True, loss_seconds=1e9)
    assert not passed(stage)
    assert stage.run("r1").accepted.loss_seconds is None
    give(stage, agreed(stage, accept_owed_fence=True, loss_seconds=500.0))
    assert passed(stage)
    assert stage.run("r1").accepted.owed_fence == "bob"


def test_one_signature_serves_one_run() -> None:
    stage = at_the_gate()
    approval = agreed(stage, run="")
    give(stage, approval)
    stage.command("r1", "abort")
    stage.drive()
    assert stage.run("r1").phase is Phase.UNDONE
    second = stage.open("evacuate-local", "east", "west", preapproved="")
    stage.drive(seconds=10)
    give(stage, approval, run=second)
    stage.drive(seconds=60)
    assert stage.run(second).phase is Phase.GATED
    assert not any(effect.verb == "failover" for effect in stage.cloud.effects)


# ---- one's own run


@pytest.mark.parametrize(
    "said", [{}, {"own_run": True}, {"loss_seconds": 5.0}, {"own_run": True, "loss_seconds": 5.0, "reason": ""}]
)
def test_nobody_approves_their_own_run_in_passing(said: dict[str, Any]) -> None:
    stage = at_the_gate()
    reason = {"reason": said.pop("reason")} if "reason" in said else {}
    text = agreed(stage, **said).text()
    signature = sign(text.encode(), Namespace.APPROVAL, KEYS["alice"])
    journal = Journal(stage.store, "shop", stage.clock, "alice")
    journal.refresh()
    entry = {"run": "r1", "command": "approve", "document": text, "signature": signature, "reason": "alone", **reason}
    journal.append(Kind.COMMAND, entry)
    assert not passed(stage, OWN_SECONDS * 3)
    assert "alice opened this run" in story(stage)


def test_alone_it_counts_after_a_while_in_which_anybody_may_decline() -> None:
    stage = at_the_gate()
    give(stage, agreed(stage, own_run=True, loss_seconds=5.0), by="alice")
    assert not passed(stage, OWN_SECONDS - 5)
    assert "alice opened this run: the approval counts in" in still_missing(stage.run("r1"))
    assert passed(stage, OWN_SECONDS)
    declined = at_the_gate()
    give(declined, agreed(declined, own_run=True, loss_seconds=5.0), by="alice")
    declined.drive(seconds=OWN_SECONDS / 2)
    declined.command("r1", "decline")
    assert not passed(declined, 600)
    assert declined.run("r1").phase is Phase.UNDONE


def test_somebody_elses_signature_ends_the_waiting() -> None:
    stage = at_the_gate()
    give(stage, agreed(stage, own_run=True, loss_seconds=5.0), by="alice")
    give(stage, agreed(stage))
    assert passed(stage, 30)


# ---- with the start, and for automation


def test_it_may_be_given_with_the_start() -> None:
    made = Stage(load_local(), approvers=SHOP)
    made.cloud.kill("east")
    made.open("evacuate-local", "east", "west", preapproved="")
    plan = made.run("r1").plan.checksum
    made.command("r1", "abort")
    made.drive()
    text = Approval("shop", plan, int(made.clock.wall()) + 900).text()
    signed = {"document": text, "signature": sign(text.encode(), Namespace.APPROVAL, KEYS["bob"])}
    run = made.open("evacuate-local", "east", "west", preapproved="", approval=signed)
    made.drive()
    assert made.run(run).phase.final
    assert made.run(run).approvals == (Agreed("", "bob"),)
    assert any(effect.verb == "failover" for effect in made.cloud.effects)


def test_automation_acts_on_a_plan_that_a_listed_key_signed_as_standing() -> None:
    stage = at_the_gate()
    plan = stage.run("r1").plan.checksum
    wall = stage.clock.wall()

    def standing(**data: Any) -> LogState:
        journal = Journal(stage.store, "shop", stage.clock, "mallory")
        journal.refresh()
        journal.append(Kind.STANDING, {"checksum": plan, "expires_seconds": 1e9, **data})
        return fold(LogState(approvers=SHOP), Journal(stage.store, "shop", stage.clock, "reader").refresh())

    assert standing().standing is None
    text = agreed(stage, run="").text()
    assert standing(document=text, signature=sign(text.encode(), Namespace.APPROVAL, KEYS["bob"])).standing is None
    text = agreed(stage, run="", standing=True).text()
    said = standing(document=text, signature=sign(text.encode(), Namespace.APPROVAL, KEYS["bob"]))
    assert said.standing is not None
    checksum, at, by, seconds = said.standing
    assert (checksum, by) == (plan, "bob")
    assert at + seconds <= wall + 900 + 1


AUTOMATIC = {"automation": "automatic", "standing": True, "signed_by": "bob"}


def test_a_run_that_only_claims_to_be_automations_on_a_signed_plan_passes_no_gate() -> None:
    """Whoever may append can write such an entry. Whether a listed key signed exactly this plan is in the log."""
    assert not passed(at_the_gate(**AUTOMATIC))
    assert not passed(at_the_gate(**AUTOMATIC, preapproved="bob", approval={"document": "", "signature": ""}))


@pytest.mark.parametrize(
    ("said", "later", "passes"),
    [
        ({}, 0.0, True),
        ({"plan": "0" * 64}, 0.0, False),
        ({"standing": False}, 0.0, False),
        ({"application": "billing"}, 0.0, False),
        ({}, 3600.0, False),
    ],
    ids=["this plan", "another plan", "not for automation", "another application's", "over"],
)
def test_the_plan_that_was_signed_for_automation_is_the_one_that_runs(
    said: dict[str, Any], later: float, passes: bool
) -> None:
    before = at_the_gate()
    approval = replace(agreed(before, run="", standing=True), **said)
    stage = Stage(load_local(), approvers=SHOP)
    stage.cloud.kill("east")
    text = approval.text()
    signature = sign(text.encode(), Namespace.APPROVAL, KEYS["bob"])
    data = {"checksum": approval.plan, "expires_seconds": 900.0, "document": text, "signature": signature}
    journal = Journal(stage.store, "shop", stage.clock, "mallory")
    journal.append(Kind.STANDING, data)
    stage.clock.sleep(later)
    stage.open("evacuate-local", "east", "west", preapproved="", **{**AUTOMATIC, "signed_by": "mallory"})
    assert passed(stage) is passes
    assert not passes or stage.run("r1").signed_by == "bob"


def ungated(stage: Stage) -> dict[str, Any]:
    """The plan of the open run without its gate, under the checksum of just these steps."""
    plan = stage.run("r1").plan
    steps = tuple(
        replace(
            step, needs=tuple("fence" if need == "approve" else need for need in step.needs), point_of_no_return=False
        )
        for step in plan.steps
        if step.name != "approve"
    )
    made = replace(plan, steps=steps)
    return plan_document(replace(made, checksum=checksum_of(made)))


def test_a_plan_without_a_gate_needs_a_signature_to_begin() -> None:
    """Else whoever may append would write one of their own, and be asked for nothing."""
    before = at_the_gate()
    document = ungated(before)

    def opened(**data: Any) -> Stage:
        stage = Stage(load_local(), approvers=SHOP)
        stage.cloud.kill("east")
        stage.open("evacuate-local", "east", "west", preapproved="alice", plan=document, **data)
        return stage

    assert not passed(opened())
    text = agreed(before, plan=document["checksum"], run="").text()
    signature = sign(text.encode(), Namespace.APPROVAL, KEYS["bob"])
    assert passed(opened(approval={"document": text, "signature": signature}))


# ---- as people give them


def signing_app(stage: Stage, by: str) -> App:
    loaded = stage.loaded
    topology = replace(loaded.topology, policy=replace(loaded.topology.policy, approvers=LINES))
    return App(replace(loaded, topology=topology), stage.store, by, clock=stage.clock)


def test_what_would_not_count_is_refused_before_it_is_written() -> None:
    stage = at_the_gate()
    app = signing_app(stage, "bob")
    with pytest.raises(Refused, match="signed approvals only"):
        app.command("r1", Event.APPROVE, "it is gone")
    approval = app.to_sign(run="r1", seconds=900, loss_seconds=5.0)
    own = {"document": approval.text(), "signature": sign(approval.text().encode(), Namespace.APPROVAL, KEYS["alice"])}
    with pytest.raises(Refused, match="alice opened this run"):
        app.command("r1", Event.APPROVE, "it is gone", **own)
    assert not stage.run("r1").approvals
    with pytest.raises(Refused, match="has no gate 'aprove'"):
        app.to_sign(run="r1", seconds=900, gate="aprove")
    assert "gate: approve\n" in app.to_sign(run="r1", seconds=900, gate="approve").text()
    others = own | {"signature": sign(approval.text().encode(), Namespace.APPROVAL, KEYS["bob"])}
    app.command("r1", Event.APPROVE, "it is gone", **others)
    assert passed(stage)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen on this machine")
def test_a_text_is_signed_by_ssh_keygen_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = at_the_gate()
    app = signing_app(stage, "bob")
    file, private = tmp_path / "approval", tmp_path / "key"
    private.write_text(KEYS["bob"])
    private.chmod(0o600)
    signatures.write(app.to_sign(run="r1", seconds=900), file)
    told = capsys.readouterr().out
    assert "owed fence: not accepted" in told
    assert f"ssh-keygen -Y sign -n {Namespace.APPROVAL} -f KEY {file}" in told
    with pytest.raises(Refused, match="cannot be written"):
        signatures.write(app.to_sign(run="r1", seconds=900), file)
    with pytest.raises(Refused, match=r"approval\.sig cannot be read"):
        signatures.read(file)
    line = ["ssh-keygen", "-Y", "sign", "-n", Namespace.APPROVAL, "-f", str(private), str(file)]
    subprocess.run(line, check=True, capture_output=True, timeout=60)
    document, signature = signatures.read(file)
    app.command("r1", Event.APPROVE, "it is gone", document=document, signature=signature)
    assert passed(stage)


@pytest.mark.parametrize("harm", [str.upper, lambda text: text + "\n", lambda text: text.replace("gate: any\n", "")])
def test_a_text_that_is_not_whole_is_no_approval(harm: Any) -> None:
    approval = Approval("shop", "ab" * 32, 1_800_000_000, loss_seconds=5.0)
    assert Approval.parse(approval.text()) == approval
    with pytest.raises(Refused, match="no approval"):
        Approval.parse(harm(approval.text()))
