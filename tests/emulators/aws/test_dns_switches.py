"""The data plane's switches: an object that an inverted health check looks at, and routing controls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.errors import CloudfailError, Conflict, LeaseLost, OutcomeUnknown, Permanent
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import DnsSuite
from cloudfail_aws.asking import Asking
from cloudfail_aws.dns import routing_control, s3_switch
from cloudfail_aws.dns.routing_control import RoutingControl
from cloudfail_aws.dns.s3_switch import S3Switch
from tests.emulators.aws.dns_world import (
    ADDRESS,
    EAST,
    NAME,
    WEST,
    DnsWorld,
    ZoneFile,
    asking,
    call,
    heard,
    known,
    record,
    resource,
    serving,
    topology,
)
from tests.emulators.aws.emulator import Emulator, free_port
from tests.emulators.aws.faults import proxy
from tests.emulators.aws.standins.routing_controls import REGIONS, Cluster
from tests.emulators.aws.zone_server import ZoneServer

BUCKET, KEY = "shop-switch-usw2", "us-east-1-out"
OBJECT = f"s3://{BUCKET}/{KEY}"
TO_WEST = {EAST: 0, WEST: 100}
TO_EAST = {EAST: 100, WEST: 0}
CONTROL_PLANE, DATA_PLANE = "AWS_ENDPOINT_URL_ROUTE_53", "AWS_ENDPOINT_URL_S3"


@pytest.fixture
def objects(aws: Emulator) -> Emulator:
    """Whose S3 it is."""
    return aws


@pytest.fixture
def zone(objects: Emulator, sdk: Any) -> ZoneFile:
    """Routed by failover; east's health check is inverted, and looks at the object in west."""
    s3 = sdk("s3", WEST)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": WEST})
    everybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/{KEY}",
    }
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]}))
    made = ZoneFile(sdk("route53", EAST))
    check = made.health_check(objects.port, f"/{BUCKET}/{KEY}", Inverted=True)
    made.put(
        record(ADDRESS[EAST], SetIdentifier=EAST, Failover="PRIMARY", HealthCheckId=check),
        record(ADDRESS[WEST], SetIdentifier=WEST, Failover="SECONDARY"),
    )
    return made


@pytest.fixture
def names(zone: ZoneFile) -> Iterator[ZoneServer]:
    with serving(zone) as one:
        yield one


@pytest.fixture
def switch(names: ZoneServer) -> Callable[..., S3Switch]:
    """As a kind of its own, which knows no zone."""

    def make(**options: Any) -> S3Switch:
        written = {"name": NAME, "object": OBJECT, "resolvers": [names.address], "answer_within": "90s", **options}
        one = resource("s3-switch", written, ADDRESS)
        return s3_switch.build(one, topology(), asking(one))

    return make


@pytest.fixture
def of_zone(zone: ZoneFile, names: ZoneServer) -> Callable[[], S3Switch]:
    """As `switch:` of a name of route53, whose members nobody wrote down."""

    def make() -> S3Switch:
        options = {
            "zone": zone.id,
            "name": NAME,
            "switch": {"object": OBJECT},
            "resolvers": [names.address],
            "answer_within": "90s",
        }
        one = resource("route53", options, {})
        return s3_switch.of_route53(one, topology(), asking(one))

    return make


class TestS3Switch(DnsSuite):
    @pytest.fixture
    def world(self, aws: Emulator, switch: Callable[..., S3Switch], monkeypatch: pytest.MonkeyPatch) -> DnsWorld:
        return DnsWorld("s3-switch", switch, (DATA_PLANE,), aws.url, monkeypatch)


