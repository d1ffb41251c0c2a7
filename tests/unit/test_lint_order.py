"""Each order pair of design.md §7 has a file that breaks it and one that keeps it; an override is a logged way out."""

# ruff: noqa: E501 - one broken file per row, as a table

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, TOPOLOGY, changed, findings, load, said

from cloudfail.errors import ConfigError
from cloudfail.lint import lint, refuse_errors
from cloudfail.lint.order import RULES
from cloudfail.model.runbook import ORDER_RULES

QUEUE = changed(
    TOPOLOGY, ("checks:\n", "  jobs: {consumers: lambda, members: {us-east-1: j-e, us-west-2: j-w}}\nchecks:\n")
)
JOBS = "  jobs: {action: consumers.enable, with: {consumers: jobs}, needs: [%s], limit: 20s}\n"
WITH_JOBS = changed(
    EVACUATE, ("  unfreeze:", JOBS % "promote" + "  unfreeze:"), ("needs: [users]", "needs: [users, jobs]")
)

SITE = changed(TOPOLOGY, ("checks:\n", "  cdn: {custom: lambda, members: {us-east-1: c-e, us-west-2: c-w}}\nchecks:\n"))
CDN = "  cdn: {action: custom.run, with: {name: cdn}, needs: [%s], limit: 60s}\n"


def with_cdn(needs: str) -> str:
    return changed(EVACUATE, ("  unfreeze:", CDN % needs + "  unfreeze:"), ("needs: [users]", "needs: [users, cdn]"))


BROKEN = [
    # rule, topology, runbook, line of the step, what is said, advice
    ("freeze-first", TOPOLOGY, changed(EVACUATE, ("needs: [freeze],  limit: 60s", "limit: 60s")), 7,
     "fence changes something before changes in ${to} are frozen", "needs: [freeze]"),
    ("freeze-first", TOPOLOGY, changed(EVACUATE, ("needs: [freeze],  limit: 60s", "needs: [freeze_old], limit: 60s")), 7,
     "before changes in ${to} are frozen", "needs: [freeze]"),
    ("unfreeze-last", TOPOLOGY, changed(EVACUATE, ("needs: [users]", "needs: [write]")), 14,
     "unfreeze lets changes go while users may still run", "needs: [write, users]"),
    ("fence-before-promote", TOPOLOGY,
     changed(EVACUATE, ("needs: [fence]", "needs: [freeze]"), ("needs: [users]", "needs: [users, fence]")), 9,
     "promote promotes orders before its old primary is fenced", "needs: [fence]"),
    ("approval-between-fence-and-promote", TOPOLOGY, changed(EVACUATE, ("needs: [approve]", "needs: [fence]")), 9,
     "no approval stands between fence and promote", "a gate with needs: [fence]"),
    ("approval-between-fence-and-promote", TOPOLOGY,
     changed(EVACUATE, ("needs: [fence]", "needs: [freeze]"), ("needs: [approve]", "needs: [approve, fence]")), 9,
     "no approval stands between fence and promote", "a gate with needs: [fence]"),
    ("approval-before-custom", SITE, with_cdn("freeze"), 14,
     "cdn runs cdn, which can lose data and cannot be undone, before fence and approve", "needs: [freeze, fence, approve]"),
    ("approval-before-custom", SITE, with_cdn("fence"), 14, "cannot be undone, before approve", "needs: [fence, approve]"),
    ("promote-before-consumers", QUEUE, changed(WITH_JOBS, ("consumers: jobs}, needs: [promote]", "consumers: jobs}, needs: [freeze]")), 14,
     "jobs starts consumers without waiting for promote", "needs: [freeze, promote]"),
    ("promote-before-traffic", TOPOLOGY, changed(EVACUATE, ("[write, scale]", "[scale]"), ("[users]", "[users, write]")), 12,
     "traffic sends users without waiting for promote", "needs: [scale, promote]"),
    ("capacity-before-traffic", TOPOLOGY, changed(EVACUATE, ("[write, scale]", "[write]"), ("[users]", "[users, scale]")), 12,
     "traffic sends users without waiting for scale", "needs: [write, scale]"),
    ("capacity-before-traffic", TOPOLOGY,
     "\n".join(line for line in changed(EVACUATE, ("[write, scale]", "[write]")).split("\n") if "compute.scale" not in line), 11,
     "traffic sends users to web, which nothing scales", "compute.scale"),
    ("write-after-promote", TOPOLOGY, changed(EVACUATE, ("needs: [promote]", "needs: [approve]"), ("[write, scale]", "[promote, write, scale]")), 11,
     "write writes before promote has promoted", "needs: [promote]"),
    ("write-after-promote", TOPOLOGY,
     "\n".join(line for line in changed(EVACUATE, ("[write, scale]", "[promote, scale]")).split("\n") if "verify.write" not in line), 9,
     "nothing writes to orders after promote", "verify.write"),
    ("users-after-traffic", TOPOLOGY, changed(EVACUATE, ("needs: [traffic]", "needs: [promote]"), ("[users]", "[users, traffic]")), 13,
     "users looks for users without waiting for traffic", "needs: [promote, traffic]"),
    ("users-after-traffic", TOPOLOGY,
     "\n".join(line for line in changed(EVACUATE, ("[users]", "[traffic]")).split("\n") if "verify.users" not in line), 12,
     "nobody looks at users after traffic", "verify.users"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "topology", "runbook", "line", "message", "instead"), BROKEN)
