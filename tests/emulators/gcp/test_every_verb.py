"""Every verb of every kind, under every fault between us and Google: it ends right, or unknown, and never wrong.

Wrong would be: success where nothing was done, "no effect" where there was one, a state that is not so, an order given
twice that is not the same the second time, or a world that cannot be brought to its end once the fault is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName
from cloudfail.ports import Call
from cloudfail_gcp import provider
from tests.emulators.gcp.front import Fault, Front, GoogleOutages
from tests.emulators.gcp.ordered import VERBS, Key, Ordered, Serve

pytestmark = pytest.mark.timeout(600)
NO_EFFECT = (Transient, Permanent, Conflict)
LOOKS_MAX = 12
CALL_SECONDS = 20.0

# What is shown beside real servers, and where: (kind, verb) -> the test.
BESIDE_SERVERS: dict[tuple[str, str], str] = {}

NOTHING_IS_DONE: dict[str, Callable[[GoogleOutages], Fault]] = {
    "every API says 503": lambda outages: outages.fail("backendError", 503),
    "every API throttles": lambda outages: outages.throttle(),
    "every connection is reset": lambda outages: outages.refuse(),
    "a black hole": lambda outages: outages.silence(),
}


def words(key: Key) -> str:
    return f"{key[1]}.{key[2]}, {key[3]}"


@pytest.fixture(params=list(VERBS), ids=words)
def verb(request: pytest.FixtureRequest, google: Front, serving: Serve) -> Ordered:
    return made(request.param, google, serving)


def made(key: Key, google: Front, serving: Serve) -> Ordered:
    one = VERBS[key].make(google, serving)
    state = one.read()
    assert isinstance(state, Known), state.reason
    assert not one.wanted(state.value)
    assert not one.truth()
    google.forget()
    return one


def call(seconds: float = CALL_SECONDS) -> Call:
    return Call("r1", "step", 10, "r1/step", seconds, lambda: None)


def seen(verb: Ordered) -> object:
    state = verb.read()
    assert isinstance(state, Known), state.reason
    return state.value


def ordered(verb: Ordered, expect: object, seconds: float = CALL_SECONDS) -> CloudfailError | None:
    """What came of it. Anything but an error of ours fails the test."""
    try:
        verb.order(expect, call(seconds))
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


@pytest.mark.parametrize("key", list(VERBS), ids=words)
def test_without_a_fault_the_order_is_given_once_and_seen(key: Key, google: Front, serving: Serve) -> None:
    verb = made(key, google, serving)
    assert ordered(verb, seen(verb)) is None
    assert google.count(mutating=True) == VERBS[key].requests
    verb.follow()
    assert verb.truth()
    assert verb.wanted(seen(verb))
    once = verb.sent()
    assert once >= 1
    assert not isinstance(ordered(verb, seen(verb)), OutcomeUnknown)
    assert verb.sent() == once, "what is as wanted is not ordered again"


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
    assert isinstance(read, Unknown) or verb.says_nothing(read.value), "a failed read is not taken for anything"
    assert said, "the verb did not come back"
    assert said[0] is not None, "nothing was done, and that is not success"
    assert isinstance(said[0], (*NO_EFFECT, OutcomeUnknown))
    fault.lift()
    assert not verb.truth()
    completed(verb)


def test_success_that_nothing_follows_is_not_taken_for_done(verb: Ordered) -> None:
    """Each request that should change something is answered with success, and has no effect."""
    expect = seen(verb)
    fault = verb.front.outages.lie(mutating=True)
    error = ordered(verb, expect)
    assert fault.hits
    assert error is None or isinstance(error, (*NO_EFFECT, OutcomeUnknown))
    verb.follow()
    for _ in range(2):
        state = verb.read()
        assert isinstance(state, Unknown) or not verb.wanted(state.value), "the API's word completed it"
    fault.lift()
    assert not verb.truth()
    completed(verb)


def _lost_answers() -> list[tuple[Key, int, str]]:
    """Each request's answer is lost once, the last one's in two ways."""
    closed = [(key, after, "closed") for key, row in VERBS.items() for after in range(row.requests)]
    return closed + [(key, row.requests - 1, "busy") for key, row in VERBS.items()]


@pytest.mark.parametrize(
    ("key", "after", "how"), _lost_answers(), ids=lambda value: words(value) if isinstance(value, tuple) else str(value)
)
def test_an_answer_that_was_lost_after_the_effect_is_in_doubt_and_looking_settles_it(
    key: Key, after: int, how: str, google: Front, serving: Serve
) -> None:
    verb = made(key, google, serving)
    expect = seen(verb)
    fault = google.outages.lose(how, mutating=True, after=after, times=1)
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


def test_a_stale_look_orders_nothing_anew(verb: Ordered) -> None:
    """A read may be as old as the settle time: what was ordered is not seen yet, and the same is ordered again."""
    expect = seen(verb)
    assert ordered(verb, expect) is None
    verb.follow()
    assert verb.truth()
    fault = verb.front.outages.stale(3600.0)
    error = ordered(verb, expect)
    assert error is None or isinstance(error, (*NO_EFFECT, OutcomeUnknown))
    fault.lift()
    assert verb.truth(), "the second order undid the first"
    completed(verb)


def test_answers_that_break_off_are_not_taken_for_whole_ones(verb: Ordered) -> None:
    expect = seen(verb)
    fault = verb.front.outages.cut(mutating=False)
    read = verb.read()
    assert isinstance(read, Unknown) or verb.says_nothing(read.value)
    error = ordered(verb, expect)
    fault.lift()
    verb.follow()
    assert verb.truth() is (error is None) or isinstance(error, OutcomeUnknown)
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


def test_every_verb_of_every_kind_has_its_row() -> None:
    """Or a test beside real servers that is named."""
    there = {
        (port, kind.name, verb)
        for (port, _), kind in provider.kinds().items()
        if port is not PortName.CHANGE
        for verb in kind.verbs
    }
    rows = {(port, kind, verb) for port, kind, verb, _ in VERBS}
    assert rows <= there
    missing = {(kind, verb) for _, kind, verb in there - rows}
    assert missing == set(BESIDE_SERVERS)
