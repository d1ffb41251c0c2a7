"""Every other rule of lint has a file that breaks it and one that keeps it."""

# ruff: noqa: E501 - one broken file per row, as a table

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, HERE, PROVIDERS, RUNBOOKS, TOPOLOGY, PaperProvider, changed, findings, load, made, said

from cloudfail import config
from cloudfail.actions.arguments import ARGUMENTS
from cloudfail.lint import lint
from cloudfail.lint.view import traits_of
from cloudfail.model.topology import PortName
from cloudfail.ports import VerbFacts

SITE = (HERE / "lab.yaml").read_text(encoding="utf-8")
LOCAL = (RUNBOOKS / "evacuate-local.yaml").read_text(encoding="utf-8")
RESTORE = (RUNBOOKS / "restore-local.yaml").read_text(encoding="utf-8")
FAILBACK = (RUNBOOKS / "failback-local.yaml").read_text(encoding="utf-8")
STEP = "  unfreeze:  "
OFF = changed(TOPOLOGY, ("automation: stage-1", "automation: off"), ("rto: 15m", "rto: 30m"))

RUNBOOK_RULES = [
    # rule, severity, runbook, line, what is said, advice
    ("no-wait-for-lost-region", "error", changed(EVACUATE, ('{where: "${from}", unreachable: owe}', '{where: "${from}"}')), 6,
     "freeze_old waits for ${from}, which is lost", "unreachable: owe"),
    ("no-wait-for-lost-region", "error", changed(EVACUATE, ("{database: orders, unreachable: owe}", "{database: orders}")), 7,
     "fence (database.fence) waits for the lost region", "unreachable: owe"),
    ("no-wait-for-lost-region", "error", changed(EVACUATE, ("database.failover", "database.switchover")), 9,
     "promote (database.switchover) waits for the lost region", "mode restore"),
    ("no-wait-for-lost-region", "error", changed(EVACUATE, ("limit: 30s", 'limit: 30s, post: [{replica: orders, in: "${from}"}]')), 11,
     "write waits to see replica in ${from}", 'in: "${to}"'),
    ("no-wait-for-lost-region", "error", changed(EVACUATE, ('{where: "${from}", unreachable: owe}', "{where: us-east-1}")), 6,
     "freeze_old waits for us-east-1, which may be the one that is lost", 'write "${from}" or "${to}"'),
    ("literal-region", "warning", changed(EVACUATE, ("{name: www,", "{name: www, to: us-west-2,")), 12,
     "traffic names us-west-2 itself", 'write "${from}" or "${to}"'),
    ("source-as-target", "error", changed(EVACUATE, ("{name: www,", '{name: www, to: "${from}",')), 12,
     "traffic (traffic.switch) is told to use ${from}", 'write "${to}"'),
    ("cycle", "error", changed(EVACUATE, ("needs: [approve]", "needs: [approve, users]")), 9,
     "these steps wait for each other: promote needs users needs traffic needs write needs promote", "remove one"),
    ("cycle", "error", changed(EVACUATE, ("needs: [approve]", "needs: [promote]")), 9,
     "these steps wait for each other: promote needs promote", "remove one"),
    ("needless-edge", "warning", changed(EVACUATE, ("needs: [approve]", "needs: [approve, fence]")), 9,
     "promote needs fence, and approve needs it already", "remove fence"),
    ("could-start-early", "warning", changed(EVACUATE, ('like: "recorded ${from}"},   needs: [freeze]', 'like: "recorded ${from}"},   needs: [promote]')), 10,
     "scale waits for approve, fence, promote", "needs: [freeze]"),
    ("gate-expiry", "warning", changed(EVACUATE, (",   expires: 10m", "")), 8, "approve does not say when it expires", "expires: 10m"),
    ("gate-expiry", "error", changed(EVACUATE, ("expires: 10m", "expires: 7d")), 8, "approve may wait 7d", "expires: 10m"),
    ("limit-too-short", "warning", changed(EVACUATE, ("needs: [approve], limit: 4m", "needs: [approve], limit: 30s")), 9,
     "promote is given 30s and takes 1m on a good day", "limit: 2m"),
    ("limit-too-short", "warning", changed(EVACUATE, ("mode: failover", "limit: 5m\nmode: failover")), 3,
     "the run's limit is 5m, and its longest path may take 11m 10s by its limits", "limit: 670s"),
    ("left-frozen", "warning", "\n".join(line for line in EVACUATE.split("\n") if "change.unfreeze" not in line), 5,
     "freeze freezes changes in ${to}, and nothing lets them go", "change.unfreeze"),
    ("mode", "error", changed(EVACUATE, ("traffic.switch,    with: {name: www, at_most: healthy, rest: shed}", "traffic.ramp, with: {name: www}")), 12,
     "traffic: traffic.ramp does not belong into a failover", "write traffic.switch"),
    ("plain-secret", "error", changed(EVACUATE, ("mode: failover", "mode: failover\ndescription: 'password=hunter2'")), 4,
     "a connection string with its password stands here in plain text", "env:NAME"),
]  # fmt: skip

