"""What "supported" means for custom actions: begun once, and done when the site's own `observe` says so.

The harness counts what was really begun, on the site's side of the port. Its world is one in which nothing was done
yet, and in which what is begun comes to be done by itself.
"""

from __future__ import annotations

from typing import Protocol

from cloudfail.errors import Conflict, Halted, LeaseLost
from cloudfail.model.observation import Unknown
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.testing.conformance import REFUSALS, Calls, Harness, eventually, known, no_news, refused

RUN = "r1"
"""Whose `Calls.make` makes calls."""


class CustomHarness(Harness, Protocol):
    """`begun`: how often the site's own action has begun in the target region."""

    def begun(self) -> int: ...


class CustomSuite:
    """One custom action."""

    def read(self, world: CustomHarness) -> CustomState:
        state: CustomState = known(world.port().read(world.target, RUN))
        return state

    def begin(self, world: CustomHarness) -> CustomState:
        """Order it, and return what had been seen."""
        state = self.read(world)
        assert (state.word, state.under_way) == (CustomWord.TODO, "")
        world.port().invoke(world.target, expect=state, call=Calls().make())
        return state

    def done(self, world: CustomHarness) -> CustomState:
        seen: CustomState = eventually(world, lambda: world.port().read(world.target, RUN), _is_done)
        return seen

    def test_what_was_begun_comes_to_be_observed_as_done(self, world: CustomHarness) -> None:
        calls, state = Calls(), self.read(world)
        world.port().invoke(world.target, expect=state, call=calls.make())
        assert not self.done(world).under_way
        assert world.begun() == 1
        assert calls.checked >= 1, "it was begun without asking whether it still may be"

    def test_once_it_is_done_it_is_not_begun_again(self, world: CustomHarness) -> None:
        self.begin(world)
        seen = self.done(world)
        world.port().invoke(world.target, expect=seen, call=Calls().make())
        assert world.begun() == 1

    def test_ordered_again_on_what_was_seen_before_it_is_not_begun_again(self, world: CustomHarness) -> None:
        """Right after the first order, and once it is done: what was seen then is no longer so."""
        before = self.begin(world)
        no_news(lambda: world.port().invoke(world.target, expect=before, call=Calls().make()))
        self.done(world)
        no_news(lambda: world.port().invoke(world.target, expect=before, call=Calls().make()))
        assert world.begun() == 1

    def test_what_may_not_be_begun_is_not(self, world: CustomHarness) -> None:
        for error in (LeaseLost("Another worker took over."), Halted("bob asked to pause.")):
            state, calls = self.read(world), Calls()

            def order(state: CustomState = state, calls: Calls = calls, error: LeaseLost | Halted = error) -> None:
                world.port().invoke(world.target, expect=state, call=calls.make(raises=error))

            refused(order, type(error))
            world.wait(0.5)
            assert calls.checked >= 1
        assert world.begun() == 0
        assert self.read(world).word is CustomWord.TODO

    def test_where_it_is_fenced_by_mark_an_older_epoch_is_refused(self, world: CustomHarness) -> None:
        if world.fencing("run") != "mark":
            return
        world.port().invoke(world.target, expect=self.read(world), call=Calls().make(20))
        seen = self.done(world)
        stale = CustomState(CustomWord.TODO, version=seen.version, epoch=seen.epoch)
        no_news(lambda: world.port().invoke(world.target, expect=stale, call=Calls().make(19)))
        assert world.begun() == 1
        assert (seen.epoch or 0) >= 20

    def test_a_read_of_what_does_not_answer_is_unknown_and_raises_nothing(self, world: CustomHarness) -> None:
        world.make_unreachable(world.target)
        read = world.port().read(world.target, RUN)
        assert isinstance(read, Unknown), f"taken for known: {read}"
        assert read.reason
        world.restore(world.target)
        eventually(world, lambda: world.port().read(world.target, RUN), lambda _seen: True)

    def test_an_order_to_what_does_not_answer_raises_an_error_of_ours(self, world: CustomHarness) -> None:
        state = self.read(world)
        world.make_unreachable(world.target)
        refused(lambda: world.port().invoke(world.target, expect=state, call=Calls().make()), *REFUSALS)
        assert world.begun() == 0

    def test_what_is_not_as_it_was_seen_is_left_alone(self, world: CustomHarness) -> None:
        state = self.read(world)
        other = CustomState(state.word, state.detail, version=f"{state.version} of another time", epoch=state.epoch)
        refused(lambda: world.port().invoke(world.target, expect=other, call=Calls().make()), Conflict)
        assert world.begun() == 0


def _is_done(seen: CustomState) -> bool:
    return seen.word is CustomWord.DONE
