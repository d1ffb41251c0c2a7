"""dns: cloud-dns, by routing policy: what a shift makes of it, and what would bring a region back by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cloudfail.errors import Permanent
from tests.emulators.aws.zone_server import ZoneServer
from tests.emulators.gcp.dns_world import (
    ADDRESS,
    CENTRAL,
    CHECK,
    CHECKED,
    NAME,
    NETWORK,
    TO_CENTRAL,
    TO_WEST,
    WEST,
    Port,
    call,
    heard,
    item,
    known,
    near,
    policy,
    primary_backup,
    weighted,
)
from tests.emulators.gcp.standins import dns as standin


def test_a_weight_of_zero_stays_in_the_zone_where_nothing_is_health_checked(
    zone: standin.CloudDns, port: Port, names: ZoneServer
) -> None:
    zone.put(weighted({CENTRAL: 60.0, WEST: 40.0}))
    www = port(routing="wrr")
    both = known(www.read())
    assert both.weights == {CENTRAL: 60, WEST: 40}
    assert both.one_at_a_time
    www.shift(TO_WEST, expect=both, call=call())
    assert zone.sets[f"{NAME}.", "A"] == weighted(TO_WEST)
    heard(www, names, WEST)
    www.shift({CENTRAL: 60, WEST: 40}, expect=known(www.read()), call=call(11))
    assert zone.sets[f"{NAME}.", "A"] == weighted({CENTRAL: 60, WEST: 40})


def test_targets_that_are_empty_are_none(zone: standin.CloudDns, port: Port) -> None:
    """As gcloud writes them beside values."""
    empty: dict[str, Any] = {"healthCheckedTargets": {}}
    items = [item(region, weight=50, **empty) for region in ADDRESS]
    zone.put(policy(wrr={"items": items}))
    www = port(routing="wrr")
    www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert known(www.read()).weights == TO_WEST
    assert len(zone.sets[f"{NAME}.", "A"]["routingPolicy"]["wrr"]["items"]) == 2, "nothing is health-checked"


def test_where_health_decides_a_region_that_was_left_is_taken_out_and_does_not_come_back_by_itself(
    zone: standin.CloudDns, port: Port, names: ZoneServer, listeners: Mapping[str, contextlib.ExitStack]
) -> None:
    was = weighted({CENTRAL: 60, WEST: 40}, checked=True)
    zone.put(was)
    www = port(CHECKED, routing="wrr")
    www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert zone.sets[f"{NAME}.", "A"] == weighted({WEST: 100}, checked=True)
    listeners[ADDRESS[WEST]].close()
    heard(www, names, WEST)
    www.shift({CENTRAL: 60, WEST: 40}, expect=known(www.read()), call=call(11))
    now = zone.sets[f"{NAME}.", "A"]["routingPolicy"]
    assert now["healthCheck"] == CHECK
    assert len(now["wrr"]["items"]) == 2
    assert all(one in now["wrr"]["items"] for one in was["routingPolicy"]["wrr"]["items"])


def test_left_in_with_a_weight_of_zero_it_would_have_come_back(
    zone: standin.CloudDns, port: Port, names: ZoneServer, listeners: Mapping[str, contextlib.ExitStack]
) -> None:
    """What the latch is against, shown on the same name server."""
    zone.put(weighted(TO_WEST, checked=True))
    listeners[ADDRESS[WEST]].close()
    www = port(CHECKED, routing="wrr")
    heard(www, names, CENTRAL)
    (told,) = known(www.preflight())
    assert told.startswith(f"{CENTRAL} has the weight zero")


def test_a_nearest_region_is_there_or_not(zone: standin.CloudDns, port: Port, names: ZoneServer) -> None:
    was = near(CENTRAL, WEST, checked=True)
    zone.put(was)
    www = port(CHECKED, routing="geo")
    assert known(www.read()).weights == {CENTRAL: 100, WEST: 100}
    heard(www, names, CENTRAL)
    www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert zone.sets[f"{NAME}.", "A"] == near(WEST, checked=True)
    heard(www, names, WEST)
    www.shift({CENTRAL: 100, WEST: 100}, expect=known(www.read()), call=call(11))
    assert known(www.read()).weights == {CENTRAL: 100, WEST: 100}
    heard(www, names, CENTRAL)


def test_a_primary_that_was_left_is_neither_primary_nor_backup_until_it_is_put_back(
    zone: standin.CloudDns, port: Port, names: ZoneServer, listeners: Mapping[str, contextlib.ExitStack]
) -> None:
    zone.put(primary_backup())
    www = port(CHECKED, routing="primary-backup")
    assert known(www.read()).weights == TO_CENTRAL
    www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert zone.sets[f"{NAME}.", "A"] == primary_backup(primary=WEST, backup=WEST)
    listeners[ADDRESS[WEST]].close()
    heard(www, names, WEST)
    www.shift(TO_CENTRAL, expect=known(www.read()), call=call(11))
    assert zone.sets[f"{NAME}.", "A"] == primary_backup()
    heard(www, names, CENTRAL)


def test_a_trickle_is_a_weight_that_ends_with_a_shift_and_comes_back_with_it(
    zone: standin.CloudDns, port: Port, names: ZoneServer
) -> None:
    zone.put(primary_backup(trickle=0.1))
    www = port(CHECKED, routing="primary-backup")
    before = known(www.read())
    assert before.weights == {CENTRAL: 90, WEST: 10}
    www.shift(TO_CENTRAL, expect=before, call=call())
    assert zone.sets[f"{NAME}.", "A"] == primary_backup()
    heard(www, names, CENTRAL)
    www.shift(before.weights, expect=known(www.read()), call=call(11))
    assert zone.sets[f"{NAME}.", "A"] == primary_backup(trickle=0.1)


def test_weights_that_google_would_not_take_are_refused(zone: standin.CloudDns, port: Port) -> None:
    zone.put(weighted(TO_CENTRAL))
    www = port(routing="wrr")
    for weights in ({CENTRAL: -1, WEST: 1}, {CENTRAL: 0, WEST: 1001}):
        with pytest.raises(Permanent, match="from 0 to 1000"):
            www.shift(weights, expect=known(www.read()), call=call())
    with pytest.raises(Permanent, match="no answer for us-east1"):
        www.shift({"us-east1": 1}, expect=known(www.read()), call=call())


def test_a_primary_that_all_is_trickled_away_from_is_still_to_be_taken_out(zone: standin.CloudDns, port: Port) -> None:
    """Google's own way of a failover by hand. While the primary is in the zone, it may answer."""
    zone.put(primary_backup(trickle=1.0))
    www = port(CHECKED, routing="primary-backup")
    seen = known(www.read())
    assert seen.weights == {CENTRAL: 1, WEST: 99}
    www.shift(TO_WEST, expect=seen, call=call())
    assert zone.sets[f"{NAME}.", "A"] == primary_backup(primary=WEST, backup=WEST)