TOPOLOGY_RULES = [
    ("state-store-region", "error", changed(TOPOLOGY, ("region=eu-central-1", "region=us-west-2")), 8,
     "the state lives in us-west-2", "a region that is not in this file"),
    ("hold-down", "error", changed(TOPOLOGY, ("automation: stage-1, hold_down: 2m", "automation: automatic, hold_down: 59s")), 16,
     "acts after 59s", "scope: site"),
    ("vantages", "error", changed(TOPOLOGY, ("automation: stage-1", "automation: automatic")), 16,
     "automation with 0 of at least 3 vantages", "automation: stage-1"),
    ("vantages", "error", changed(TOPOLOGY, ("policy: {automation: stage-1", "vantages: {a: {region: us-east-1}, b: {region: us-east-1}, c: {region: us-east-1}}\npolicy: {automation: automatic")), 16,
     "every vantage stands in us-east-1", "outside"),
    ("votes", "error", changed(TOPOLOGY, ("policy:", "vantages: {a: {}, b: {}}\npolicy:")), 15,
     "checkout asks for 2 of 3 vantages, and there are 2", "write 2 of 2"),
    ("standing-runbook", "warning", changed(TOPOLOGY, ("cool_down: 1h", "runbook: evac")), 16,
     'automation would run "evac", which is not among', "evacuate"),
    ("plain-secret", "error", changed(TOPOLOGY, ("state: dynamodb://cloudfail?region=eu-central-1", "state: postgresql://me:hunter2@db.example/state")), 8,
     "a URL with its password stands here", "env:NAME"),
    ("plain-secret", "error", changed(TOPOLOGY, ("id: orders-global", "id: AKIA0123456789ABCDEF")), 10, "an AWS access key", "change the secret"),
    ("anchor-place-region", "warning", changed(TOPOLOGY, ("policy:", "audit: {anchors: ['s3://acme?region=us-west-2'], key: env:KEY, signers: s}\npolicy:")), 16,
     "anchors are kept in us-west-2, which may be the region that is lost", "a region that is not in this file"),
    ("anchor-place-state", "warning", changed(TOPOLOGY, ("policy:", "audit: {anchors: ['dynamodb://cloudfail?region=eu-west-3'], key: env:KEY, signers: s}\npolicy:")), 16,
     "anchors are kept where the state is", "another account"),
    ("anchor-place-state", "warning", changed(TOPOLOGY, ("policy:", "audit: {anchors: ['file:/srv/cloudfail/anchors'], key: env:KEY, signers: s}\npolicy:"),
     ("state: dynamodb://cloudfail?region=eu-central-1", "state: sqlite:/srv/cloudfail/state.db")), 16, "anchors are kept where the state is", "another account"),
    ("anchor-place", "error", changed(TOPOLOGY, ("policy:", "audit: {anchors: ['s3://acme'], key: env:KEY, signers: s}\npolicy:")), 16,
     "does not say which region the bucket is in", "s3://BUCKET/PREFIX?region=REGION"),
    ("approval-paths", "warning", changed(TOPOLOGY, (", jump: {terminal: jump.shop.example, region: eu-west-3}", "")), 17,
     "one path is written", "with two"),
    ("approval-paths", "warning", changed(TOPOLOGY, ("terminal: jump.shop.example", "terminal: any of the team's")), 17,
     "one path is written", "with two"),
    ("approval-paths", "warning", changed(TOPOLOGY, ("{terminal: jump.shop.example", "{function: 'https://a.example'")), 17,
     "one path is written", "with two"),
    ("approval-path-unsigned", "warning", changed(TOPOLOGY, ("{terminal: jump.shop.example", "{function: 'https://a.example'")), 17,
     "jump lets nothing pass: a function takes signed approvals only", "policy.approvers"),
    ("approval-path-region", "error", changed(TOPOLOGY, ("region: eu-west-3", "region: us-west-2")), 17,
     "approvals by jump come from us-west-2, which may be the region that is lost", "a region that is not in this file"),
    ("rto", "warning", changed(TOPOLOGY, ("rto: 15m", "rto: 10m")), 2, "keeps the RTO unless steps need their limits", "shorter limits"),
    ("rto", "warning", changed(TOPOLOGY, ("rto: 15m", "rto: 5m")), 2, "cannot keep the RTO", "shorten the path freeze → scale → traffic → users → unfreeze"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "severity", "runbook", "line", "message", "instead"), RUNBOOK_RULES)
