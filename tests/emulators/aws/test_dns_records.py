"""What the record sets of a name must be: pure, over every routing and many weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.errors import Permanent
from cloudfail_aws.dns.options import NameMember
from cloudfail_aws.dns.records import Name, RecordSet, changes, place

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
ALIAS = {"zone": "Z1EXAMPLE", "evaluate_target_health": True}


def name(routing: Any, regions: Sequence[str] = REGIONS, *, checked: Sequence[str] = (), aliased: bool = False) -> Name:
    """Regions in `checked` carry a health check each."""
    members = {
        region: NameMember.model_validate(
            {
                "alias": {**ALIAS, "name": f"web.{region}.example"},
                "health_check": f"hc-{region}" if region in checked else None,
            }
            if aliased
            else {"answers": [f"192.0.2.{number}"], "health_check": f"hc-{region}" if region in checked else None}
        )
        for number, region in enumerate(regions, 1)
    }
    places = {region: place(region, member, "A") for region, member in members.items()}
    return Name("www.shop.example", "A", routing, 60, places)


def applied(sets: Sequence[RecordSet], batch: Sequence[dict[str, Any]]) -> list[RecordSet]:
    """As Route 53 applies a batch: whole, or not at all."""
    left = list(sets)
    for one in batch:
        record = one["ResourceRecordSet"]
        if one["Action"] == "DELETE":
            left.remove(record)
        else:
            same = [other for other in left if other.get("SetIdentifier") == record.get("SetIdentifier")]
            assert not same, "it stands there already"
            left.append(record)
    return left


def served(weights: dict[str, int]) -> set[str]:
    return {region for region, weight in weights.items() if weight}


def start(of: Name) -> list[RecordSet]:
    """The zone as an operator first writes it: every region's record set, the first serving where only one can."""
    one: dict[str, Any] = {"Name": "www.shop.example.", "Type": "A"}
    first = next(iter(of.places))
    if of.routing == "simple":
        return [{**one, "TTL": 60, "ResourceRecords": [{"Value": of.places[first].answers[0]}]}]
    sets = []
    for region, at in of.places.items():
        own: dict[str, Any] = {
            "weighted": {"Weight": 100 * (region == first)},
            "failover": {"Failover": "PRIMARY" if region == first else "SECONDARY"},
            "latency": {"Region": region},
            "multivalue": {"MultiValueAnswer": True},
        }[of.routing]
        held = (
            {"AliasTarget": dict(at.alias)}
            if at.alias is not None
            else {"TTL": 60, "ResourceRecords": [{"Value": at.answers[0]}]}
        )
        check = {"HealthCheckId": at.health_check} if at.health_check else {}
        sets.append({**one, "SetIdentifier": at.identifier, **own, **check, **held})
    return sets


WEIGHTS = st.dictionaries(st.sampled_from(REGIONS), st.sampled_from([0, 1, 100, 255]))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["simple", "weighted", "latency", "multivalue"]),
    st.sets(st.sampled_from(REGIONS)),
    st.booleans(),
    st.lists(WEIGHTS, max_size=4),
)
def test_any_moves_end_where_they_were_told_and_never_without_an_answer(
    routing: str, checked: set[str], aliased: bool, moves: list[dict[str, int]]
) -> None:
    aliased = aliased and routing in ("weighted", "latency")
    of = name(routing, checked=() if routing == "simple" else sorted(checked), aliased=aliased)
    sets = start(of)
    for weights in moves:
        if not served(weights):
            with pytest.raises(Permanent, match="Every weight is zero"):
                of.wanted(weights, sets)
            continue
        wanted = of.wanted(weights, sets)
        sets = applied(sets, changes(sets, wanted))
        assert sets
        assert served(of.weights(sets)) == served(weights)
        if routing == "weighted":
            assert {one["Weight"] for one in sets} <= {0, *weights.values()}
        assert not changes(sets, of.wanted(weights, sets)), "called again, it changes nothing"
        if routing == "weighted":
            heavy = [one for one in sets if one["Weight"]]
            may_fail = all("HealthCheckId" in one or "AliasTarget" in one for one in heavy)
            assert not may_fail or heavy == sets, "what has weight zero would come back by a health check"
        for one in sets:
            if routing != "simple":
                assert one.get("HealthCheckId") == of.places[one["SetIdentifier"]].health_check


def test_a_failover_and_its_way_back_leave_the_zone_as_it_was() -> None:
    of = name("failover", REGIONS[:2], checked=REGIONS[:1])
    sets = start(of)
    gone = applied(sets, changes(sets, of.wanted({REGIONS[1]: 100}, sets)))
    assert [one["Failover"] for one in gone] == ["SECONDARY"]
    assert of.weights(gone) == {REGIONS[0]: 0, REGIONS[1]: 100}
    back = applied(gone, changes(gone, of.wanted({REGIONS[0]: 100}, gone)))
    assert sorted(back, key=str) == sorted(sets, key=str)


def test_an_alias_that_stands_otherwise_is_not_taken_out() -> None:
    of = name("latency", aliased=True)
    sets = start(of)
    sets[0] = {**sets[0], "AliasTarget": {**sets[0]["AliasTarget"], "EvaluateTargetHealth": False}}
    with pytest.raises(Permanent, match="evaluate_target_health False"):
        of.wanted({REGIONS[1]: 100}, sets)


@pytest.mark.parametrize(
    ("routing", "regions", "aliased", "words"),
    [
        ("simple", REGIONS[:1], False, "it needs two"),
        ("failover", REGIONS, False, "knows two regions"),
        ("multivalue", REGIONS, True, "an alias can be neither"),
    ],
)
def test_a_name_that_no_zone_can_hold_is_refused(
    routing: str, regions: Sequence[str], aliased: bool, words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        name(routing, regions, aliased=aliased)


def test_two_regions_that_answer_alike_are_refused() -> None:
    places = {region: place(region, NameMember(answers=("192.0.2.1",)), "A") for region in REGIONS[:2]}
    with pytest.raises(Permanent, match="answer alike"):
        Name("www.shop.example", "A", "simple", 60, places)
