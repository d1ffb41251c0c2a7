"""loadbalancer: alb against moto, with target health that asks real listeners."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import botocore.session
import pytest

from cloudfail.actions import Done, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import LoadBalancerSuite, known
from cloudfail_aws.loadbalancer.alb import Alb
from tests.emulators.aws.balancing import (
    EAST,
    RAMP,
    WEST,
    ControlClients,
    Idle,
    World,
    act,
    call,
    look,
    port_of,
    ramped,
    success_that_nothing_follows_completes_nothing,
    topology,
)
from tests.emulators.aws.front import Front
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.target_health import OPERATION, TargetHealth
from tests.emulators.listening import listening

KIND = "alb"
TAG = "cloudfail:shop:epoch"


class Site(World):
    """A balancer in us-west-2 whose listener forwards to a group for each region, and to a third that is nobody's."""

    def __init__(self, front: Front) -> None:
        super().__init__(front, KIND, "elbv2", self.made)
        session = botocore.session.Session()
        self.sdk = session.create_client("elbv2", region_name=WEST)
        ec2 = session.create_client("ec2", region_name=WEST)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{WEST}{zone}")["Subnet"]
            for n, zone in enumerate("ab")
        ]
        made = self.sdk.create_load_balancer(Name="web", Subnets=[subnet["SubnetId"] for subnet in subnets])
        self.balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.groups = {
            name: self.sdk.create_target_group(
                Name=f"web-{name}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            for name in (EAST, WEST, "other")
        }
        self.listener = self.sdk.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80, DefaultActions=[self.forward({EAST: 100, WEST: 0})]
        )["Listeners"][0]["ListenerArn"]
        self.clients = ControlClients()
        self.rule = ""

    def forward(self, weights: dict[str, int], sticky: int = 0, **more: Any) -> dict[str, Any]:
        config: dict[str, Any] = {
            "TargetGroups": [
                {"TargetGroupArn": self.groups[name], "Weight": weight} for name, weight in weights.items()
            ]
        }
        if sticky:
            config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
        return {"Type": "forward", "ForwardConfig": config, **more}

    def made(self, members: dict[str, str] | None = None) -> Alb:
        by_region = members or {region: self.groups[region] for region in (EAST, WEST)}
        named = {"rule": self.rule} if self.rule else {"listener": self.listener}
        return port_of(Alb, *topology(KIND, by_region, **named), self.clients)

    def on_a_rule(self, *actions: dict[str, Any]) -> None:
        """From here on the weights stand on a rule."""
        self.rule = self.sdk.create_rule(
            ListenerArn=self.listener,
            Priority=10,
            Conditions=[{"Field": "path-pattern", "Values": ["/shop/*"]}],
            Actions=list(actions or [self.forward({EAST: 100, WEST: 0})]),
        )["Rules"][0]["RuleArn"]

    def set(self, *actions: dict[str, Any]) -> None:
        self.sdk.modify_listener(ListenerArn=self.listener, DefaultActions=list(actions))

    def actions(self) -> list[dict[str, Any]]:
        if self.rule:
            return list(self.sdk.describe_rules(RuleArns=[self.rule])["Rules"][0]["Actions"])
        return list(self.sdk.describe_listeners(ListenerArns=[self.listener])["Listeners"][0]["DefaultActions"])

    def tag(self) -> str | None:
        told = self.sdk.describe_tags(ResourceArns=[self.rule or self.listener])["TagDescriptions"]
        return next((tag["Value"] for one in told for tag in one["Tags"] if tag["Key"] == TAG), None)

    def changes(self) -> list[str]:
        return [one.operation for one in self.front.seen(service="elbv2", mutating=True)]


Serve = Callable[[str, Any], StandIn]


@pytest.fixture
def world(front: Front, stand_in: Serve) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        site = Site(front)
        ports = {EAST: [stack.enter_context(listening())], WEST: [stack.enter_context(listening())]}
        health = TargetHealth({site.groups[region]: ports[region] for region in ports})
        front.serve("elbv2", stand_in("elbv2", health).answer, OPERATION)
        front.forget()
        yield site


class TestListener(LoadBalancerSuite):
    """On a listener's default action."""


class TestRule(LoadBalancerSuite):
    """On a rule."""

    @pytest.fixture
    def world(self, world: Site) -> Site:
        world.on_a_rule()
        return world


# ---- what is written


