"""Topology + verdicts + history → Decision, with the reasons. Pure: the same world always gives the same decision.

`RULES` is what must hold before cloudfail acts by itself, in the order in which a careful person would ask. Read it
aloud: no run is open; automation is not paused; the primary is a region we know; … The first rule that does not hold
decides (stay, warn or refuse) and says why; those before it have each left the sentence by which they held, so an
operator reads the whole chain. Only a situation that passes all of them is acted on, so adding a rule can only make
cloudfail act less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cloudfail.model.observation import Health, Verdict
from cloudfail.model.policy import Automation
from cloudfail.model.topology import Topology

SEEN_HEALTHY_WITHIN_SECONDS = 60.0
"""A target must itself have been seen healthy within the last minute (invariant I5)."""


class DecisionKind(StrEnum):
    """stay: nothing to do. warn: a person should look, nothing is changed. act: start the runbook. refuse: the primary
    is lost, and acting would break a rule."""

    STAY = "stay"
    WARN = "warn"
    ACT = "act"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Decision:
    """What to do, from where to where, why (one sentence for each rule that was asked), and what a person can type."""

    kind: DecisionKind
    source: str | None = None
    target: str | None = None
    reasons: tuple[str, ...] = ()
    to_do: str = ""


@dataclass(frozen=True)
class History:
    """What the application's log says, and how long this decider has been watching.

    primary: the current primary as the log says; it may differ from the file's after a failover. observer_since: when
    this decider began to watch, on the clock of `now`. open_run: its id. last_run_ended_seconds_ago: of any run but a
    restore, however it ended. obligations: what is still owed, one sentence each. standing_plan: checksum of the plan
    that a named person signed for automatic use.
    """

    primary: str
    observer_since: float
    open_run: str | None = None
    paused: bool = False
    last_run_ended_seconds_ago: float | None = None
    obligations: tuple[str, ...] = ()
    standing_plan: str | None = None


@dataclass(frozen=True)
class Situation:
    """Everything a rule may look at."""

    topology: Topology
    verdicts: Mapping[str, Verdict]
    history: History
    now: float

    @property
    def primary(self) -> str:
        return self.history.primary

    def verdict(self, region: str) -> Verdict:
        """A region of which nothing was said is unknown."""
        return self.verdicts.get(region) or Verdict(region, Health.UNKNOWN, self.now, self.now, ("nobody has looked",))

    @property
    def target(self) -> str | None:
        """The first standby, in the order of the file, that was itself seen healthy within the last minute."""
        for name in self.topology.standbys(self.primary):
            verdict = self.verdict(name)
            if verdict.health is Health.HEALTHY and self.now - verdict.at <= SEEN_HEALTHY_WITHIN_SECONDS:
                return name
        return None

    @property
    def plan_command(self) -> str:
        to = f" --to {self.target}" if self.target and len(self.topology.regions) > 2 else ""
        return f"cloudfail plan {self.primary}{to}"


Holds = str
Rule = Callable[[Situation], Holds | Decision]
"""The sentence by which it holds, or the decision where it does not."""


def no_run_is_open(situation: Situation) -> Holds | Decision:
    run = situation.history.open_run
    if run is not None:
        return _stay(f"Run {run} is open and goes on; one run at a time.", f"cloudfail status {run}")
    return "No run is open."


def automation_is_not_paused(situation: Situation) -> Holds | Decision:
    if situation.history.paused:
        health = situation.verdict(situation.primary).health
        return _stay(f"Automation is paused; {situation.primary} is {health}.", "cloudfail resume --automation")
    return "Automation is not paused."


def the_primary_is_a_region_we_know(situation: Situation) -> Holds | Decision:
    if situation.primary not in situation.topology.regions:
        return _refuse(
            situation,
            f"The log says that {situation.primary} is the primary, and cloudfail.yaml has no such region.",
            "Put the region back into cloudfail.yaml, then: cloudfail check",
        )
    return f"{situation.primary} is the primary."


def the_primary_does_not_serve(situation: Situation) -> Holds | Decision:
    """Only the primary's loss can act. While it serves, nothing moves by itself: above all not back home (I8)."""
    history, home = situation.history, situation.topology.primary
    verdict = situation.verdict(situation.primary)
    if verdict.health is not Health.HEALTHY:
        return f"{situation.primary} is not seen healthy: {_because(verdict)}."
    if history.obligations:
        return _warn(
            situation,
            f"{situation.primary} is healthy, and the application is degraded: {'; '.join(history.obligations)}.",
            "cloudfail status",
        )
    if situation.primary != home:
        return _stay(
            f"{situation.primary} is healthy. cloudfail.yaml names {home} as primary; going back is never automatic.",
            f"cloudfail plan {situation.primary} --to {home} --runbook NAME",
        )
    return _stay(f"{situation.primary} is healthy.", "")


def we_have_watched_long_enough(situation: Situation) -> Holds | Decision:
    """A decider that has just started trusts nothing yet, itself included."""
    watched = situation.now - situation.history.observer_since
    least = warm_up_seconds(situation.topology)
    if watched < least:
        return _stay(f"Watching for {_span(watched)} only; no decision before {_span(least)}.", "")
    return f"Watched for {_span(watched)}."


def some_region_is_seen_healthy(situation: Situation) -> Holds | Decision:
    """Everything lost at once is far more often a blind observer than the end of the world: fail open."""
    regions = situation.topology.regions
    if len(regions) < 2:
        return "There is no other region to compare with."
    if not any(situation.verdict(name).health is Health.HEALTHY for name in regions):
        said = ", ".join(f"{name} {situation.verdict(name).health}" for name in regions)
        return _warn(
            situation,
            f"No region is seen healthy ({said}): the observers are the likelier failure, so nothing is changed.",
            "cloudfail check",
        )
    return "Another region is seen healthy, so the observers see."


