"""What people write for names on AWS, loaded as any file is, and what lint makes of it. Nothing is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.config import Loaded
from cloudfail.errors import ConfigError
from cloudfail.lint import lint
from cloudfail_aws import provider
from cloudfail_names.names import Mark, canonical, mark_name, mark_of, quoted, unquoted
from tests.emulators.aws.emulator import free_port

HEAD = """\
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  us-east-1: {provider: aws, account: "111111111111"}
  us-west-2: {provider: aws, account: "111111111111"}
primary: us-east-1
state: "sqlite:state.db"
checks:
  checkout: {http: "https://${region}.shop.example/healthz", every: 10s, fall: 3, rise: 2, vantages: 2 of 3}
policy: {automation: off, hold_down: 3m, cool_down: 1h}
resources:
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  traffic: {action: traffic.switch, with: {name: www}, limit: 5m}
  users:   {action: verify.users, with: {check: checkout}, needs: [traffic], limit: 3m}
"""
OF_THE_DESIGN = (
    "  www: {dns: route53, zone: Z1EXAMPLE, name: www.shop.example, ttl: 60s,\n"
    '        switch: {object: "s3://shop-switch-usw2/us-east-1-out"}}\n'
)
ADDRESSES = "members: {us-east-1: 192.0.2.1, us-west-2: 192.0.2.2}"
OF_THE_ZONE = f"  www: {{dns: route53, zone: Z1EXAMPLE, name: www.shop.example, {ADDRESSES}}}\n"
MANY = (
    "  www: {dns: route53-zone, zone: Z1EXAMPLE, domain: shop.example, names: [a, b],\n"
    "        type: CNAME, members: {us-east-1: {suffix: use1.edge.example}, us-west-2: {suffix: usw2.edge.example}}}\n"
)
ENDPOINT = '{url: "https://aaaa1111.route53-recovery-cluster.us-west-2.amazonaws.com/v1", region: us-west-2}'
CONTROLS = f"""\
  www:
    dns: routing-control
    name: www.shop.example
    endpoints: [{ENDPOINT}]
    members:
      us-east-1: {{answers: [192.0.2.1], control: "arn:aws:route53-recovery-control::1:controlpanel/0/e"}}
      us-west-2: {{answers: [192.0.2.2], control: "arn:aws:route53-recovery-control::1:controlpanel/0/w"}}
"""
AN_OBJECT = f"  www: {{dns: s3-switch, name: www.shop.example, object: s3://b-b-b/us-east-1-out, {ADDRESSES}}}\n"


def loaded(tmp_path: Path, resources: str) -> Loaded:
    (tmp_path / "cloudfail.yaml").write_text(HEAD + resources)
    (tmp_path / "move.yaml").write_text(RUNBOOK)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"aws": provider})


@pytest.mark.parametrize("resources", [OF_THE_DESIGN, OF_THE_ZONE, MANY, CONTROLS, AN_OBJECT])
def test_what_the_documents_write_is_loaded_and_built(
    tmp_path: Path, resources: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    one = loaded(tmp_path, resources)
    built = one.kinds["www"].build(one.topology.resources["www"], one.topology)
    assert set(built.answers({"us-east-1": 100, "us-west-2": 0})).isdisjoint(
        built.answers({"us-east-1": 0, "us-west-2": 100})
    )


@pytest.mark.parametrize(
    ("resources", "refused"),
    [(OF_THE_ZONE, True), (MANY, True), (OF_THE_DESIGN, False), (CONTROLS, False), (AN_OBJECT, False)],
)
def test_lint_refuses_what_needs_the_lost_regions_control_plane_and_no_switch(
    tmp_path: Path, resources: str, refused: bool
) -> None:
    found = [one.rule for one in lint(loaded(tmp_path, resources), source="us-east-1")]
    assert ("control-plane-home" in found) is refused
    assert "control-plane-home" not in [one.rule for one in lint(loaded(tmp_path, resources), source="us-west-2")]


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        (OF_THE_ZONE.replace("192.0.2.1", "{health_check: abc}"), "answers with values or with an alias"),
        (OF_THE_DESIGN.replace("{object:", "{objekt:"), "objekt"),
        (OF_THE_DESIGN.replace("s3://", "https://"), "object"),
        (OF_THE_ZONE.replace("zone: Z1EXAMPLE", "zone: Z1EXAMPLE, ttl: 60"), "not a duration"),
        (
            OF_THE_ZONE.replace("zone: Z1EXAMPLE", "zone: Z1EXAMPLE, resolvers: [dns.example]"),
            "no address of a resolver",
        ),
        (CONTROLS.replace(ENDPOINT, ""), "endpoints"),
        (MANY.replace("names: [a, b]", "names: []"), "names"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, resources: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        loaded(tmp_path, resources)
    assert "cloudfail.yaml:" in str(raised.value)


# ---- names and marks


def test_a_mark_is_read_back_as_it_was_written() -> None:
    mark = Mark("shop", 12, {"us-east-1": 0, "us-west-2": 255}, "r 1")
    assert mark_of(unquoted(quoted(mark.text))) == Mark("shop", 12, mark.weights, "r_1")
    long = Mark("shop", 1, {f"region-{number}": number for number in range(60)}, "r")
    value = quoted(long.text)
    assert all(len(piece) <= 255 for piece in value.strip('"').split('" "'))
    assert mark_of(unquoted(value)) == long


@pytest.mark.parametrize("text", ["", "v=spf1 -all", "cloudfail owner=shop epoch=x weights= run=r"])
def test_what_no_run_wrote_is_no_mark(text: str) -> None:
    assert mark_of(text) is None


def test_names_are_compared_as_route_53_lists_them() -> None:
    assert canonical("\\052.Shop.Example") == canonical("*.shop.example.") == "*.shop.example."
    assert mark_name("WWW.shop.example") == "_cloudfail.www.shop.example."
    assert mark_name("*.shop.example") == "_cloudfail._any.shop.example."
