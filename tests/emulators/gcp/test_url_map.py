"""loadbalancer: url-map against a stand-in: its wire is Google's own description, its instances are real listeners, and
where requests go is read from the map as a balancer would read it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from cloudfail.actions import Done, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Topology
from cloudfail.testing.conformance import LoadBalancerSuite, known
from cloudfail_gcp.loadbalancer import KINDS
from cloudfail_gcp.loadbalancer.url_map import UrlMap
from tests.emulators.gcp.balancing import (
    EAST,
    PROJECT,
    RAMP,
    WEST,
    World,
    act,
    call,
    look,
    port_of,
    ramped,
    topology,
)
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.operations import BASE
from tests.emulators.gcp.standins.url_maps import SPLIT, UrlMaps
from tests.emulators.gcp.test_backend_service import instances
from tests.emulators.listening import listening
from tests.emulators.loopback import free_port

pytestmark = pytest.mark.timeout(300)
(KIND,) = (kind for kind in KINDS if kind.name == "url-map")
PATCH = "urlMaps.patch"
MAP = f"projects/{PROJECT}/global/urlMaps/edge"
HOST = "shop.example"
SERVICES = {region: f"projects/{PROJECT}/global/backendServices/web-{region}" for region in (EAST, WEST)}
GROUPS = {
    EAST: f"projects/{PROJECT}/regions/{EAST}/instanceGroups/web",
    WEST: f"projects/{PROJECT}/zones/{WEST}-b/networkEndpointGroups/web",
}
OTHER = f"projects/{PROJECT}/global/backendServices/docs"
OTHER_GROUP = f"projects/{PROJECT}/zones/us-east4-a/instanceGroups/docs"

ROUTES: Mapping[str, tuple[dict[str, Any], str]] = {
    "the map's own": ({}, "/"),
    "a matcher's": ({"matcher": "shop"}, "/"),
    "a path": ({"matcher": "shop", "path": "/api/*"}, "/api/orders"),
    "a rule": ({"matcher": "rules", "priority": 7}, "/v2/orders"),
}
"""How a route is named, and a path that it takes."""
REWRITE = {"urlRewrite": {"pathPrefixRewrite": "/"}, "timeout": {"seconds": "20"}}


def to(service: str) -> str:
    return BASE + service


class Site(World):
    """A URL map of which one route, `which`, leads to the east; the rest is nobody's."""

    def __init__(
        self, google: Front, machine: UrlMaps, which: str = "the map's own", *, weighted: bool = False
    ) -> None:
        super().__init__(google, KIND, self.made)
        self.machine, self.weighted = machine, weighted
        self.named, self.url = ROUTES[which]
        self.host = {"shop": HOST, "rules": "rules.example"}.get(self.named.get("matcher", ""), "other.example")
        for region, service in SERVICES.items():
            machine.service(service, {GROUPS[region]: 1.0})
        machine.service(OTHER, {OTHER_GROUP: 1.0})
        machine.url_map(MAP, **self._written())

    def _written(self) -> dict[str, Any]:
        docs = {"defaultService": to(OTHER)}
        rules = [
            {"priority": 3, "matchRules": [{"prefixMatch": "/v1"}], "service": to(OTHER)},
            {"priority": 7, "matchRules": [{"prefixMatch": "/v2"}], **self._leads("service", "routeAction", "rules")},
        ]
        shop = {
            "name": "shop",
            "pathRules": [
                {"paths": ["/docs/*"], "service": to(OTHER)},
                {"paths": ["/api/*", "/rpc/*"], **self._leads("service", "routeAction", "path")},
            ],
            **self._leads("defaultService", "defaultRouteAction", "shop"),
        }
        return {
            "hostRules": [
                {"hosts": [HOST], "pathMatcher": "shop"},
                {"hosts": ["rules.example"], "pathMatcher": "rules"},
            ],
            "pathMatchers": [shop, {"name": "rules", "routeRules": rules, **docs}],
            **self._leads("defaultService", "defaultRouteAction", ""),
        }

    def _leads(self, service: str, action: str, where: str) -> dict[str, Any]:
        ours = "path" if "path" in self.named else str(self.named.get("matcher", ""))
        if where != ours:
            return {service: to(OTHER)}
        if not self.weighted:
            return {service: to(SERVICES[EAST]), action: REWRITE}
        split = [{"backendService": to(SERVICES[EAST]), "weight": 100}]
        return {action: {**REWRITE, SPLIT: [*split, {"backendService": to(SERVICES[WEST]), "weight": 0}]}}

    def made(self, members: dict[str, Any] | None = None, **options: Any) -> UrlMap:
        return port_of(UrlMap, *self.topology(members, **options))

    def topology(self, members: dict[str, Any] | None = None, **options: Any) -> Any:
        routing = "weighted" if self.weighted else "single"
        return topology(KIND, members or SERVICES, **{"url_map": MAP, "routing": routing, **self.named, **options})

    @property
    def whole(self) -> Topology:
        whole: Topology = self.topology()[1]
        return whole

    def sent(self) -> dict[str, float]:
        """Region -> the share of requests that goes there now."""
        shares = self.machine.leads(MAP, self.host, self.url)
        return {region: shares[service] for region, service in SERVICES.items() if service in shares}

    def elsewhere(self) -> list[dict[str, float]]:
        """Where requests go that this route does not take."""
        every = [("other.example", "/"), (HOST, "/"), (HOST, "/api/x"), (HOST, "/docs/x")]
        every += [("rules.example", "/v1/x"), ("rules.example", "/v2/x"), ("rules.example", "/")]
        found = [self.machine.leads(MAP, host, url) for host, url in every]
        return [leads for leads in found if not set(leads) & set(SERVICES.values())]

    def settled(self) -> Any:
        """What is read once nothing is under way."""
        for _ in range(200):
            state = known(self.port().read())
            if not state.moving:
                return state
            time.sleep(0.05)
        raise AssertionError("it never came to an end")

    def moved(self) -> None:
        port = self.port()
        port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())
        self.settled()


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> UrlMaps:
    made: UrlMaps = serving("compute.v1", UrlMaps())
    return made


