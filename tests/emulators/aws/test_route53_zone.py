"""dns: route53-zone against ministack: many names, moved a batch at a time."""

from __future__ import annotations

import bisect
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from cloudfail.clock import Clock
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Unknown
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.conformance import DnsSuite
from cloudfail_aws.asking import Asking
from cloudfail_aws.attempts import REQUEST_SECONDS
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import READ_SECONDS, Clients
from cloudfail_aws.dns.batches import RECORDS_MAX
from cloudfail_aws.dns.zone import BATCH_SECONDS, Zone, spread
from cloudfail_names.names import Mark, quoted
from tests.emulators.aws.dns_world import (
    ADDRESS,
    DOMAIN,
    EAST,
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
from tests.emulators.aws.faults import proxy
from tests.emulators.aws.zone_server import ZoneServer
from tests.emulators.wire import Answer, Door, Lost, Request, Upstream
from tests.unit.test_aws_budget import Limiter

ENDPOINT = "AWS_ENDPOINT_URL_ROUTE_53"
TO_WEST = {EAST: 0, WEST: 100}
TO_EAST = {EAST: 100, WEST: 0}
SOME = ("a", "b", "deep.er", f"d.{DOMAIN}.")

Make = Callable[..., Zone]


@pytest.fixture
def zone(sdk: Any) -> ZoneFile:
    return ZoneFile(sdk("route53", EAST))


@pytest.fixture
def names(zone: ZoneFile) -> Iterator[ZoneServer]:
    with serving(zone) as one:
        yield one


@pytest.fixture
def make(zone: ZoneFile, names: ZoneServer) -> Make:
    def port(
        listed: tuple[str, ...] = SOME,
        members: Any = ADDRESS,
        *,
        asks: Callable[[Any], Asking] = asking,
        records_max: int = RECORDS_MAX,
        **options: Any,
    ) -> Zone:
        written = {
            "zone": zone.id,
            "domain": DOMAIN,
            "names": listed,
            "resolvers": [names.address],
            "answer_within": "90s",
            **options,
        }
        one = resource("route53-zone", written, members)
        return Zone(one, topology(), asks(one), records_max=records_max)

    return port


def whole(name: str) -> str:
    return name if name.endswith(".") else f"{name}.{DOMAIN}."


def fill(zone: ZoneFile, listed: tuple[str, ...], value: str = ADDRESS[EAST], kind: str = "A") -> None:
    zone.put(*(record(value, whole(name), kind) for name in listed), action="CREATE")


def drive(port: Zone, weights: dict[str, int], make_call: Callable[[], Any], *, most: int = 40) -> list[str]:
    """Look and act until the names answer so: what was seen before each batch."""
    looks = []
    for _ in range(most):
        state = known(port.read())
        if {region for region, weight in state.weights.items() if weight} == {r for r, w in weights.items() if w}:
            return looks
        looks.append(state.detail)
        port.shift(weights, expect=state, call=make_call())
    raise AssertionError(looks)


class TestZone(DnsSuite):
    @pytest.fixture
    def world(self, aws: Emulator, zone: ZoneFile, make: Make, monkeypatch: pytest.MonkeyPatch) -> DnsWorld:
        fill(zone, SOME)
        return DnsWorld("route53-zone", make, (ENDPOINT,), aws.url, monkeypatch)


def test_each_batch_is_one_effect_and_the_look_says_how_far_it_has_come(zone: ZoneFile, make: Make) -> None:
    listed = tuple(f"n{number}" for number in range(11))
    fill(zone, listed)
    port = make(listed, records_max=10)
    looks = drive(port, TO_WEST, call)
    assert looks == [f"{11 - done} of 11 names in {EAST}, {done} of 11 names in {WEST}" for done in (0, 5, 10)]
    assert Counter(one["ResourceRecords"][0]["Value"] for one in zone_sets(zone)) == {ADDRESS[WEST]: 11}


def test_names_under_a_suffix_keep_their_first_labels(zone: ZoneFile, make: Make, names: ZoneServer) -> None:
    zone.put(*(record(f"{name}.use1.edge.example.", whole(name), "CNAME") for name in ("a", "b.c")))
    members = {EAST: {"suffix": "use1.edge.example"}, WEST: {"suffix": "usw2.edge.example"}}
    port = make(("a", "b.c"), members, type="CNAME")
    assert known(port.read()).weights == TO_EAST
    assert heard(port, names) == {names.address: ("*.use1.edge.example.",)}
    port.shift(TO_WEST, expect=known(port.read()), call=call())
    assert {one["ResourceRecords"][0]["Value"] for one in zone_sets(zone)} == {
        "a.usw2.edge.example.",
        "b.c.usw2.edge.example.",
    }
    assert heard(port, names) == {names.address: ("*.usw2.edge.example.",)}
    with pytest.raises(Permanent, match="one region"):
        port.shift({EAST: 1, WEST: 1}, expect=known(port.read()), call=call())


def test_a_batch_of_names_one_of_which_somebody_changed_has_no_effect_and_the_next_look_moves_them_all(
    zone: ZoneFile, make: Make
) -> None:
    listed = tuple(f"n{number}" for number in range(9))
    fill(zone, listed)
    port = make(listed)
    seen = known(port.read())
    zone.put(record(ADDRESS[EAST], whole("n7"), TTL=5))
    with pytest.raises(Conflict):
        port.shift(TO_WEST, expect=seen, call=call())
    assert {one["ResourceRecords"][0]["Value"] for one in zone_sets(zone)} == {ADDRESS[EAST]}
    assert drive(port, TO_WEST, call), "as it is now, it is moved too"
    assert {one["ResourceRecords"][0]["Value"] for one in zone_sets(zone)} == {ADDRESS[WEST]}


def test_a_name_that_route_53_refuses_is_isolated_and_named_when_all_others_are_moved(
    zone: ZoneFile, make: Make
) -> None:
    listed = tuple(f"n{number}" for number in range(40))
    fill(zone, listed)
    sent: list[int] = []
    clients = Clients()

    def poison(params: Any, **_event: Any) -> None:
        """n13 is protected: the emulator knows no protections, so its DELETE is spoilt on the way."""
        changes = params["ChangeBatch"]["Changes"]
        sent.append(len(changes))
        for change in changes:
            one = change["ResourceRecordSet"]
            if one["Name"] == whole("n13") and change["Action"] == "DELETE":
                change["ResourceRecordSet"] = {**one, "TTL": 61}

    batches = clients.get("route53", EAST, read_seconds=BATCH_SECONDS)
    batches.meta.events.register("provide-client-params.route-53.ChangeResourceRecordSets", poison)
    port = make(listed, asks=lambda one: Asking(one, topology(), clients, Budget(_clock()), _clock()))
    lines: list[str] = []

    with pytest.raises(Permanent, match=r"refuses to move n13\.shop\.example\.:") as refused:
        for _ in range(40):
            state = known(port.read())
            of_run = call()
            port.shift(TO_WEST, expect=state, call=type(of_run)(**{**vars(of_run), "log": lines.append}))
    assert "Every name that could be moved was" in refused.value.true_now
    moved = Counter(one["ResourceRecords"][0]["Value"] for one in zone_sets(zone))
    assert moved == {ADDRESS[WEST]: 39, ADDRESS[EAST]: 1}
    assert any("n13.shop.example. is not moved" in line for line in lines)
    assert len(sent) <= 20


def test_where_the_answer_to_a_batch_was_lost_the_names_are_found_moved(
    aws: Emulator, zone: ZoneFile, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(zone, SOME)
    with proxy(aws.port) as lossy:
        monkeypatch.setenv(ENDPOINT, lossy.url)
        port = make()
        seen = known(port.read())
        lossy.lose(b"ChangeResourceRecordSetsRequest", 1)
        with pytest.raises(OutcomeUnknown):
            port.shift(TO_WEST, expect=seen, call=call())
        assert known(port.read()).weights == TO_WEST
        port.shift(TO_WEST, expect=seen, call=call())
        with pytest.raises(Conflict):
            port.shift({EAST: 1, WEST: 1}, expect=seen, call=call())
        assert known(port.read()).weights == TO_WEST


def test_two_movers_of_one_reading_have_one_effect_between_them(zone: ZoneFile, make: Make) -> None:
    fill(zone, SOME)
    ports = [make(), make()]
    seen = [known(port.read()) for port in ports]
    outcomes: list[str] = []

    def shift(number: int) -> None:
        try:
            ports[number].shift({EAST: number, WEST: 1}, expect=seen[number], call=call())
            outcomes.append("moved")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=shift, args=(number,)) for number in (0, 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == ["moved", "refused"]
    values = {tuple(sorted(r["Value"] for r in one["ResourceRecords"])) for one in zone_sets(zone)}
    assert len(values) == 1, "never half of each"


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ([record(ADDRESS[EAST], whole("a"))], "b.shop.example. A is not in the zone"),
        ([record(ADDRESS[EAST], whole("a")), record("198.51.100.1", whole("b"))], "no region's"),
        (
            [record(ADDRESS[EAST], whole("a")), record(ADDRESS[EAST], whole("b"), SetIdentifier="x", Weight=1)],
            "no simple record",
        ),
        (
            [
                *(record(ADDRESS[EAST], whole(name)) for name in ("a", "b")),
                record(quoted(Mark("billing", 1, {}, "r").text), f"_cloudfail.b.{DOMAIN}", "TXT"),
            ],
            "the application billing",
        ),
    ],
)
def test_what_is_not_as_the_file_says_is_unknown(zone: ZoneFile, make: Make, there: list[Any], words: str) -> None:
    zone.put(*there)
    state = make(("a", "b")).read()
    assert isinstance(state, Unknown)
    assert words in state.reason


