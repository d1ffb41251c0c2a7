"""Where a person must let a gate pass, their word can reach the log when a region is away: two paths, none of
which stands in a region that may be evacuated. (Facebook, 4 October 2021: the tools to repair the network with stood
behind it.)"""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.config.loaded import Loaded
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.model.policy import Scope

PATHS_MIN = 2
TWO = (
    'write approval_paths: with two, {laptop: {terminal: "any of ours"}, door: {function: "https://…", '
    "region: eu-west-3}}, say"
)


def findings(loaded: Loaded) -> list[Finding]:
    """What these rules say of cloudfail.yaml. Nothing where nobody is ever asked."""
    return [*few(loaded), *homes(loaded), *unsigned(loaded)] if _asks(loaded) else []


def _asks(loaded: Loaded) -> bool:
    steps = [step for runbook in loaded.runbooks.values() for step in runbook.steps.values()]
    policy = loaded.topology.policy
    return bool(policy.approvers or policy.approval_paths) or any(step.gate is not None for step in steps)


def few(loaded: Loaded) -> Iterator[Finding]:
    """One path is one fault away from a gate that nobody can open until it expires and takes everything back. Between
    sites of one place (`scope: site`) whoever stands there is a path."""
    policy = loaded.topology.policy
    if policy.scope is not Scope.REGION:
        return
    ways = {(path.by, path.at) for path in policy.approval_paths if path.by != "function" or policy.approvers}
    if len(ways) < PATHS_MIN:
        known = {0: "no path is written", 1: "one path is written"}[len(ways)]
        message = f"a person must approve, and {known} on which that reaches the log: one fault may close it"
        yield at(loaded.place("policy", "approval_paths"), "approval-paths", message, TWO, severity=Severity.WARNING)


def homes(loaded: Loaded) -> Iterator[Finding]:
    """What goes with the region cannot approve that it is left."""
    for path in loaded.topology.policy.approval_paths:
        if path.region in loaded.topology.regions:
            message = f"approvals by {path.name} come from {path.region}, which may be the region that is lost"
            place = loaded.place("policy", "approval_paths", path.name, "region")
            yield at(place, "approval-path-region", message, "use a region that is not in this file")


def unsigned(loaded: Loaded) -> Iterator[Finding]:
    """The approvals' function takes nothing that is not signed by a listed key (cloudfail/entrypoints/approving.py)."""
    policy = loaded.topology.policy
    for path in policy.approval_paths:
        if path.by == "function" and not policy.approvers:
            message = f"{path.name} lets nothing pass: a function takes signed approvals only, and no key is listed"
            place = loaded.place("policy", "approval_paths", path.name)
            cure = "list keys under policy.approvers"
            yield at(place, "approval-path-unsigned", message, cure, severity=Severity.WARNING)