@pytest.fixture
def serves(machine: UrlMaps) -> Iterator[UrlMaps]:
    """Its east has two instances, its west one."""
    with contextlib.ExitStack() as stack:
        for region, count in ((EAST, 2), (WEST, 1)):
            ports = [stack.enter_context(listening()) for _ in range(count)]
            machine.members[GROUPS[region]] = instances(f"{region}-b", ports)
        yield machine


@pytest.fixture
def world(google: Front, serves: UrlMaps) -> Site:
    return Site(google, serves)


@pytest.fixture
def split(google: Front, serves: UrlMaps) -> Site:
    return Site(google, serves, weighted=True)


class TestOneService(LoadBalancerSuite):
    """The world is the module's."""


class TestASplit(LoadBalancerSuite):
    @pytest.fixture
    def world(self, split: Site) -> Site:
        return split


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("which", list(ROUTES))
def test_the_route_leads_elsewhere_and_everything_else_stays_as_it_was(
    google: Front, serves: UrlMaps, which: str, weighted: bool
) -> None:
    site = Site(google, serves, which, weighted=weighted)
    before, others = repr(serves.map_stands(MAP)), site.elsewhere()
    assert site.sent() == {EAST: 1.0}
    site.moved()
    assert site.sent() == {WEST: 1.0}
    assert site.elsewhere() == others
    back = site.port()
    back.shift({EAST: 100}, expect=known(back.read()), call=call())
    site.settled()
    assert repr(serves.map_stands(MAP)) == before, "and there and back nothing was changed"
    assert google.count(mutating=True) == 2


def test_a_split_is_ramped_by_percent(split: Site) -> None:
    assert ramped(split, split.whole) == RAMP
    assert split.sent() == {WEST: 1.0}
    assert KIND.facts("shift", split.topology()[0]).divides == "percent"


