"""Says whether files that are well-formed are also wise: the order pairs of design.md §7 and what the rules behind
them ask of a runbook, a policy and a state store. Nothing is executed and nothing is asked of a cloud.

    findings = lint(loaded)
    refuse_errors(findings)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudfail.config.loaded import Loaded
from cloudfail.config.mistakes import Mistake
from cloudfail.errors import ConfigError
from cloudfail.lint import (
    approvals,
    clouds,
    compensation,
    custom,
    edges,
    identities,
    many_writers,
    networks,
    order,
    policies,
    ramps,
    regions,
    secrets,
    workers,
)
from cloudfail.lint.finding import Finding, Severity
from cloudfail.lint.rto import bar, estimate_of
from cloudfail.lint.view import View, traits_of
from cloudfail.model.plan import Estimate

__all__ = ["Finding", "Severity", "bar", "estimate", "lint", "refuse_errors"]


def lint(
    loaded: Loaded,
    actions: Mapping[str, Any] | None = None,
    source: str | None = None,
    target: str | None = None,
) -> list[Finding]:
    """Every finding, by file and place. `actions` are cloudfail's Action objects by name (only `verb`, `undo` and
    `waits_for_source` are read); without them, what their argument models say. `source` and `target`, where they are
    known, make literal regions and control-plane homes exact; without them every region counts as one that may go."""
    findings = [
        *policies.findings(loaded),
        *approvals.findings(loaded),
        *identities.findings(loaded),
        *secrets.findings(loaded),
        *custom.unstated(loaded),
    ]
    traits = traits_of(actions)
    for runbook in loaded.runbooks.values():
        view = View(loaded, runbook, traits, source, target)
        cycles = edges.cycles(view)
        findings += cycles
        if cycles:
            continue
        found = [
            *order.findings(view),
            *regions.findings(view),
            *edges.findings(view),
            *compensation.findings(view),
            *networks.findings(view),
            *custom.findings(view),
            *ramps.findings(view),
            *workers.findings(view),
            *clouds.findings(view),
        ]
        findings += [*order.set_aside(view, found), *policies.rto_findings(view)]
        findings += policies.name_outlasts_its_step(view)
        findings += many_writers.findings(view)
    files = [loaded.topology_file.file, *(document.file for document in loaded.runbook_files.values())]
    rank = {file: index for index, file in enumerate(files)}
    return sorted(findings, key=lambda one: (rank.get(one.file, len(rank)), one.line, one.column, one.rule))


def estimate(
    loaded: Loaded,
    runbook: str,
    actions: Mapping[str, Any] | None = None,
    source: str | None = None,
    target: str | None = None,
) -> Estimate:
    """The RTO's parts for one runbook. Raises KeyError for a runbook that was not loaded."""
    return estimate_of(View(loaded, loaded.runbooks[runbook], traits_of(actions), source, target))


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Raise ConfigError with every finding that is an error, if there is one: such a runbook may not be planned."""
    mistakes = tuple(
        Mistake(one.file, one.line, one.column, "", f"{one.message} [{one.rule}]", one.instead)
        for one in findings
        if one.severity is Severity.ERROR
    )
    if mistakes:
        raise ConfigError(mistakes)