def test_a_runbook_that_breaks_a_rule_is_told_where(
    tmp_path: Path, rule: str, severity: str, runbook: str, line: int, message: str, instead: str
) -> None:
    found = findings(tmp_path, runbook, OFF)
    assert said(found) == [(rule, severity, line)], "\n".join(map(str, found))
    assert message in found[0].message
    assert instead in found[0].instead


@pytest.mark.parametrize(("rule", "severity", "topology", "line", "message", "instead"), TOPOLOGY_RULES)
def test_a_topology_that_breaks_a_rule_is_told_where(
    tmp_path: Path, rule: str, severity: str, topology: str, line: int, message: str, instead: str
) -> None:
    found = [one for one in findings(tmp_path, EVACUATE, topology) if one.rule == rule]
    assert said(found) == [(rule, severity, line)], "\n".join(map(str, found))
    assert message in found[0].message
    assert instead in found[0].instead


@pytest.mark.parametrize(
    ("rule", "runbook", "message"),
    [
        (
            "mode",
            changed(FAILBACK, ("database.switchover", "database.failover")),
            "promote: database.failover does not belong into a switchover",
        ),
        (
            "mode",
            changed(
                RESTORE,
                ("  unfreeze:", "  back: {action: traffic.switch, with: {name: www}, needs: [follow]}\n  unfreeze:"),
                ("needs: [unfence]", "needs: [unfence, back]"),
            ),
            "back: traffic.switch does not belong into a restore",
        ),
        (
            "source-as-target",
            changed(FAILBACK, ('member: "${from}", upstream: "${to}"', 'member: "${to}", upstream: "${from}"')),
            "follow makes the old primary the upstream",
        ),
    ],
)
def test_switchover_failover_and_restore_are_different_things(
    tmp_path: Path, rule: str, runbook: str, message: str
) -> None:
    found = [one for one in findings(tmp_path, runbook, SITE) if one.rule == rule]
    assert [one.severity for one in found] == ["error"]
    assert found[0].message == message


RAMP = "traffic.ramp, with: {name: edge, hold: 20s}"
RAMPED = changed(
    FAILBACK,
    (
        "traffic.switch,      with: {name: edge},                            needs: [write],   limit: 10s",
        f"{RAMP}, needs: [write], limit: 10m",
    ),
)


def with_name(steps: str, limit: str = "20m") -> str:
    return changed(
        FAILBACK,
        (
            "traffic.switch,      with: {name: www},                             needs: [write],   limit: 10s",
            f"traffic.ramp, with: {{name: www, {steps}}}, needs: [write], limit: {limit}",
        ),
    )


def test_a_ramp_whose_name_cannot_carry_its_shares_is_told_unless_the_file_lets_it_take_fewer(tmp_path: Path) -> None:
    found = [one for one in findings(tmp_path, with_name("hold: 1m"), SITE) if one.rule == "ramp"]
    assert [one.severity for one in found] == ["error"]
    assert "www: www answers with one region, or with both alike" in found[0].message
    assert "steps: [50, 100], or otherwise: fewer_steps" in found[0].instead
    assert "ramp" not in {one.rule for one in findings(tmp_path, with_name("otherwise: fewer_steps"), SITE)}


def test_a_ramp_is_linted_as_what_sends_users(tmp_path: Path) -> None:
    assert [one.rule for one in findings(tmp_path, RAMPED, SITE)] == ["standing-runbook"]
    early = changed(RAMPED, ("needs: [write], limit: 10m", "needs: [freeze], limit: 10m"))
    rules = {one.rule for one in findings(tmp_path, early, SITE) if one.severity == "error"}
    assert {"promote-before-traffic", "capacity-before-traffic"} <= rules
    unseen = changed(RAMPED, ("needs: [edge, www]", "needs: [www]"))
    assert "users-after-traffic" in {one.rule for one in findings(tmp_path, unseen, SITE)}


def test_a_limit_below_all_holds_and_the_ttl_of_each_step_is_told(tmp_path: Path) -> None:
    found = findings(tmp_path, with_name("steps: [50, 100], hold: 5m", "5m"), SITE)
    assert [one.rule for one in found] == ["standing-runbook", "limit-too-short"]
    assert "www is given 5m, and its holds and the TTL take 5m" in found[1].message


