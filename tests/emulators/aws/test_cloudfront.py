"""loadbalancer: cloudfront against ministack, which keeps the ETag's condition."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Harness, LoadBalancerSuite, known
from cloudfail_aws.loadbalancer.cloudfront import CloudFront
from tests.emulators.aws.balancing import (
    EAST,
    WEST,
    ControlClients,
    World,
    call,
    port_of,
    success_that_nothing_follows_completes_nothing,
    topology,
    yes,
)
from tests.emulators.aws.front import Front

KIND = "cloudfront"
UPDATE = {"service": KIND, "operation": "UpdateDistribution"}


def _behaviour(origin: str, **more: Any) -> dict[str, Any]:
    return {
        "TargetOriginId": origin,
        "ViewerProtocolPolicy": "redirect-to-https",
        "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}},
        "TrustedSigners": {"Enabled": False, "Quantity": 0},
        "MinTTL": 0,
        **more,
    }


def _origin(name: str) -> dict[str, Any]:
    own = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    return {"Id": name, "DomainName": f"{name}.shop.example", "CustomOriginConfig": own}


def configuration() -> dict[str, Any]:
    """The default and /api/* go to the east, /static/* to a bucket that is nobody's."""
    origins = [_origin(name) for name in ("east", "west", "static")]
    paths = [_behaviour("east", PathPattern="/api/*"), _behaviour("static", PathPattern="/static/*")]
    return {
        "CallerReference": "shop",
        "Comment": "the shop",
        "Enabled": True,
        "Origins": {"Quantity": 3, "Items": origins},
        "DefaultCacheBehavior": _behaviour("east"),
        "CacheBehaviors": {"Quantity": 2, "Items": paths},
    }


class Site(World):
    """A distribution: the default and /api/* go to the east, /static/* to a bucket that is nobody's."""

    def __init__(self, front: Front) -> None:
        super().__init__(front, KIND, KIND, self.made)
        self.sdk = botocore.session.Session().create_client(KIND, region_name="us-east-1")
        self.id = self.sdk.create_distribution(DistributionConfig=configuration())["Distribution"]["Id"]
        self.clients = ControlClients()
        front.forget()

    def made(self, members: dict[str, str] | None = None) -> CloudFront:
        named = members or {EAST: "east", WEST: "west"}
        return port_of(CloudFront, *topology(KIND, named, distribution=self.id), self.clients)

    def config(self) -> tuple[dict[str, Any], str]:
        told = self.sdk.get_distribution_config(Id=self.id)
        return told["DistributionConfig"], told["ETag"]

    def targets(self) -> dict[str, str]:
        config, _ = self.config()
        paths = {one["PathPattern"]: one["TargetOriginId"] for one in config["CacheBehaviors"]["Items"]}
        return {"*": config["DefaultCacheBehavior"]["TargetOriginId"], **paths}

    def edit(self, **changes: Any) -> None:
        """As a person would, in the console."""
        config, etag = self.config()
        self.sdk.update_distribution(Id=self.id, IfMatch=etag, DistributionConfig={**config, **changes})


@pytest.fixture
def world(front: Front) -> Site:
    return Site(front)


class TestCloudFront(LoadBalancerSuite):
    """The world is the module's."""

    def test_a_region_that_serves_is_counted_healthy(self, world: Harness) -> None:
        """It is not: a distribution counts no targets. That is unknown, and says neither yes nor no."""
        assert known(self.read(world)).healthy == {}


def test_the_behaviours_of_members_are_switched_and_the_others_are_left(world: Site) -> None:
    before, _ = world.config()
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    assert world.targets() == {"*": "west", "/api/*": "west", "/static/*": "static"}
    after, _ = world.config()
    for config in (before, after):
        for one in (config["DefaultCacheBehavior"], *config["CacheBehaviors"]["Items"]):
            one.pop("TargetOriginId")
    assert after == before, "nothing else was changed"
    assert world.front.count(mutating=True, service=KIND) == 1


def test_behaviours_that_are_split_over_both_count_for_both_and_are_brought_together(world: Site) -> None:
    world.edit(DefaultCacheBehavior=_behaviour("west"))
    port = world.port()
    state = known(port.read())
    assert state.weights == {EAST: 100, WEST: 100}
    port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.targets()["/api/*"] == "west"


def test_an_origin_group_stands_for_a_region_as_well(world: Site) -> None:
    members = {"Quantity": 2, "Items": [{"OriginId": "west"}, {"OriginId": "east"}]}
    group = {
        "Id": "west-first",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}},
        "Members": members,
    }
    world.edit(OriginGroups={"Quantity": 1, "Items": [group]})
    port = world.made({EAST: "east", WEST: "west-first"})
    port.shift({EAST: 0, WEST: 1}, expect=known(port.read()), call=call())
    assert world.targets()["*"] == "west-first"
    assert known(port.read()).weights == {EAST: 0, WEST: 100}


def test_what_is_as_wanted_is_not_sent_again(world: Site) -> None:
    port = world.port()
    port.shift({EAST: 1, WEST: 0}, expect=known(port.read()), call=call())
    assert world.front.count(mutating=True, service=KIND) == 0


def test_shares_of_two_origins_are_refused(world: Site) -> None:
    port = world.port()
    with pytest.raises(Permanent, match="one origin at a time"):
        port.shift({EAST: 50, WEST: 50}, expect=known(port.read()), call=call())
    assert world.targets()["*"] == "east"


def test_somebody_else_s_change_is_a_conflict(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.edit(Comment="edited")
    with pytest.raises(Conflict):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.targets()["*"] == "east"


@pytest.mark.parametrize("stale", [True, False])
def test_the_condition_is_the_api_s_own(world: Site, stale: bool) -> None:
    """A read that is behind shows the ETag that was seen; the update is refused all the same."""
    port = world.port()
    state = known(port.read())
    if stale:
        world.edit(Comment="edited")
        world.front.outages.stale(3600, service=KIND, operation="GetDistribution")
        with pytest.raises(Conflict):
            port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
        assert world.front.count(operation="UpdateDistribution") == 2
        assert world.targets()["*"] == "east"
    else:
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
        assert world.targets()["*"] == "west"


def test_a_request_that_lands_late_has_no_effect(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    held = world.front.outages.hold(times=1, **UPDATE)
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call(10, seconds=12.0))
    world.edit(Comment="edited under a newer lease")
    (answer,) = held.land()
    assert getattr(answer, "status", 0) == 412
    assert world.targets()["*"] == "east"
    assert world.kind.verbs["shift"].fencing == "condition"


def test_an_effect_whose_answer_was_lost_is_in_doubt_and_then_seen(world: Site) -> None:
    port = world.port()
    world.front.outages.lose(times=1, **UPDATE)
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    seen = known(port.read())
    assert seen.weights == {EAST: 0, WEST: 100}
    port.shift({EAST: 0, WEST: 100}, expect=seen, call=call())
    assert world.front.count(operation="UpdateDistribution") == 1


def test_success_that_nothing_follows_completes_nothing(world: Site) -> None:
    world.front.serve(KIND, yes, "UpdateDistribution")
    success_that_nothing_follows_completes_nothing(world)


def test_throttled_is_transient_and_an_old_etag_s_other_name_is_a_conflict(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    throttle = world.front.outages.throttle(**UPDATE)
    with pytest.raises(Transient):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call(seconds=12.0))
    throttle.lift()
    world.front.outages.fail("InvalidIfMatchVersion", 400, **UPDATE)
    with pytest.raises(Conflict):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.targets()["*"] == "east"


def test_a_distribution_that_is_being_deployed_is_moving(world: Site) -> None:
    assert known(world.port().read()).moving == ""

    def in_progress(parsed: dict[str, Any], **_event: Any) -> None:
        parsed["Distribution"]["Status"] = "InProgress"

    client = world.clients.get(KIND, "us-east-1")
    client.meta.events.register("after-call.cloudfront.GetDistribution", in_progress)
    assert "deployed" in known(world.port().read()).moving


def test_a_distribution_that_is_disabled_or_gone_is_unknown(world: Site) -> None:
    world.edit(Enabled=False)
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert "disabled" in read.reason
    world.id = "E0000000000000"
    assert isinstance(world.port().read(), Unknown)


def test_a_member_that_is_no_origin_is_refused_with_those_that_are(world: Site) -> None:
    state = known(world.port().read())
    wrong = world.made({EAST: "east", WEST: "wset"})
    read = wrong.read()
    assert isinstance(read, Unknown)
    assert "wset" in read.reason
    with pytest.raises(Permanent, match="wset") as raised:
        wrong.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert "east, static, west" in raised.value.to_do


def test_members_that_no_behaviour_targets_are_refused(world: Site) -> None:
    world.edit(
        DefaultCacheBehavior=_behaviour("static"),
        CacheBehaviors={"Quantity": 1, "Items": [_behaviour("static", PathPattern="/static/*")]},
    )
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert "targets east or west" in read.reason
