"""The topology's own rules: what automation may be trusted with, where state lives, whether the RTO can be met."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from cloudfail.config.durations import written
from cloudfail.config.loaded import Loaded
from cloudfail.errors import Refused
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.lint.rto import bar, estimate_of, ttl_of
from cloudfail.lint.view import MOVES_TRAFFIC, View
from cloudfail.model.policy import Automation, Scope
from cloudfail.model.runbook import Mode
from cloudfail.stores import store_kind

HOLD_DOWN_SECONDS_MIN = 60.0
VANTAGES_MIN = 3


def findings(loaded: Loaded) -> list[Finding]:
    """What these rules say of cloudfail.yaml."""
    return [
        *hold_down(loaded),
        *vantages(loaded),
        *votes(loaded),
        *signals_alone(loaded),
        *state_store(loaded),
        *anchor_places(loaded),
        *standing_runbook(loaded),
    ]


def hold_down(loaded: Loaded) -> Iterator[Finding]:
    """No cross-region promotion on a blip: GitHub 2018 made 24 hours of 43 seconds (safety rule 1)."""
    policy = loaded.topology.policy
    if policy.automation is not Automation.AUTOMATIC or policy.scope is not Scope.REGION:
        return
    if policy.hold_down_seconds < HOLD_DOWN_SECONDS_MIN:
        message = f"automation between regions acts after {written(policy.hold_down_seconds)}: on a blip"
        place = loaded.place("policy", "hold_down")
        yield at(place, "hold-down", message, "write hold_down: 3m, or scope: site for one site")


def vantages(loaded: Loaded) -> Iterator[Finding]:
    """Two observers cannot decide alone, and none may judge only itself (safety rule 1, lesson 4)."""
    topology = loaded.topology
    if topology.policy.automation is not Automation.AUTOMATIC:
        return
    place = loaded.place("vantages", key=True) if topology.vantages else loaded.place("policy", "automation")
    if len(topology.vantages) < VANTAGES_MIN:
        message = f"automation with {len(topology.vantages)} of at least {VANTAGES_MIN} vantages"
        yield at(place, "vantages", message, "write vantages: with three names, or automation: stage-1")
        return
    for region in topology.regions:
        if all(vantage.region == region for vantage in topology.vantages.values()):
            message = f"every vantage stands in {region}: none could tell its loss from their own"
            yield at(place, "vantages", message, "add a vantage outside of it")


def votes(loaded: Loaded) -> Iterator[Finding]:
    """`2 of 3` counts vantages that exist."""
    topology = loaded.topology
    for name, check in topology.checks.items():
        if topology.vantages and check.vantages_total > len(topology.vantages):
            count = len(topology.vantages)
            message = (
                f"{name} asks for {check.vantages_needed} of {check.vantages_total} vantages, and there are {count}"
            )
            place = loaded.place("checks", name, "vantages")
            yield at(place, "votes", message, f"write {count // 2 + 1} of {count}, or add vantages")


def signals_alone(loaded: Loaded) -> Iterator[Finding]:
    """What a provider says of itself is one voice, and no quorum: without a probe nothing is ever healthy or down."""
    topology = loaded.topology
    if topology.signalled and not topology.probed:
        name = next(iter(topology.signalled))
        message = f"{name} is a signal, and no check is made by a vantage: no region would ever be healthy, or down"
        yield at(
            loaded.place("checks", name, "signal"), "signals-alone", message, "add a check with http:, tcp: or sql:"
        )


def state_store(loaded: Loaded) -> Iterator[Finding]:
    """The run's memory lives where no region that can be lost takes it along (safety rule 7, lesson 12)."""
    url, place = loaded.topology.state, loaded.place("state")
    try:
        regions = store_kind(url).place(url).regions
    except Refused as refused:
        yield at(place, "state-store", refused.happened, refused.to_do)
        return
    for region in regions or ():
        if region in loaded.topology.regions:
            message = f"the state lives in {region}, which may be the region that is lost"
            yield at(place, "state-store-region", message, "use a region that is not in this file")