def test_some_names_are_asked_for_evenly_over_the_list() -> None:
    listed = [str(number) for number in range(1000)]
    asked = spread(listed, 10)
    assert (asked[0], asked[-1], len(set(asked))) == ("0", "999", 10)
    assert spread(listed[:3], 10) == listed[:3]
    assert spread(listed, 1) == ["0"]


class Held:
    """A hosted zone that holds ten thousand names, behind the SDK's own door: the emulator looks through all of a zone
    for each change. Requests are what botocore's model accepts; batches are applied whole, by what they say was there.
    `limiter` raises where an account would be throttled."""

    def __init__(self, clients: Clients, listed: Sequence[str], limiter: Limiter) -> None:
        self._limiter = limiter
        self.sets = {
            name: {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": ADDRESS[EAST]}]}
            for name in sorted(map(whole, listed))
        }
        self.batches: list[int] = []
        self._given: dict[str, Any] = {}
        for seconds in (READ_SECONDS, BATCH_SECONDS):
            events = clients.get("route53", EAST, read_seconds=seconds).meta.events
            events.register("provide-client-params.route-53.*", self._take)
            events.register("before-call.route-53.*", self._answer)

    def _take(self, params: dict[str, Any], **_event: Any) -> None:
        self._given = params

    def _answer(self, model: Any, **_event: Any) -> tuple[Any, dict[str, Any]]:
        said = self._change() if model.name == "ChangeResourceRecordSets" else self._list()
        return SimpleNamespace(status_code=200), said

    def _change(self) -> dict[str, Any]:
        changes = self._given["ChangeBatch"]["Changes"]
        self.batches.append(sum(len(one["ResourceRecordSet"]["ResourceRecords"]) for one in changes))
        self._limiter.asked(self.batches[-1])
        after = dict(self.sets)
        for one in changes:
            record = one["ResourceRecordSet"]
            if one["Action"] == "DELETE":
                assert after.pop(record["Name"]) == record
            else:
                assert record["Name"] not in after
                after[record["Name"]] = record
        self.sets = after
        return {"ChangeInfo": {"Id": "/change/C1", "Status": "PENDING"}}

    def _list(self) -> dict[str, Any]:
        self._limiter.asked(0, "list_resource_record_sets")
        names = sorted(self.sets)
        first = bisect.bisect_left(names, self._given.get("StartRecordName", ""))
        size = int(self._given["MaxItems"])
        page, rest = names[first : first + size], names[first + size :]
        more = {"NextRecordName": rest[0], "NextRecordType": "A"} if rest else {}
        return {"ResourceRecordSets": [self.sets[name] for name in page], "IsTruncated": bool(rest), **more}


def test_ten_thousand_names_take_twenty_requests_and_little_more_than_the_accounts_limit_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that only the budget's waits move, against the account's own three buckets: changes of records alone
    take (20,000 - 1,500) / 100 a second."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    listed = tuple(f"n{number}" for number in range(10_000))
    clock, clients = VirtualClock(), Clients()
    held = Held(clients, listed, Limiter(clock))
    one = resource(
        "route53-zone", {"zone": "Z1EXAMPLE", "domain": DOMAIN, "names": listed, "answer_within": "10m"}, ADDRESS
    )
    port = Zone(one, topology(), Asking(one, topology(), clients, Budget(clock), clock))
    began = clock.boot()
    drive(port, TO_WEST, lambda: call(seconds=600))
    assert held.batches == [1000] * 20
    assert {record["ResourceRecords"][0]["Value"] for record in held.sets.values()} == {ADDRESS[WEST]}
    assert clock.boot() - began <= 185 * 1.05


@pytest.mark.timeout(120)
def test_a_batch_may_take_longer_than_other_requests_and_is_made_once(
    zone: ZoneFile, make: Make, aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Route 53 answers after more seconds than any other request is given; another port gives that up, in doubt."""
    fill(zone, SOME)
    made: list[str] = []
    upstream = Upstream(aws.port)

    def answer(request: Request) -> Answer | Lost:
        if b"ChangeResourceRecordSetsRequest" in request.body:
            made.append(request.target)
            time.sleep(REQUEST_SECONDS + 1.0)
        return upstream(request)

    door = Door(answer)
    monkeypatch.setenv(ENDPOINT, door.url)
    port = make()
    port.shift(TO_WEST, expect=known(port.read()), call=call(seconds=30))
    assert len(made) == 1
    assert known(port.read()).weights == TO_WEST
    hasty = make()
    monkeypatch.setattr("cloudfail_aws.dns.zone.BATCH_SECONDS", REQUEST_SECONDS)
    with pytest.raises(OutcomeUnknown):
        hasty.shift(TO_EAST, expect=known(hasty.read()), call=call(seconds=30))
    door.shut()


@pytest.mark.timeout(120)
def test_but_never_longer_than_its_call(zone: ZoneFile, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(zone, SOME)
    port = make()
    seen = known(port.read())
    door = Door(lambda _request: Lost.SILENCE)
    monkeypatch.setenv(ENDPOINT, door.url)
    late = make()
    late._snapshots = port._snapshots
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        late.shift(TO_WEST, expect=seen, call=call(seconds=2.0))
    assert time.monotonic() - began < 10.0
    door.shut()


def _clock() -> Clock:
    from cloudfail.clock import SystemClock

    return SystemClock()


def zone_sets(zone: ZoneFile) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in zone.client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone.id):
        found += [one for one in page["ResourceRecordSets"] if one["Type"] in ("A", "CNAME")]
    return found