def test_a_hold_that_is_over_before_resolvers_follow_is_told(tmp_path: Path) -> None:
    kinds = dict(PROVIDERS["aws"].kinds())
    shift = {"shift": VerbFacts(home=None, divides="percent")}
    kinds[PortName.DNS, "route53"] = replace(kinds[PortName.DNS, "route53"], verbs=shift)
    (tmp_path / "c.yaml").write_text(OFF)
    (tmp_path / "r.yaml").write_text(changed((RUNBOOKS / "failback.yaml").read_text(), ("hold: 1m", "hold: 30s")))
    found = lint(config.load(tmp_path / "c.yaml", [tmp_path / "r.yaml"], {"aws": PaperProvider("aws", kinds)}))
    assert [one.message for one in found if one.rule == "ttl"] == [
        "traffic holds each step for 30s, and resolvers keep the old answer for 1m"
    ]


def test_a_ramp_without_a_check_has_nothing_to_be_paced_by(tmp_path: Path) -> None:
    unchecked = "\n".join(line for line in SITE.split("\n") if not line.startswith(("checks:", "  shop:")))
    runbook = "name: shift\nmode: switchover\nsteps:\n  edge: {action: traffic.ramp, with: {name: edge}, limit: 10m}\n"
    found = [one for one in findings(tmp_path, runbook, unchecked) if one.rule == "ramp"]
    assert [one.message for one in found] == [
        "edge goes on while every check passes in the target, and there is no check"
    ]


def test_one_site_may_hold_down_as_shortly_as_it_likes(tmp_path: Path) -> None:
    assert [one.rule for one in findings(tmp_path, LOCAL, SITE)] == []
    found = findings(tmp_path, LOCAL, changed(SITE, ("scope: site", "scope: region")))
    assert [(one.rule, one.severity) for one in found] == [("approval-paths", "warning"), ("hold-down", "error")]


SIGNER = "alice ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
PATHS = """approval_paths: {laptop: {terminal: "any of the team's"}, jump: {terminal: jump.shop.example, region: eu-west-3}}"""


def test_two_paths_are_asked_for_where_a_person_is(tmp_path: Path) -> None:
    bare = changed(TOPOLOGY, (f",\n         {PATHS}", ""))
    assert said(findings(tmp_path, EVACUATE, bare)) == [("approval-paths", "warning", 16)]
    gateless = changed(
        EVACUATE, ("{gate: approval, ", "{action: verify.users, with: {check: checkout}, "), (",   expires: 10m", "")
    )
    assert "approval-paths" not in {one.rule for one in findings(tmp_path, gateless, bare)}
    signed = changed(bare, ("cool_down: 1h", f"cool_down: 1h, approvers: ['{SIGNER}']"))
    assert "approval-paths" in {one.rule for one in findings(tmp_path, gateless, signed)}


def test_a_function_is_a_path_where_somebodys_key_is_listed(tmp_path: Path) -> None:
    door = changed(
        TOPOLOGY,
        ("{terminal: jump.shop.example", "{function: 'https://door.example'"),
        ("cool_down: 1h", f"cool_down: 1h, approvers: ['{SIGNER}']"),
    )
    assert findings(tmp_path, EVACUATE, door) == []


def test_the_rto_is_an_error_where_nobody_is_asked(tmp_path: Path) -> None:
    found = findings(tmp_path, LOCAL, changed(SITE, ("rto: 2m", "rto: 5s")))
    assert said(found) == [("rto", "error", 3)]


@pytest.mark.parametrize(("source", "refused"), [(None, True), ("us-east-1", True), ("us-west-2", False)])
def test_a_control_plane_in_the_region_that_is_left_is_refused(
    tmp_path: Path, source: str | None, refused: bool
) -> None:
    loaded = load(tmp_path, TOPOLOGY, EVACUATE)
    _, dns = made(PortName.DNS, "route53", shift=VerbFacts(plane="control", home="us-east-1"))
    loaded = config.Loaded(
        loaded.topology, loaded.runbooks, {**loaded.kinds, "www": dns}, loaded.topology_file, loaded.runbook_files
    )
    found = lint(loaded, source=source)
    assert [(one.rule, one.severity, one.step) for one in found] == (
        [("control-plane-home", "error", "traffic")] if refused else []
    )
    if refused:
        assert "needs the control plane in us-east-1" in found[0].message


