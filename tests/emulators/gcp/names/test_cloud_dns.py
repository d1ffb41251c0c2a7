"""dns: cloud-dns against a stand-in that is held against Google's description of Cloud DNS, seen through a real name
server that answers from the zone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, StepContext, Todo
from cloudfail.actions.traffic import Switch
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.testing.conformance import DnsSuite
from cloudfail_gcp.dns.permissions import EXECUTE, WATCH
from cloudfail_names.names import unquoted
from tests.emulators.aws.zone_server import ZoneServer
from tests.emulators.gcp.dns_world import (
    ADDRESS,
    CENTRAL,
    CHECKED,
    DOMAIN,
    FACTS,
    MARK,
    NAME,
    NETWORK,
    TO_CENTRAL,
    TO_WEST,
    WEST,
    DnsWorld,
    OneName,
    Port,
    call,
    heard,
    item,
    known,
    near,
    policy,
    port_of,
    primary_backup,
    resource,
    simple,
    topology,
    weighted,
)
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import dns as standin

ROUTINGS = {
    "simple": (simple(ADDRESS[CENTRAL]), ADDRESS, "simple"),
    "wrr": (weighted(TO_CENTRAL), ADDRESS, "wrr"),
    "wrr, health-checked": (weighted({CENTRAL: 100}, checked=True), CHECKED, "wrr"),
    "geo": (near(CENTRAL), ADDRESS, "geo"),
    "primary-backup": (primary_backup(), CHECKED, "primary-backup"),
}


@pytest.mark.parametrize("routing", list(ROUTINGS))
class TestCloudDns(DnsSuite):
    @pytest.fixture
    def world(
        self, routing: str, zone: standin.CloudDns, port: Port, google: Front, monkeypatch: pytest.MonkeyPatch
    ) -> DnsWorld:
        there, members, option = ROUTINGS[routing]
        zone.put(there)
        return DnsWorld(lambda: port(members, routing=option), google, monkeypatch)


# ---- what is written, and what it is held against


def test_the_epoch_and_the_weights_stand_beside_the_name_in_the_same_change(
    zone: standin.CloudDns, port: Port, google: Front
) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    before = known(www.read())
    assert (before.weights, before.answers, before.epoch) == (TO_CENTRAL, (ADDRESS[CENTRAL],), None)
    www.shift({CENTRAL: 0, WEST: 50}, expect=before, call=call(7))
    said = unquoted(zone.sets[MARK, "TXT"]["rrdatas"][0])
    assert said == f"cloudfail owner=shop epoch=7 weights={CENTRAL}:0,{WEST}:50 run=r1"
    (sent,) = google.seen(mutating=True)
    assert sent.operation == "changes.create"
    assert sent.query["clientOperationId"]
    after = known(www.read())
    assert (after.weights, after.epoch) == ({CENTRAL: 0, WEST: 50}, 7)
    with pytest.raises(Conflict, match="Epoch 7"):
        www.shift(TO_CENTRAL, expect=after, call=call(6))


def test_an_old_call_is_refused_by_the_service_itself_also_where_the_answers_are_again_as_it_saw_them(
    zone: standin.CloudDns, port: Port
) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    first = known(www.read())
    www.shift(TO_WEST, expect=first, call=call(7))
    www.shift(TO_CENTRAL, expect=known(www.read()), call=call(8))
    assert known(www.read()).answers == first.answers
    with pytest.raises(Conflict):
        www.shift(TO_WEST, expect=first, call=call(7))
    assert known(www.read()).answers == (ADDRESS[CENTRAL],)


def test_of_calls_that_saw_the_same_one_has_an_effect(zone: standin.CloudDns, port: Port) -> None:
    zone.put(weighted(TO_CENTRAL))
    seen = known(port(routing="wrr").read())
    refused: list[int] = []

    def shift(epoch: int) -> None:
        try:
            port(routing="wrr").shift({CENTRAL: epoch, WEST: 1}, expect=seen, call=call(epoch))
        except Conflict:
            refused.append(epoch)

    threads = [threading.Thread(target=shift, args=(epoch,)) for epoch in (11, 12, 13)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    now = known(port(routing="wrr").read())
    assert sorted([*refused, now.epoch]) == [11, 12, 13]
    assert now.weights == {CENTRAL: now.epoch, WEST: 1}


@pytest.mark.parametrize(
    "between",
    [
        lambda zone: zone.put(simple("192.0.2.1", "192.0.2.2")),
        lambda zone: zone.put(simple("192.0.2.1", ttl=61)),
        lambda zone: zone.sets.pop((f"{NAME}.", "A")),
        lambda zone: zone.put(simple('"cloudfail owner=shop epoch=9 weights= run=r9"', name=MARK, kind="TXT")),
    ],
    ids=["other values: 412", "another TTL: 412", "gone: 404", "a mark stands there: 409"],
)
def test_a_zone_that_is_not_as_it_was_seen_is_a_conflict_and_nothing_is_changed(
    zone: standin.CloudDns, port: Port, between: Callable[[standin.CloudDns], Any]
) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    seen = known(www.read())
    between(zone)
    there = dict(zone.sets)
    with pytest.raises(Conflict, match="not as it was seen"):
        www.shift(TO_WEST, expect=seen, call=call())
    assert zone.sets == there


def test_a_record_set_that_is_gone_is_a_conflict_also_where_nobody_can_look(
    zone: standin.CloudDns, port: Port, google: Front
) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    seen = known(www.read())
    zone.sets.pop((f"{NAME}.", "A"))
    google.outages.fail("backendError", 503, mutating=False)
    with pytest.raises(Conflict):
        www.shift(TO_WEST, expect=seen, call=call())


def test_a_zone_that_is_not_there_is_no_conflict(zone: standin.CloudDns, port: Port) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    seen = known(port().read())
    with pytest.raises(Permanent, match="managedZone"):
        port(zone="another").shift(TO_WEST, expect=seen, call=call())
    assert "managedZone" in port(zone="another").read().reason


def test_a_name_that_another_application_moves_is_left_alone(zone: standin.CloudDns, port: Port) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    theirs = port(application="billing")
    theirs.shift(TO_CENTRAL, expect=known(theirs.read()), call=call(3))
    ours = port()
    with pytest.raises(Permanent, match="moved by the application billing"):
        ours.shift(TO_WEST, expect=known(ours.read()), call=call(4))
    assert "billing" in known(ours.preflight())[0]


def test_a_text_that_no_run_wrote_is_somebody_elses(zone: standin.CloudDns, port: Port) -> None:
    zone.put(simple(ADDRESS[CENTRAL]), simple('"v=spf1 -all"', name=MARK, kind="TXT"))
    state = port().read()
    assert isinstance(state, Unknown)
    assert "somebody else's" in state.reason


@pytest.mark.parametrize(
    ("there", "routing", "words"),
    [
        (simple("198.51.100.9"), "simple", "no region's"),
        (weighted(TO_CENTRAL), "simple", "write routing: wrr"),
        (simple(ADDRESS[CENTRAL]), "wrr", "write routing: simple"),
        (near(CENTRAL), "wrr", "write routing: geo"),
        (policy(wrr={"items": [{"rrdatas": ["198.51.100.9"], "weight": 1}]}), "wrr", "no region's"),
        (weighted({CENTRAL: 0, WEST: 0}), "wrr", "weight zero everywhere"),
        (policy(wrr={"items": [item(CENTRAL, weight=1), item(CENTRAL, weight=2)]}), "wrr", "two items"),
        (policy(geo={"items": [item(CENTRAL, location="us-east1")]}), "geo", "write location: us-east1"),
        (policy(geo={"items": []}), "geo", "without items"),
        (None, "simple", "not there"),
    ],
)
def test_what_the_zone_holds_otherwise_than_the_file_says_is_unknown_and_told(
    zone: standin.CloudDns, port: Port, there: Any, routing: str, words: str
) -> None:
    if there is not None:
        zone.put(there)
    state = port(routing=routing).read()
    assert isinstance(state, Unknown)
    assert words in state.reason


def test_a_primary_that_would_come_back_by_its_health_is_unknown(zone: standin.CloudDns, port: Port) -> None:
    zone.put(primary_backup(primary=WEST, backup=CENTRAL))
    state = port(CHECKED, routing="primary-backup").read()
    assert isinstance(state, Unknown)
    assert f"means {CENTRAL}" in state.reason


def test_a_zone_that_mixes_plain_records_and_policies_signed_and_in_pages_is_read_and_changed(
    zone: standin.CloudDns, port: Port, names: ZoneServer
) -> None:
    zone.signed = True
    zone.put(
        simple(ADDRESS[CENTRAL]),
        *({**weighted(TO_CENTRAL), "name": f"api{number}.{DOMAIN}"} for number in range(3)),
        {**near(CENTRAL, WEST), "name": f"geo.{DOMAIN}"},
        simple("2001:db8::1", kind="AAAA"),
    )
    there = {key: one for key, one in zone.sets.items() if key != (f"{NAME}.", "A")}
    www = port()
    www.shift(TO_WEST, expect=known(www.read()), call=call())
    assert {key: one for key, one in zone.sets.items() if key in there} == there, "the rest is as it was"
    assert known(www.read()).weights == TO_WEST
    www.shift(TO_CENTRAL, expect=known(www.read()), call=call(11))
    heard(www, names, CENTRAL)


# ---- what completes nothing, and faults


def test_a_step_whose_change_is_done_is_not_while_resolvers_do_not_follow(
    zone: standin.CloudDns, port: Port, names: ZoneServer
) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port(answer_within="2s")
    names.freeze()
    step = PlannedStep("traffic", "traffic.switch", None, {"name": "www", "to": WEST}, (), 300.0, 0.0, 0)
    world: Any = OneName(www)
    context = StepContext(step, "r1", CENTRAL, WEST)
    look = Switch().observe(world, context)
    assert isinstance(look, Todo)
    Switch().act(world, context, look, call())
    time.sleep(0.1)
    assert isinstance(Switch().observe(world, context), Moving)
    labels = {"project": standin.PROJECT, "managedZone": "shop-example", "changeId": "0"}
    assert zone.changes_get(labels, {}, None)["status"] == "done"
    assert known(www.read()).answers == (ADDRESS[WEST],), "the control plane says so"
    assert known(www.resolve()) == {names.address: (ADDRESS[CENTRAL],)}, "and nobody is answered so"
    names.silence()
    assert isinstance(www.resolve(), Unknown)
    assert isinstance(Switch().observe(world, context), NotKnown)
    names.silence(False)
    heard(www, names, WEST)
    assert isinstance(Switch().observe(world, context), Done)


@pytest.mark.parametrize("how", ["closed", "busy"])
def test_where_the_answer_was_lost_the_next_look_shows_the_effect_and_the_same_call_finds_it(
    zone: standin.CloudDns, port: Port, google: Front, how: str
) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    seen = known(www.read())
    google.outages.lose(how, mutating=True, times=1)
    with pytest.raises(OutcomeUnknown):
        www.shift(TO_WEST, expect=seen, call=call(5))
    assert google.count(mutating=True) == 1, "it was sent once"
    now = known(www.read())
    assert (now.weights, now.epoch) == (TO_WEST, 5)
    www.shift(TO_WEST, expect=seen, call=call(5))
    assert known(www.read()) == now, "the same call again finds its own effect"
    assert len(zone.changes) == 1


def test_a_lease_that_is_lost_while_it_is_tried_again_sends_nothing_more(
    zone: standin.CloudDns, port: Port, google: Front
) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    seen = known(www.read())
    fault = google.outages.throttle(mutating=True)

    def check() -> None:
        if fault.hits:
            raise LeaseLost("Another worker took over.")

    with pytest.raises(LeaseLost):
        www.shift(TO_WEST, expect=seen, call=call(check=check))
    assert fault.hits == 1


def test_what_is_refused_for_now_had_no_effect(zone: standin.CloudDns, port: Port, google: Front) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    seen = known(www.read())
    google.outages.throttle(mutating=True)
    with pytest.raises(Transient):
        www.shift(TO_WEST, expect=seen, call=call(seconds=3))
    assert known(www.read()).weights == TO_CENTRAL


def test_a_request_that_lands_late_is_refused(zone: standin.CloudDns, port: Port, google: Front) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    seen = known(www.read())
    fault = google.outages.hold(mutating=True, times=1)
    with pytest.raises(OutcomeUnknown):
        www.shift(TO_WEST, expect=seen, call=call(5, seconds=4))
    www.shift({CENTRAL: 1, WEST: 1}, expect=known(www.read()), call=call(6))
    (late,) = fault.land()
    assert late.status in (409, 412)  # type: ignore[union-attr]
    assert known(www.read()).weights == {CENTRAL: 1, WEST: 1}


# ---- around it


def test_preflight_is_content_with_a_name_that_is_as_the_file_says(zone: standin.CloudDns, port: Port) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    assert known(port().preflight()) == ()
    assert "is not in the zone" in known(port(name="www.other.example").preflight())[0]


def test_its_permissions_are_on_the_zone_alone() -> None:
    of = FACTS["cloud-dns"].permissions
    assert of is not None
    told = of(resource({}, ADDRESS), topology(), [CENTRAL, WEST])
    on = (f"projects/{standin.PROJECT}/managedZones/shop-example",)
    assert [(one.region, one.actions, one.on, one.verbs) for one in told.watch] == [("global", WATCH, on, ())]
    assert [(one.region, one.actions, one.on, one.verbs) for one in told.execute] == [
        ("global", EXECUTE, on, ("shift",))
    ]


def test_an_internal_passthrough_balancers_health_may_be_used_in_its_networks_project() -> None:
    of = FACTS["cloud-dns"].permissions
    assert of is not None
    balancer = {"type": "regionalL4ilb", "port": 80, "network_url": NETWORK, "project": standin.PROJECT}
    members = {region: {"load_balancers": [{**balancer, "ip_address": ADDRESS[region]}]} for region in ADDRESS}
    (_, signals) = of(resource({"routing": "wrr"}, members), topology(), [CENTRAL, WEST]).execute
    assert (signals.actions, signals.on) == (("dns.networks.useHealthSignals",), ("projects/shop-net",))
    assert "whole project" in signals.why


def test_a_zone_whose_project_nobody_names_is_told() -> None:
    apart = topology(accounts={CENTRAL: "shop-us", WEST: "shop-eu"})
    with pytest.raises(Permanent, match="in which project") as refused:
        port_of({}, ADDRESS, apart)
    assert "Write project:" in refused.value.to_do
    port_of({"project": "shop-dns"}, ADDRESS, apart)
