"""loadbalancer: zonal-shift against a stand-in: its wire is botocore's model, what its shifts do is our reading of
ARC's developer guide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from cloudfail.actions import Done, Moving, StepContext, Todo
from cloudfail.actions.traffic import Drain, Switch
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.testing.conformance import Harness, LoadBalancerSuite, known
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.loadbalancer.zonal_shift import ZonalShift
from tests.emulators.aws.asked import Asked
from tests.emulators.aws.balancing import BY_NAME, World, call
from tests.emulators.aws.front import ACCOUNT, Front
from tests.emulators.aws.gate import Gate, policies_of, with_roles
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.zonal_shifts import Managed, Shift, ZonalShifts
from tests.emulators.aws.test_cloudwatch_alarm import Later

KIND, SERVICE = "zonal-shift", "arc-zonal-shift"
HOME = "us-east-1"
ARN = f"arn:aws:elasticloadbalancing:{HOME}:{ACCOUNT}:loadbalancer/app/web/0123456789abcdef"
ZONES = {"zone-1": "use1-az1", "zone-2": "use1-az2"}
BOTH = {"zone-1": 100, "zone-2": 100}
ONE, TWO = {"zone-1": 100, "zone-2": 0}, {"zone-1": 0, "zone-2": 100}
DAY = 24 * 3600


class Machine(ZonalShifts):
    """`orders`: what was asked for that changes something. `idle`: whatever is asked for is promised, and not done."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[tuple[str, dict[str, Any]]] = []
        self.idle = False

    def start_zonal_shift(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self.orders.append(("start", given))
        if self.idle:
            now = self.hours.boot()
            away = given["awayFrom"]
            return self._described(
                Shift("00000000-idle", given["resourceIdentifier"], away, given["comment"], now, now + 60)
            )
        return super().start_zonal_shift(given, what)

    def update_zonal_shift(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self.orders.append(("update", given))
        return super().update_zonal_shift(given, what)

    def cancel_zonal_shift(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        self.orders.append(("cancel", given))
        return super().cancel_zonal_shift(given, what)


def topology(zones: dict[str, str]) -> tuple[Resource, Topology]:
    """An application whose regions are zones."""
    model = BY_NAME[KIND].options
    assert model is not None
    options = model(load_balancer=ARN).model_dump()
    resource = Resource("edge", PortName.LOADBALANCER, KIND, "aws", None, zones, options)
    regions = {name: Region(name, "aws", ACCOUNT) for name in zones}
    return resource, Topology("shop", Objectives(900, 30), regions, "zone-1", "memory:", {"edge": resource})


class Site(World):
    """A load balancer in two zones."""

    source, target = "zone-1", "zone-2"

    def __init__(self, front: Front, machine: Machine, zones: dict[str, str] | None = None) -> None:
        super().__init__(front, KIND, SERVICE, self.made)
        self.machine, self.zones, self.clock = machine, zones or ZONES, Later()
        self.managed: Managed = machine.resource(ARN, *self.zones.values())
        self.clients = Clients()

    def made(self) -> ZonalShift:
        resource, whole = topology(self.zones)
        return ZonalShift(Asking(resource, whole, self.clients, Budget(self.clock), self.clock))

    def away(self) -> str:
        """The zone that gets no traffic."""
        return next((zone for zone, weight in self.machine.weights(ARN).items() if not weight), "")

    def by_hand(self, zone: str, sort: str = "ZONAL_SHIFT", comment: str = "bad deploy, bob") -> Shift:
        now = self.machine.hours.boot()
        self.managed.shifts.append(Shift("99999999-aaaa", ARN, zone, comment, now, now + DAY, sort=sort))
        return self.managed.shifts[-1]

    def move(self, weights: dict[str, int], epoch: int = 10) -> None:
        port = self.port()
        port.shift(weights, expect=known(port.read()), call=call(epoch))


@pytest.fixture
def machine(cloud: Front, stand_in: Callable[[str, Any], StandIn]) -> Machine:
    made = Machine()
    cloud.serve(SERVICE, stand_in(SERVICE, made).answer)
    return made


@pytest.fixture
def world(cloud: Front, machine: Machine) -> Site:
    return Site(cloud, machine)


class TestZonalShift(LoadBalancerSuite):
    """From a state in which zone-1 serves alone."""

    @pytest.fixture
    def world(self, cloud: Front, machine: Machine) -> Harness:
        site = Site(cloud, machine)
        site.move(ONE)
        return site

    def test_a_region_that_serves_is_counted_healthy(self, world: Harness) -> None:
        """It is not: elbv2 does not say in which zone a target is. That is unknown, and says neither yes nor no."""
        assert known(self.read(world)).healthy == {}


def test_a_zone_is_left_for_a_day_and_all_zones_serve_again_when_it_is_cancelled(world: Site) -> None:
    assert known(world.port().read()).weights == BOTH
    world.move(TWO)
    assert world.away() == "use1-az1"
    ((_, asked),) = world.machine.orders
    assert asked["expiresIn"] == "1440m"
    assert asked["comment"] == "cloudfail shop epoch 10 run r1"
    state = known(world.port().read())
    assert (state.weights, state.epoch, state.moving) == (TWO, 10, "")
    world.move(BOTH)
    assert world.away() == ""
    assert [what for what, _ in world.machine.orders] == ["start", "cancel"]


def test_the_other_zone_is_left_only_after_the_first_serves_again(world: Site) -> None:
    world.move(TWO)
    world.move(ONE)
    assert [what for what, _ in world.machine.orders] == ["start", "cancel", "start"]
    assert world.away() == "use1-az2"


@pytest.mark.parametrize("weights", [{"zone-1": 0, "zone-2": 0}, {}])
def test_to_leave_every_zone_is_refused(world: Site, weights: dict[str, int]) -> None:
    with pytest.raises(Permanent, match="nothing to answer"):
        world.move(weights)
    assert not world.machine.orders


def test_of_three_zones_one_can_be_left_and_shares_there_are_none(cloud: Front, machine: Machine) -> None:
    site = Site(cloud, machine, {**ZONES, "zone-3": "use1-az3"})
    site.move({"zone-1": 0, "zone-2": 100, "zone-3": 100})
    assert site.away() == "use1-az1"
    with pytest.raises(Permanent, match="one zone at a time"):
        site.move({"zone-1": 0, "zone-2": 0, "zone-3": 100})
    with pytest.raises(Permanent, match="no shares"):
        site.move({"zone-1": 0, "zone-2": 90, "zone-3": 10})


# ---- it ends by itself


def test_a_shift_that_is_about_to_end_counts_as_none_and_is_renewed_by_whoever_keeps_the_state(world: Site) -> None:
    world.move(TWO)
    number = world.managed.shifts[-1].number
    world.clock.ahead_seconds = DAY - 900.0
    assert known(world.port().read()).weights == TWO
    world.clock.ahead_seconds = DAY - 300.0
    assert known(world.port().read()).weights == BOTH
    world.move(TWO, epoch=11)
    assert [what for what, _ in world.machine.orders] == ["start", "update"]
    assert world.machine.orders[-1][1]["zonalShiftId"] == number
    world.clock.ahead_seconds = 0.0
    state = known(world.port().read())
    assert (state.weights, state.epoch) == (TWO, 11)


def test_a_shift_that_has_ended_is_seen_and_ordered_anew(world: Site) -> None:
    world.move(TWO)
    world.managed.shifts[-1].ends = world.machine.hours.boot() - 1
    assert known(world.port().read()).weights == BOTH
    world.move(TWO)
    assert world.away() == "use1-az1"


# ---- the api's word, and the load balancer


def test_a_shift_that_the_load_balancer_does_not_follow_completes_nothing(world: Site) -> None:
    world.managed.obeys = False
    step = PlannedStep("traffic", "traffic.switch", None, {"name": "edge", "to": "zone-2"}, (), 300.0, 0.0, 0)
    todo = look(world, Switch(), step)
    assert isinstance(todo, Todo)
    Switch().act(seen_by(world), context(step), todo, call())
    again = look(world, Switch(), step)
    assert isinstance(again, Moving)
    assert "still sends traffic there" in again.detail
    world.managed.obeys = True
    assert isinstance(look(world, Switch(), step), Done)


def test_a_shift_that_is_promised_and_not_made_completes_nothing(world: Site) -> None:
    world.machine.idle = True
    step = PlannedStep("drain", "traffic.drain", None, {"name": "edge", "region": "zone-1"}, (), 300.0, 0.0, 0)
    todo = look(world, Drain(), step)
    assert isinstance(todo, Todo)
    Drain().act(seen_by(world), context(step), todo, call())
    assert isinstance(look(world, Drain(), step), Todo)


class Seen:
    """The world as an action looks at it: this balancer, and no checks."""

    def __init__(self, site: Site) -> None:
        self.site, self.topology = site, topology(site.zones)[1]

    def loadbalancer(self, name: str) -> Any:
        return self.site.port()


def seen_by(site: Site) -> Any:
    return Seen(site)


def context(step: PlannedStep) -> StepContext:
    return StepContext(step, "r1", "zone-1", "zone-2")


def look(site: Site, action: Any, step: PlannedStep) -> Any:
    return action.observe(seen_by(site), context(step))


# ---- others who hold the same lever


@pytest.mark.parametrize(
    ("sort", "named"),
    [
        ("ZONAL_SHIFT", "bad deploy, bob"),
        ("PRACTICE_RUN", "AWS's practice run"),
        ("FIS_EXPERIMENT", "experiment of FIS"),
    ],
)
def test_somebody_elses_shift_is_named_and_never_cancelled(world: Site, sort: str, named: str) -> None:
    world.by_hand("use1-az2", sort)
    state = known(world.port().read())
    assert (state.weights, state.epoch) == (BOTH, None)
    assert named in state.moving
    assert "keeps traffic away from zone-2" in state.moving
    with pytest.raises(Permanent, match=named):
        world.move(TWO)
    world.move(BOTH)
    assert not world.machine.orders
    assert world.away() == "use1-az2"


def test_the_shift_of_another_application_is_somebody_elses(world: Site) -> None:
    world.by_hand("use1-az1", comment="cloudfail billing epoch 3 run r9")
    with pytest.raises(Permanent, match="cloudfail billing epoch 3"):
        world.move(TWO)


def test_aws_own_autoshift_is_named_where_it_keeps_traffic_from_the_zone_that_should_serve(world: Site) -> None:
    world.managed.autoshifted = "use1-az2"
    assert "AWS's autoshift keeps traffic away from zone-2" in known(world.port().read()).moving
    world.move(TWO)
    state = known(world.port().read())
    assert state.weights == TWO
    assert state.moving == "", "a shift that was ordered goes before it"


def test_a_shift_that_began_between_look_and_order_is_a_conflict(world: Site) -> None:
    """ARC takes one at a time, and says so: ConflictException."""
    port = world.port()
    expect = known(port.read())

    def meanwhile() -> None:
        if not world.managed.shifts:
            world.by_hand("use1-az2")

    late = call()
    with pytest.raises(Conflict, match="ConflictException"):
        port.shift(TWO, expect=expect, call=type(late)(**{**late.__dict__, "check": meanwhile}))


def test_an_older_epoch_does_not_touch_a_newer_ones_shift(world: Site) -> None:
    world.move(TWO, epoch=20)
    with pytest.raises(Conflict, match="newer lease"):
        world.move(BOTH, epoch=19)
    assert world.away() == "use1-az1"


# ---- on the wire


def test_a_lost_reply_is_in_doubt_and_the_shift_is_ordered_once(world: Site) -> None:
    world.front.outages.lose(service=SERVICE, mutating=True, times=1)
    with pytest.raises(OutcomeUnknown):
        world.move(TWO)
    assert known(world.port().read()).weights == TWO
    world.move(TWO)
    assert [what for what, _ in world.machine.orders] == ["start"]


def test_a_cancel_without_a_start_behind_it_is_in_doubt_and_then_finished(world: Site) -> None:
    world.move(TWO)
    fault = world.front.outages.throttle(service=SERVICE, operation="StartZonalShift")
    with pytest.raises(OutcomeUnknown, match="was cancelled, and no other was begun"):
        world.move(ONE)
    fault.lift()
    assert world.away() == "", "in between every zone serves"
    world.move(ONE)
    assert world.away() == "use1-az2"


@pytest.mark.parametrize("how", ["silence", "throttle", "cut", "unregistered"])
def test_what_cannot_be_read_is_unknown_and_nothing_is_ordered(cloud: Front, machine: Machine, how: str) -> None:
    site = Site(cloud, machine)
    if how == "unregistered":
        machine._resources.clear()
    else:
        getattr(cloud.outages, how)(service=SERVICE)
    assert isinstance(site.port().read(), Unknown)
    with pytest.raises((Transient, Permanent, OutcomeUnknown)):
        site.port().shift(TWO, expect=cast(Any, None), call=call(seconds=6.0))
    assert not machine.orders


def test_a_zone_in_which_the_load_balancer_is_not_is_unknown(cloud: Front, machine: Machine) -> None:
    site = Site(cloud, machine)
    site.zones = {**ZONES, "zone-2": "use1-az6"}
    read = site.port().read()
    assert isinstance(read, Unknown)
    assert "nothing of" in read.reason
    assert "use1-az6" in read.reason


# ---- permissions


def test_it_is_shifted_under_what_is_printed_and_under_no_less(world: Site) -> None:
    resource, whole = topology(ZONES)
    roles = with_roles(whole)
    gate = Gate(policies_of(BY_NAME[KIND], resource, roles, tuple(ZONES)))
    port = ZonalShift(Asking(resource, roles, cast(Clients, gate), Budget(world.clock), world.clock))
    for weights, ahead in ((TWO, 0.0), (TWO, DAY - 300.0), (BOTH, 0.0)):
        world.clock.ahead_seconds = ahead
        port.shift(weights, expect=known(port.read()), call=call())
    assert [what for what, _ in world.machine.orders] == ["start", "update", "cancel"]
    gate.judge()
