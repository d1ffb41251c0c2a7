"""The whole held against the RTO before the bad day, as one bar: detection, hold-down, path, TTL; gates apart.

The sum must be checked beforehand because nobody can shorten it in the incident: Patroni refuses a configuration whose
`loop_wait + 2 × retry_timeout` exceeds its lease, and most failovers are long not by their steps but by waiting.
"""

from __future__ import annotations

from cloudfail.config import durations
from cloudfail.lint import graph
from cloudfail.lint.view import MOVES_TRAFFIC, View
from cloudfail.model.plan import Estimate
from cloudfail.model.runbook import Step
from cloudfail.model.topology import Topology

BAR_WIDTH = 40


def detection_seconds(topology: Topology) -> float:
    """Until the slowest check has seen `fall` bad answers, the last one a time-out."""
    checks = topology.probed.values()
    return max((check.every_seconds * check.fall + check.timeout_seconds for check in checks), default=0.0)


def ttl_seconds(view: View) -> float:
    """The longest that a resolver may still give the old answer for a name that this runbook switches."""
    return max((ttl_of(view, step) for step in view.steps(*MOVES_TRAFFIC)), default=0.0)


def ttl_of(view: View, step: Step) -> float:
    """The same of one step's name; 0 where there is none."""
    found = [0.0]
    for name in view.resources(step):
        options = view.loaded.topology.resources[name].options
        found += [_seconds(options.get(key)) for key in ("ttl", "ttl_seconds")]
    return max(found)


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(durations.parse(value)) if isinstance(value, str) else 0.0
    except ValueError:
        return 0.0


def estimate_of(view: View) -> Estimate:
    """The parts of the bar. A path's gates cost nothing in it: `gate_limit` is the most that they may add."""
    steps, topology = view.runbook.steps, view.loaded.topology
    expected, way = graph.longest(view.needs, lambda name: view.typical_seconds(steps[name]))
    limit, _ = graph.longest(view.needs, lambda name: 0.0 if steps[name].gate else steps[name].limit_seconds)
    gates, _ = graph.longest(view.needs, lambda name: steps[name].expires_seconds if steps[name].gate else 0.0)
    return Estimate(
        detection=detection_seconds(topology),
        hold_down=topology.policy.hold_down_seconds,
        path_expected=expected,
        path_limit=limit,
        ttl=ttl_seconds(view),
        gate_limit=gates,
        critical_path=way,
    )


def bar(parts: Estimate, rto_seconds: float) -> str:
    """One line: `detect 35s + hold-down 2m + path 2m 12s (by limits 11m 10s) + TTL 1m: … of 15m  [dhhhhpppptt······]`.

    The bar's full width is the RTO: d detection, h hold-down, p path, t TTL, all as expected; what exceeds it is `!`.
    """
    say = durations.written
    gate = f"; gates up to {say(parts.gate_limit)} more" if parts.gate_limit else ""
    scale = BAR_WIDTH / rto_seconds if rto_seconds > 0 else 0.0
    drawn, upto = "", 0.0
    for letter, seconds in (
        ("d", parts.detection),
        ("h", parts.hold_down),
        ("p", parts.path_expected),
        ("t", parts.ttl),
    ):
        upto += seconds
        drawn += letter * (min(round(upto * scale), BAR_WIDTH * 3) - len(drawn))
    inside, beyond = drawn[:BAR_WIDTH].ljust(BAR_WIDTH, "·"), "!" * min(len(drawn[BAR_WIDTH:]), 10)
    return (
        f"detect {say(parts.detection)} + hold-down {say(parts.hold_down)} + path {say(parts.path_expected)} "
        f"(by limits {say(parts.path_limit)}) + TTL {say(parts.ttl)}: {say(parts.expected)} expected, "
        f"{say(parts.by_limits)} by limits, of {say(rto_seconds)}{gate}  [{inside}]{beyond}"
    )