def test_of_the_whole_list_only_the_members_weights_change(world: Site) -> None:
    """`modify_rule` replaces the list: what authenticates, the order, the stickiness and a third group all stay."""
    login = {
        "Type": "authenticate-cognito",
        "Order": 1,
        "AuthenticateCognitoConfig": {
            "UserPoolArn": "arn:aws:cognito-idp:us-west-2:123456789012:userpool/us-west-2_x",
            "UserPoolClientId": "client",
            "UserPoolDomain": "shop",
            "SessionTimeout": 3600,
        },
    }
    world.on_a_rule(login, world.forward({EAST: 90, "other": 10, WEST: 0}, sticky=600, Order=2))
    before = world.actions()
    port = world.port()
    port.shift({EAST: 0, WEST: 90}, expect=known(port.read()), call=call())
    login_after, forward_after = world.actions()
    assert login_after == before[0]
    assert forward_after["Order"] == 2
    config = forward_after["ForwardConfig"]
    assert config["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 600}
    assert [(group["TargetGroupArn"], group["Weight"]) for group in config["TargetGroups"]] == [
        (world.groups[EAST], 0),
        (world.groups["other"], 10),
        (world.groups[WEST], 90),
    ]


def test_the_secret_that_is_never_told_is_kept_by_asking_for_it(world: Site) -> None:
    """An OIDC action comes back without its client's secret; written back so, it would be refused, or lost."""
    sent: list[dict[str, Any]] = []
    login = {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://login.example",
            "AuthorizationEndpoint": "https://login.example/a",
            "TokenEndpoint": "https://login.example/t",
            "UserInfoEndpoint": "https://login.example/u",
            "ClientId": "shop",
            "ClientSecret": "not-a-secret",
        },
    }
    world.on_a_rule(login, world.forward({EAST: 100, WEST: 0}, Order=2))
    client = world.clients.get("elbv2", WEST)
    name = client.meta.service_model.service_id.hyphenize()

    def record(params: dict[str, Any], **_event: Any) -> None:
        sent.append(params)

    client.meta.events.register(f"provide-client-params.{name}.ModifyRule", record)
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    (params,) = sent
    config = params["Actions"][0]["AuthenticateOidcConfig"]
    assert config["UseExistingClientSecret"] is True
    assert "ClientSecret" not in config
    assert set(params) == {"RuleArn", "Actions"}, "conditions that were given would be replaced too"


def test_a_listener_is_told_nothing_but_its_actions(world: Site) -> None:
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    listener = world.sdk.describe_listeners(ListenerArns=[world.listener])["Listeners"][0]
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")
    assert world.changes() == ["AddTags", "ModifyListener"]


def test_a_group_that_lost_its_weight_stays_in_the_list(world: Site) -> None:
    """elbv2 checks the health of no target whose group is not used, and failback would wait for it."""
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    groups = world.actions()[0]["ForwardConfig"]["TargetGroups"]
    assert {group["TargetGroupArn"]: group["Weight"] for group in groups} == {
        world.groups[EAST]: 0,
        world.groups[WEST]: 100,
    }


def test_a_member_that_is_not_in_the_list_has_no_weight_and_can_gain_it(world: Site) -> None:
    world.set({"Type": "forward", "TargetGroupArn": world.groups[EAST]})
    port = world.port()
    state = known(port.read())
    assert state.weights == {EAST: 1, WEST: 0}
    port.shift({EAST: 0, WEST: 5}, expect=state, call=call())
    assert known(port.read()).weights == {EAST: 0, WEST: 5}


def test_what_is_as_wanted_is_not_sent_again(world: Site) -> None:
    port = world.port()
    port.shift({EAST: 100, WEST: 0}, expect=known(port.read()), call=call())
    assert world.changes() == []


@pytest.mark.parametrize("weights", [{EAST: 0, WEST: 1000}, {EAST: -1, WEST: 100}, {"eu-west-1": 100}])
def test_a_weight_that_there_is_not_is_refused(world: Site, weights: dict[str, int]) -> None:
    port = world.port()
    with pytest.raises(Permanent):
        port.shift(weights, expect=known(port.read()), call=call())
    assert world.changes() == []