class TestS3SwitchOnMoto(DnsSuite):
    """Both emulators keep the conditions of S3."""

    @pytest.fixture
    def objects(self, aws: Emulator, moto: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
        monkeypatch.setenv(DATA_PLANE, moto.url)
        return moto

    @pytest.fixture
    def world(self, objects: Emulator, switch: Callable[..., S3Switch], monkeypatch: pytest.MonkeyPatch) -> DnsWorld:
        return DnsWorld("s3-switch", switch, (DATA_PLANE,), objects.url, monkeypatch)


class TestSwitchOfAZone(DnsSuite):
    @pytest.fixture
    def world(self, aws: Emulator, of_zone: Callable[[], S3Switch], monkeypatch: pytest.MonkeyPatch) -> DnsWorld:
        return DnsWorld("s3-switch", of_zone, (DATA_PLANE,), aws.url, monkeypatch)


def test_it_moves_and_is_seen_to_while_every_control_plane_is_out_of_reach(
    zone: ZoneFile, of_zone: Callable[[], S3Switch], names: ZoneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = zone.sets()
    www = of_zone()
    www.warm()
    monkeypatch.setenv(CONTROL_PLANE, f"http://127.0.0.1:{free_port()}")
    www.shift(TO_WEST, expect=known(www.read()), call=call(4))
    after = known(www.read())
    assert (after.weights, after.answers, after.epoch) == (TO_WEST, (ADDRESS[WEST],), 4)
    assert heard(www, names) == {names.address: (ADDRESS[WEST],)}
    assert zone.sets() == there, "the zone was not touched"


def test_without_members_and_without_a_control_plane_nobody_knows_what_to_expect_and_that_is_said(
    of_zone: Callable[[], S3Switch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONTROL_PLANE, f"http://127.0.0.1:{free_port()}")
    www = of_zone()
    assert known(www.read()).weights == TO_EAST
    resolved = www.resolve()
    assert isinstance(resolved, Unknown)
    assert "write members" in resolved.reason


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"Inverted": True}, ()),
        ({}, ("is not inverted",)),
        ({"Inverted": True, "Disabled": True}, ("is disabled", "unhealthy, since it is inverted")),
        ({"Disabled": True}, ("is disabled", "counts it as healthy", "is not inverted")),
        (None, ("with a health check: no object moves it",)),
    ],
)
def test_health_checks_that_would_make_the_switch_do_nothing_are_found_before_the_bad_day(
    aws: Emulator, zone: ZoneFile, names: ZoneServer, more: dict[str, Any] | None, words: tuple[str, ...]
) -> None:
    zone.put(zone.sets()[0], action="DELETE")
    check = {} if more is None else {"HealthCheckId": zone.health_check(aws.port, f"/{BUCKET}/{KEY}", **more)}
    zone.put(record(ADDRESS[EAST], SetIdentifier=EAST, Failover="PRIMARY", **check))
    options = {"zone": zone.id, "name": NAME, "switch": {"object": OBJECT}, "resolvers": [names.address]}
    one = resource("route53", {**options, "answer_within": "90s"}, {})
    www = s3_switch.of_route53(one, topology(), Asking(one, topology(), zone.telling()))
    found = " ".join(known(www.preflight()))
    assert bool(found) is bool(words)
    assert all(word in found for word in words)


def test_the_object_is_a_latch_that_no_health_check_undoes(
    switch: Callable[..., S3Switch], names: ZoneServer, zone: ZoneFile
) -> None:
    """East's own check passes again, or fails again: while the object is there, west answers."""
    www = switch()
    www.shift(TO_WEST, expect=known(www.read()), call=call(4))
    for _ in range(5):
        assert heard(www, names) == {names.address: (ADDRESS[WEST],)}
    www.shift(TO_EAST, expect=known(www.read()), call=call(5))
    assert heard(www, names) == {names.address: (ADDRESS[EAST],)}


def test_an_older_run_deletes_nothing_that_a_newer_one_put(switch: Callable[..., S3Switch]) -> None:
    www = switch()
    www.shift(TO_WEST, expect=known(www.read()), call=call(9))
    with pytest.raises(Conflict, match="Epoch 9"):
        www.shift(TO_EAST, expect=known(www.read()), call=call(8))
    assert known(www.read()).weights == TO_WEST


def test_an_object_that_was_put_anew_is_not_the_one_that_was_seen(switch: Callable[..., S3Switch], sdk: Any) -> None:
    www = switch()
    www.shift(TO_WEST, expect=known(www.read()), call=call(1))
    seen = known(www.read())
    sdk("s3", WEST).put_object(Bucket=BUCKET, Key=KEY, Body=b"by hand")
    with pytest.raises(Conflict):
        www.shift(TO_EAST, expect=seen, call=call(2))
    by_hand = known(www.read())
    assert (by_hand.weights, by_hand.epoch) == (TO_WEST, None)


