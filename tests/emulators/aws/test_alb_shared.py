"""loadbalancer: alb against moto, where two applications have their weights in one list of actions.

`modify_listener` replaces the list. A pause between a worker's last look and its request is where the other one comes
between.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.model.topology import Resource, Topology
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.conformance import known
from cloudfail_aws.loadbalancer.alb import Alb
from tests.emulators.aws.balancing import BY_NAME, EAST, WEST, call, port_of, topology
from tests.emulators.aws.front import Front
from tests.emulators.aws.test_alb import KIND, Site
from tests.emulators.two_applications import PAUSE_SECONDS, Application, side_by_side


class Hesitating(Alb):
    pause_seconds = 0.0

    def _write(self, *words: Any) -> None:
        time.sleep(self.pause_seconds)
        super()._write(*words)


class InOneListener(Application):
    """One application with two groups of its own in the listener."""

    kind, source, target = BY_NAME[KIND], EAST, WEST

    def __init__(
        self, name: str, store: MemoryStore, site: Site, members: Mapping[str, str], pause_seconds: float = 0.0
    ) -> None:
        super().__init__(name, store, pause_seconds)
        self.site, self.members = site, members

    def resource(self) -> tuple[Resource, Topology]:
        named = {"rule": self.site.rule} if self.site.rule else {"listener": self.site.listener}
        return topology(KIND, self.members, **named)

    def port(self) -> Alb:
        made = port_of(Hesitating, *self.written, self.site.clients)
        made.pause_seconds = self.pause_seconds
        return made


@pytest.fixture
def both(front: Front) -> Iterator[tuple[InOneListener, InOneListener]]:
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
        InOneListener("shop", store, site, {region: site.groups[region] for region in (EAST, WEST)}),
        InOneListener("billing", store, site, {r: site.groups[f"billing-{r}"] for r in (EAST, WEST)}, PAUSE_SECONDS),
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("on_a_rule", [False, True])
def test_two_applications_in_one_list_of_actions_both_end_right(
    both: tuple[InOneListener, InOneListener], on_a_rule: bool
) -> None:
    site = both[0].site
    if on_a_rule:
        site.on_a_rule(site.forward({EAST: 100, WEST: 0, f"billing-{EAST}": 100, f"billing-{WEST}": 0}))
    assert side_by_side(both, shared=True) == [Phase.DONE] * 2
    assert [application.weights() for application in both] == [{EAST: 0, WEST: 100}] * 2
    changed = [name for name in site.changes() if name in {"ModifyListener", "ModifyRule"}]
    assert len(changed) == 3, "each wrote once, and the test itself"


@pytest.mark.timeout(300)
def test_without_their_waiting_one_undoes_the_other_and_both_say_done(
    both: tuple[InOneListener, InOneListener],
) -> None:
    """So the test above can fail; and this is what two state stores would come to."""
    assert side_by_side(both, shared=False) == [Phase.DONE] * 2
    assert both[0].weights() == {EAST: 100, WEST: 0}
    assert both[1].weights() == {EAST: 0, WEST: 100}


def test_what_the_other_changed_in_its_own_part_is_no_reason_to_look_again(
    both: tuple[InOneListener, InOneListener],
) -> None:
    shop, billing = both
    billing.pause_seconds = 0.0
    seen = known(shop.port().read())
    billing.port().shift({EAST: 50, WEST: 50}, expect=known(billing.port().read()), call=call())
    shop.port().shift({EAST: 0, WEST: 100}, expect=seen, call=call())
    assert billing.weights() == {EAST: 50, WEST: 50}
    assert shop.weights() == {EAST: 0, WEST: 100}
