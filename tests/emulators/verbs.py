"""What holds of a verb, whatever is wrong between us and the cloud: it ends right, or unknown, and never wrong.

Wrong would be: success where nothing was done, "no effect" where there was one, a state that is not so, an order given
twice that is not the same the second time, or a world that cannot be brought to its end once the fault is gone.

A cloud's tests say how the world is made in which each verb is ordered (`Ordered`), and inherit `VerbSuite`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from tests.emulators.aws.outages import Fault
from tests.emulators.leaping import leaping

NO_EFFECT = (Transient, Permanent, Conflict)
LOOKS_MAX = 12
CALL_SECONDS = 20.0
BLACK_HOLE = "a black hole"


@dataclass
class Ordered:
    """A verb as a run uses it: look, order, look. One that takes a single effect.

    front: all of the cloud at one address (`outages`, `count`, `seen`, `forget`). read: what the port says.
    order(expect, call): the verb. wanted: whether what was read is as ordered. truth: the same, asked of the emulator
    or the state machine itself. sent: how many requests for the effect, and not for a mark beside it, reached the front
    since it forgot. requests: how many the verb sends that change something, marks included, where all goes well.
    follow: what the cloud does by itself after it, and the emulator leaves out. says_nothing: what a port may answer,
    beside Unknown, where it could not look. unavailable: the cloud's own code for a 503.
    """

    front: Any
    read: Callable[[], Known[Any] | Unknown]
    order: Callable[[Any, Call], None]
    wanted: Callable[[Any], bool]
    truth: Callable[[], bool]
    sent: Callable[[], int]
    requests: int = 1
    follow: Callable[[], None] = lambda: None
    says_nothing: Callable[[Any], bool] = lambda _state: False
    unavailable: str = "ServiceUnavailable"

    def begun(self) -> Ordered:
        """Once the world stands as it should before the verb."""
        assert not self.wanted(self.seen())
        assert not self.truth()
        self.front.forget()
        return self

    def seen(self) -> Any:
        state = self.read()
        assert isinstance(state, Known), state.reason
        return state.value

    def ordered(self, expect: Any, seconds: float = CALL_SECONDS) -> CloudfailError | None:
        """What came of it. Anything but an error of ours fails the test."""
        try:
            self.order(expect, Call("r1", "step", 10, "r1/step", seconds, lambda: None))
        except CloudfailError as error:
            assert isinstance(error, (*NO_EFFECT, OutcomeUnknown))
            return error
        return None

    def claims_nothing(self) -> bool:
        read = self.read()
        return isinstance(read, Unknown) or self.says_nothing(read.value)

    def completed(self) -> None:
        """With no fault left, looking and ordering bring it to its end."""
        errors = []
        for _ in range(LOOKS_MAX):
            self.follow()
            state = self.read()
            if isinstance(state, Known) and self.wanted(state.value):
                assert self.truth(), "it reads as ordered, and is not"
                return
            if isinstance(state, Known) and (error := self.ordered(state.value)) is not None:
                errors.append(error)
        raise AssertionError(f"it never came to its end: {errors}")

    def right_or_unknown(self, error: CloudfailError | None) -> None:
        """What was said of the order is so, once what follows by itself has followed."""
        self.follow()
        if error is None:
            assert self.truth(), "success was said, and it is not so"
        elif isinstance(error, NO_EFFECT):
            assert not self.truth(), f"no effect was said, and it had one: {error}"


NOTHING_IS_DONE: dict[str, Callable[[Ordered], Fault]] = {
    "every API says 503": lambda verb: verb.front.outages.fail(verb.unavailable, 503),
    "every API throttles": lambda verb: verb.front.outages.throttle(),
    "every connection is reset": lambda verb: verb.front.outages.refuse(),
    BLACK_HOLE: lambda verb: verb.front.outages.silence(),
}


def lose_an_answer(verb: Ordered, how: str, after: int) -> None:
    """The answer to the request that changes something with that number is lost, and it took effect."""
    expect = verb.seen()
    fault = verb.front.outages.lose(how, mutating=True, after=after, times=1)
    error = verb.ordered(expect)
    assert fault.hits == 1
    fault.lift()
    verb.right_or_unknown(error)
    before, done = verb.sent(), verb.truth()
    verb.completed()
    if done:
        assert verb.sent() == before, "it was as wanted, and was ordered again"


class VerbSuite:
    """Supply the fixture `verb`: an `Ordered` that has begun."""

    def test_without_a_fault_the_order_is_given_once_and_seen(self, verb: Ordered) -> None:
        assert verb.ordered(verb.seen()) is None
        assert verb.front.count(mutating=True) == verb.requests
        verb.follow()
        assert verb.truth()
        assert verb.wanted(verb.seen())
        once = verb.sent()
        assert once >= 1
        assert not isinstance(verb.ordered(verb.seen()), OutcomeUnknown)
        assert verb.sent() == once, "what is as wanted is not ordered again"

    @pytest.mark.parametrize("what", list(NOTHING_IS_DONE))
    def test_where_nothing_is_done_nothing_is_claimed(self, verb: Ordered, what: str) -> None:
        expect = verb.seen()
        fault = NOTHING_IS_DONE[what](verb)
        said: list[CloudfailError | None] = []

        def order() -> None:
            said.append(verb.ordered(expect, 5.0))

        if what == BLACK_HOLE:
            # Side by side: it costs each its whole bound.
            beside = threading.Thread(target=order, daemon=True)
            beside.start()
            assert verb.claims_nothing(), "a failed read is not taken for anything"
            beside.join(60)
        else:
            with leaping(then_seconds=60.0):
                order()
                assert verb.claims_nothing(), "a failed read is not taken for anything"
        assert said, "the verb did not come back"
        assert said[0] is not None, "nothing was done, and that is not success"
        fault.lift()
        assert not verb.truth()
        verb.completed()

    def test_success_that_nothing_follows_is_not_taken_for_done(self, verb: Ordered) -> None:
        """Each request that should change something is answered with success, and has no effect."""
        expect = verb.seen()
        fault = verb.front.outages.lie(mutating=True)
        verb.ordered(expect)
        assert fault.hits
        verb.follow()
        for _ in range(2):
            state = verb.read()
            assert isinstance(state, Unknown) or not verb.wanted(state.value), "the API's word completed it"
        fault.lift()
        assert not verb.truth()
        verb.completed()

    @pytest.mark.parametrize("how", ["closed", "busy"])
    def test_an_answer_that_was_lost_after_the_effect_is_in_doubt_and_looking_settles_it(
        self, verb: Ordered, how: str
    ) -> None:
        lose_an_answer(verb, how, verb.requests - 1)

    def test_a_stale_look_orders_nothing_anew(self, verb: Ordered) -> None:
        """A read may be as old as the settle time: what was ordered is not seen yet, and the same is ordered again."""
        expect = verb.seen()
        assert verb.ordered(expect) is None
        verb.follow()
        assert verb.truth()
        fault = verb.front.outages.stale(3600.0)
        verb.ordered(expect)
        fault.lift()
        verb.follow()
        assert verb.truth(), "the second order undid the first"
        verb.completed()

    def test_answers_that_break_off_are_not_taken_for_whole_ones(self, verb: Ordered) -> None:
        expect = verb.seen()
        fault = verb.front.outages.cut(mutating=False)
        assert verb.claims_nothing()
        error = verb.ordered(expect)
        fault.lift()
        verb.right_or_unknown(error)
        verb.completed()

    def test_an_answer_to_the_order_that_breaks_off_is_in_doubt_or_right(self, verb: Ordered) -> None:
        expect = verb.seen()
        fault = verb.front.outages.cut(mutating=True)
        error = verb.ordered(expect)
        fault.lift()
        verb.right_or_unknown(error)
        verb.completed()