@pytest.mark.parametrize("how", ["closed", "silent"])
def test_where_the_answer_to_the_put_was_lost_the_next_look_shows_it(
    aws: Emulator, switch: Callable[..., S3Switch], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    with proxy(aws.port) as lossy:
        monkeypatch.setenv(DATA_PLANE, lossy.url)
        www = switch()
        seen = known(www.read())
        lossy.lose(b"PUT /", 1, how)
        with pytest.raises(OutcomeUnknown):
            www.shift(TO_WEST, expect=seen, call=call(3))
        assert lossy.lost == 1
        assert known(www.read()).weights == TO_WEST
        www.shift(TO_WEST, expect=seen, call=call(3))
        with pytest.raises(Conflict):
            www.shift(TO_WEST, expect=seen, call=call(3, key="another"))


def test_a_bucket_that_does_not_answer_is_unknown(switch: Callable[..., S3Switch], sdk: Any) -> None:
    sdk("s3", WEST).delete_bucket(Bucket=BUCKET)
    state = switch().read()
    assert isinstance(state, Unknown)
    assert "NoSuchBucket" in state.reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"object": f"{OBJECT}?region={EAST}"}, "lives there"),
        ({"object": f"s3://{BUCKET}/us-west-2-out"}, "says us-west-2"),
        ({"routing": "weighted"}, "need an object each"),
        ({"object": None, "objects": {"eu-west-1": OBJECT}}, "no region of the application"),
        ({"object": None}, "needs an object"),
    ],
)
def test_a_switch_that_could_not_work_is_refused_when_it_is_built(
    switch: Callable[..., S3Switch], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(Permanent, match=words):
        switch(**options)


def test_where_several_serve_at_once_what_gains_is_let_in_before_what_loses_is_taken_out(
    switch: Callable[..., S3Switch], sdk: Any
) -> None:
    other = f"s3://{BUCKET}-3/us-west-2-out?region=eu-central-1"
    sdk("s3", "eu-central-1").create_bucket(
        Bucket=f"{BUCKET}-3", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    www = switch(routing="multivalue", object=None, objects={EAST: OBJECT, WEST: other})
    both = known(www.read())
    assert (both.weights, both.one_at_a_time) == ({EAST: 100, WEST: 100}, False)
    www.shift(TO_WEST, expect=both, call=call(1))
    seen = known(www.read())
    checks: list[tuple[str, ...]] = []
    www.shift(TO_EAST, expect=seen, call=call(2, check=lambda: checks.append(known(www.read()).answers)))
    assert checks == [(ADDRESS[WEST],), (ADDRESS[EAST], ADDRESS[WEST])]
    assert known(www.read()).weights == TO_EAST
    with pytest.raises(Permanent, match="as if none were"):
        www.shift({EAST: 0, WEST: 0}, expect=known(www.read()), call=call(3))


# ---- routing controls


@pytest.fixture
def arns(routing_controls: Cluster) -> dict[str, str]:
    """A control for each region: east is On."""
    panel = routing_controls.panel
    return {EAST: panel.control("east", "On"), WEST: panel.control("west")}


@pytest.fixture
def controlled(sdk: Any, routing_controls: Cluster, arns: dict[str, str]) -> Iterator[ZoneServer]:
    zone = ZoneFile(sdk("route53", EAST))
    for region, value in ADDRESS.items():
        check = zone.add_check({"Type": "RECOVERY_CONTROL", "RoutingControlArn": arns[region]})
        role = {EAST: "PRIMARY", WEST: "SECONDARY"}[region]
        zone.put(record(value, SetIdentifier=region, Failover=role, HealthCheckId=check))
    with serving(zone, lambda arn: routing_controls.panel.controls[arn].state == "On") as one:
        yield one


@pytest.fixture
def control(routing_controls: Cluster, controlled: ZoneServer, arns: dict[str, str]) -> Callable[..., RoutingControl]:
    def make(**options: Any) -> RoutingControl:
        written = {
            "name": NAME,
            "resolvers": [controlled.address],
            "answer_within": "60s",
            "endpoints": endpoints(routing_controls),
            **options,
        }
        one = resource(
            "routing-control", written, {name: {"answers": [ADDRESS[name]], "control": arns[name]} for name in ADDRESS}
        )
        # In the order of the file, so that a test can say which endpoint is met first.
        return RoutingControl(one, topology(), asking(one), shuffled=list)

    return make


def endpoints(cluster: Cluster) -> list[dict[str, str]]:
    return [{"url": url, "region": region} for region, url in cluster.urls().items()]


class _Controlled(DnsWorld):
    cluster: Cluster

    def make_unreachable(self, region: str) -> None:
        for one in self.cluster.endpoints.values():
            one.kill()

    def restore(self, region: str) -> None:
        for one in self.cluster.endpoints.values():
            one.restore()


class TestRoutingControl(DnsSuite):
    @pytest.fixture
    def world(
        self, routing_controls: Cluster, control: Callable[..., RoutingControl], monkeypatch: pytest.MonkeyPatch
    ) -> DnsWorld:
        made = _Controlled("routing-control", control, (), "", monkeypatch)
        made.cluster = routing_controls
        return made


def test_both_states_go_in_one_request(
    routing_controls: Cluster, arns: dict[str, str], control: Callable[..., RoutingControl], controlled: ZoneServer
) -> None:
    www = control()
    www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert routing_controls.panel.changes == [{arns[EAST]: "Off", arns[WEST]: "On"}]
    assert heard(www, controlled) == {controlled.address: (ADDRESS[WEST],)}


@pytest.mark.parametrize("how", ["kill", "be_unavailable", "silence", "lose_answers"])
def test_four_endpoints_that_are_gone_leave_one_that_does(
    routing_controls: Cluster, control: Callable[..., RoutingControl], how: str
) -> None:
    www = control(answer_within="10s")
    seen = known(www.read())
    for region in REGIONS[:4]:
        getattr(routing_controls.endpoints[region], how)()
    www.shift(TO_WEST, expect=seen, call=call(seconds=15))
    assert known(www.read()).weights == TO_WEST
    assert routing_controls.panel.states() == {"east": "Off", "west": "On"}


def test_the_order_of_the_endpoints_is_drawn(routing_controls: Cluster, arns: dict[str, str], sdk: Any) -> None:
    one = resource(
        "routing-control",
        {"name": NAME, "endpoints": endpoints(routing_controls), "answer_within": "60s"},
        {name: {"answers": [ADDRESS[name]], "control": arns[name]} for name in ADDRESS},
    )
    www = RoutingControl(one, topology(), asking(one))
    for _ in range(8):
        known(www.read())
    assert sum(endpoint.asked > 0 for endpoint in routing_controls.endpoints.values()) > 1


def test_a_safety_rule_refuses_for_good_unless_it_is_named(
    routing_controls: Cluster, arns: dict[str, str], control: Callable[..., RoutingControl]
) -> None:
    rule = routing_controls.panel.assertion(arns[EAST])
    www = control()
    with pytest.raises(Permanent, match="A safety rule") as refused:
        www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert "override_safety_rules" in refused.value.to_do
    assert known(www.read()).weights == TO_EAST
    named = control(override_safety_rules=[rule])
    named.shift(TO_WEST, expect=known(named.read()), call=call())
    assert known(named.read()).weights == TO_WEST


def test_every_control_off_is_read_as_what_it_does_and_never_ordered(
    routing_controls: Cluster, control: Callable[..., RoutingControl]
) -> None:
    www = control()
    with pytest.raises(Permanent, match="Every routing control would be Off"):
        www.shift({EAST: 0, WEST: 0}, expect=known(www.read()), call=call())
    for one in routing_controls.panel.controls.values():
        one.state = "Off"
    state = known(www.read())
    assert state.weights == {EAST: 100, WEST: 100}, "Route 53 answers as if all were On"
    www.shift(TO_WEST, expect=state, call=call())
    assert known(www.read()).weights == TO_WEST


def test_a_run_that_lost_its_lease_between_two_endpoints_stops(
    routing_controls: Cluster, control: Callable[..., RoutingControl]
) -> None:
    www = control()
    seen = known(www.read())
    routing_controls.endpoints[REGIONS[0]].be_unavailable()
    checked: list[int] = []

    def check() -> None:
        checked.append(1)
        if len(checked) > 1:
            raise LeaseLost("Another worker took over.")

    with pytest.raises(LeaseLost):
        www.shift(TO_WEST, expect=seen, call=call(check=check))
    assert len(checked) == 2
    assert routing_controls.panel.changes == []


def test_where_no_endpoint_answers_the_outcome_is_an_error_of_ours(
    routing_controls: Cluster, control: Callable[..., RoutingControl]
) -> None:
    www = control(answer_within="5s")
    seen = known(www.read())
    for one in routing_controls.endpoints.values():
        one.silence()
    with pytest.raises(CloudfailError):
        www.shift(TO_WEST, expect=seen, call=call(seconds=10))
    assert isinstance(www.read(), Unknown)


def test_a_control_for_each_region_is_needed(routing_controls: Cluster, arns: dict[str, str], sdk: Any) -> None:
    one = resource(
        "routing-control",
        {"name": NAME, "endpoints": endpoints(routing_controls)},
        {name: {"answers": [ADDRESS[name]], "control": arns[EAST]} for name in ADDRESS},
    )
    with pytest.raises(Permanent, match="a routing control for each"):
        routing_control.RoutingControl(one, topology(), asking(one))
