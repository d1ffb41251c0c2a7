"""What "supported" means for a database with many writers by design. `conformance.DatabaseSuite` is for those with one.

class TestMyTable(ManyWritersSuite):
    @pytest.fixture
    def world(self):
        yield MyWorld()                         # fulfils conformance.Harness
"""

from __future__ import annotations

from functools import partial

from cloudfail.errors import LeaseLost, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, FenceState, Progress, Role
from cloudfail.testing.conformance import POLLS, REFUSALS, Calls, Harness, eventually, known, refused


class ManyWritersSuite:
    """A database every member of which takes writes by design (`ports.Kind.many_writers`). A world begins with both
    regions well. There is nothing to promote: a write proves all that there is to prove."""

    def test_each_region_takes_writes(self, world: Harness) -> None:
        for region in (world.source, world.target):
            state = eventually(world, partial(world.port().read, region), lambda seen: bool(seen.writable))
            assert (state.role, state.upstream) == (Role.PRIMARY, None)

    def test_reads_of_a_region_that_does_not_answer_are_unknown_and_raise_nothing(self, world: Harness) -> None:
        world.make_unreachable(world.source)
        database = world.port()
        assert isinstance(database.read(world.source), Unknown)
        assert isinstance(database.beat(world.source), Unknown)
        assert isinstance(database.read_canary(world.source, "r1/write"), Unknown)
        assert known(database.read(world.target)).writable, "the other side has nothing to do with it"
        assert database.loss(world.source, world.target, Unknown("nobody saw one")).if_dead_seconds in {None, 0.0}
        world.restore(world.source)
        eventually(world, partial(database.read, world.source), lambda seen: bool(seen.writable))

    def test_there_is_nothing_to_fence_or_to_move_and_the_reads_say_why(self, world: Harness) -> None:
        database = world.port()
        for read in (
            database.fence_state(world.source, world.target),
            database.switchover_state(world.source, world.target),
            database.follow_state(world.source, world.target),
        ):
            assert isinstance(read, Unknown), f"taken for known: {read}"
            assert read.reason

    def test_a_verb_that_would_fence_or_move_is_refused_for_good_and_changes_nothing(self, world: Harness) -> None:
        database, calls = world.port(), Calls()
        source, target = world.source, world.target
        state, fence, progress = known(database.read(target)), FenceState(FenceOutcome.NONE), Progress("move")
        for verb in (
            lambda: database.fence(source, target, expect=fence, call=calls.make()),
            lambda: database.unfence(source, expect=fence, call=calls.make()),
            lambda: database.failover(source, target, expect=state, call=calls.make()),
            lambda: database.switchover(source, target, expect=progress, call=calls.make()),
            lambda: database.follow(source, target, expect=progress, call=calls.make()),
        ):
            refused(verb, Permanent)
        assert calls.checked == 0, "a request that changes something was about to be sent"
        for region in (source, target):
            eventually(world, partial(database.read, region), lambda seen: bool(seen.writable))

    def test_a_heartbeat_that_was_acknowledged_says_how_far_the_other_region_is_behind(self, world: Harness) -> None:
        database = world.port()
        beat = eventually(world, lambda: database.beat(world.source), lambda _at: True)
        for _ in range(POLLS):
            bound = database.loss(world.source, world.target, Known(beat, beat))
            if bound.if_dead_seconds is not None and bound.if_dead_seconds <= 0.001:
                break
            world.wait(0.5)
        assert bound.if_dead_seconds is not None, bound
        assert bound.if_dead_seconds <= 0.001, bound
        assert bound.if_alive_seconds is None or bound.if_alive_seconds >= bound.if_dead_seconds

    def test_a_canary_is_written_once_in_each_region_and_read_back_there(self, world: Harness) -> None:
        database = world.port()
        for region, epochs in ((world.target, (10, 11)), (world.source, (12, 13))):
            assert known(database.read_canary(region, "r1/write")) is None, "written elsewhere proves nothing here"
            for epoch in epochs:
                database.write_canary(region, "r1/write", call=Calls().make(epoch))
                proof = eventually(world, partial(database.read_canary, region, "r1/write"), bool)
                assert (proof.token, proof.region) == ("r1/write", region)
            assert known(database.read_canary(region, "r2/write")) is None

    def test_a_canary_that_may_not_be_written_has_no_effect(self, world: Harness) -> None:
        database = world.port()
        call = Calls().make(raises=LeaseLost("Another worker took over."))
        refused(lambda: database.write_canary(world.target, "r1/write", call=call), LeaseLost)
        world.wait(0.5)
        assert known(database.read_canary(world.target, "r1/write")) is None

    def test_a_canary_in_a_region_that_does_not_answer_raises_an_error_of_ours(self, world: Harness) -> None:
        world.make_unreachable(world.target)
        refused(lambda: world.port().write_canary(world.target, "r1/write", call=Calls().make()), *REFUSALS)
