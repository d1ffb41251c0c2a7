"""Every verb on Compute Engine, under every fault between us and Google: it ends right, or unknown, and never wrong.

Wrong would be: success where nothing was done, "no effect" where there was one, a state that is not so, an order given
twice that is not the same the second time, or a world that cannot be brought to its end once the fault is gone.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from tests.emulators.gcp import test_backend_service, test_instance_group
from tests.emulators.gcp.balancing import EAST, WEST
from tests.emulators.gcp.front import Fault, Front, GoogleOutages
from tests.emulators.gcp.standins.instance_groups import InstanceGroups

pytestmark = pytest.mark.timeout(600)
NO_EFFECT = (Transient, Permanent, Conflict)
LOOKS_MAX = 12
CALL_SECONDS = 15.0


@dataclass
class Ordered:
    """read: what the port says. order(expect, call): the verb. wanted: whether what was read is as ordered. truth: the
    same, asked of the stand-in. effect: the operation whose one request is the effect."""

    front: Front
    machine: InstanceGroups
    read: Callable[[], Known[Any] | Unknown]
    order: Callable[[Any, Call], None]
    wanted: Callable[[Any], bool]
    truth: Callable[[], bool]
    effect: str

    def sent(self) -> int:
        return self.front.count(operation=self.effect)

    def follow(self) -> None:
        """Every operation comes to its end."""
        for _ in range(400):
            self.machine.settle()
            if not self.machine._pending:
                return
            time.sleep(0.02)
        raise AssertionError("an operation never ended")


def _shift(front: Front, machine: InstanceGroups) -> Ordered:
    site = test_backend_service.Site(front, machine)
    port = site.port()
    east, west = test_backend_service.EAST_GROUP, test_backend_service.WEST_GROUP
    return Ordered(
        front,
        machine,
        port.read,
        lambda seen, call: port.shift({EAST: 0, WEST: 100}, expect=seen, call=call),
        lambda state: bool(state.weights[WEST] and not state.weights[EAST]),
        lambda: (site.scalers()[east], site.scalers()[west]) == (0.0, 1.0),
        test_backend_service.PATCH,
    )


def _scaling(front: Front, machine: InstanceGroups, site: Any, truth: Callable[[], bool], effect: str) -> Ordered:
    port = site.port()
    return Ordered(
        front,
        machine,
        lambda: port.read(WEST),
        lambda seen, call: port.scale(WEST, 3, expect=seen, call=call),
        lambda state: bool(state.wanted == 3),
        truth,
        effect,
    )


def _scale(front: Front, machine: InstanceGroups) -> Ordered:
    site = test_instance_group.Site(front, machine)
    return _scaling(front, machine, site, lambda: site.scaler()[0] == 3, test_instance_group.PATCH)


def _resize(front: Front, machine: InstanceGroups) -> Ordered:
    site = test_instance_group.Site(front, machine, policy={})
    return _scaling(front, machine, site, lambda: site.size() == 3, "regionInstanceGroupManagers.resize")


def _hold(front: Front, machine: InstanceGroups) -> Ordered:
    site = test_instance_group.Site(front, machine)
    port = site.port()
    return Ordered(
        front,
        machine,
        lambda: port.read(WEST),
        lambda seen, call: port.hold(WEST, True, expect=seen, call=call),
        lambda state: bool(state.scale_in_held),
        lambda: site.scaler()[2] == "ONLY_SCALE_OUT",
        test_instance_group.PATCH,
    )


VERBS: dict[str, Callable[[Front, InstanceGroups], Ordered]] = {
    "backend-service.shift": _shift,
    "instance-group.scale": _scale,
    "instance-group.scale by hand": _resize,
    "instance-group.hold": _hold,
}
NOTHING_IS_DONE: dict[str, Callable[[GoogleOutages], Fault]] = {
    "Google says 503": lambda outages: outages.fail("backendError", 503),
    "Google throttles": lambda outages: outages.throttle(),
    "every connection is reset": lambda outages: outages.refuse(),
    "a black hole": lambda outages: outages.silence(),
}


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> Iterator[InstanceGroups]:
    with contextlib.closing(InstanceGroups()) as made:
        yield serving("compute.v1", made)


@pytest.fixture(params=list(VERBS))
def verb(request: pytest.FixtureRequest, google: Front, machine: InstanceGroups) -> Ordered:
    one = VERBS[request.param](google, machine)
    state = one.read()
    assert isinstance(state, Known), state.reason
    assert not one.wanted(state.value)
    assert not one.truth()
    google.forget()
    return one


def seen(verb: Ordered) -> object:
    state = verb.read()
    assert isinstance(state, Known), state.reason
    return state.value


def ordered(verb: Ordered, expect: object, seconds: float = CALL_SECONDS) -> CloudfailError | None:
    """What came of it. Anything but an error of ours fails the test."""
    try:
        verb.order(expect, Call("r1", "step", 10, "r1/step", seconds, lambda: None))
    except CloudfailError as error:
        return error
    return None


def completed(verb: Ordered) -> None:
    """With no fault left, looking and ordering bring it to its end."""
    errors = []
    for _ in range(LOOKS_MAX):
        verb.follow()
        state = verb.read()
        if isinstance(state, Known) and verb.wanted(state.value):
            assert verb.truth(), "it reads as ordered, and is not"
            return
        if isinstance(state, Known) and (error := ordered(verb, state.value)) is not None:
            errors.append(error)
    raise AssertionError(f"it never came to its end: {errors}")


def test_without_a_fault_the_order_is_given_once_and_seen(verb: Ordered) -> None:
    assert ordered(verb, seen(verb)) is None
    assert verb.front.count(mutating=True) == 1
    verb.follow()
    assert verb.truth()
    assert verb.wanted(seen(verb))
    assert verb.sent() == 1
    assert not isinstance(ordered(verb, seen(verb)), OutcomeUnknown)
    assert verb.sent() == 1, "what is as wanted is not ordered again"


@pytest.mark.parametrize("what", list(NOTHING_IS_DONE))
def test_where_nothing_is_done_nothing_is_claimed(verb: Ordered, what: str) -> None:
    expect = seen(verb)
    fault = NOTHING_IS_DONE[what](verb.front.outages)
    said: list[CloudfailError | None] = []
    # Side by side: a black hole costs each its whole bound.
    beside = threading.Thread(target=lambda: said.append(ordered(verb, expect, 5.0)), daemon=True)
    beside.start()
    read = verb.read()
    beside.join(60)
    assert isinstance(read, Unknown), "a failed read is not taken for anything"
    assert said, "the verb did not come back"
    assert isinstance(said[0], NO_EFFECT), "nothing was done, and nothing was sent that could have been"
    fault.lift()
    assert not verb.truth()
    completed(verb)


def test_success_that_nothing_follows_is_not_taken_for_done(verb: Ordered) -> None:
    expect = seen(verb)
    fault = verb.front.outages.lie(mutating=True)
    assert ordered(verb, expect) is None, "Google said that it is done"
    assert fault.hits == 1
    for _ in range(2):
        assert not verb.wanted(seen(verb)), "the API's word completed it"
    fault.lift()
    assert not verb.truth()
    completed(verb)


@pytest.mark.parametrize("how", ["closed", "busy", "silent"])
def test_an_answer_that_was_lost_after_the_effect_is_in_doubt_and_looking_settles_it(verb: Ordered, how: str) -> None:
    expect = seen(verb)
    fault = verb.front.outages.lose(how, mutating=True, times=1)
    error = ordered(verb, expect)
    assert fault.hits == 1
    fault.lift()
    verb.follow()
    done = verb.truth()
    if error is None:
        assert done, "success was said, and it is not so"
    elif isinstance(error, NO_EFFECT):
        assert not done, f"no effect was said, and it had one: {error}"
    before = verb.sent()
    completed(verb)
    if done:
        assert verb.sent() == before, "it was as wanted, and was ordered again"


def test_a_stale_look_orders_nothing_that_is_not_the_same(verb: Ordered) -> None:
    expect = seen(verb)
    assert ordered(verb, expect) is None
    verb.follow()
    assert verb.truth()
    fault = verb.front.outages.stale(3600.0)
    error = ordered(verb, expect)
    assert error is None or isinstance(error, (*NO_EFFECT, OutcomeUnknown))
    fault.lift()
    verb.follow()
    assert verb.truth(), "the second order undid the first"
    completed(verb)


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(verb: Ordered) -> None:
    expect = seen(verb)
    fault = verb.front.outages.cut(mutating=False)
    assert isinstance(verb.read(), Unknown)
    assert isinstance(ordered(verb, expect), NO_EFFECT)
    fault.lift()
    assert not verb.truth()
    completed(verb)


def test_an_answer_to_the_order_that_breaks_off_is_in_doubt_or_right(verb: Ordered) -> None:
    expect = seen(verb)
    fault = verb.front.outages.cut(mutating=True)
    error = ordered(verb, expect)
    fault.lift()
    verb.follow()
    if error is None:
        assert verb.truth()
    elif isinstance(error, NO_EFFECT):
        assert not verb.truth()
    completed(verb)