def test_what_could_not_be_put_back_as_it_was_is_not_taken_out(zone: standin.CloudDns, port: Port) -> None:
    zone.put(weighted({CENTRAL: 100, WEST: 100}, checked=True))
    www = port(ADDRESS, routing="wrr")
    with pytest.raises(Permanent, match="could not be put back"):
        www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert zone.sets[f"{NAME}.", "A"] == weighted({CENTRAL: 100, WEST: 100}, checked=True)


BALANCER = {"type": "regionalL4ilb", "ip_address": "192.0.2.1", "port": 80, "network_url": NETWORK, "project": "p"}
BALANCED = {"load_balancers": [BALANCER]}


@pytest.mark.parametrize(
    ("members", "options", "words"),
    [
        ({CENTRAL: "192.0.2.1"}, {}, "needs two"),
        ({CENTRAL: "192.0.2.1", WEST: "192.0.2.1"}, {}, "answer alike"),
        (CHECKED, {"routing": "simple"}, "no health"),
        ({**CHECKED, WEST: "192.0.2.2"}, {"routing": "wrr"}, "for every region, or for none"),
        (ADDRESS, {"routing": "primary-backup"}, "health-checked targets for us-central1"),
        ({CENTRAL: {"answers": ["a.", "b."]}, WEST: "c."}, {"type": "CNAME"}, "one value"),
        ({CENTRAL: BALANCED, WEST: "192.0.2.2"}, {"routing": "primary-backup"}, "load_balancers of both"),
    ],
)
def test_what_no_zone_can_hold_is_said_before_anything_is_asked(
    port: Port, members: Any, options: Any, words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        port(members, **options)


def test_internal_load_balancers_stand_in_a_policy_as_google_words_them(zone: standin.CloudDns, port: Port) -> None:
    def balancer(region: str, key: Callable[[str], str]) -> dict[str, Any]:
        told = {"ip_address": ADDRESS[region], "ip_protocol": "tcp", "network_url": NETWORK, "project": "p"}
        return {key(name): value for name, value in {**told, "region": region}.items()}

    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(map(str.title, rest))

    held = {
        region: {
            "internalLoadBalancers": [{**balancer(region, camel), "loadBalancerType": "regionalL4ilb", "port": "80"}]
        }
        for region in ADDRESS
    }
    items = [{"weight": 50, "healthCheckedTargets": held[region]} for region in ADDRESS]
    zone.put(policy(wrr={"items": items}))
    members = {
        region: {"load_balancers": [{**balancer(region, str), "type": "regionalL4ilb", "port": 80}]}
        for region in ADDRESS
    }
    www = port(members, routing="wrr")
    www.shift(TO_WEST, expect=known(www.read()), call=call())
    www.shift({CENTRAL: 50, WEST: 50}, expect=known(www.read()), call=call(11))
    now = zone.sets[f"{NAME}.", "A"]["routingPolicy"]["wrr"]["items"]
    assert len(now) == 2
    assert all(one in now for one in items)
