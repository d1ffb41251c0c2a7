"""loadbalancer: s3-mrap against ministack, at the five regions where S3 takes routes."""

from __future__ import annotations

import random
from dataclasses import replace

import botocore.session
import pytest
from botocore.config import Config

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Harness, LoadBalancerSuite, known
from cloudfail_aws.loadbalancer.mrap import ENDPOINTS, Mrap
from tests.emulators.aws.balancing import (
    BY_NAME,
    EAST,
    WEST,
    ControlClients,
    World,
    call,
    port_of,
    success_that_nothing_follows_completes_nothing,
    topology,
    without_account,
    yes,
)
from tests.emulators.aws.front import ACCOUNT, Front

KIND = "s3-mrap"
S3 = "s3control"
SUBMIT = "SubmitMultiRegionAccessPointRoutes"
GET = "GetMultiRegionAccessPointRoutes"
BUCKETS = {EAST: "shop-e", WEST: "shop-w", "eu-west-1": "shop-eu"}


class Site(World):
    """An access point over three buckets; the one in Ireland is no member, and passive."""

    def __init__(self, front: Front) -> None:
        super().__init__(front, KIND, S3, self.made)
        self.clients = ControlClients()
        # As patient as the SDK is by default: what is being set up is not what is tested.
        session = botocore.session.Session()
        once = Config(retries={"total_max_attempts": 1})
        self.sdk = session.create_client(S3, region_name=WEST, config=once)
        self.sdk.meta.events.register("before-sign.s3-control", without_account)
        for region, bucket in BUCKETS.items():
            s3 = session.create_client("s3", region_name=region, config=Config(s3={"addressing_style": "path"}))
            where = {} if region == EAST else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=bucket, **where)
        details = {"Name": "shop", "Regions": [{"Bucket": bucket} for bucket in BUCKETS.values()]}
        self.sdk.create_multi_region_access_point(AccountId=ACCOUNT, ClientToken="t", Details=details)
        points = self.sdk.list_multi_region_access_points(AccountId=ACCOUNT)["AccessPoints"]
        self.arn = f"arn:aws:s3::{ACCOUNT}:accesspoint/{points[0]['Alias']}"
        self.set({WEST: 0, "eu-west-1": 0})
        front.forget()

    def made(self, members: dict[str, str] | None = None) -> Mrap:
        named = members or {region: BUCKETS[region] for region in (EAST, WEST)}
        resource, whole = topology(KIND, named, access_point=self.arn)
        return port_of(lambda asking: Mrap(asking, draw=random.Random(1)), resource, whole, self.clients)

    def set(self, dials: dict[str, int]) -> None:
        updates = [{"Bucket": BUCKETS[region], "TrafficDialPercentage": dial} for region, dial in dials.items()]
        self.sdk.submit_multi_region_access_point_routes(AccountId=ACCOUNT, Mrap=self.arn, RouteUpdates=updates)

    def routes(self) -> dict[str, int]:
        told = self.sdk.get_multi_region_access_point_routes(AccountId=ACCOUNT, Mrap=self.arn)["Routes"]
        return {route["Region"]: route["TrafficDialPercentage"] for route in told}

    def asked(self, operation: str) -> list[str]:
        """In which regions, in order."""
        return [one.region for one in self.front.seen(service=S3, operation=operation)]


@pytest.fixture
def world(front: Front) -> Site:
    return Site(front)


class TestMrap(LoadBalancerSuite):
    """The world is the module's."""

    def test_a_region_that_serves_is_counted_healthy(self, world: Harness) -> None:
        """It is not: an access point counts no targets. That is unknown, and says neither yes nor no."""
        assert known(self.read(world)).healthy == {}


def test_one_request_sets_the_members_and_leaves_the_other_buckets(world: Site) -> None:
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    assert len(world.asked(SUBMIT)) == 1
    assert world.routes() == {EAST: 0, WEST: 100, "eu-west-1": 0}


def test_what_is_as_wanted_is_not_sent_again(world: Site) -> None:
    port = world.port()
    port.shift({EAST: 100, WEST: 0}, expect=known(port.read()), call=call())
    assert world.asked(SUBMIT) == []


@pytest.mark.parametrize(
    "weights", [{EAST: 50, WEST: 50}, {EAST: 0, WEST: 1}, {EAST: 0, WEST: 200}, {"eu-west-1": 100}]
)
def test_a_share_that_there_is_not_is_refused(world: Site, weights: dict[str, int]) -> None:
    port = world.port()
    with pytest.raises(Permanent):
        port.shift(weights, expect=known(port.read()), call=call())
    assert world.asked(SUBMIT) == []