def test_a_broken_pair_is_an_error_at_its_step(
    tmp_path: Path, rule: str, topology: str, runbook: str, line: int, message: str, instead: str
) -> None:
    found = findings(tmp_path, runbook, topology)
    errors = [one for one in found if one.severity == "error"]
    assert [(one.rule, one.line) for one in errors] == [(rule, line)], "\n".join(map(str, found))
    assert message in errors[0].message
    assert instead in errors[0].instead


def test_every_order_rule_has_a_broken_file() -> None:
    assert {row[0] for row in BROKEN} == set(ORDER_RULES) == set(RULES)


def test_every_order_rule_says_what_it_was_learned_from() -> None:
    for name, rule in RULES.items():
        assert "Safety rule" in (rule.__doc__ or ""), name


@pytest.mark.parametrize(("topology", "runbook"), [(TOPOLOGY, EVACUATE), (QUEUE, WITH_JOBS)])
def test_kept_pairs_say_nothing(tmp_path: Path, topology: str, runbook: str) -> None:
    assert said(findings(tmp_path, runbook, topology)) == []


def test_before_means_a_path_over_any_number_of_steps(tmp_path: Path) -> None:
    runbook = changed(
        EVACUATE,
        ("  promote:", "  pause: {gate: approval, needs: [approve], expires: 1m}\n  promote:"),
        ("needs: [approve], limit", "needs: [pause], limit"),
    )
    assert said(findings(tmp_path, runbook)) == []


def test_a_switchover_freezes_both_sides(tmp_path: Path) -> None:
    runbook = changed(
        EVACUATE,
        ("mode: failover", "mode: switchover"),
        ("database.failover", "database.switchover"),
        ("needs: [freeze],  limit: 60s", "needs: [freeze, freeze_old], limit: 60s"),
    )
    topology = changed(TOPOLOGY, ("automation: stage-1", "automation: off"))
    errors = [one for one in findings(tmp_path, runbook, topology) if one.severity == "error"]
    assert [(one.rule, one.step) for one in errors] == [("freeze-first", "scale")]
    assert "before changes in ${from} are frozen" in errors[0].message


REASON = "the queue is drained by hand, see the runbook of the shop"


@pytest.mark.parametrize("row", BROKEN, ids=lambda row: row[0])
def test_an_override_turns_the_error_into_a_warning_with_its_reason(
    tmp_path: Path, row: tuple[str, str, str, int, str, str]
) -> None:
    rule, topology, runbook, line, message, _ = row
    lines = runbook.split("\n")
    lines[line - 1] = lines[line - 1].rstrip().removesuffix("}") + f', override: {{{rule}: "{REASON}"}}}}'
    found = findings(tmp_path, "\n".join(lines), topology)
    assert [one for one in found if one.severity == "error"] == []
    (warning,) = [one for one in found if one.rule == rule]
    assert (warning.severity, warning.overridden) == ("warning", REASON)
    assert message in warning.message
    assert str(warning).endswith(f"set aside by an override: {REASON}")


def test_an_override_reaches_its_own_step_and_rule_only(tmp_path: Path) -> None:
    runbook = changed(
        EVACUATE,
        ("needs: [freeze],  limit: 60s", f'limit: 60s, override: {{unfreeze-last: "{REASON}"}}'),
        ("needs: [freeze],  limit: 4m", f'limit: 4m, override: {{freeze-first: "{REASON}"}}'),
    )
    assert {(one.rule, one.step, str(one.severity)) for one in findings(tmp_path, runbook)} == {
        ("freeze-first", "fence", "error"),
        ("idle-override", "fence", "warning"),
        ("freeze-first", "scale", "warning"),
    }


def test_errors_are_refused_together(tmp_path: Path) -> None:
    runbook = changed(EVACUATE, ("needs: [fence]", "needs: [freeze]"), ("needs: [users]", "needs: [write, fence]"))
    with pytest.raises(ConfigError) as raised:
        refuse_errors(lint(load(tmp_path, TOPOLOGY, runbook)))
    assert len(raised.value.mistakes) == 2
    assert "r0.yaml:9:3: promote promotes orders before its old primary is fenced [fence-before-promote]" in str(
        raised.value
    )
    refuse_errors(lint(load(tmp_path, TOPOLOGY, EVACUATE)))