@pytest.mark.parametrize(("stands", "refused"), [("us-east-1", True), ("us-west-2", False)])
def test_a_balancer_that_stands_in_the_region_that_is_left_is_refused(
    tmp_path: Path, stands: str, refused: bool
) -> None:
    loaded = load(tmp_path, TOPOLOGY, EVACUATE)
    _, dns = made(PortName.DNS, "route53")
    own = replace(dns, verbs_of=lambda resource: {"shift": VerbFacts("control", {"www": stands}[resource.name])})
    loaded = config.Loaded(
        loaded.topology, loaded.runbooks, {**loaded.kinds, "www": own}, loaded.topology_file, loaded.runbook_files
    )
    found = lint(loaded, source="us-east-1")
    assert [(one.rule, one.step) for one in found] == ([("control-plane-home", "traffic")] if refused else [])


def test_what_cannot_be_taken_back_before_the_promotion_is_told(tmp_path: Path) -> None:
    loaded = load(tmp_path, TOPOLOGY, EVACUATE)

    class Scale:
        verb = "scale"
        undo = None
        waits_for_source = False

    found = lint(loaded, actions={"compute.scale": Scale()})
    assert [(one.rule, one.severity, one.step) for one in found] == [("missing-compensation", "warning", "scale")]
    runbook = changed(EVACUATE, ('like: "recorded ${from}"},', 'like: "recorded ${from}"}, undo: none,'))
    assert lint(load(tmp_path, TOPOLOGY, runbook), actions={"compute.scale": Scale()}) == []


@pytest.mark.parametrize(
    "text",
    [
        "tsig_secret: c2VjcmV0",
        "password: hunter2",
        "token: ghp_012345678901234567890123456789012345",
        "dsn: 'host=a password=hunter2 dbname=b'",
        "url: 'redis://x:hunter2@cache:6379'",
        "note: 'xoxb-012345678901'",
        "key: '-----BEGIN RSA PRIVATE KEY-----'",
    ],
)
def test_a_secret_in_a_providers_key_is_told_and_not_repeated(tmp_path: Path, text: str) -> None:
    from pydantic import create_model

    key, _, value = text.partition(": ")
    options = create_model("Options", __config__={"extra": "forbid"}, **{key: (str, ...)})  # type: ignore[call-overload]
    (tmp_path / "c.yaml").write_text(
        "application: a\nobjectives: {rto: 1m, rpo: 1s}\nregions: {one: {provider: p}}\nprimary: one\n"
        f"state: 'memory:'\nresources:\n  www: {{dns: d, {text}}}\n"
    )
    provider = PaperProvider("p", dict([made(PortName.DNS, "d", options)]))
    (found,) = lint(config.load(tmp_path / "c.yaml", [], {"p": provider}))
    assert (found.rule, found.severity, found.line) == ("plain-secret", "error", 7)
    assert value.strip("'") not in str(found)


@pytest.mark.parametrize(
    "text",
    ["password: env:PW", "password: file:/run/secrets/pw", "dsn: 'host=a passfile=/etc/pw'", "password_file: /etc/pw"],
)
def test_a_reference_to_a_secret_is_none(tmp_path: Path, text: str) -> None:
    from pydantic import create_model

    options = create_model("Options", __config__={"extra": "forbid"}, **{text.partition(":")[0]: (str, ...)})  # type: ignore[call-overload]
    (tmp_path / "c.yaml").write_text(
        "application: a\nobjectives: {rto: 1m, rpo: 1s}\nregions: {one: {provider: p}}\nprimary: one\n"
        f"state: 'memory:'\nresources:\n  www: {{dns: d, {text}}}\n"
    )
    provider = PaperProvider("p", dict([made(PortName.DNS, "d", options)]))
    assert lint(config.load(tmp_path / "c.yaml", [], {"p": provider})) == []


def test_the_argument_models_say_of_an_action_what_the_action_says() -> None:
    from cloudfail.actions.catalog import ACTIONS

    assert traits_of(ACTIONS) == traits_of(None)
    assert set(ACTIONS) == set(ARGUMENTS)


def test_the_examples_lint_the_same_with_the_actions_themselves() -> None:
    from cloudfail.actions.catalog import ACTIONS

    names = ("evacuate-local", "restore-local", "failback-local")
    loaded = config.load(HERE / "lab.yaml", [RUNBOOKS / f"{name}.yaml" for name in names], PROVIDERS)
    assert lint(loaded, ACTIONS) == []
    assert lint(loaded, ACTIONS, source="west", target="east") == []