def test_actions_that_forward_nowhere_are_refused(world: Site) -> None:
    state = known(world.port().read())
    world.set({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain"}})
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert "0 forward actions" in read.reason
    with pytest.raises(Permanent, match="0 forward actions"):
        world.port().shift({EAST: 0, WEST: 100}, expect=state, call=call())


# ---- the epoch beside the value


def test_the_epoch_is_written_beside_the_weights_and_an_older_one_changes_nothing(world: Site) -> None:
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call(20))
    assert world.tag() == "20"
    seen = known(port.read())
    assert seen.epoch == 20
    with pytest.raises(Conflict, match="lease 20, which is newer than 19"):
        port.shift({EAST: 100, WEST: 0}, expect=seen, call=call(19))
    assert known(port.read()).weights == {EAST: 0, WEST: 100}
    port.shift({EAST: 100, WEST: 0}, expect=seen, call=call(21))
    assert world.tag() == "21"


def test_another_application_s_epoch_is_not_ours(world: Site) -> None:
    tags = [{"Key": "cloudfail:other:epoch", "Value": "99"}, {"Key": TAG, "Value": "soon"}]
    world.sdk.add_tags(ResourceArns=[world.listener], Tags=tags)
    port = world.port()
    state = known(port.read())
    assert state.epoch is None
    port.shift({EAST: 0, WEST: 100}, expect=state, call=call(5))
    assert (world.tag(), known(port.read()).epoch) == ("5", 5)


@pytest.mark.parametrize("code", ["AccessDenied", "TooManyTags"])
def test_where_no_tag_may_be_written_the_weights_still_are(world: Site, code: str) -> None:
    lines: list[str] = []
    world.front.outages.fail(code, service="elbv2", operation="AddTags")
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call(log=lines.append))
    assert known(port.read()).weights == {EAST: 0, WEST: 100}
    assert code in lines[0]


def test_a_list_that_changed_while_the_tag_was_written_is_left_alone(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    others = [world.forward({EAST: 50, WEST: 50})]

    def change() -> None:
        if others:
            world.set(others.pop())

    with pytest.raises(Conflict, match="changed by somebody else"):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=replace(call(), check=change))
    assert known(port.read()).weights == {EAST: 50, WEST: 50}


# ---- health, and who stays


def test_healthy_targets_are_those_that_listen(front: Front, stand_in: Serve) -> None:
    site = Site(front)
    with listening() as stays, contextlib.ExitStack() as ends:
        gone = ends.enter_context(listening())
        health = TargetHealth({site.groups[EAST]: [stays, gone], site.groups[WEST]: []})
        front.serve("elbv2", stand_in("elbv2", health).answer, OPERATION)
        assert known(site.port().read()).healthy == {EAST: 2}, "a group without targets tells no health"
        ends.close()
        assert known(site.port().read()).healthy == {EAST: 1}
        for state, healthy in (("draining", 0), ("initial", 0), ("unhealthy", 0), ("healthy", 2)):
            health.states[site.groups[EAST]] = state
            assert known(site.port().read()).healthy == {EAST: healthy}
        for state in ("unused", "unavailable"):
            health.states[site.groups[EAST]] = state
            assert known(site.port().read()).healthy == {}, f"{state} is no count"


def test_health_that_cannot_be_read_is_unknown_and_the_weights_are_not(world: Site) -> None:
    world.front.outages.refuse(service="elbv2", operation=OPERATION)
    state = known(world.port().read())
    assert (state.weights, state.healthy) == ({EAST: 100, WEST: 0}, {})


def test_who_stays_where_they_were_is_read_and_noted(world: Site) -> None:
    world.set(world.forward({EAST: 100, WEST: 0}, sticky=3600))
    lines: list[str] = []
    port = world.port()
    state = known(port.read())
    assert state.lingering_seconds == 3600.0
    port.shift({EAST: 0, WEST: 100}, expect=state, call=call(log=lines.append))
    assert lines == [
        "clients with the balancer's cookie stay with their region for up to 3600 s",
        "us-east-1: targets that are deregistered get 300 s to end what they do",
    ]
    world.set(world.forward({EAST: 0, WEST: 100}))
    assert known(port.read()).lingering_seconds == 0.0


def test_a_note_that_cannot_be_made_does_not_undo_the_shift(world: Site) -> None:
    world.front.outages.refuse(service="elbv2", operation="DescribeTargetGroupAttributes")
    lines: list[str] = []
    port = world.port()
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call(log=lines.append))
    assert lines == []
    assert known(port.read()).weights == {EAST: 0, WEST: 100}


# ---- faults


