"""The name server, asked by a resolver's own means: from lists of record sets, and from a zone in ministack."""

from __future__ import annotations

from collections import Counter
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.emulators.aws.route53_answers import Answers
from tests.emulators.aws.zone_server import ZoneServer, zone_records, zone_server

_SOA = {
    "Name": "shop.example.",
    "Type": "SOA",
    "TTL": 900,
    "ResourceRecords": [{"Value": "ns-1.example. hostmaster.example. 1 7200 900 1209600 86400"}],
}


def record(name: str, *values: str, kind: str = "A", ttl: int = 60, **more: Any) -> dict[str, Any]:
    return {
        "Name": f"{name}.shop.example.",
        "Type": kind,
        "TTL": ttl,
        "ResourceRecords": [{"Value": value} for value in values],
        **more,
    }


def alias(name: str, target: str, *, evaluates: bool = False, **more: Any) -> dict[str, Any]:
    to = {"HostedZoneId": "Z1", "DNSName": target, "EvaluateTargetHealth": evaluates}
    return {"Name": f"{name}.shop.example.", "Type": "A", "AliasTarget": to, **more}


def weighted(weights: dict[str, int], checks: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return [_SOA] + [
        record(
            "www",
            value,
            SetIdentifier=value,
            Weight=weight,
            **({"HealthCheckId": checks[value]} if checks and value in checks else {}),
        )
        for value, weight in weights.items()
    ]


def ask(server: ZoneServer, name: str, kind: str = "A", how: Any = dns.query.udp) -> dns.message.Message:
    return how(dns.message.make_query(f"{name}.shop.example", kind), "127.0.0.1", port=server.port, timeout=30)


def values(answer: dns.message.Message) -> list[str]:
    return [one.to_text() for rrset in answer.answer for one in rrset]


def drawn(records: list[dict[str, Any]], times: int, answers: Answers | None = None) -> Counter[str]:
    answers = answers or Answers()
    return Counter(answers.find(records, "www.shop.example.", "A").values[0] for _ in range(times))


def test_simple_records_are_answered_by_udp_and_tcp_with_their_ttl() -> None:
    many = [f"192.0.2.{number}" for number in range(200)]
    records = [_SOA, record("www", "192.0.2.1", ttl=30), record("many", *many)]
    records += [record("note", '"epoch 7"', kind="TXT"), record("to", "www.shop.example.", kind="CNAME")]
    with zone_server(lambda: records) as server:
        for how in (dns.query.udp, dns.query.tcp):
            answer = ask(server, "www", how=how)
            assert (values(answer), answer.answer[0].ttl) == (["192.0.2.1"], 30)
            assert answer.flags & dns.flags.AA
        assert values(ask(server, "note", "TXT")) == ['"epoch 7"']
        assert values(ask(server, "to")) == ["www.shop.example."]
        assert ask(server, "many").flags & dns.flags.TC
        assert sorted(values(ask(server, "many", how=dns.query.tcp))) == sorted(many)
        assert ask(server, "none").rcode() == dns.rcode.NXDOMAIN
        empty = ask(server, "www", "AAAA")
        assert (empty.rcode(), values(empty), len(empty.authority)) == (dns.rcode.NOERROR, [], 1)


def test_weights_are_kept_exactly() -> None:
    assert drawn(weighted({"192.0.2.1": 3, "192.0.2.2": 1, "192.0.2.3": 0}), 40) == {"192.0.2.1": 30, "192.0.2.2": 10}


def test_all_weights_zero_is_all_alike_and_not_nobody() -> None:
    assert drawn(weighted({"192.0.2.1": 0, "192.0.2.2": 0}), 10) == {"192.0.2.1": 5, "192.0.2.2": 5}


def test_a_weight_of_zero_serves_once_no_other_is_healthy() -> None:
    sick: set[str] = set()
    answers = Answers(lambda check: check not in sick)
    records = weighted({"192.0.2.1": 255, "192.0.2.2": 0}, {"192.0.2.1": "east", "192.0.2.2": "west"})
    assert drawn(records, 4, answers) == {"192.0.2.1": 4}
    sick.add("east")
    assert drawn(records, 4, answers) == {"192.0.2.2": 4}
    # Nobody is healthy: then all with a weight are.
    sick.add("west")
    assert drawn(records, 4, answers) == {"192.0.2.1": 4}


def test_failover_follows_the_health_of_the_primary_and_returns_with_it() -> None:
    sick: set[str] = set()
    answers = Answers(lambda check: check not in sick)
    records = [
        _SOA,
        record("www", "192.0.2.2", SetIdentifier="w", Failover="SECONDARY", HealthCheckId="west"),
        record("www", "192.0.2.1", SetIdentifier="e", Failover="PRIMARY", HealthCheckId="east"),
    ]
    for now_sick, value in (
        (set(), "192.0.2.1"),
        ({"east"}, "192.0.2.2"),
        ({"east", "west"}, "192.0.2.1"),
        ({"west"}, "192.0.2.1"),
    ):
        sick.clear()
        sick |= now_sick
        assert drawn(records, 1, answers) == {value: 1}


def test_an_alias_is_what_it_points_to_and_as_healthy() -> None:
    sick: set[str] = set()
    answers = Answers(lambda check: check not in sick, outside=lambda name: {"alb.example": ["198.51.100.1"]}[name])
    records = [
        _SOA,
        record("east", "192.0.2.1", ttl=20, HealthCheckId="east"),
        alias("www", "east.shop.example.", evaluates=True, SetIdentifier="e", Failover="PRIMARY"),
        alias("www", "alb.example.", SetIdentifier="w", Failover="SECONDARY"),
        alias("loop", "loop.shop.example."),
    ]
    found = answers.find(records, "www.shop.example", "A")
    assert (found.values, found.ttl_seconds) == (("192.0.2.1",), 20)
    sick.add("east")
    found = answers.find(records, "www.shop.example", "A")
    assert (found.values, found.ttl_seconds) == (("198.51.100.1",), 60)
    assert answers.find(records, "loop.shop.example", "A").values == ()


def test_latency_multivalue_and_wildcards() -> None:
    sick: set[str] = set()
    records = [
        _SOA,
        record("near", "192.0.2.1", SetIdentifier="e", Region="us-east-1", HealthCheckId="east"),
        record("near", "192.0.2.2", SetIdentifier="w", Region="us-west-2"),
        *(
            record("all", f"192.0.2.{n}", SetIdentifier=str(n), MultiValueAnswer=True, HealthCheckId=str(n))
            for n in range(10)
        ),
        record("\\052", "192.0.2.99"),
    ]
    answers = Answers(lambda check: check not in sick, near=["us-east-1", "us-west-2"])
    assert answers.find(records, "near.shop.example", "A").values == ("192.0.2.1",)
    assert len(answers.find(records, "all.shop.example", "A").values) == 8
    sick |= {"east", *"01234567"}
    assert answers.find(records, "near.shop.example", "A").values == ("192.0.2.2",)
    assert answers.find(records, "all.shop.example", "A").values == ("192.0.2.8", "192.0.2.9")
    assert answers.find(records, "any.shop.example", "A").values == ("192.0.2.99",)


def test_what_it_cannot_read_is_no_answer_and_later_the_last_one_known() -> None:
    fails = [True]

    def read() -> list[dict[str, Any]]:
        if fails[0]:
            raise OSError("nobody answers")
        return [_SOA, record("www", "192.0.2.1")]

    with zone_server(read) as server:
        assert ask(server, "www").rcode() == dns.rcode.SERVFAIL
        fails[0] = False
        assert values(ask(server, "www")) == ["192.0.2.1"]
        fails[0] = True
        assert values(ask(server, "www")) == ["192.0.2.1"]
        server.silence()
        with pytest.raises(dns.exception.Timeout):
            dns.query.udp(dns.message.make_query("www.shop.example", "A"), "127.0.0.1", port=server.port, timeout=1)


def test_it_follows_the_zone_in_the_emulator_until_it_is_frozen(sdk: Any) -> None:
    route53 = sdk("route53", "us-east-1")
    zone = route53.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"]

    def point(weights: dict[str, int]) -> None:
        changes = [{"Action": "UPSERT", "ResourceRecordSet": one} for one in weighted(weights) if one["Type"] == "A"]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    def heard() -> set[str]:
        server.follow()
        return {values(ask(server, "www"))[0] for _ in range(4)}

    with zone_server(lambda: zone_records(route53, zone)) as server:
        assert ask(server, "www").rcode() == dns.rcode.NXDOMAIN
        point({"192.0.2.1": 100, "192.0.2.2": 0})
        assert heard() == {"192.0.2.1"}
        server.freeze()
        point({"192.0.2.1": 0, "192.0.2.2": 100})
        assert values(ask(server, "www")) == ["192.0.2.1"]
        assert heard() == {"192.0.2.2"}
