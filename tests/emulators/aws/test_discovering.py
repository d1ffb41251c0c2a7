"""`cloudfail discover aws` over an account with one of everything: what it finds, asks, and does not touch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail import config
from cloudfail.discovering.writing import draft
from cloudfail.entrypoints.cli import app
from cloudfail.errors import Refused
from cloudfail.model.discovered import Discovered, Found, Wanted
from cloudfail.ports import Discovers
from cloudfail_aws import provider
from cloudfail_aws.discovering import discover
from cloudfail_aws.discovering.looking import READ_SECONDS
from cloudfail_aws.discovering.permissions import ACTIONS
from tests.emulators.aws.account import EAST, REGIONS, WEST, Account
from tests.emulators.aws.balancing import ControlClients
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.standin import StandIn

pytestmark = pytest.mark.timeout(600)
ALL = Wanted(REGIONS)
TAGGED = Wanted(REGIONS, ("application", "shop"))


@pytest.fixture
def account(front: Front, moto: Emulator, stand_in: Callable[[str, Any], StandIn]) -> Account:
    return Account(front, moto, stand_in).build()


class AsNamed(ControlClients):
    """Notes as whom it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.roles: set[str] = set()

    def get(self, service: str, region: str, role: str = "", *more: Any, **named: Any) -> Any:
        self.roles.add(role)
        return super().get(service, region, role, *more, **named)


def found(wanted: Wanted = ALL) -> Discovered:
    return discover(wanted, ControlClients())


def by_name(discovered: Discovered) -> dict[str, Found]:
    return {f"{one.kind} {one.name}": one for one in discovered.found}


def pairs(discovered: Discovered) -> Iterator[tuple[str, str, str]]:
    """(kind, the east's member, the west's), where a member is a name."""
    for one in discovered.found:
        if all(isinstance(member, str) for member in one.members.values()):
            yield one.kind, one.members[EAST], one.members[WEST]


def test_one_of_everything_is_found_with_the_names_that_aws_gave_it(account: Account, tmp_path: Path) -> None:
    said = found()
    assert said.unread == ()
    assert said.accounts == dict.fromkeys(REGIONS, "123456789012")
    assert set(pairs(said)) >= {
        ("autoscaling", "falcon", "osprey"),
        ("autoscaling", "batch-us-east-1", "batch-us-west-2"),
        ("autoscaling", "loader", "reader"),
        ("ecs", "shop/api", "shop/api"),
        ("eks-nodegroup", "k8s-e/workers", "k8s-w/workers"),
        ("lambda-concurrency", "pricing:live", "pricing:live"),
        ("eventbridge-rule", "orders", "orders"),
        ("eventbridge-rule", "shop-bus/orders", "shop-bus/orders"),
        ("schedule", "nightly/books", "nightly/books"),
        ("cloudfront", "web-e", "web-w"),
        ("s3-mrap", "files-e", "files-w"),
    }
    there = by_name(said)
    assert there["rds-replica ledger"].members == {EAST: {"instance": "ledger"}, WEST: {"instance": "ledger-copy"}}
    orders = there["aurora-global orders"]
    assert (orders.id, orders.members) == (
        "orders-global",
        {EAST: {"cluster": "orders-e"}, WEST: {"cluster": "orders-w"}},
    )
    groups = account.accelerators
    assert set(there["global-accelerator world"].members.values()) == {
        group["EndpointGroupArn"] for group in groups._groups.values()
    }
    listener = there["alb web-w-traffic"]
    assert [arn.split("/")[1] for arn in listener.members.values()] == [f"edge-{EAST}", f"edge-{WEST}"]
    mappings = {
        region: account.sdk("lambda", region).list_event_source_mappings()["EventSourceMappings"][0]["UUID"]
        for region in REGIONS
    }
    assert there["event-source pricing from prices"].members == mappings
    assert (said.primary, "where databases take writes" in said.primary_why) == (EAST, True)
    file = tmp_path / "cloudfail.yaml"
    file.write_text(draft("aws", ALL, said, "shop"), encoding="utf-8")
    assert len(config.load(file, []).topology.resources) == len(said.found)