def test_another_bucket_s_route_is_part_of_what_was_seen(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.set({"eu-west-1": 100})
    with pytest.raises(Conflict):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())


def test_a_bucket_that_stands_in_another_region_than_is_written_is_refused(world: Site) -> None:
    swapped = world.made({EAST: BUCKETS[WEST], WEST: BUCKETS[EAST]})
    read = swapped.read()
    assert isinstance(read, Unknown)
    assert "stands in us-west-2" in read.reason
    state = known(world.port().read())
    with pytest.raises(Permanent, match="stands in us-west-2"):
        swapped.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    with pytest.raises(Permanent, match="no route to the bucket shop-x"):
        world.made({EAST: "shop-e", WEST: "shop-x"}).shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.asked(SUBMIT) == []


# ---- five endpoints


@pytest.mark.parametrize("alive", ENDPOINTS)
def test_one_endpoint_of_the_five_is_enough(world: Site, alive: str) -> None:
    state = known(world.port().read())
    world.front.forget()
    for endpoint in ENDPOINTS:
        if endpoint != alive:
            world.front.outages.fail("InternalError", 500, service=S3, region=endpoint)
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    world.front.outages.heal()
    assert world.asked(SUBMIT) == [alive], "the endpoint that told the routes is asked first"
    assert world.routes() == {EAST: 0, WEST: 100, "eu-west-1": 0}


def test_the_endpoints_are_asked_in_an_order_drawn_anew(world: Site) -> None:
    port = world.port()
    for _ in range(8):
        known(port.read())
    assert set(world.asked(GET)) <= set(ENDPOINTS)
    assert len(set(world.asked(GET))) > 1


def test_where_no_endpoint_answers_it_is_unknown_within_a_bound(world: Site) -> None:
    world.front.outages.silence(service=S3)
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert all(endpoint in read.reason for endpoint in ENDPOINTS)


def test_an_endpoint_that_is_silent_to_the_submit_is_passed_over(world: Site) -> None:
    """Nothing was done there, which a look at the next endpoint shows; it is sent there."""
    port = world.port()
    state = known(port.read())
    world.front.forget()
    fault = world.front.outages.silence(service=S3, operation=SUBMIT, times=1)
    port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    first, second = world.asked(SUBMIT)
    assert (fault.hits, first != second) == (1, True)
    assert world.routes() == {EAST: 0, WEST: 100, "eu-west-1": 0}


def test_a_submit_that_landed_without_an_answer_is_found_and_not_sent_again(world: Site) -> None:
    port = world.port()
    world.front.outages.lose(service=S3, operation=SUBMIT, times=1)
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    assert len(world.asked(SUBMIT)) == 1
    assert world.routes() == {EAST: 0, WEST: 100, "eu-west-1": 0}


def test_a_submit_without_an_answer_is_in_doubt_where_nobody_tells_the_routes(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.front.forget()
    world.front.outages.lose(service=S3, operation=SUBMIT, times=1)
    world.front.outages.fail("InternalError", 500, service=S3, operation=GET, after=1)
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert len(world.asked(SUBMIT)) == 1, "it may have landed: nothing is sent before somebody looked"


def test_a_submit_without_an_answer_is_in_doubt_where_the_routes_are_neither(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.front.forget()
    world.front.outages.silence(service=S3, operation=SUBMIT, times=1)
    others = [{"eu-west-1": 100}]

    def meanwhile() -> None:
        # Right before our submit; theirs is let through, ours meets the silence.
        if others:
            fault = world.front.outages.lose("closed", service=S3, operation=SUBMIT, times=1)
            with pytest.raises(Exception, match="closed"):
                world.set(others.pop())
            assert fault.hits == 1

    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=replace(call(), check=meanwhile))
    assert world.routes() == {EAST: 100, WEST: 0, "eu-west-1": 100}


def test_success_that_nothing_follows_completes_nothing(world: Site) -> None:
    world.front.serve(S3, yes, SUBMIT)
    success_that_nothing_follows_completes_nothing(world)


def test_what_s3_refuses_is_refused_at_once(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.front.forget()
    world.front.outages.fail("AccessDenied", 403, service=S3, operation=SUBMIT)
    with pytest.raises(Permanent, match="AccessDenied"):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert len(world.asked(SUBMIT)) == 1


def test_its_home_is_no_region() -> None:
    assert BY_NAME[KIND].verbs["shift"].home is None
