"""consumers: what each kind on Google Cloud does in its own way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls, known
from cloudfail_gcp.consumers.switches import word
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST
from tests.emulators.gcp.consuming import JOB, LABELS, QUEUE, SUBSCRIPTION, TRANSPORT, TRIGGER, Site
from tests.emulators.gcp.test_consumers import make, turn, watched

pytestmark = pytest.mark.timeout(300)
__all__ = ["make"]
ACCOUNT = f"pusher@{PROJECT}.iam.gserviceaccount.com"


# ---- subscriptions


@pytest.fixture
def pushed(make: Callable[..., Site]) -> Site:
    return make("pubsub-subscription")


def raw(site: Site, path: str = SUBSCRIPTION[WEST]) -> dict[str, Any]:
    found: dict[str, Any] = site.machine.subscriptions[path]
    return found


def test_what_waited_while_it_was_off_is_delivered_once_it_is_on(pushed: Site) -> None:
    turn(pushed, False)
    identity = pushed.machine.publish(SUBSCRIPTION[WEST])
    pushed.wait(0.1)
    assert pushed.machine.waiting(SUBSCRIPTION[WEST]) == 1
    turn(pushed, True, 11)
    for _ in range(200):
        if pushed.machine.receiver.heard(identity):
            break
        pushed.wait(0.1)
    assert pushed.machine.receiver.heard(identity)


def test_the_mark_goes_with_the_change_and_other_labels_stay(pushed: Site) -> None:
    turn(pushed, False, 7)
    assert raw(pushed)["labels"] == {**LABELS, "cloudfail-epoch": "7", "cloudfail-application": "shop"}
    assert pushed.front.count(mutating=True) == 1
    assert known(pushed.port().read(WEST)).epoch == 7


def test_a_newer_epochs_mark_keeps_an_older_worker_out(pushed: Site) -> None:
    turn(pushed, False, 12)
    port = pushed.port()
    with pytest.raises(Conflict, match="epoch 12"):
        port.enable(WEST, True, expect=known(port.read(WEST)), call=Calls().make(11))
    assert not pushed.delivers()


def test_a_label_that_somebody_else_changed_meanwhile_is_kept(pushed: Site) -> None:
    port = pushed.port()
    seen = known(port.read(WEST))
    raw(pushed)["labels"]["cost"] = "42"
    port.enable(WEST, False, expect=seen, call=Calls().make())
    assert raw(pushed)["labels"]["cost"] == "42"


def test_what_another_application_turns_is_read_and_not_touched(pushed: Site) -> None:
    raw(pushed)["labels"].update({"cloudfail-application": "books", "cloudfail-epoch": "99"})
    port = pushed.port()
    seen = known(port.read(WEST))
    assert (seen.enabled, seen.epoch) == (True, None)
    with pytest.raises(Permanent, match="the application books"):
        port.enable(WEST, False, expect=seen, call=Calls().make())
    assert pushed.delivers()
    assert any("books" in one for one in known(port.preflight()))


def test_a_name_that_no_label_can_hold_is_another_word_for_each() -> None:
    words = [word(name) for name in ("shop", "Shop", "sh.op", "sh-op", "x" * 80, "x" * 81)]
    assert words[0] == "shop"
    assert len(set(words)) == len(words)
    assert all(len(one) <= 63 for one in words)


def test_all_of_a_push_configuration_is_put_back(pushed: Site) -> None:
    push = {"endpoint": pushed.machine.receiver.url, "service_account": ACCOUNT, "audience": "shop", "unwrapped": True}
    whole = {
        "pushEndpoint": pushed.machine.receiver.url,
        "oidcToken": {"serviceAccountEmail": ACCOUNT, "audience": "shop"},
        "noWrapper": {"writeMetadata": True},
        "attributes": {"x-goog-version": "v1"},
    }
    raw(pushed)["pushConfig"] = copy.deepcopy(whole)
    port = pushed.port(push={**push, "metadata": True})
    port.enable(WEST, False, expect=known(port.read(WEST)), call=Calls().make())
    assert raw(pushed)["pushConfig"] == {}
    port.enable(WEST, True, expect=known(port.read(WEST)), call=Calls().make())
    assert raw(pushed)["pushConfig"] == whole


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pushEndpoint": "https://elsewhere.example/"}, "pushes to https://elsewhere.example/"),
        ({"oidcToken": {"serviceAccountEmail": ACCOUNT}}, f"signs as {ACCOUNT}"),
        ({"noWrapper": {}}, "wraps its messages otherwise"),
        ({"attributes": {"x-goog-version": "v1beta1"}}, "has the attributes"),
    ],
)
def test_what_pushes_otherwise_than_the_file_says_is_unknown_and_not_turned_off(
    pushed: Site, change: dict[str, Any], said: str
) -> None:
    """It could not be put back."""
    port = pushed.port()
    seen = known(port.read(WEST))
    raw(pushed)["pushConfig"].update(change)
    read = port.read(WEST)
    assert isinstance(read, Unknown)
    assert said in read.reason
    with pytest.raises(Permanent, match="could not be put back"):
        port.enable(WEST, False, expect=seen, call=Calls().make())
    assert raw(pushed)["pushConfig"]["pushEndpoint"]
    assert any(said in one for one in known(port.preflight()))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"detached": True}, "that is final"),
        ({"pushConfig": {}, "bigqueryConfig": {"table": "shop.orders"}}, "writes into a store"),
    ],
)
def test_what_can_push_to_nobody_is_refused(pushed: Site, more: dict[str, Any], said: str) -> None:
    port = pushed.port()
    seen = known(port.read(WEST))
    raw(pushed).update(more)
    assert isinstance(port.read(WEST), Unknown)
    with pytest.raises(Permanent, match=said):
        port.enable(WEST, True, expect=seen, call=Calls().make())


def test_a_subscription_that_says_that_it_cannot_deliver_is_not_on(pushed: Site) -> None:
    raw(pushed)["state"] = "RESOURCE_ERROR"
    read = pushed.port().read(WEST)
    assert isinstance(read, Unknown)
    assert "RESOURCE_ERROR" in read.reason


def test_one_subscription_of_two_regions_is_taken_by_the_one_that_takes_over(pushed: Site) -> None:
    """Never two regions at once, and nothing is delivered twice."""
    one, url = SUBSCRIPTION[EAST], pushed.machine.receiver.url
    members = {EAST: {"subscription": one, "push": url}, WEST: {"subscription": one, "push": f"{url}?west"}}
    port = pushed.with_members(members)
    assert (known(port.read(EAST)).enabled, known(port.read(WEST)).enabled) == (True, False)
    port.enable(WEST, False, expect=known(port.read(WEST)), call=Calls().make())
    assert pushed.front.count(mutating=True) == 0
    port.enable(WEST, True, expect=known(port.read(WEST)), call=Calls().make())
    assert (known(port.read(EAST)).enabled, known(port.read(WEST)).enabled) == (False, True)
    assert raw(pushed, one)["pushConfig"]["pushEndpoint"] == f"{url}?west"


def test_a_subscription_that_is_off_and_would_be_deleted_is_told_of(pushed: Site) -> None:
    port = pushed.port()
    assert known(port.preflight()) == ()
    turn(pushed, False)
    (told,) = known(port.preflight())
    assert "deletes it after 2678400s" in told
    raw(pushed)["expirationPolicy"] = {}
    assert known(port.preflight()) == ()


def test_preflight_of_what_does_not_answer_is_unknown(pushed: Site) -> None:
    pushed.make_unreachable(WEST)
    assert isinstance(pushed.port().preflight(), Unknown)


# ---- triggers


@pytest.fixture
def triggered(make: Callable[..., Site]) -> Any:
    return make("eventarc-trigger")


def test_the_trigger_itself_is_never_changed(triggered: Any) -> None:
    before = copy.deepcopy(triggered.eventarc.triggers)
    turn(triggered, False)
    turn(triggered, True, 11)
    assert triggered.eventarc.triggers == before


def test_a_trigger_that_was_made_anew_is_stopped_at_its_new_subscription(triggered: Any) -> None:
    port, anew = triggered.port(), f"{TRANSPORT[WEST]}-anew"
    known(port.read(WEST))
    triggered.eventarc.trigger(TRIGGER[WEST], anew)
    triggered.machine.subscription(anew, {"pushEndpoint": triggered.machine.receiver.url})
    port.enable(WEST, False, expect=known(port.read(WEST)), call=Calls().make())
    assert raw(triggered, anew)["pushConfig"] == {}
    assert raw(triggered, TRANSPORT[WEST])["pushConfig"] != {}


def test_eventarc_that_writes_its_push_configuration_anew_is_seen(triggered: Any) -> None:
    turn(triggered, False)
    raw(triggered, TRANSPORT[WEST])["pushConfig"] = {"pushEndpoint": triggered.machine.receiver.url}
    assert known(triggered.port().read(WEST)).enabled is True


def test_a_trigger_that_names_no_subscription_is_unknown(triggered: Any) -> None:
    del triggered.eventarc.triggers[TRIGGER[WEST]]["transport"]
    port = triggered.port()
    read = port.read(WEST)
    assert isinstance(read, Unknown)
    assert "names no subscription" in read.reason


# ---- jobs


@pytest.fixture
def scheduled(make: Callable[..., Site]) -> Site:
    return make("scheduler-job")


@pytest.mark.parametrize("state", ["DISABLED", "UPDATE_FAILED", "STATE_UNSPECIFIED"])
def test_a_job_that_is_neither_is_unknown_and_left_so(scheduled: Site, state: str) -> None:
    port = scheduled.port()
    seen = known(port.read(WEST))
    scheduled.machine.jobs[JOB[WEST]]["state"] = state
    read = port.read(WEST)
    assert isinstance(read, Unknown)
    assert state in read.reason
    with pytest.raises(Transient, match=state):
        port.enable(WEST, False, expect=seen, call=Calls().make())
    assert scheduled.front.count(mutating=True) == 0
    assert any(state in one for one in known(port.preflight()))


def test_a_job_that_fired_a_moment_ago_is_not_off_yet(scheduled: Site) -> None:
    port = scheduled.port(quiet_for="5s")
    assert scheduled.delivers()
    port.enable(WEST, False, expect=known(port.read(WEST)), call=Calls().make())
    assert "an attempt began" in known(port.read(WEST)).still
    for _ in range(200):
        if not known(port.read(WEST)).still:
            break
        scheduled.wait(0.1)
    state = known(port.read(WEST))
    assert (state.enabled, state.still) == (False, "")


def test_a_job_that_fired_a_moment_ago_can_be_turned_on_again_at_once(scheduled: Site) -> None:
    """An abort does not wait for it."""
    port = scheduled.port(quiet_for="1h")
    assert scheduled.delivers()
    port.enable(WEST, False, expect=known(port.read(WEST)), call=Calls().make())
    state = known(port.read(WEST))
    assert state.still
    port.enable(WEST, True, expect=state, call=Calls().make())
    assert known(port.read(WEST)).enabled is True
    assert scheduled.delivers()


def test_unless_it_is_written_a_minutes_attempts_are_waited_for(scheduled: Site) -> None:
    port = scheduled.with_members(JOB)
    assert port.member(WEST).quiet_for == 65


def test_an_attempt_whose_time_cannot_be_read_is_not_taken_for_long_ago(scheduled: Site) -> None:
    turn(scheduled, False)
    scheduled.machine.jobs[JOB[WEST]]["lastAttemptTime"] = "just now"
    assert "which is no time" in known(scheduled.port().read(WEST)).still


def test_a_job_keeps_its_words(scheduled: Site) -> None:
    """An update that fails could leave it in a state in which it may not run: nothing is marked."""
    turn(scheduled, False)
    assert scheduled.machine.jobs[JOB[WEST]]["description"] == "Closes the books."
    assert [one.operation for one in scheduled.front.seen(mutating=True)] == ["projects.locations.jobs.pause"]


# ---- queues


@pytest.fixture
def queued(make: Callable[..., Site]) -> Site:
    return make("tasks-queue", enabled=False)


def test_a_queue_that_was_put_away_wakes_up(queued: Site) -> None:
    """For minutes it is not found; that is no last word, and has had no effect."""
    port = queued.port()
    seen = known(port.read(WEST))
    queued.machine.asleep = 1
    assert isinstance(port.read(WEST), Unknown)
    queued.machine.asleep = 1
    with pytest.raises(Transient, match="cannot be read"):
        port.enable(WEST, True, expect=seen, call=Calls().make())
    port.enable(WEST, True, expect=known(port.read(WEST)), call=Calls().make())
    assert queued.delivers()


def test_a_queue_that_is_not_found_between_the_look_and_the_order_takes_it_later(queued: Site) -> None:
    port = queued.port()
    seen = known(port.read(WEST))
    queued.front.outages.fail("notFound", 404, mutating=True, times=9)
    with pytest.raises(Transient, match="takes minutes to awake"):
        port.enable(WEST, True, expect=seen, call=Calls().make())
    assert known(port.read(WEST)).enabled is False


def test_a_queue_that_its_yaml_took_away_is_neither(queued: Site) -> None:
    queued.machine.queues[QUEUE[WEST]]["state"] = "DISABLED"
    read = queued.port().read(WEST)
    assert isinstance(read, Unknown)
    assert "queue.yaml" in read.reason


def test_tasks_that_came_while_it_was_off_are_dispatched_once_it_is_on(queued: Site) -> None:
    machine = queued.machine
    added = machine.add(QUEUE[WEST], machine.receiver.url)
    queued.wait(0.1)
    assert machine.waiting(QUEUE[WEST]) == 1
    turn(queued, True)
    for _ in range(200):
        if machine.receiver.heard(added):
            break
        queued.wait(0.1)
    assert machine.receiver.heard(added)
    known(watched(queued).read(WEST))
