"""consumers: what holds of every kind on Google Cloud, against stand-ins that really deliver. Their wire is held to
Google's own description."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, NotKnown, Owed, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import ConsumersState
from cloudfail.probes.reach import ALLOW_LOOPBACK
from cloudfail.testing.conformance import Calls, ConsumersSuite, Harness, known
from tests.emulators.aws.members import OneResource, step
from tests.emulators.gcp.balancing import EAST, WEST
from tests.emulators.gcp.consuming import JOB, NAMES, QUEUE, SITES, SUBSCRIPTION, TRANSPORT, TRIGGER, Serve, Site
from tests.emulators.gcp.front import Front

pytestmark = pytest.mark.timeout(300)
WATCHED = {
    "pubsub-subscription": {"quiet": True},
    "eventarc-trigger": {"quiet": True},
    "tasks-queue": {"quiet": True},
    "scheduler-job": {"quiet_for": "5s"},
}


@pytest.fixture
def make(google: Front, serving: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Site]]:
    monkeypatch.setenv(ALLOW_LOOPBACK, "1")
    with contextlib.ExitStack() as stack:

        def made(kind: str, **more: Any) -> Site:
            site = SITES[kind](google, serving, **more)
            stack.callback(site.machine.close)
            return site

        yield made


class TestPubsubSubscription(ConsumersSuite):
    kind = "pubsub-subscription"

    @pytest.fixture
    def world(self, make: Callable[..., Site]) -> Harness:
        return make(self.kind)


class TestEventarcTrigger(TestPubsubSubscription):
    kind = "eventarc-trigger"


class TestSchedulerJob(TestPubsubSubscription):
    kind = "scheduler-job"


class TestTasksQueue(TestPubsubSubscription):
    kind = "tasks-queue"


def turn(site: Site, enabled: bool, epoch: int = 10) -> None:
    port = site.port()
    port.enable(WEST, enabled, expect=known(port.read(WEST)), call=Calls().make(epoch))


def watched(site: Site) -> Any:
    """The port, where what receives is asked as well."""
    more = WATCHED[site.name]
    return site.port(**({"quiet": site.machine.receiver.url} if "quiet" in more else more))


def looks(port: Any, action: str, **arguments: Any) -> Any:
    world, context = OneResource(port), step(action, consumers="orders", where=WEST, **arguments)
    return ACTIONS[action].observe(world, context)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", NAMES)
def test_what_is_turned_off_delivers_nothing_and_delivers_again(make: Callable[..., Site], kind: str) -> None:
    site = make(kind)
    assert site.delivers()
    turn(site, False)
    assert not site.delivers()
    turn(site, True, 11)
    assert site.delivers()


@pytest.mark.parametrize("kind", NAMES)
def test_the_other_region_is_left_as_it_is(make: Callable[..., Site], kind: str) -> None:
    site = make(kind)
    turn(site, False)
    assert known(site.port().read(EAST)).enabled is True


@pytest.mark.parametrize("kind", NAMES)
def test_it_says_off_and_goes_on_delivering_so_the_step_is_never_done(make: Callable[..., Site], kind: str) -> None:
    """The control plane takes the order, tells it as done, and what delivers never hears of it."""
    site = make(kind)
    site.machine.obeying = False
    port = watched(site)
    todo = looks(port, "consumers.disable")
    assert isinstance(todo, Todo)
    port.enable(WEST, False, expect=todo.expect, call=Calls().make())
    for _ in range(4):
        assert site.delivers()
        look = looks(port, "consumers.disable")
        assert isinstance(look, NotKnown), "the API's word completed it"
        assert isinstance(looks(port, "consumers.enable"), Todo), "and nor is it on"
    site.machine.obeying = True
    for verb in (True, False):
        _really(site, verb)
    for _ in range(200):
        if isinstance(looks(port, "consumers.disable"), Done):
            break
        site.wait(0.1)
    assert isinstance(looks(port, "consumers.disable"), Done)
    assert not site.delivers()


def _really(site: Site, enabled: bool) -> None:
    """Ordered once more, of a machine that obeys by now."""
    port = site.port()
    state = port.describe(WEST, within=5.0)
    if state.enabled is not enabled:
        port.enable(WEST, enabled, expect=ConsumersState(state.enabled, state.version), call=Calls().make(12))


@pytest.mark.parametrize("kind", [kind for kind in NAMES if "quiet" in WATCHED[kind]])
def test_a_receiver_that_does_not_answer_is_not_taken_for_a_quiet_one(make: Callable[..., Site], kind: str) -> None:
    site = make(kind, enabled=False)
    port = site.port(quiet="http://127.0.0.1:9/quiet")
    assert "quiet" in known(port.read(WEST)).still
    assert isinstance(looks(port, "consumers.disable"), NotKnown)
    assert isinstance(looks(port, "consumers.disable", unreachable="owe"), Owed)
    todo = looks(port, "consumers.enable")
    assert isinstance(todo, Todo), "what receives may come up later"
    port.enable(WEST, True, expect=todo.expect, call=Calls().make())
    assert site.delivers()


@pytest.mark.parametrize("kind", NAMES)
def test_somebody_else_turns_it_between_the_look_and_the_order(make: Callable[..., Site], kind: str) -> None:
    site = make(kind)
    port = site.port()
    seen = known(port.read(WEST))
    turn(site, False, 11)
    turn(site, True, 12)
    if kind != "tasks-queue":  # a queue tells nothing of having been paused meanwhile
        with pytest.raises(Conflict):
            port.enable(WEST, False, expect=seen, call=Calls().make(13))
        assert site.delivers()


@pytest.mark.parametrize("kind", NAMES)
def test_an_order_that_was_on_its_way_and_lands_late_is_seen(
    make: Callable[..., Site], google: Front, kind: str
) -> None:
    """Nothing keeps it out (VerbFacts "watching"); what it did is read, so that the watch can put it right."""
    site = make(kind)
    port = site.port()
    seen = known(port.read(WEST))
    late = google.outages.hold(mutating=True, times=1)
    with contextlib.suppress(Exception):
        port.enable(WEST, False, expect=seen, call=dataclasses.replace(Calls().make(), timeout_seconds=2.0))
    assert late.held
    assert known(port.read(WEST)).enabled is True
    late.land()
    assert known(port.read(WEST)).enabled is False
    turn(site, True, 12)
    assert site.delivers()


@pytest.mark.parametrize("kind", NAMES)
def test_in_a_region_that_is_silent_it_is_owed_where_the_runbook_says_so(make: Callable[..., Site], kind: str) -> None:
    site = make(kind)
    site.make_unreachable(WEST)
    assert isinstance(looks(site.port(), "consumers.disable", unreachable="owe"), Owed)
    assert isinstance(looks(site.port(), "consumers.disable"), NotKnown)


@pytest.mark.parametrize("kind", NAMES)
def test_what_is_not_there_is_unknown_and_takes_no_order(make: Callable[..., Site], kind: str) -> None:
    site = make(kind)
    key = next(iter(site.member(WEST)))
    port = site.port(**{key: site.member(WEST)[key] + "x"}) if kind == "pubsub-subscription" else None
    if port is None:
        members = {region: {**site.member(region), key: site.member(region)[key] + "x"} for region in (EAST, WEST)}
        port = site.with_members(members)
    assert isinstance(port.read(WEST), Unknown)
    with pytest.raises(Transient if kind == "tasks-queue" else Permanent):
        port.enable(WEST, False, expect=ConsumersState(True), call=Calls().make())


@pytest.mark.parametrize("kind", NAMES)
def test_of_a_region_without_a_member_nothing_is_known(make: Callable[..., Site], kind: str) -> None:
    port = make(kind).port()
    assert isinstance(port.read("asia-east1"), Unknown)
    with pytest.raises(Transient):
        port.enable("asia-east1", False, expect=ConsumersState(True), call=Calls().make())


@pytest.mark.parametrize(
    ("code", "status", "raised"),
    [
        ("PERMISSION_DENIED", 403, Permanent),
        ("FAILED_PRECONDITION", 400, Conflict),
        ("ABORTED", 409, Conflict),
        ("RESOURCE_EXHAUSTED", 429, Transient),
    ],
)
@pytest.mark.parametrize("kind", NAMES)
def test_a_refusal_of_the_order_is_what_google_means_by_it(
    make: Callable[..., Site], google: Front, kind: str, code: str, status: int, raised: type[Exception]
) -> None:
    site = make(kind)
    port = site.port()
    seen = known(port.read(WEST))
    reason = {"PERMISSION_DENIED": "forbidden", "RESOURCE_EXHAUSTED": "rateLimitExceeded"}.get(code, "conditionNotMet")
    google.outages.fail(reason, status, mutating=True)
    with pytest.raises(raised):
        port.enable(WEST, False, expect=seen, call=dataclasses.replace(Calls().make(), timeout_seconds=1.5))
    google.outages.heal()
    assert known(port.read(WEST)).enabled is True


@pytest.mark.parametrize("kind", NAMES)
def test_a_read_that_answers_with_something_else_is_unknown(
    make: Callable[..., Site], google: Front, kind: str
) -> None:
    site = make(kind)
    google.outages.lie(mutating=False)
    assert isinstance(site.port().read(WEST), Unknown)


@pytest.mark.parametrize("kind", ["eventarc-trigger", "scheduler-job", "tasks-queue"])
def test_what_is_written_for_another_region_than_its_own_is_refused(make: Callable[..., Site], kind: str) -> None:
    site = make(kind)
    with pytest.raises(Permanent, match=f"stands in {EAST}"):
        site.with_members({WEST: site.member(EAST)})


@pytest.mark.parametrize("kind", NAMES)
def test_what_each_must_be_allowed_names_it_and_no_more(make: Callable[..., Site], kind: str) -> None:
    site = make(kind)
    port = site.port()
    resource, topology = port._asking.resource, port._asking.topology
    assert site.kind.permissions is not None
    told = site.kind.permissions(resource, topology, [WEST])
    project = "projects/shop-prod"
    on = {
        "pubsub-subscription": {SUBSCRIPTION[WEST]},
        "eventarc-trigger": {TRIGGER[WEST], f"{project}/subscriptions/eventarc-{WEST}-*"},
        "scheduler-job": {project},
        "tasks-queue": {QUEUE[WEST]},
    }[kind]
    assert {one for grant in (*told.watch, *told.execute) for one in grant.on} == on
    assert {grant.verbs for grant in told.watch} == {()}
    assert {grant.verbs for grant in told.execute} == {("enable",)}
    assert TRANSPORT[WEST].startswith(f"{project}/subscriptions/eventarc-{WEST}-")
    assert JOB[WEST].startswith(project)