def test_a_name_is_found_as_its_record_sets_and_their_health_checks_move_it(account: Account) -> None:
    there = by_name(found())
    www = there["route53 www"]
    assert www.options == {"zone": account.zone, "name": "www.shop.example", "ttl": "60s", "routing": "weighted"}
    assert www.members[WEST] == {
        "alias": {
            "zone": account.balancers[WEST]["zone"],
            "name": f"dualstack.{account.balancers[WEST]['host']}",
            "evaluate_target_health": True,
        },
        "set_identifier": f"web in {WEST}",
    }
    pay = there["route53 pay"]
    assert pay.options["switch"] == {"object": "s3://shop-switch-usw2/us-east-1-out?region=us-west-2"}
    assert pay.members[EAST] == {"answers": ["192.0.2.1"], "health_check": account.checks["switch"]}
    admin = there["routing-control admin"]
    assert [one["region"] for one in admin.options["endpoints"]] == ["eu-west-1", EAST, WEST]
    assert {region: member["control"] for region, member in admin.members.items()} == {
        EAST: account.recovery.control("e"),
        WEST: account.recovery.control("w"),
    }
    assert there["route53 cdn"].options["routing"] == "latency"
    assert set(there["route53 both"].members) == set(REGIONS)


def test_what_only_a_person_can_tell_is_asked_and_not_guessed(account: Account) -> None:
    asked = "\n".join(found().asks)
    for words in (
        "which of these belong together? Write NAME: {compute: autoscaling, members: {us-east-1: use1-cart, us-west-2:",
        "us-west-2: cart-w or usw2-cart}}",
        "does mailing (us-east-1) belong with mailings (us-west-2)?",
        "Auto Scaling groups in us-west-2 alone: audit",
        "api.shop.example A answers with us-east-1 alone",
        "odd.shop.example A: which region does each record set stand for? part-1, part-2",
        "stand for regions? blue, green",
    ):
        assert words in asked
    assert "eks-workers" not in asked, "EKS scales it"
    assert "elsewhere" not in asked, "it is none of this application's"
    assert "reports" not in asked, "nobody follows it"


def test_nothing_is_ever_changed_and_the_same_account_gives_the_same_bytes(account: Account) -> None:
    texts = {draft("aws", wanted, found(wanted), "shop") for wanted in (ALL, ALL)}
    assert len(texts) == 1
    assert account.front.count() > 60
    assert account.front.seen(mutating=True) == []


def test_the_printed_policy_is_what_is_asked_and_nothing_beyond(account: Account) -> None:
    assert found(ALL).unread == found(TAGGED).unread == ()
    prefixes = {"elbv2": "elasticloadbalancing", "s3control": "s3"}
    asked = {f"{prefixes.get(one.service, one.service)}:{one.operation}" for one in account.front.seen()}
    # It needs none (IAM user guide, GetCallerIdentity).
    assert asked - {"sts:GetCallerIdentity"} == set(ACTIONS)
    assert isinstance(provider, Discovers)
    policy = provider.policy({"discover": provider.discovery()})
    assert [one["Action"] for one in policy["Statement"]] == [sorted(ACTIONS)]


def test_with_a_tag_only_what_carries_it_is_found(account: Account) -> None:
    account.scaling_group(EAST, "billing-e")
    account.scaling_group(WEST, "billing-w")
    assert ("autoscaling", "billing-e", "billing-w") in set(pairs(found()))
    said = found(TAGGED)
    assert set(pairs(said)) >= {("autoscaling", "loader", "reader"), ("ecs", "shop/api", "shop/api")}
    names = " ".join([*by_name(said), *said.asks])
    assert "billing" not in names
    assert "event-source" not in names, "the mapping carries none"


def test_a_global_cluster_that_no_kind_moves_is_named(account: Account) -> None:
    account.clusters._engine = "aurora-mysql"
    said = found()
    assert "aurora-global orders" not in by_name(said)
    (line,) = [line for line in said.asks if "orders-global" in line]
    assert "(aurora-mysql; orders-e (us-east-1), orders-w (us-west-2)): no kind of database here moves it." in line


# ---- what does not answer


def test_a_service_that_is_denied_is_named_and_spoils_nothing_beside_it(account: Account) -> None:
    whole = set(pairs(found()))
    account.front.outages.fail("AccessDenied", 403, service="autoscaling", region=WEST)
    said = found()
    assert said.unread == ("autoscaling in us-west-2 could not be listed: AccessDenied",)
    assert {one for one in whole if one[0] != "autoscaling"} <= set(pairs(said))
    assert not any(kind == "autoscaling" for kind, _, _ in pairs(said))
    assert any("Auto Scaling groups in us-east-1 alone, and us-west-2 could not be listed" in one for one in said.asks)
    text = draft("aws", ALL, said, "shop")
    assert "# - autoscaling in us-west-2 could not be listed: AccessDenied" in text


