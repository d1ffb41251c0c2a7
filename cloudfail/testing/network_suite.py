"""What "supported" means for a path or an address that moves (`ports.Network`). Its harness is that of the other ports
(`conformance.Harness`); `make_unreachable` is given "" and cuts off what the path is described by.

At the beginning every part leads to the source, and what is led is asked for through it. A kind serves one verb of the
two: a provider's test class names it.

    class TestMyRoutes(NetworkSuite):
        verb = "route"
"""

from __future__ import annotations

from typing import Any

from cloudfail.errors import Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.testing.conformance import EFFECTS_MAX, Calls, Harness, VerbSuite, eventually, known, refused


class NetworkSuite(VerbSuite):
    """Lead a path to another region, or give an address there. A move may take several effects, each a call."""

    verb = "route"

    _target = ""

    def where(self, world: Harness) -> str:
        return ""

    def read(self, world: Harness) -> Known[Any] | Unknown:
        self._target = world.target  # a state does not say which members there are
        read: Known[Any] | Unknown = world.port().read()
        return read

    def value(self, state: Any) -> Any:
        return dict(state.points)

    def wanted(self, state: Any) -> Any:
        return dict.fromkeys(state.points, (self._target,))

    def change(self, world: Harness, wanted: Any, expect: Any, call: Call) -> None:
        """Call by call, each with what was seen before it, until the whole is as it is wanted."""
        for _ in range(EFFECTS_MAX):
            self.order(world, wanted, expect, call)
            expect = eventually(world, lambda: self.read(world), lambda seen: not seen.moving)
            if self.value(expect) == wanted:
                return
        raise AssertionError("the move has effects without end")

    def order(self, world: Harness, wanted: Any, expect: Any, call: Call) -> None:
        network = world.port()
        lead = network.route if self.verb == "route" else network.move_address
        lead(wanted, expect=expect, call=call)

    def test_every_part_says_where_it_leads(self, world: Harness) -> None:
        points = known(self.read(world)).points
        assert points
        assert set(points.values()) == {(world.source,)}

    def test_each_call_makes_one_effect(self, world: Harness) -> None:
        """One part is another than before, and that part alone."""
        state = known(self.read(world))
        self.order(world, self.wanted(state), state, Calls().make())
        seen = eventually(world, lambda: self.read(world), lambda now: bool(now.points != state.points))
        assert set(seen.points) == set(state.points)
        assert len([part for part in state.points if seen.points[part] != state.points[part]]) == 1

    def test_what_it_is_led_to_comes_to_answer_through_it_and_not_before(self, world: Harness) -> None:
        before = world.port().reach(world.target)
        assert isinstance(before, Unknown) or not before.value.answers, "it answers before anything leads there"
        state = known(self.read(world))
        self.change(world, self.wanted(state), state, Calls().make())
        eventually(world, lambda: world.port().reach(world.target), lambda seen: bool(seen.answers))

    def test_a_part_that_is_not_named_stays(self, world: Harness) -> None:
        state = known(self.read(world))
        self.order(world, {}, state, Calls().make())
        assert known(self.read(world)).points == state.points

    def test_the_verb_of_the_other_kind_is_refused_for_good(self, world: Harness) -> None:
        state, network = known(self.read(world)), world.port()
        other = network.move_address if self.verb == "route" else network.route
        refused(lambda: other(self.wanted(state), expect=state, call=Calls().make()), Permanent)
        assert known(self.read(world)).points == state.points
