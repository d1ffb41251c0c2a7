"""loadbalancer: alb against moto, where two applications have their weights in one list of actions.

`modify_listener` replaces the list. A pause between a worker's last look and its request is where the other one comes
between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import Engine
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.codec import checksum_of
from cloudfail.model.plan import Plan
from cloudfail.model.topology import Topology
from cloudfail.ports import Store
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.conformance import known
from cloudfail_aws.loadbalancer.alb import Alb
from tests.crash.sharing import open_run, plan
from tests.emulators.aws.balancing import BY_NAME, EAST, WEST, call, port_of, topology
from tests.emulators.aws.front import Front
from tests.emulators.aws.test_alb import KIND, Site

PAUSE_SECONDS = 2.5
"""Shorter than a request may take, and long enough for the other application to write, look and end."""


class Hesitating(Alb):
    pause_seconds = 0.0

    def _write(self, *words: Any) -> None:
        time.sleep(self.pause_seconds)
        super()._write(*words)


@dataclass
class Application:
    """One application with two groups of its own in the listener."""

    site: Site
    name: str
    members: Mapping[str, str]
    store: Store
    pause_seconds: float = 0.0

    @property
    def written(self) -> tuple[Any, Topology]:
        named = {"rule": self.site.rule} if self.site.rule else {"listener": self.site.listener}
        resource, whole = topology(KIND, self.members, **named)
        return resource, replace(whole, application=self.name)

    def port(self) -> Alb:
        made = port_of(Hesitating, *self.written, self.site.clients)
        made.pause_seconds = self.pause_seconds
        return made

    def open(self, *, shared: bool) -> None:
        resource, whole = self.written
        names = BY_NAME[KIND].shared["shift"](resource, whole, "")
        made = plan(self.name, *(names if shared else ()))
        step = replace(made.steps[0], arguments={"name": "edge", "to": WEST})
        step = replace(step, facts=replace(step.facts, call_timeout_seconds=13.0))
        open_run(self.store, signed(replace(made, source=EAST, target=WEST, steps=(step,))), SystemClock())

    def drive(self) -> Phase:
        clock, port, whole = SystemClock(), self.port(), self.written[1]

        class Seen:
            topology = whole

            def loadbalancer(self, _name: str) -> Alb:
                return port

        world: Any = Seen()
        engine = Engine(
            store=self.store, application=self.name, world=world, actions=ACTIONS, clock=clock, calls=ThreadCalls(),
            worker=f"{self.name}/1", lease_seconds=60.0,
        )  # fmt: skip
        return engine.drive(until=clock.boot() + 120.0).runs["r1"].phase

    def weights(self) -> Mapping[str, int]:
        return known(self.port().read()).weights


def signed(made: Plan) -> Plan:
    return replace(made, checksum=checksum_of(made))


@pytest.fixture
def both(front: Front) -> Iterator[tuple[Application, Application]]:
    site = Site(front)
    vpc = site.sdk.describe_target_groups(TargetGroupArns=[site.groups["other"]])["TargetGroups"][0]["VpcId"]
    for region in (EAST, WEST):
        made = site.sdk.create_target_group(
            Name=f"billing-{region}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
        )
        site.groups[f"billing-{region}"] = made["TargetGroups"][0]["TargetGroupArn"]
    site.set(site.forward({EAST: 100, WEST: 0, f"billing-{EAST}": 100, f"billing-{WEST}": 0}))
    store = MemoryStore()
    yield (
        Application(site, "shop", {region: site.groups[region] for region in (EAST, WEST)}, store),
        Application(site, "billing", {r: site.groups[f"billing-{r}"] for r in (EAST, WEST)}, store, PAUSE_SECONDS),
    )


def side_by_side(both: tuple[Application, Application], *, shared: bool) -> list[Phase]:
    ended: list[Phase] = []
    for application in both:
        application.open(shared=shared)
    drives = [threading.Thread(target=lambda one=one: ended.append(one.drive())) for one in both]
    for drive in reversed(drives):  # the one that hesitates first: it has looked when the other writes
        drive.start()
        time.sleep(1.0)
    for drive in drives:
        drive.join(150)
    return ended


@pytest.mark.timeout(300)
@pytest.mark.parametrize("on_a_rule", [False, True])
def test_two_applications_in_one_list_of_actions_both_end_right(
    both: tuple[Application, Application], on_a_rule: bool
) -> None:
    site = both[0].site
    if on_a_rule:
        site.on_a_rule(site.forward({EAST: 100, WEST: 0, f"billing-{EAST}": 100, f"billing-{WEST}": 0}))
    assert side_by_side(both, shared=True) == [Phase.DONE] * 2
    assert [application.weights() for application in both] == [{EAST: 0, WEST: 100}] * 2
    changed = [name for name in site.changes() if name in {"ModifyListener", "ModifyRule"}]
    assert len(changed) == 3, "each wrote once, and the test itself"


@pytest.mark.timeout(300)
def test_without_their_waiting_one_undoes_the_other_and_both_say_done(both: tuple[Application, Application]) -> None:
    """So the test above can fail; and this is what two state stores would come to."""
    assert side_by_side(both, shared=False) == [Phase.DONE] * 2
    assert both[0].weights() == {EAST: 100, WEST: 0}
    assert both[1].weights() == {EAST: 0, WEST: 100}


def test_what_the_other_changed_in_its_own_part_is_no_reason_to_look_again(
    both: tuple[Application, Application],
) -> None:
    shop, billing = both
    billing.pause_seconds = 0.0
    seen = known(shop.port().read())
    billing.port().shift({EAST: 50, WEST: 50}, expect=known(billing.port().read()), call=call())
    shop.port().shift({EAST: 0, WEST: 100}, expect=seen, call=call())
    assert billing.weights() == {EAST: 50, WEST: 50}
    assert shop.weights() == {EAST: 0, WEST: 100}