def test_a_split_gives_the_shares_that_it_was_told(split: Site) -> None:
    port = split.port()
    port.shift({EAST: 75, WEST: 25}, expect=known(port.read()), call=call())
    assert split.settled().weights == {EAST: 75, WEST: 25}
    assert split.sent() == {EAST: 0.75, WEST: 0.25}


def test_a_service_that_is_not_in_the_split_yet_is_added_to_it(split: Site) -> None:
    one = [{"backendService": to(SERVICES[EAST]), "weight": 100}]
    split.machine.edit_map(MAP, defaultRouteAction={SPLIT: one})
    split.moved()
    assert split.sent() == {WEST: 1.0}


def test_one_service_leads_to_one_region_at_a_time(world: Site) -> None:
    port = world.port()
    with pytest.raises(Permanent, match="leads to one region"):
        port.shift({EAST: 50, WEST: 50}, expect=known(port.read()), call=call())
    assert world.front.count(mutating=True) == 0
    assert KIND.facts("shift", world.topology()[0]).divides == "not"


@pytest.mark.parametrize("weight", [-1, 1001])
def test_a_weight_that_google_does_not_take_is_refused_here(split: Site, weight: int) -> None:
    port = split.port()
    with pytest.raises(Permanent, match="from 0 to 1000"):
        port.shift({EAST: 100, WEST: weight}, expect=known(port.read()), call=call())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"routing": "weighted"}, "does not split by weights"),
        ({"matcher": "nobody"}, "Its path matchers are: shop, rules"),
        ({"matcher": "shop", "path": "/none/*"}, "has not the path /none"),
        ({"matcher": "rules", "priority": 9}, "has not the rule 9"),
        ({"matcher": "shop"}, "stands for no region"),
    ],
)
def test_a_map_that_is_not_as_the_file_says_is_unknown(world: Site, options: dict[str, Any], words: str) -> None:
    read = world.made(**options).read()
    assert isinstance(read, Unknown)
    assert words in read.reason


def test_a_split_is_not_taken_for_one_service_nor_a_redirect_for_either(split: Site) -> None:
    read = split.made(routing="single").read()
    assert isinstance(read, Unknown)
    assert "splits by weights" in read.reason
    split.machine.edit_map(MAP, defaultRouteAction=None, defaultUrlRedirect={"httpsRedirect": True})
    redirects = split.port().read()
    assert isinstance(redirects, Unknown)
    assert "redirects" in redirects.reason


def test_a_service_with_a_group_in_another_region_stands_for_neither(world: Site) -> None:
    """Who is sent to the west would be sent to the east too, which is lost."""
    world.machine.service(SERVICES[WEST], {GROUPS[WEST]: 1.0, GROUPS[EAST]: 1.0})
    read = world.port().read()
    assert isinstance(read, Unknown)
    assert f"has a group in {EAST}" in read.reason


def test_two_regions_with_one_service_are_refused_before_anything_is_asked(world: Site) -> None:
    with pytest.raises(Permanent, match="same backend service"):
        world.made({EAST: SERVICES[EAST], WEST: SERVICES[EAST]})
    assert world.front.count() == 0


def test_healthy_targets_are_counted_by_service(world: Site) -> None:
    world.machine.members[GROUPS[EAST]] |= instances(f"{EAST}-b", [free_port()])
    assert known(world.port().read()).healthy == {EAST: 2, WEST: 1}


def test_a_service_of_which_nothing_is_counted_is_unknown_and_not_nothing(world: Site) -> None:
    """As a serverless one is."""
    world.machine.unlisted.add(GROUPS[WEST])
    assert known(world.port().read()).healthy == {EAST: 2}
    world.front.outages.fail("backendError", 503, operation="backendServices.get")
    assert known(world.port().read()).healthy == {}