def test_of_a_region_that_does_not_answer_nothing_is_taken_for_all_of_it(account: Account) -> None:
    account.front.outages.refuse(region=WEST)
    said = found()
    silent = {line.partition(" in ")[0] for line in said.unread if f" in {WEST} " in line}
    assert silent >= {"rds", "autoscaling", "ecs", "eks", "lambda", "elbv2", "events", "scheduler", "sts"}
    assert {one.name for one in said.found} >= {"orders", "pay", "cdn"}, "told by what answers in the east"
    assert not [one for one in pairs(said) if one[0] in ("autoscaling", "ecs", "eventbridge-rule")]
    assert said.accounts == {EAST: "123456789012"}
    assert "# fill in: account of us-west-2" in draft("aws", ALL, said)


def test_a_list_that_breaks_off_or_never_ends_is_not_taken_for_a_short_one(account: Account) -> None:
    for number in range(12):
        account.accelerators.accelerator(f"more-{number}")
    account.front.outages.cut(service="autoscaling", region=EAST)
    account.front.outages.repeat_page(service="globalaccelerator", operation="ListAccelerators")
    said = found()
    assert any(line.startswith("autoscaling in us-east-1 could not be listed:") for line in said.unread)
    assert "globalaccelerator in us-west-2 could not be listed" in " ".join(said.unread)
    assert not {one.kind for one in said.found} & {"autoscaling", "global-accelerator"}


def test_a_service_that_takes_requests_and_never_answers_holds_up_nothing_for_long(account: Account) -> None:
    account.front.outages.silence(service="eks", region=EAST)
    began = time.monotonic()
    said = found()
    assert time.monotonic() - began < READ_SECONDS * 4
    (line,) = said.unread
    assert line.startswith("eks in us-east-1 could not be listed:")
    assert ("ecs", "shop/api", "shop/api") in set(pairs(said))


def test_it_reads_as_the_role_that_was_named_and_as_nobody_else(account: Account) -> None:
    role = "arn:aws:iam::123456789012:role/watch"
    clients = AsNamed()
    assert discover(Wanted(REGIONS, role=role), clients).unread == ()
    assert clients.roles == {role}


def test_throttling_is_waited_out(account: Account) -> None:
    account.front.outages.throttle(service="ecs", region=EAST, times=1)
    said = found()
    assert said.unread == ()
    assert ("ecs", "shop/api", "shop/api") in set(pairs(said))


def test_what_is_no_region_and_no_role_is_refused_before_anything_is_asked(front: Front) -> None:
    for wanted in (Wanted(("east",)), Wanted(REGIONS, role="watcher")):
        with pytest.raises(Refused, match=r"no region of AWS|no ARN of a role"):
            discover(wanted)
    assert front.count() == 0


# ---- from the command line


def run(*words: str | Path) -> Any:
    return CliRunner().invoke(app, ["discover", "aws", *map(str, words)])


def test_a_draft_is_written_and_never_over_a_file_without_being_told(account: Account, tmp_path: Path) -> None:
    out = tmp_path / "cloudfail.yaml"
    words = ("--region", EAST, "--region", WEST, "--application", "shop", "--out", out)
    shown = run(*words)
    # The SDK puts the account before the host of this one API, which loopback has no name for.
    assert shown.exit_code == 3
    assert "s3control in us-west-2 could not be listed" in shown.output
    text = out.read_text(encoding="utf-8")
    assert "application: shop" in text
    assert config.load(out, []).topology.resources
    linted = CliRunner().invoke(app, ["lint", "--config", str(out)])
    assert "0 findings" in linted.output
    out.write_text("mine", encoding="utf-8")
    account.front.forget()
    again = run(*words)
    assert isinstance(again.exception, Refused)
    assert (out.read_text(encoding="utf-8"), account.front.count()) == ("mine", 0)
    assert run(*words, "--overwrite").exit_code == 3
    assert out.read_text(encoding="utf-8") == text
    assert [path.name for path in tmp_path.iterdir()] == ["cloudfail.yaml"]
    assert account.front.seen(mutating=True) == []
