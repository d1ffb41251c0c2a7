"""The same for balancers, paths of a network, what consumes, and what watches."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.errors import Conflict, Transient
from cloudfail.model.observation import Known
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import known
from cloudfail_gcp import provider
from tests.emulators.gcp import balancing, test_forwarding_rule, test_monitoring_alert, test_url_map
from tests.emulators.gcp.allowed import EAST, WEST, Key, Make, Serve, Used, there_and_back, until
from tests.emulators.gcp.consuming import JOB, QUEUE, SUBSCRIPTION, TRANSPORT, TRIGGER
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.paths import world
from tests.emulators.gcp.standins.firing import Scheduler, Tasks
from tests.emulators.gcp.standins.forwarding_rules import ForwardingRules
from tests.emulators.gcp.standins.monitoring import Monitoring
from tests.emulators.gcp.standins.pubsub import Eventarc, PubSub
from tests.emulators.gcp.standins.url_maps import UrlMaps

BUCKET = f"projects/{balancing.PROJECT}/global/backendBuckets/assets"
PUSHER = f"pusher@{balancing.PROJECT}.iam.gserviceaccount.com"
ENDPOINT = "https://orders.shop.example/push"
RULE = f"projects/{balancing.PROJECT}/regions/{WEST}/forwardingRules/gw"
TUNNEL = f"projects/{balancing.PROJECT}/regions/{WEST}/vpnTunnels/gw"
EAST_GATEWAY = f"projects/{balancing.PROJECT}/zones/{EAST}-a/instances/gw"


def _url_map(which: str, *, weighted: bool = False) -> Make:
    """Beside the route are those of others, which a patch of an array writes back: to a service and to a bucket."""

    def make(front: Front, serve: Serve) -> Used:
        machine: UrlMaps = serve("compute.v1", UrlMaps())
        machine.buckets.add(BUCKET)
        site = test_url_map.Site(front, machine, which, weighted=weighted)
        assets = {"name": "assets", "defaultService": test_url_map.to(BUCKET)}
        there = machine.map_stands(test_url_map.MAP)["pathMatchers"]
        machine.edit_map(test_url_map.MAP, pathMatchers=[*there, assets])

        def uses(port: Any) -> None:
            assert known(port.preflight()) == ()
            there_and_back(port)

        return Used(*site.topology(), uses)

    return make


def _forwarding_rule(front: Front, serve: Serve) -> Used:
    site = test_forwarding_rule.Site(front, serve("compute.v1", ForwardingRules()))

    def uses(port: Any) -> None:
        assert known(port.preflight()) == ()
        there_and_back(port)

    return Used(*site.topology(), uses)


def _led(
    kind: str, verb: str, stands: Callable[[world.Paths], object], members: Mapping[str, Any], **options: Any
) -> Make:
    """Of two members the first is left, and taken again."""

    def make(front: Front, serve: Serve) -> Used:
        machine: world.Paths = serve("compute.v1", world.Paths(seconds=0.05))
        stands(machine)
        of = world.resource(kind, members, **options)

        def uses(port: Any) -> None:
            for region in reversed(list(members)):
                points = dict.fromkeys(known(port.read()).points, (region,))
                until(lambda points=points: _moved(port, verb, points))  # type: ignore[misc]

        return Used(of, world.topology(of, members), uses)

    return make


def _moved(port: Any, verb: str, points: Mapping[str, tuple[str, ...]]) -> bool:
    """One order, as a run gives it while it does not lead there."""
    seen = port.read()
    if not isinstance(seen, Known) or seen.value.moving:
        return False
    if seen.value.points == points:
        return True
    with contextlib.suppress(Transient, Conflict):
        getattr(port, verb)(points, expect=seen.value, call=balancing.call())
    return False


def _routes(machine: world.Paths, hop: str) -> None:
    machine.subnet("default-route-1", world.VPC, "10.1.0.0/20")
    machine.route("to-near", world.VPC, world.NEAR, hop)


def _route(east: str, west: str) -> Make:
    members = {EAST: {"hop": east}, WEST: {"hop": west}}
    options = {"vpc": world.VPC, "destinations": [world.NEAR]}
    return _led("route", "route", lambda machine: _routes(machine, east), members, **options)


def _router(there: int, **options: Any) -> Make:
    def stands(machine: world.Paths) -> None:
        machine.router(world.EDGES[WEST], ["10.99.0.0/16"], {"onprem": there})

    members: dict[str, Any] = {EAST: {}, WEST: {}}
    return _led("router-advertisement", "route", stands, members, router=world.EDGES[WEST], **options)


def _address(machine: world.Paths) -> None:
    machine.address(world.VIP, world.VALUE)
    for holder in world.HOLDERS.values():
        machine.instance(holder)
    machine.give(world.HOLDERS[world.ZONE_B], world.VALUE)


def _consumers(kind: str, stands: Callable[[Serve], Callable[[str], dict[str, Any]]]) -> Make:
    """stands: makes it, on in each region, and gives what the file says of one. Nothing is delivered."""

    def make(front: Front, serve: Serve) -> Used:
        member = stands(serve)
        served = provider.kinds()[PortName.CONSUMERS, kind]

        def uses(port: Any) -> None:
            assert known(port.preflight()) == ()
            for region in (EAST, WEST):
                for enabled in (False, True):
                    port.enable(region, enabled, expect=known(port.read(region)), call=balancing.call())
                    until(lambda region=region, enabled=enabled: port.read(region).value.enabled is enabled)  # type: ignore[misc]

        return Used(*balancing.topology(served, {region: member(region) for region in (EAST, WEST)}), uses)

    return make


def _pushed(serve: Serve, paths: Mapping[str, str], push: Mapping[str, Any]) -> None:
    machine: PubSub = serve("pubsub.v1", PubSub())
    for path in paths.values():
        machine.subscription(path, push)
    machine.close()


def _subscription(serve: Serve) -> Callable[[str], dict[str, Any]]:
    """It signs as an account, as which whoever sets it must be allowed to act."""
    push = {"pushEndpoint": ENDPOINT, "oidcToken": {"serviceAccountEmail": PUSHER}}
    _pushed(serve, SUBSCRIPTION, push)
    told = {"endpoint": ENDPOINT, "service_account": PUSHER}
    return lambda region: {"subscription": SUBSCRIPTION[region], "push": told}


def _trigger(serve: Serve) -> Callable[[str], dict[str, Any]]:
    eventarc: Eventarc = serve("eventarc.v1", Eventarc())
    for region, path in TRIGGER.items():
        eventarc.trigger(path, TRANSPORT[region])
    _pushed(serve, TRANSPORT, {"pushEndpoint": ENDPOINT, "oidcToken": {"serviceAccountEmail": PUSHER}})
    told = {"endpoint": ENDPOINT, "service_account": PUSHER}
    return lambda region: {"trigger": TRIGGER[region], "push": told}


def _job(serve: Serve) -> Callable[[str], dict[str, Any]]:
    machine: Scheduler = serve("cloudscheduler.v1", Scheduler())
    for path in JOB.values():
        machine.job(path, ENDPOINT)
    machine.close()
    return lambda region: {"job": JOB[region], "quiet_for": "0s"}


def _queue(serve: Serve) -> Callable[[str], dict[str, Any]]:
    machine: Tasks = serve("cloudtasks.v2", Tasks())
    for path in QUEUE.values():
        machine.queue(path)
    machine.close()
    return lambda region: {"queue": QUEUE[region]}


def _alert(front: Front, serve: Serve) -> Used:
    machine: Monitoring = serve("monitoring.v3", Monitoring())
    for region, path in test_monitoring_alert.POLICY.items():
        machine.policy(path, test_monitoring_alert.threshold(region))
        machine.measure(1.0, time.time(), metric_type=test_monitoring_alert.RATIO, region=region)

    def uses(port: Any) -> None:
        for region in test_monitoring_alert.POLICY:
            known(port.read(region))

    return Used(*balancing.topology(test_monitoring_alert.KIND, test_monitoring_alert.POLICY), uses)


KINDS: Mapping[Key, Make] = {
    (PortName.LOADBALANCER, "url-map", "the map's own"): _url_map("the map's own"),
    (PortName.LOADBALANCER, "url-map", "a matcher's, by weights"): _url_map("a matcher's", weighted=True),
    (PortName.LOADBALANCER, "forwarding-rule", "https"): _forwarding_rule,
    (PortName.NETWORK, "route", "an instance, and a balancer"): _route(EAST_GATEWAY, RULE),
    (PortName.NETWORK, "route", "an address, and a tunnel"): _route(world.HOPS[EAST], TUNNEL),
    (PortName.NETWORK, "router-advertisement", "ranges"): _router(100, ranges=world.HALVES),
    (PortName.NETWORK, "router-advertisement", "priority"): _router(10200, priority={"leads": 50, "waits": 10200}),
    (PortName.NETWORK, "static-ip", "zones"): (
        _led("static-ip", "move_address", _address, world.HOLDERS, address=world.VIP)
    ),
    (PortName.CONSUMERS, "pubsub-subscription", "signed"): _consumers("pubsub-subscription", _subscription),
    (PortName.CONSUMERS, "eventarc-trigger", "signed"): _consumers("eventarc-trigger", _trigger),
    (PortName.CONSUMERS, "scheduler-job", "paused"): _consumers("scheduler-job", _job),
    (PortName.CONSUMERS, "tasks-queue", "paused"): _consumers("tasks-queue", _queue),
    (PortName.SIGNALS, "monitoring-alert", "threshold"): _alert,
}
"""As allowed.py's."""