def the_primary_is_down(situation: Situation) -> Holds | Decision:
    verdict = situation.verdict(situation.primary)
    if verdict.health is not Health.DOWN:
        return _warn(
            situation,
            f"{situation.primary} cannot be judged, and unknown is never dead.",
            "cloudfail check",
        )
    return f"{situation.primary} is down; enough vantages agree."


def the_loss_has_lasted(situation: Situation) -> Holds | Decision:
    lasted = situation.now - situation.verdict(situation.primary).since
    hold_down = situation.topology.policy.hold_down_seconds
    if lasted < hold_down:
        return _stay(f"Down for {_span(lasted)}; the hold-down is {_span(hold_down)}.", "")
    return f"Down for {_span(lasted)}, the hold-down of {_span(hold_down)} is over."


def a_standby_can_take_over(situation: Situation) -> Holds | Decision:
    if situation.target is None:
        standbys = situation.topology.standbys(situation.primary)
        said = ", ".join(_said(name, situation) for name in standbys) or "there is no other region"
        return _refuse(
            situation,
            f"No standby was seen healthy within the last minute ({said}); traffic is not moved into the dark.",
            "cloudfail check",
        )
    return f"{situation.target} is healthy and can take over."


def nothing_is_owed(situation: Situation) -> Holds | Decision:
    """An owed fence means that another side may still write: a person decides what is put on top of that."""
    if situation.history.obligations:
        return _warn(
            situation,
            f"Still owed from before: {'; '.join(situation.history.obligations)}. Automation adds nothing to a debt.",
            situation.plan_command,
        )
    return "Nothing is owed from before."


def the_cool_down_is_over(situation: Situation) -> Holds | Decision:
    """After a failover; and after one that a person took back, which automation must not begin again behind them."""
    ago = situation.history.last_run_ended_seconds_ago
    cool_down = situation.topology.policy.cool_down_seconds
    if ago is not None and ago < cool_down:
        return _warn(
            situation,
            f"The last run ended {_span(ago)} ago; automation stays off for {_span(cool_down)} after one.",
            situation.plan_command,
        )
    return "No run is recent." if ago is None else f"The last run ended {_span(ago)} ago."


def automation_is_on(situation: Situation) -> Holds | Decision:
    automation = situation.topology.policy.automation
    if automation is Automation.OFF:
        return _warn(situation, "Automation is off: a person decides.", situation.plan_command)
    return f"Automation is {automation}."


def a_person_has_signed(situation: Situation) -> Holds | Decision:
    """Stage 1 stops at its gate and a person signs there; automatic passes it, so a person must have signed before."""
    if situation.topology.policy.automation is not Automation.AUTOMATIC:
        return "The run stops at its gate for a person."
    if situation.history.standing_plan is None:
        return _warn(
            situation,
            "Automatic mode runs only a standing plan that a named person signed, and there is none.",
            situation.plan_command,
        )
    return f"Plan {situation.history.standing_plan[:8]} stands, signed by a person."


RULES: tuple[Rule, ...] = (
    no_run_is_open,
    automation_is_not_paused,
    the_primary_is_a_region_we_know,
    the_primary_does_not_serve,
    we_have_watched_long_enough,
    some_region_is_seen_healthy,
    the_primary_is_down,
    the_loss_has_lasted,
    a_standby_can_take_over,
    nothing_is_owed,
    the_cool_down_is_over,
    automation_is_on,
    a_person_has_signed,
)


def decide(topology: Topology, verdicts: Mapping[str, Verdict], history: History, now: float) -> Decision:
    """Ask the rules in order; act only if every one of them holds."""
    situation = Situation(topology, verdicts, history, now)
    held: list[str] = []
    for rule in RULES:
        answer = rule(situation)
        if isinstance(answer, Decision):
            return Decision(answer.kind, answer.source, answer.target, (*held, *answer.reasons), answer.to_do)
        held.append(answer)
    return Decision(DecisionKind.ACT, situation.primary, situation.target, tuple(held), "cloudfail status")


def warm_up_seconds(topology: Topology) -> float:
    """How long a decider must have watched: long enough to have counted the slowest check to its fall."""
    return max(
        (check.fall * check.every_seconds + check.timeout_seconds for check in topology.probed.values()), default=0.0
    )


def _stay(reason: str, to_do: str) -> Decision:
    return Decision(DecisionKind.STAY, None, None, (reason,), to_do)


def _warn(situation: Situation, reason: str, to_do: str) -> Decision:
    return Decision(DecisionKind.WARN, situation.primary, situation.target, (reason,), to_do)


def _refuse(situation: Situation, reason: str, to_do: str) -> Decision:
    return Decision(DecisionKind.REFUSE, situation.primary, None, (reason,), to_do)


def _said(region: str, situation: Situation) -> str:
    """What a region is; of one that cannot be judged with the reason, which names the vantages, or the alarm."""
    verdict = situation.verdicts.get(region)
    if verdict is None or verdict.health is not Health.UNKNOWN or not verdict.reasons:
        return f"{region} {situation.verdict(region).health}"
    return f"{region} {verdict.health}: {'; '.join(verdict.reasons)}"


def _because(verdict: Verdict) -> str:
    return "; ".join(verdict.reasons) or str(verdict.health)


def _span(seconds: float) -> str:
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if n) or "0s"