def test_what_others_changed_in_their_routes_is_kept_and_no_conflict(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    matchers = world.machine.map_stands(MAP)["pathMatchers"]
    matchers[1]["defaultService"] = to(SERVICES[EAST])
    world.machine.edit_map(MAP, pathMatchers=matchers)
    port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    world.settled()
    assert world.sent() == {WEST: 1.0}
    assert world.machine.leads(MAP, "rules.example", "/") == {SERVICES[EAST]: 1.0}


def test_somebody_else_s_change_of_this_route_is_a_conflict(split: Site) -> None:
    port = split.port()
    state = known(port.read())
    weights = [{"backendService": to(SERVICES[EAST]), "weight": 60}]
    weights += [{"backendService": to(SERVICES[WEST]), "weight": 40}]
    split.machine.edit_map(MAP, defaultRouteAction={SPLIT: weights})
    with pytest.raises(Conflict):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert split.front.count(mutating=True) == 0


def test_the_condition_is_google_s_own(world: Site) -> None:
    """A read that is behind, within the call too: what was written in between is not undone."""
    port = world.port()
    state = known(port.read())
    world.machine.edit_map(MAP, description="edited")
    world.front.outages.stale(3600, operation="urlMaps.get")
    with pytest.raises(Conflict):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.front.count(operation=PATCH) == 1
    assert world.sent() == {EAST: 1.0}


def test_a_request_that_lands_late_has_no_effect(world: Site) -> None:
    port = world.port()
    state = known(port.read())
    held = world.front.outages.hold(times=1, operation=PATCH)
    with pytest.raises(OutcomeUnknown):
        port.shift({EAST: 0, WEST: 100}, expect=state, call=call(10, seconds=12.0))
    world.machine.edit_map(MAP, description="edited under a newer lease")
    (answer,) = held.land()
    assert getattr(answer, "status", 0) == 412
    assert world.sent() == {EAST: 1.0}
    assert KIND.verbs["shift"].fencing == "condition"


def test_while_an_operation_is_under_way_it_is_moving_and_nothing_is_ordered_on_top(world: Site) -> None:
    world.machine.seconds = 3600.0
    todo = look(world, world.whole)
    assert isinstance(todo, Todo)
    act(world, world.whole, todo)
    state = known(world.port().read())
    assert "RUNNING" in state.moving
    assert state.weights == {EAST: 100, WEST: 0}
    with pytest.raises(Transient, match="on top of it"):
        world.port().shift({EAST: 0, WEST: 100}, expect=state, call=call())
    assert world.machine.orders == [("patch", MAP)]


def test_an_operation_that_is_done_and_led_to_nothing_completes_nothing(world: Site) -> None:
    world.machine.obeying, world.machine.seconds = False, 0.0
    todo = look(world, world.whole)
    assert isinstance(todo, Todo)
    act(world, world.whole, todo)
    again = look(world, world.whole)
    assert isinstance(again, Todo)
    world.machine.obeying = True
    act(world, world.whole, again)
    assert isinstance(look(world, world.whole), Done)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("conditionNotMet", 412, Conflict),
        ("resourceNotReady", 400, Transient),
        ("rateLimitExceeded", 429, Transient),
        ("forbidden", 403, Permanent),
        ("notFound", 404, Permanent),
        ("invalid", 400, Permanent),
    ],
)
def test_what_google_refuses_is_classed(world: Site, code: str, status: int, kind: type[Exception]) -> None:
    world.front.outages.fail(code, status, operation=PATCH)
    port = world.port()
    with pytest.raises(kind):
        port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call(seconds=6.0))
    assert world.sent() == {EAST: 1.0}