def anchor_places(loaded: Loaded) -> Iterator[Finding]:
    """Anchors prove what the store's owner cannot change, and stand where the lost region does not take them along."""
    topology = loaded.topology
    for index, url in enumerate(topology.audit.anchors if topology.audit else ()):
        place = loaded.place("audit", "anchors", index)
        try:
            regions = store_kind(url).place(url).regions
        except Refused as refused:
            yield at(place, "anchor-place", refused.happened, refused.to_do)
            continue
        for region in regions or ():
            if region in topology.regions:
                message = f"anchors are kept in {region}, which may be the region that is lost"
                cure = "use a region that is not in this file"
                yield at(place, "anchor-place-region", message, cure, severity=Severity.WARNING)
        if _same_owner(url, topology.state):
            message = "anchors are kept where the state is: whoever can rewrite the one can rewrite the other"
            yield at(place, "anchor-place-state", message, "use another account", severity=Severity.WARNING)


def _same_owner(url: str, state: str) -> bool:
    """Whether two URLs name one bucket, account, table or server; or, on one machine, one directory."""
    first, second = urlsplit(url), urlsplit(state)
    if first.netloc or second.netloc:
        return (first.scheme, first.netloc.rpartition("@")[2]) == (second.scheme, second.netloc.rpartition("@")[2])
    folder = second.path.rpartition("/")[0]
    return first.path == second.path or first.path.rpartition("/")[0] == folder or first.path.startswith(f"{folder}/")


def standing_runbook(loaded: Loaded) -> Iterator[Finding]:
    """What automation would run exists, and is a failover."""
    policy = loaded.topology.policy
    if policy.automation is Automation.OFF or not loaded.runbooks:
        return
    runbook = loaded.runbooks.get(policy.runbook)
    place = loaded.place("policy", "runbook") if runbook is None else loaded.place("policy")
    if runbook is None:
        message = f'automation would run "{policy.runbook}", which is not among the runbooks that were loaded'
        cure = f"load it, or write one of {', '.join(loaded.runbooks)}"
        yield at(place, "standing-runbook", message, cure, severity=Severity.WARNING)
    elif runbook.mode is not Mode.FAILOVER:
        message = f'automation would run "{runbook.name}", which is a {runbook.mode}'
        yield at(loaded.place("policy", "runbook"), "standing-runbook", message, "name a failover")


def rto_findings(view: View) -> Iterator[Finding]:
    """What was promised can be kept: as expected at all, by the limits at worst (lesson 13)."""
    if view.runbook.mode is not Mode.FAILOVER:
        return
    parts, rto = estimate_of(view), view.loaded.topology.objectives.rto_seconds
    automatic = view.loaded.topology.policy.automation is Automation.AUTOMATIC
    place = view.place("name")
    if parts.expected > rto:
        severity = Severity.ERROR if automatic else Severity.WARNING
        message = f"{view.runbook.name} cannot keep the RTO: {bar(parts, rto)}"
        yield at(place, "rto", message, _longest_part(view), severity=severity)
    elif parts.by_limits > rto:
        message = f"{view.runbook.name} keeps the RTO unless steps need their limits: {bar(parts, rto)}"
        yield at(place, "rto", message, "write shorter limits on the critical path", severity=Severity.WARNING)


def name_outlasts_its_step(view: View) -> Iterator[Finding]:
    """A name is switched when resolvers say so, and they may keep the old answer for its whole TTL: a step that ends
    sooner halts the run in the middle of the move. (Simulation: the limit of 10 s under a TTL of 60 s, 8 runs of 9.)"""
    for step in view.steps(*MOVES_TRAFFIC):
        ttl = ttl_of(view, step)
        if step.action == "traffic.ramp":
            continue  # ramps.py counts each of its steps
        if step.limit_seconds <= ttl:
            ends = written(step.limit_seconds)
            message = f"{step.name} ends after {ends}, and resolvers keep the old answer for {written(ttl)}"
            cure = f"write limit: {written(ttl * 2)}, or a shorter ttl in cloudfail.yaml"
            yield at(view.place("steps", step.name), "ttl", message, cure, severity=Severity.WARNING, step=step.name)


def _longest_part(view: View) -> str:
    parts = estimate_of(view)
    named = {
        "probe more often (every, fall, timeout)": parts.detection,
        "write a shorter hold_down": parts.hold_down,
        f"shorten the path {' → '.join(parts.critical_path)}": parts.path_expected,
        "write a shorter ttl": parts.ttl,
    }
    return max(named, key=lambda name: named[name])
