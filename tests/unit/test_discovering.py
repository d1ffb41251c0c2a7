"""Drafting from what a provider found: which things belong together, what is asked, and a file that loads."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail import config
from cloudfail.discovering.judging import unsettled
from cloudfail.discovering.pairing import Thing, asked, named_region, pair, stem
from cloudfail.discovering.writing import draft
from cloudfail.entrypoints.cli import app
from cloudfail.errors import Refused
from cloudfail.importing.saving import save
from cloudfail.model.discovered import Discovered, Found, Wanted
from cloudfail.model.topology import PortName
from cloudfail_aws.discovering.regions import region_in, words_of
from cloudfail_aws.discovering.switches import Object, object_of

EAST, WEST = "us-east-1", "us-west-2"
REGIONS = (EAST, WEST)
WORDS = words_of(REGIONS)
WANTED = Wanted(REGIONS)


# ---- pairing


@pytest.mark.parametrize(
    ("name", "region", "left"),
    [
        ("web-e", EAST, "web"),
        ("web-us-east-1", EAST, "web"),
        ("us-west-2-web", WEST, "web"),
        ("use1-web", EAST, "web"),
        ("web_useast1_blue", EAST, "web_blue"),
        ("shop-e/api", EAST, "shop/api"),
        ("orders:live", EAST, "orders:live"),
        ("web-primary", EAST, "web"),
        ("web-w", EAST, "web-w"),
        ("east", EAST, "east"),
        ("feast", EAST, "feast"),
    ],
)
def test_a_name_is_compared_without_what_names_its_region(name: str, region: str, left: str) -> None:
    assert stem(name, region, WORDS) == left


def test_what_would_name_two_of_the_regions_names_none_of_them() -> None:
    words = words_of(("us-east-1", "us-east-2"))
    assert stem("web-east", "us-east-1", words) == "web-east"
    assert stem("web-use1", "us-east-1", words) == "web"
    assert [named_region(name, words) for name in ("web-east", "web-use2", "web-us-east-1")] == [
        "", "us-east-2", "us-east-1",
    ]  # fmt: skip


def test_an_address_tells_its_region_only_if_it_names_one() -> None:
    assert region_in("dualstack.web-1.us-west-2.elb.amazonaws.com") == WEST
    assert region_in("web.shop.example") == region_in("us-east-1.us-west-2.example") == ""


def names(things: list[Thing]) -> list[tuple[str, dict[str, Any]]]:
    return [(one.name, one.members) for one in pair(things, REGIONS, WORDS).pairs]


def test_a_tag_goes_before_a_target_and_a_target_before_a_name() -> None:
    same = {"cloudfail:resource": "web"}
    things = [
        Thing(EAST, "a", tags=same, serves=frozenset({"x"})),
        Thing(WEST, "b", tags=same),
        Thing(EAST, "c", serves=frozenset({"x"})),
        Thing(WEST, "a", serves=frozenset({"x"})),
    ]
    assert [members for _, members in names(things)] == [{EAST: "c", WEST: "a"}, {EAST: "a", WEST: "b"}]


def test_two_stacks_of_one_template_have_the_same_logical_ids() -> None:
    def made(region: str, stack: str) -> dict[str, str]:
        return {"aws:cloudformation:stack-name": stack, "aws:cloudformation:logical-id": "Workers"}

    things = [Thing(EAST, "x1", tags=made(EAST, "shop-use1")), Thing(WEST, "y2", tags=made(WEST, "shop-usw2"))]
    assert names(things) == [("shop-Workers", {EAST: "x1", WEST: "y2"})]


def test_two_that_fit_one_are_asked_about_and_neither_is_taken() -> None:
    things = [Thing(EAST, "cart-e"), Thing(WEST, "cart-w"), Thing(WEST, "usw2-cart")]
    result = pair(things, REGIONS, WORDS)
    assert result.pairs == ()
    (question,) = asked("Groups", "compute: x", result)
    assert question.startswith("Groups: which of these belong together?")
    assert "Write NAME: {compute: x, members: {us-east-1: cart-e, us-west-2: cart-w or usw2-cart}}" in question


def test_the_order_of_a_list_decides_nothing() -> None:
    things = [
        Thing(EAST, "cart-e"), Thing(WEST, "cart-w"), Thing(WEST, "usw2-cart"), Thing(EAST, "web"), Thing(WEST, "web"),
    ]  # fmt: skip
    results = {repr(pair(order, REGIONS, WORDS)) for order in itertools.permutations(things)}
    assert len(results) == 1


def test_a_resource_may_have_members_in_three_regions_or_in_two_of_them() -> None:
    regions = (*REGIONS, "eu-west-1")
    things = [Thing(region, f"web-{region}") for region in regions] + [Thing(EAST, "log"), Thing("eu-west-1", "log")]
    found = pair(things, regions, words_of(regions)).pairs
    assert [(one.name, one.why, tuple(one.members)) for one in found] == [
        ("log", "each is called log", (EAST, "eu-west-1")),
        ("web", "paired by their names alone (web): see whether that is right", regions),
    ]


def test_what_stands_alone_is_listed_and_where_the_other_region_is_not_known_that_is_said() -> None:
    result = pair([Thing(EAST, "audit"), Thing(EAST, "mailing"), Thing(WEST, "mailings")], REGIONS, WORDS)
    assert list(asked("Groups", "compute: x", result)) == [
        "Groups: does mailing (us-east-1) belong with mailings (us-west-2)? Their names are alike, and no more.",
        "Groups in us-east-1 alone: audit",
    ]
    alone = pair([Thing(EAST, "audit")], REGIONS, WORDS)
    assert list(asked("Groups", "compute: x", alone, [WEST])) == [
        "Groups in us-east-1 alone, and us-west-2 could not be listed: audit"
    ]


# ---- a switch, told from a health check


@pytest.mark.parametrize(
    ("host", "path", "found"),
    [
        ("shop.s3.us-west-2.amazonaws.com", "/out", Object("shop", "out", WEST)),
        ("s3.us-west-2.amazonaws.com", "/shop/a/out", Object("shop", "a/out", WEST)),
        ("shop.s3.amazonaws.com", "/out", Object("shop", "out", "")),
        ("shop.s3-us-west-2.amazonaws.com", "/out", Object("shop", "out", WEST)),
        ("shop.s3.dualstack.us-west-2.amazonaws.com", "/out?x=1", Object("shop", "out", WEST)),
        ("s3.us-west-2.amazonaws.com", "/shop", None),
        ("shop.example", "/out", None),
        ("shop.s3.us-west-2.amazonaws.com.evil.example", "/out", None),
    ],
)
def test_an_object_in_s3_is_told_by_the_address_that_a_health_check_asks(host: str, path: str, found: Any) -> None:
    assert object_of({"Type": "HTTPS", "FullyQualifiedDomainName": host, "ResourcePath": path}) == found


# ---- the file


def web(name: str, **members: str) -> Found:
    return Found(PortName.COMPUTE, "autoscaling", name, members or {EAST: "web-e", WEST: "web-w"}, "by their names")


def loaded(text: str, tmp_path: Path) -> Any:
    path = tmp_path / "cloudfail.yaml"
    path.write_text(text, encoding="utf-8")
    return config.load(path, []).topology


def test_a_draft_of_nothing_loads_too(tmp_path: Path) -> None:
    text = draft("aws", WANTED, Discovered(()))
    assert loaded(text, tmp_path).primary == EAST
    assert "# fill in: the application's name" in text
    assert "# Nothing was found that has members in several of these regions." in text


@pytest.mark.parametrize("name", ["yes", "a b", "${from}", 'say "hi"', "a: b # c", "é", "0123", "1e3", "60s"])
def test_a_name_that_yaml_would_read_otherwise_is_read_back_as_it_is(name: str, tmp_path: Path) -> None:
    member = {"set_identifier": name, "answers": ["192.0.2.1"]}
    other = {"answers": ["192.0.2.2"]}
    options = {"zone": "Z1EXAMPLE", "name": "www.shop.example", "ttl": "60s", "routing": "weighted"}
    one = Found(PortName.DNS, "route53", name, {EAST: member, WEST: other}, "by its host", options=options)
    topology = loaded(draft("aws", WANTED, Discovered((one,)), "shop"), tmp_path)
    (resource,) = topology.resources.values()
    assert resource.members[EAST]["set_identifier"] == name
    assert resource.options["ttl"] == "60.0s"


def test_what_a_cloud_says_breaks_out_of_no_comment(tmp_path: Path) -> None:
    evil = "x\n  evil: {compute: autoscaling}"
    said = Discovered((web("web"),), (evil,), (evil,), primary=EAST, primary_why=evil)
    topology = loaded(draft("aws", WANTED, said, "shop"), tmp_path)
    assert set(topology.resources) == {"web"}


def test_of_two_resources_with_one_name_the_second_has_its_kind(tmp_path: Path) -> None:
    text = draft("aws", WANTED, Discovered((web("web"), web("web"), web("web"))), "shop")
    assert list(loaded(text, tmp_path).resources) == ["web", "web-autoscaling", "web-autoscaling-2"]


def test_more_than_a_file_holds_is_refused_with_what_to_do() -> None:
    many = Discovered(tuple(web(f"web-{number}") for number in range(1001)))
    with pytest.raises(Refused, match="--tag") as refused:
        draft("aws", WANTED, many, "shop")
    assert "1001 resources" in refused.value.happened


def test_homes_that_contradict_each_other_are_said(tmp_path: Path) -> None:
    text = draft("aws", WANTED, Discovered((), primary_why="not one region: here and there"))
    assert "# fill in: primary, not one region: here and there" in text
    assert loaded(text, tmp_path).primary == EAST


def test_what_lint_says_of_a_draft_is_what_it_announces() -> None:
    text = draft("aws", WANTED, Discovered(()), "shop")
    assert unsettled(text) == ()
    worse = text.replace("state: sqlite:state.db", "state: dynamodb://log?region=us-east-1")
    assert any("us-east-1" in line for line in unsettled(worse))


# ---- the commands


def run(*words: str | Path) -> Any:
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("local", "--region", "east"), "cannot say what stands in its regions"),
        (("aws", "--region", EAST, "--tag", "shop"), "is no tag"),
        (("aws", "--region", EAST, "--application", "my shop"), "no name of an application"),
        (("aws", "--region", "east"), "no region of AWS"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(words: tuple[str, ...], said: str) -> None:
    assert said in str(run("discover", *words).exception)


def test_the_policy_of_a_discovery_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run("iam", "aws", "--discover")
    assert shown.exit_code == 0, shown.output
    (statement,) = json.loads(shown.stdout)["Statement"]
    assert all(action.partition(":")[2].startswith(("Describe", "Get", "List")) for action in statement["Action"])
    assert "cannot be named before" in shown.stderr


def test_a_file_that_cannot_be_replaced_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "cloudfail.yaml").mkdir()
    with pytest.raises(Refused, match="is as it was"):
        save({"cloudfail.yaml": "new"}, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["cloudfail.yaml"]
