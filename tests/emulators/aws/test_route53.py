"""dns: route53 against ministack, seen through a real name server that answers from the zone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import DnsSuite
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.dns.route53 import Route53
from cloudfail_names.names import unquoted
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
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.faults import Proxy, proxy
from tests.emulators.aws.zone_server import ZoneServer

ENDPOINT = "AWS_ENDPOINT_URL_ROUTE_53"
CHANGE = b"ChangeResourceRecordSetsRequest"
TO_WEST = {EAST: 0, WEST: 100}
TO_EAST = {EAST: 100, WEST: 0}
MARK = f"_cloudfail.{NAME}"

Port = Callable[..., Route53]


@pytest.fixture
def zone(sdk: Any) -> ZoneFile:
    return ZoneFile(sdk("route53", EAST))


@pytest.fixture
def names(zone: ZoneFile) -> Iterator[ZoneServer]:
    with serving(zone) as one:
        yield one


@pytest.fixture
def port(zone: ZoneFile, names: ZoneServer) -> Port:
    def make(
        members: Mapping[str, Any] = ADDRESS,
        *,
        application: str = "shop",
        clients: Clients | None = None,
        **options: Any,
    ) -> Route53:
        one = resource(
            "route53",
            {"zone": zone.id, "name": NAME, "resolvers": [names.address], "answer_within": "90s", **options},
            members,
        )
        of = topology(application)
        asks = asking(one, of) if clients is None else Asking(one, of, clients)
        return Route53(one, of, asks)

    return make


def of_routing(zone: ZoneFile, port: Port, routing: str, health_port: int) -> Callable[[], Route53]:
    """The zone as it stands when all is well, routed so: east serves."""
    members: dict[str, Any] = dict(ADDRESS)
    if routing == "simple":
        zone.put(record(ADDRESS[EAST]))
    elif routing == "weighted":
        zone.put(*(record(ADDRESS[one], SetIdentifier=one, Weight=TO_EAST[one]) for one in (EAST, WEST)))
    elif routing == "failover":
        check = zone.health_check(health_port, "/_ministack/health")
        members[EAST] = {"answers": [ADDRESS[EAST]], "health_check": check}
        zone.put(
            record(ADDRESS[EAST], SetIdentifier=EAST, Failover="PRIMARY", HealthCheckId=check),
            record(ADDRESS[WEST], SetIdentifier=WEST, Failover="SECONDARY"),
        )
    elif routing == "alias":
        targets = {EAST: "web.use1.shop.example", WEST: "web.usw2.shop.example"}
        zone.put(*(record(ADDRESS[one], name) for one, name in targets.items()))
        alias = {"HostedZoneId": zone.id, "DNSName": f"{targets[EAST]}.", "EvaluateTargetHealth": True}
        zone.put({"Name": NAME, "Type": "A", "SetIdentifier": EAST, "Weight": 100, "AliasTarget": alias})
        members = {
            one: {"alias": {"zone": zone.id, "name": name, "evaluate_target_health": True}}
            for one, name in targets.items()
        }
        return lambda: port(members, routing="weighted")
    return lambda: port(members, routing=routing)


@pytest.mark.parametrize("routing", ["simple", "weighted", "failover", "alias"])
class TestRoute53(DnsSuite):
    @pytest.fixture
    def world(
        self, routing: str, aws: Emulator, zone: ZoneFile, port: Port, monkeypatch: pytest.MonkeyPatch
    ) -> DnsWorld:
        return DnsWorld("route53", of_routing(zone, port, routing, aws.port), (ENDPOINT,), aws.url, monkeypatch)


# ---- what is written, and what it is held against


def test_the_epoch_and_the_weights_stand_beside_the_name_in_the_same_batch(zone: ZoneFile, port: Port) -> None:
    zone.put(record(ADDRESS[EAST]))
    www = port()
    before = known(www.read())
    assert (before.weights, before.answers, before.epoch) == (TO_EAST, (ADDRESS[EAST],), None)
    www.shift({EAST: 0, WEST: 50}, expect=before, call=call(7))
    (mark,) = zone.sets(MARK)
    said = unquoted(mark["ResourceRecords"][0]["Value"])
    assert said == f"cloudfail owner=shop epoch=7 weights={EAST}:0,{WEST}:50 run=r1"
    after = known(www.read())
    assert (after.weights, after.epoch) == ({EAST: 0, WEST: 50}, 7)
    with pytest.raises(Conflict, match="Epoch 7"):
        www.shift(TO_EAST, expect=after, call=call(6))


def test_an_old_call_is_refused_by_the_service_itself_also_where_the_answers_are_again_as_it_saw_them(
    zone: ZoneFile, port: Port
) -> None:
    zone.put(record(ADDRESS[EAST]))
    www = port()
    first = known(www.read())
    www.shift(TO_WEST, expect=first, call=call(7))
    www.shift(TO_EAST, expect=known(www.read()), call=call(8))
    assert known(www.read()).answers == first.answers
    with pytest.raises(Conflict):
        www.shift(TO_WEST, expect=first, call=call(7))
    assert known(www.read()).answers == (ADDRESS[EAST],)


def test_of_two_calls_that_saw_the_same_one_has_an_effect(zone: ZoneFile, port: Port) -> None:
    zone.put(record(ADDRESS[EAST]))
    seen = known(port().read())
    refused: list[int] = []

    def shift(epoch: int) -> None:
        try:
            port().shift({EAST: epoch, WEST: 1}, expect=seen, call=call(epoch))
        except Conflict:
            refused.append(epoch)

    threads = [threading.Thread(target=shift, args=(epoch,)) for epoch in (11, 12, 13)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    now = known(port().read())
    assert sorted([*refused, now.epoch]) == [11, 12, 13]
    assert now.weights == {EAST: now.epoch, WEST: 1}


def test_a_name_that_another_application_moves_is_left_alone(zone: ZoneFile, port: Port) -> None:
    zone.put(record(ADDRESS[EAST]))
    theirs = port(application="billing")
    theirs.shift(TO_EAST, expect=known(theirs.read()), call=call(3))
    ours = port()
    with pytest.raises(Permanent, match="moved by the application billing"):
        ours.shift(TO_WEST, expect=known(ours.read()), call=call(4))
    assert "billing" in known(ours.preflight())[0]


def test_a_text_that_no_run_wrote_is_somebody_elses(zone: ZoneFile, port: Port) -> None:
    zone.put(record(ADDRESS[EAST]), record('"v=spf1 -all"', MARK, "TXT"))
    state = port().read()
    assert isinstance(state, Unknown)
    assert "somebody else's" in state.reason


@pytest.mark.parametrize(
    ("there", "routing", "words"),
    [
        ([record("198.51.100.9")], "simple", "no region's"),
        ([record(ADDRESS[EAST], SetIdentifier=EAST, Weight=1)], "simple", "write routing: weighted"),
        ([record(ADDRESS[EAST])], "weighted", "does not describe"),
        ([record(ADDRESS[EAST], SetIdentifier="blue", Weight=1)], "weighted", "blue"),
        ([record(ADDRESS[WEST], SetIdentifier=EAST, Weight=1)], "weighted", "write there what is so"),
        ([record(ADDRESS[WEST], SetIdentifier=WEST, Failover="PRIMARY")], "failover", "PRIMARY region first"),
        ([], "simple", "not there"),
        ([], "latency", "no record set"),
    ],
)
def test_what_the_zone_holds_otherwise_than_the_file_says_is_unknown_and_told(
    zone: ZoneFile, port: Port, there: list[Any], routing: str, words: str
) -> None:
    if there:
        zone.put(*there)
    state = port(routing=routing).read()
    assert isinstance(state, Unknown)
    assert words in state.reason


# ---- routing


def test_weights_that_are_all_zero_are_read_as_what_they_do_and_never_written(zone: ZoneFile, port: Port) -> None:
    zone.put(*(record(ADDRESS[one], SetIdentifier=one, Weight=0) for one in (EAST, WEST)))
    www = port(routing="weighted")
    state = known(www.read())
    assert state.weights == {EAST: 1, WEST: 1}, "Route 53 answers with each of them"
    with pytest.raises(Permanent, match="Every weight is zero"):
        www.shift({EAST: 0, WEST: 0}, expect=state, call=call())


def test_where_health_decides_a_region_of_weight_zero_is_taken_out_and_put_back_as_it_was(
    aws: Emulator, zone: ZoneFile, port: Port
) -> None:
    """Route 53 answers with weight zero while what has weight is unhealthy: no latch."""
    checks = {one: zone.health_check(aws.port, "/_ministack/health") for one in (EAST, WEST)}
    was = [
        record(ADDRESS[one], SetIdentifier=one, Weight=weight, HealthCheckId=checks[one])
        for one, weight in TO_EAST.items()
    ]
    zone.put(*was)
    there = zone.sets()
    www = port({one: {"answers": [ADDRESS[one]], "health_check": checks[one]} for one in ADDRESS}, routing="weighted")
    www.shift(TO_WEST, expect=known(www.read()), call=call(1))
    (left,) = zone.sets()
    assert (left["SetIdentifier"], left["Weight"], left["HealthCheckId"]) == (WEST, 100, checks[WEST])
    assert known(www.read()).weights == TO_WEST
    www.shift({EAST: 100, WEST: 100}, expect=known(www.read()), call=call(2))
    assert zone.sets() == [there[0], {**there[1], "Weight": 100}]


def test_a_health_check_that_the_file_does_not_name_keeps_its_record_set_in_the_zone(
    aws: Emulator, zone: ZoneFile, port: Port
) -> None:
    check = zone.health_check(aws.port, "/_ministack/health")
    zone.put(
        record(ADDRESS[EAST], SetIdentifier=EAST, Failover="PRIMARY", HealthCheckId=check),
        record(ADDRESS[WEST], SetIdentifier=WEST, Failover="SECONDARY"),
    )
    www = port(routing="failover")
    with pytest.raises(Permanent, match=f"has the health check {check}"):
        www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert len(zone.sets()) == 2


def test_a_failover_leaves_nothing_that_a_health_check_could_bring_back(
    aws: Emulator, zone: ZoneFile, port: Port, names: ZoneServer
) -> None:
    www = of_routing(zone, port, "failover", aws.port)()
    there = zone.sets()
    www.shift(TO_WEST, expect=known(www.read()), call=call(1))
    assert [one["SetIdentifier"] for one in zone.sets()] == [WEST]
    assert heard(www, names) == {names.address: (ADDRESS[WEST],)}
    www.shift(TO_EAST, expect=known(www.read()), call=call(2))
    assert zone.sets() == there
    assert heard(www, names) == {names.address: (ADDRESS[EAST],)}
    with pytest.raises(Permanent, match="one region"):
        www.shift({EAST: 1, WEST: 1}, expect=known(www.read()), call=call(3))


@pytest.mark.parametrize("routing", ["latency", "multivalue"])
def test_record_sets_without_a_weight_are_there_or_not(
    zone: ZoneFile, port: Port, names: ZoneServer, routing: str
) -> None:
    own: dict[str, dict[str, Any]] = {
        one: {"Region": one} if routing == "latency" else {"MultiValueAnswer": True} for one in ADDRESS
    }
    zone.put(*(record(ADDRESS[one], SetIdentifier=one, **own[one]) for one in ADDRESS))
    there = zone.sets()
    www = port(routing=routing)
    both = known(www.read())
    assert both.weights == {EAST: 100, WEST: 100}
    assert both.one_at_a_time is (routing == "latency")
    www.shift(TO_WEST, expect=both, call=call(1))
    assert [one["SetIdentifier"] for one in zone.sets()] == [WEST]
    assert heard(www, names) == {names.address: (ADDRESS[WEST],)}
    www.shift({EAST: 100, WEST: 100}, expect=known(www.read()), call=call(2))
    assert zone.sets() == there


@pytest.mark.parametrize(("inverted", "counts"), [(False, "as healthy"), (True, "as unhealthy")])
def test_a_disabled_health_check_between_two_regions_is_refused(
    aws: Emulator, zone: ZoneFile, port: Port, inverted: bool, counts: str
) -> None:
    good = zone.health_check(aws.port, "/_ministack/health")
    dead = zone.health_check(aws.port, "/_ministack/health", Disabled=True, Inverted=inverted)
    zone.put(*(record(ADDRESS[one], SetIdentifier=one, Weight=100, HealthCheckId=good) for one in ADDRESS))
    zone.put(record(ADDRESS[WEST], SetIdentifier=WEST, Weight=100, HealthCheckId=dead))
    members = {
        EAST: {"answers": [ADDRESS[EAST]], "health_check": good},
        WEST: {"answers": [ADDRESS[WEST]], "health_check": dead},
    }
    www = port(members, routing="weighted", clients=zone.telling())
    with pytest.raises(Permanent, match=counts) as refused:
        www.shift({EAST: 10, WEST: 90}, expect=known(www.read()), call=call())
    assert "--no-disabled" in refused.value.to_do
    www.shift(TO_EAST, expect=known(www.read()), call=call())
    assert [one["SetIdentifier"] for one in zone.sets()] == [EAST], "alone, it is answered whatever its health"


def test_an_alias_is_recognised_by_the_addresses_of_its_target(
    aws: Emulator, zone: ZoneFile, port: Port, names: ZoneServer
) -> None:
    www = of_routing(zone, port, "alias", aws.port)()
    assert heard(www, names) == {names.address: ("web.use1.shop.example.",)}
    zone.put(record("192.0.2.77", "web.use1.shop.example"))
    assert heard(www, names) == {names.address: ("web.use1.shop.example.",)}, "its addresses may change"
    zone.put(record("192.0.2.99", "web.other.shop.example"))
    zone.put(
        {
            **zone.sets()[0],
            "AliasTarget": {
                "HostedZoneId": zone.id,
                "DNSName": "web.other.shop.example.",
                "EvaluateTargetHealth": True,
            },
        }
    )
    assert heard(www, names) == {names.address: ("192.0.2.99",)}, "what nobody wrote down is said as it is"


# ---- faults


@pytest.fixture
def lossy(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxy(aws.port) as one:
        monkeypatch.setenv(ENDPOINT, one.url)
        yield one


@pytest.mark.parametrize("how", ["closed", "silent"])
def test_where_the_answer_was_lost_the_outcome_is_unknown_and_the_next_look_shows_the_effect(
    zone: ZoneFile, port: Port, lossy: Proxy, how: str
) -> None:
    zone.put(record(ADDRESS[EAST]))
    www = port()
    seen = known(www.read())
    lossy.lose(CHANGE, 1, how)
    with pytest.raises(OutcomeUnknown):
        www.shift(TO_WEST, expect=seen, call=call(5))
    assert lossy.lost == 1, "it was sent once"
    now = known(www.read())
    assert (now.weights, now.epoch) == (TO_WEST, 5)
    www.shift(TO_WEST, expect=seen, call=call(5))
    assert known(www.read()) == replace(now), "the same call again finds its own effect"


def test_a_lease_that_is_lost_while_it_is_tried_again_sends_nothing_more(zone: ZoneFile, port: Port) -> None:
    zone.put(record(ADDRESS[EAST]))
    clients = Clients()
    throttled: list[str] = []
    _answer(clients, "ChangeResourceRecordSets", 400, _error("Throttling", "Rate exceeded"), throttled)
    www = port(clients=clients)
    seen = known(www.read())

    def check() -> None:
        if throttled:
            raise LeaseLost("Another worker took over.")

    with pytest.raises(LeaseLost):
        www.shift(TO_WEST, expect=seen, call=call(check=check))
    assert len(throttled) == 1


@pytest.mark.parametrize("code", ["Throttling", "PriorRequestNotComplete"])
def test_what_route_53_refuses_for_now_is_transient_and_had_no_effect(zone: ZoneFile, port: Port, code: str) -> None:
    zone.put(record(ADDRESS[EAST]))
    clients = Clients()
    _answer(clients, "ChangeResourceRecordSets", 400, _error(code, "later"), [])
    www = port(clients=clients)
    with pytest.raises(Transient):
        www.shift(TO_WEST, expect=known(www.read()), call=call(seconds=5))
    assert known(www.read()).weights == TO_EAST


def test_a_protected_record_set_is_told_by_its_protection(zone: ZoneFile, port: Port) -> None:
    zone.put(record(ADDRESS[EAST]))
    clients = Clients()
    _answer(clients, "ChangeResourceRecordSets", 400, _error("InvalidChangeBatch", "protected"), [])
    _answer(clients, "ListResourceRecordSetProtections", 200, PROTECTIONS, [])
    www = port(clients=clients)
    with pytest.raises(Permanent, match="is protected against changes: ask the network team") as refused:
        www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert "delete-resource-record-set-protections" in refused.value.to_do
    assert known(www.preflight()) == (f"{NAME} A is protected against changes: ask the network team.",)


def test_another_refusal_of_a_batch_is_permanent_in_the_services_own_words(zone: ZoneFile, port: Port) -> None:
    zone.put(record(ADDRESS[EAST]))
    clients = Clients()
    _answer(clients, "ChangeResourceRecordSets", 400, _error("InvalidChangeBatch", "no such thing"), [])
    www = port(clients=clients)
    with pytest.raises(Permanent, match="no such thing"):
        www.shift(TO_WEST, expect=known(www.read()), call=call())


def test_a_stale_read_costs_a_conflict_and_nothing_else(zone: ZoneFile, port: Port) -> None:
    """The list shows the zone as it was before the last change; the batch is held against the zone as it is."""
    zone.put(record(ADDRESS[EAST]))
    stale = known(port().read())
    port().shift(TO_WEST, expect=stale, call=call(3))
    with pytest.raises(Conflict):
        port().shift({EAST: 1, WEST: 1}, expect=stale, call=call(4))
    assert known(port().read()).weights == TO_WEST


def test_resolvers_that_do_not_answer_or_lag_complete_nothing(zone: ZoneFile, port: Port, names: ZoneServer) -> None:
    zone.put(record(ADDRESS[EAST]))
    www = port(answer_within="5s")
    names.freeze()
    www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert known(www.read()).answers == (ADDRESS[WEST],), "the control plane says so"
    assert known(www.resolve()) == {names.address: (ADDRESS[EAST],)}, "and nobody is answered so"
    names.silence()
    assert isinstance(www.resolve(), Unknown)


PROTECTIONS = f"""<?xml version="1.0"?>
<ListResourceRecordSetProtectionsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">
<ResourceRecordSetProtections><ResourceRecordSetProtection><RecordName>{NAME}.</RecordName><RecordType>A</RecordType>
<Comment>ask the network team</Comment></ResourceRecordSetProtection></ResourceRecordSetProtections>
</ListResourceRecordSetProtectionsResponse>"""


def _error(code: str, message: str) -> str:
    return (
        '<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
        f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>r</RequestId></ErrorResponse>"
    )


class _Raw:
    def __init__(self, body: str) -> None:
        self._body = body.encode()

    def stream(self, **_options: Any) -> Iterator[bytes]:
        yield self._body


def _answer(clients: Clients, operation: str, status: int, body: str, asked: list[str]) -> None:
    """What the emulator does not answer: a reply on the wire's level, read by botocore as any other."""

    def reply(request: Any, **_event: Any) -> AWSResponse:
        asked.append(operation)
        return AWSResponse(request.url, status, {"Content-Type": "text/xml"}, _Raw(body))

    clients.get("route53", EAST).meta.events.register(f"before-send.route-53.{operation}", reply)