class TestBefore:
    """Preflight: what Google would refuse on the bad day, found while nothing burns."""

    @pytest.mark.parametrize("which", list(ROUTES))
    def test_google_is_asked_whether_the_map_loads_with_all_of_it_in_either_region(
        self, google: Front, serves: UrlMaps, which: str
    ) -> None:
        site = Site(google, serves, which)
        assert known(site.port().preflight()) == ()
        assert len(serves.validated) == 2
        assert google.count(mutating=True) == 0
        site.moved()
        as_it_stands = {key: value for key, value in serves.map_stands(MAP).items() if key != "fingerprint"}
        asked = {key: value for key, value in serves.validated[1].items() if key != "fingerprint"}
        assert asked == as_it_stands, "what was asked about is what a shift makes"

    def test_a_test_of_the_map_that_would_refuse_the_shift_is_named(self, world: Site) -> None:
        test = {"host": "other.example", "path": "/", "service": to(SERVICES[EAST])}
        world.machine.edit_map(MAP, tests=[test])
        (told,) = known(world.port().preflight())
        assert "other.example/" in told
        assert f"all of it in {WEST}" in told
        port = world.port()
        with pytest.raises(Permanent, match="tests failed"):
            port.shift({EAST: 0, WEST: 100}, expect=known(port.read()), call=call())

    def test_a_map_that_would_not_load_is_named(self, world: Site) -> None:
        missing = SERVICES[WEST] + "-gone"
        (told,) = known(world.made({EAST: SERVICES[EAST], WEST: missing}).preflight())
        assert "would not load" in told

    def test_a_service_beside_the_members_that_keeps_its_weight_is_named(self, split: Site) -> None:
        more = [{"backendService": to(one), "weight": 50} for one in (SERVICES[EAST], SERVICES[WEST], OTHER)]
        split.machine.edit_map(MAP, defaultRouteAction={SPLIT: more})
        (told,) = known(split.port().preflight())
        assert OTHER in told

    def test_what_does_not_answer_is_unknown_and_no_sentence(self, world: Site) -> None:
        world.front.outages.fail("backendError", 503, operation="urlMaps.validate")
        assert isinstance(world.port().preflight(), Unknown)


def test_a_global_map_needs_no_region(world: Site) -> None:
    world.front.outages.silence(region=EAST)
    world.moved()
    assert KIND.facts("shift", world.topology()[0]).home is None


def test_the_permissions_are_of_what_is_asked_and_no_more(world: Site) -> None:
    resource, whole = world.topology()
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [EAST, WEST])
    services = tuple(SERVICES.values())
    assert {(action, one.on) for one in said.watch for action in one.actions} == {
        ("compute.urlMaps.get", (MAP,)),
        ("compute.urlMaps.validate", (MAP,)),
        ("compute.backendServices.get", services),
        ("compute.globalOperations.list", (f"projects/{PROJECT}",)),
    }
    assert {(action, one.on) for one in said.execute for action in one.actions} == {
        ("compute.urlMaps.get", (MAP,)),
        ("compute.urlMaps.update", (MAP,)),
        ("compute.backendServices.use", services),
    }
    world.port().preflight()
    world.moved()
    asked = {one.operation for one in world.front.seen()}
    assert asked == {
        "urlMaps.get",
        "urlMaps.validate",
        PATCH,
        "backendServices.get",
        "backendServices.getHealth",
        "globalOperations.list",
    }


@pytest.mark.parametrize("matcher", [None, "shop"])
def test_what_other_routes_lead_to_is_used_where_they_are_written_back(matcher: str | None) -> None:
    """A patch of a matcher writes all matchers; one of the map's own route writes nobody else's."""
    assert KIND.permissions is not None
    resource, whole = topology(KIND, SERVICES, url_map=MAP, matcher=matcher)
    said = KIND.permissions(resource, whole, [EAST, WEST])
    everywhere = {action for one in said.execute for action in one.actions if one.on == (f"projects/{PROJECT}",)}
    wanted = {"compute.backendServices.use", "compute.backendBuckets.use"} if matcher else set()
    assert everywhere == wanted


def test_a_map_that_does_not_answer_is_unknown(world: Site) -> None:
    world.make_unreachable("")
    assert not isinstance(world.port().read(), Known)
