"""What a person agrees to, as a text that is signed: by a key that was enrolled before, also offline, also in hardware.

Where `policy.approvers` lists keys, a name alone lets nothing pass. The signature is over the whole text below: the
application, the plan by its checksum, the run, the gate, what is accepted, and until when. So whoever can write to the
log can add an approval that somebody gave, and none that nobody gave; and what was given for one run is none for
another. Whoever reads the log checks it anew.

Nobody approves a run that they opened, unless the text says so (`own run: yes`): then the loss must be a number, the
reason must be given, and the run waits OWN_SECONDS, in which anybody may decline. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Refused
from cloudfail.model.capacity import Capacity, from_words, in_words
from cloudfail.signing import AllowedSigners, BadSignature, Namespace, verify

OWN_SECONDS = 120.0
"""How long a run that its own opener approved waits for somebody to decline."""
TITLE = "cloudfail approval, version "
VERSION = 2
ANY = "any"


@dataclass(frozen=True)
class Approval:
    """run, gate: "" for any of that plan. loss_seconds: None accepts no loss beyond the bounds of the plan. until: wall
    seconds. standing: automation may act on this plan; for no gate of a person's run. own_run: see above. capacity: the
    least with which a gate passes. version: of the text; the first had no line for capacity, and still counts."""

    application: str
    plan: str
    until: int
    run: str = ""
    gate: str = ""
    accept_owed_fence: bool = False
    loss_seconds: float | None = None
    standing: bool = False
    own_run: bool = False
    capacity: Capacity = ()
    version: int = VERSION

    def text(self) -> str:
        """The bytes that are signed, one line for each thing that is agreed to."""
        loss = "none beyond the plan's bounds" if self.loss_seconds is None else f"{self.loss_seconds:.3f} s"
        capacity = [f"capacity: {in_words(self.capacity)}"] if self.version > 1 else []
        lines = (
            f"{TITLE}{self.version}",
            f"application: {self.application}",
            f"plan: {self.plan}",
            f"run: {self.run or ANY}",
            f"gate: {self.gate or ANY}",
            f"owed fence: {'accepted' if self.accept_owed_fence else 'not accepted'}",
            f"loss: {loss}",
            *capacity,
            f"standing, for automation: {'yes' if self.standing else 'no'}",
            f"own run: {'yes' if self.own_run else 'no'}",
            f"until: {self.until} (seconds since 1970)",
        )
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> Approval:
        """Read `text()` back. Raises Refused for anything else: what was signed is never interpreted kindly."""
        try:
            title, *lines = text.removesuffix("\n").split("\n")
            said = dict(line.split(": ", 1) for line in lines)
            loss = said["loss"]
            version = int(title.removeprefix(TITLE))
            found = cls(
                application=said["application"],
                plan=said["plan"],
                until=int(said["until"].partition(" ")[0]),
                run="" if said["run"] == ANY else said["run"],
                gate="" if said["gate"] == ANY else said["gate"],
                accept_owed_fence=said["owed fence"] == "accepted",
                loss_seconds=float(loss.removesuffix(" s")) if loss.endswith(" s") else None,
                standing=said["standing, for automation"] == "yes",
                own_run=said["own run"] == "yes",
                capacity=from_words(said["capacity"]) if version > 1 else (),
                version=version,
            )
        except (ValueError, KeyError) as error:
            raise _not_one(str(error)) from error
        if not 1 <= version <= VERSION or found.text() != text:
            raise _not_one("its lines are not those of an approval")
        return found


def _not_one(why: str) -> Refused:
    return Refused(
        f"This is no approval of cloudfail's: {why}.",
        "Nothing was approved.",
        "Let it be written anew, and sign it as it is: cloudfail approve --write FILE",
    )


@dataclass(frozen=True)
class Given:
    """An approval whose signature held: what was agreed to, by whom. own: by the one who opened the run."""

    approval: Approval
    by: str
    own: bool = False


@dataclass(frozen=True)
class Approvers:
    """Whose signature counts, for one application."""

    application: str
    allowed: AllowedSigners

    @classmethod
    def of(cls, application: str, lines: tuple[str, ...]) -> Approvers | None:
        """None where the policy lists nobody: then a name is enough."""
        return cls(application, AllowedSigners.parse("\n".join(lines))) if lines else None

    def given(self, data: Mapping[str, Any], at: float) -> Given:
        """What the entry's `document` and `signature` agree to, as of wall time `at`. Raises Refused."""
        document, signature = data.get("document", ""), data.get("signature", "")
        if not signature or not isinstance(document, str) or not isinstance(signature, str):
            raise Refused(
                f"{self.application} takes signed approvals only (policy.approvers).",
                "Nothing was approved.",
                f"Write it, sign it, give it: cloudfail approve --write FILE; ssh-keygen -Y sign -n "
                f"{Namespace.APPROVAL} -f KEY FILE; cloudfail approve --signed FILE",
            )
        signer = verify(document.encode(), signature, Namespace.APPROVAL, self.allowed, at)
        approval = Approval.parse(document)
        if approval.application != self.application:
            raise _other(f"{signer.name} signed for {approval.application}, and this is {self.application}")
        if at > approval.until:
            raise _other(f"{signer.name} signed it until {approval.until}, and now it is {at:.0f}")
        return Given(approval, signer.name)

    def for_run(
        self, data: Mapping[str, Any], at: float, *, run: str, plan: str, opened_by: str, spent_on: str | None
    ) -> Given:
        """What lets a gate of that run pass. spent_on: the run for which the same signature was used already, if any.
        Raises Refused."""
        given = self.given(data, at)
        approval = given.approval
        if approval.standing:
            raise _other(f"{given.by} signed a standing plan, which is no approval of a run")
        if approval.plan != plan:
            raise _other(f"{given.by} signed for plan {approval.plan[:8]}, and this is {plan[:8]}")
        if approval.run not in {"", run} or spent_on not in {None, run}:
            raise _other(f"{given.by} signed for run {approval.run or spent_on}, and this is {run}")
        if given.by != opened_by:
            return given
        if not approval.own_run or approval.loss_seconds is None or not data.get("reason"):
            raise Refused(
                f"{given.by} opened this run, and nobody approves their own.",
                "Nothing was approved.",
                "Let somebody else approve it. If there is nobody: sign one with --own-run, --loss-seconds and a "
                f"--reason; it counts {OWN_SECONDS:.0f} s later, unless somebody declines.",
            )
        return Given(approval, given.by, own=True)

    def for_automation(self, data: Mapping[str, Any], at: float) -> Given:
        """What lets automation act on a plan. Raises Refused."""
        given = self.given(data, at)
        if not given.approval.standing or given.approval.plan != data["checksum"]:
            raise _other(f"{given.by} did not sign plan {data['checksum'][:8]} as standing")
        if given.approval.capacity:
            raise _other(f"{given.by} stated a capacity, and automation keeps to the plan's own")
        return given


def _other(what: str) -> Refused:
    return Refused(f"{what}.", "Nothing was approved.", "Let it be written anew: cloudfail approve --write FILE")


def mark_of(signature: str) -> str:
    """What tells one signature from another."""
    return hashlib.sha256(signature.encode()).hexdigest()


__all__ = ["OWN_SECONDS", "Approval", "Approvers", "BadSignature", "Given", "mark_of"]