@pytest.mark.parametrize("how", ["closed", "busy"])
def test_an_effect_whose_answer_was_lost_is_in_doubt_and_then_seen(world: Site, how: str) -> None:
    port = world.port()
    state = known(port.read())
    world.front.outages.lose(how, service="elbv2", operation="ModifyListener", times=1)
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    seen = known(port.read())
    assert seen.weights == {EAST: 0, WEST: 100}
    port.shift({EAST: 0, WEST: 100}, expect=seen, call=call())
    assert world.changes().count("ModifyListener") == 1


def test_an_answer_that_breaks_off_is_no_answer(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.front.outages.cut(service="elbv2", operation="DescribeListeners")
    assert isinstance(port.read(), Unknown)
    world.front.outages.heal()
    world.front.outages.cut(service="elbv2", operation="ModifyListener", times=1)
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert known(port.read()).weights == {EAST: 0, WEST: 100}


def test_success_that_nothing_follows_completes_nothing(world: Site, stand_in: Serve) -> None:
    world.front.serve("elbv2", stand_in("elbv2", Idle()).answer, "ModifyListener")
    success_that_nothing_follows_completes_nothing(world)


def test_the_step_is_done_when_the_balancer_reads_so_and_says_who_stays(world: Site) -> None:
    world.set(world.forward({EAST: 100, WEST: 0}, sticky=900))
    todo = look(world)
    assert isinstance(todo, Todo)
    act(world, todo)
    assert look(world) == Done(
        "edge sends new requests to us-west-2 100; clients that it keeps where they were stay for up to 900 s"
    )


def test_a_ramp_gives_its_shares_in_turn(world: Site) -> None:
    assert ramped(world) == RAMP
    assert {one["TargetGroupArn"]: one["Weight"] for one in world.actions()[-1]["ForwardConfig"]["TargetGroups"]} == {
        world.groups[EAST]: 0,
        world.groups[WEST]: 100,
    }


def test_throttling_that_ends_is_outlived_and_throttling_that_stays_is_transient(world: Site) -> None:
    port = world.port()
    world.front.outages.throttle(service="elbv2", operation="ModifyListener", times=1)
    port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
    state = known(port.read())
    world.front.outages.throttle(service="elbv2", operation="ModifyListener")
    with pytest.raises(Transient):
        port.shift({EAST: 100, WEST: 0}, expect=state, call=call(11, seconds=12.0))
    assert known(port.read()).weights == {EAST: 0, WEST: 100}


def test_silence_is_unknown_within_the_bound_of_the_call(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    world.front.outages.silence(service="elbv2", operation="ModifyListener")
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call(seconds=12.0))
    world.front.outages.heal()
    assert known(port.read()).weights == {EAST: 100, WEST: 0}


def test_a_request_that_lands_late_is_not_stopped_by_the_tag_and_the_next_look_tells(world: Site) -> None:
    """Why the verb is fenced by watching: the tag is another request than the weights."""
    old, new = world.port(), world.port()
    held = world.front.outages.hold(service="elbv2", operation="ModifyListener", times=1)
    with pytest.raises(OutcomeUnknown):
        old.shift({EAST: 50, WEST: 50}, expect=known(old.read()), call=call(10, seconds=12.0))
    new.shift({EAST: 0, WEST: 100}, expect=known(new.read()), call=call(11))
    wanted = known(new.read())
    held.land()
    late = known(new.read())
    assert late.weights == {EAST: 50, WEST: 50}
    assert (late.epoch, late.version != wanted.version) == (11, True)
    assert world.kind.verbs["shift"].fencing == "watching"
    new.shift({EAST: 0, WEST: 100}, expect=late, call=call(11))
    assert known(new.read()).weights == {EAST: 0, WEST: 100}


def test_a_stale_read_shows_what_was_and_its_version_is_refused_later(world: Site) -> None:
    port = world.port()
    stale = known(port.read())
    port.shift({EAST: 0, WEST: 100}, expect=stale, call=call())
    lag = world.front.outages.stale(3600, service="elbv2", operation="DescribeListeners")
    assert known(port.read()).weights == {EAST: 100, WEST: 0}, "the fault is there"
    lag.lift()
    with pytest.raises(Conflict):
        port.shift({EAST: 40, WEST: 60}, expect=stale, call=call(11))
    assert known(port.read()).weights == {EAST: 0, WEST: 100}


def test_a_listener_that_is_not_there_is_unknown_and_permanent(world: Site) -> None:
    state = known(world.port().read())
    world.sdk.delete_listener(ListenerArn=world.listener)
    assert isinstance(world.port().read(), Unknown)
    with pytest.raises(Permanent):
        world.port().shift({EAST: 0, WEST: 100}, expect=state, call=call())
