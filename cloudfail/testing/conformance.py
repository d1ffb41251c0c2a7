"""What "supported" means: one suite per port, run against FakeCloud and against every provider on real servers.

A provider supplies a small harness and a fixture, and inherits the suites of the ports that it serves:

    class MyWorld:                                  # fulfils Harness
        source, target = "east", "west"
        def port(self): return MyDatabase(...)
        def make_unreachable(self, region): ...
        def restore(self, region): ...
        def wait(self, seconds): time.sleep(seconds)
        def fencing(self, verb): return KIND.verbs[verb].fencing

    class TestMyDatabase(DatabaseSuite):
        @pytest.fixture
        def world(self):
            yield MyWorld()

Each test takes a world of its own: the source is the primary and serves all traffic, the target is its replica in
sync, nothing is fenced or frozen. A test that changed the world does not put it back. Paths and addresses have their
suite in cloudfail.testing.network_suite, stores theirs in store_suite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from cloudfail.errors import (
    CloudfailError,
    Conflict,
    Halted,
    LeaseLost,
    OutcomeUnknown,
    Permanent,
    Transient,
)
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, FenceOutcome, Progress, Role
from cloudfail.ports import Call

T = TypeVar("T")
# Every change must show within this time; what is slower on purpose (a rebuild) has a harness that waits longer.
POLLS = 60
EFFECTS_MAX = 20
REFUSALS = (Transient, Permanent, Conflict, OutcomeUnknown)


class Harness(Protocol):
    """One world per test. `port()` may be called often; it returns the port under test. For DNS and load balancers,
    `make_unreachable` is given "" and cuts off the server itself."""

    source: str
    target: str

    def port(self) -> Any: ...

    def make_unreachable(self, region: str) -> None:
        """From here on nothing in `region` answers us."""

    def restore(self, region: str) -> None:
        """It answers again."""

    def wait(self, seconds: float) -> None:
        """Let that time pass, on whichever clock the world has."""

    def fencing(self, verb: str) -> str:
        """How the verb is fenced: condition, mark or watching (ports.VerbFacts)."""


class Calls:
    """Makes `Call`s and counts how often they were checked."""

    def __init__(self) -> None:
        self.checked = 0

    def make(self, epoch: int = 10, *, raises: CloudfailError | None = None, key: str = "r1/step") -> Call:
        def check() -> None:
            self.checked += 1
            if raises is not None:
                raise raises

        return Call(run="r1", step="step", epoch=epoch, key=key, timeout_seconds=30.0, check=check)


def known(read: Known[T] | Unknown) -> T:
    assert isinstance(read, Known), read.reason
    return read.value


def eventually(world: Harness, read: Callable[[], Known[T] | Unknown], holds: Callable[[T], bool]) -> T:
    """What `read` says once `holds`."""
    last: Known[T] | Unknown = Unknown("never read")
    for _ in range(POLLS):
        last = read()
        if isinstance(last, Known) and holds(last.value):
            return last.value
        world.wait(0.5)
    raise AssertionError(f"it never came to be so; last seen: {last}")


def refused(call: Callable[[], None], *errors: type[CloudfailError]) -> None:
    """`call` raises one of `errors`, and nothing that is no error of ours."""
    try:
        call()
    except errors:
        return
    raise AssertionError(f"it was not refused with {' or '.join(error.__name__ for error in errors)}")


def no_news(call: Callable[[], None]) -> None:
    """A call that was seen to be needed and no longer is: refused with Conflict, or, the world being as it wants it,
    without an effect (which the test looks at next)."""
    try:
        call()
    except Conflict:
        return


class VerbSuite:
    """What holds for every verb that sets one value. A port's suite says how to read it, and how to change it."""

    verb = ""

    def where(self, world: Harness) -> str:
        """The region that is made unreachable."""
        return world.target

    def read(self, world: Harness) -> Known[Any] | Unknown:
        raise NotImplementedError

    def value(self, state: Any) -> Any:
        """Of what was read: what the verb sets."""
        raise NotImplementedError

    def change(self, world: Harness, wanted: Any, expect: Any, call: Call) -> None:
        raise NotImplementedError

    def wanted(self, state: Any) -> Any:
        """A value that differs from the one seen."""
        raise NotImplementedError

    def test_after_success_the_read_shows_it(self, world: Harness) -> None:
        state, calls = known(self.read(world)), Calls()
        wanted = self.wanted(state)
        self.change(world, wanted, state, calls.make())
        eventually(world, lambda: self.read(world), lambda seen: bool(self.value(seen) == wanted))
        assert calls.checked >= 1, "a change was made without asking whether it still may be"

    def test_it_can_be_set_back(self, world: Harness) -> None:
        state, calls = known(self.read(world)), Calls()
        before, wanted = self.value(state), self.wanted(state)
        self.change(world, wanted, state, calls.make())
        seen = eventually(world, lambda: self.read(world), lambda seen: bool(self.value(seen) == wanted))
        self.change(world, before, seen, calls.make(11))
        eventually(world, lambda: self.read(world), lambda seen: bool(self.value(seen) == before))

    def test_called_again_with_the_world_as_it_wants_it_changes_nothing(self, world: Harness) -> None:
        state, calls = known(self.read(world)), Calls()
        wanted = self.wanted(state)
        self.change(world, wanted, state, calls.make())
        seen = eventually(world, lambda: self.read(world), lambda seen: bool(self.value(seen) == wanted))
        self.change(world, wanted, seen, calls.make())
        assert self.value(known(self.read(world))) == wanted

    def test_a_world_that_is_not_as_it_was_seen_is_left_alone(self, world: Harness) -> None:
        """`expect` is stale: Conflict, and no effect."""
        stale, calls = known(self.read(world)), Calls()
        wanted = self.wanted(stale)
        self.change(world, wanted, stale, calls.make())
        seen = eventually(world, lambda: self.read(world), lambda seen: bool(self.value(seen) == wanted))
        other = self.value(stale)
        refused(lambda: self.change(world, other, stale, calls.make(12)), Conflict)
        assert self.value(known(self.read(world))) == self.value(seen)

    def test_a_call_that_may_not_be_made_has_no_effect(self, world: Harness) -> None:
        for error in (LeaseLost("Another worker took over."), Halted("bob asked to pause.")):
            state, calls = known(self.read(world)), Calls()

            def change(state: Any = state, calls: Calls = calls, error: CloudfailError = error) -> None:
                self.change(world, self.wanted(state), state, calls.make(raises=error))

            refused(change, type(error))
            world.wait(0.5)
            assert self.value(known(self.read(world))) == self.value(state)
            assert calls.checked >= 1

    def test_where_it_is_fenced_by_mark_an_older_epoch_is_refused(self, world: Harness) -> None:
        if world.fencing(self.verb) != "mark":
            return
        state, calls = known(self.read(world)), Calls()
        before, wanted = self.value(state), self.wanted(state)
        self.change(world, wanted, state, calls.make(20))
        seen = eventually(world, lambda: self.read(world), lambda seen: bool(self.value(seen) == wanted))
        refused(lambda: self.change(world, before, seen, calls.make(19)), Conflict)
        assert self.value(known(self.read(world))) == wanted

    def test_a_read_of_what_does_not_answer_is_unknown_and_raises_nothing(self, world: Harness) -> None:
        world.make_unreachable(self.where(world))
        read = self.read(world)
        assert isinstance(read, Unknown), f"taken for known: {read}"
        assert read.reason
        world.restore(self.where(world))
        eventually(world, lambda: self.read(world), lambda _seen: True)

    def test_a_verb_on_what_does_not_answer_raises_an_error_of_ours(self, world: Harness) -> None:
        state, calls = known(self.read(world)), Calls()
        world.make_unreachable(self.where(world))
        refused(lambda: self.change(world, self.wanted(state), state, calls.make()), *REFUSALS)


class ChangeSuite(VerbSuite):
    """Hold deploys, and let them go."""

    verb = "freeze"

    def read(self, world: Harness) -> Known[Any] | Unknown:
        read: Known[Any] | Unknown = world.port().read(world.target)
        return read

    def value(self, state: Any) -> Any:
        return state.frozen

    def wanted(self, state: Any) -> Any:
        return not state.frozen

    def change(self, world: Harness, wanted: Any, expect: Any, call: Call) -> None:
        world.port().freeze(world.target, wanted, expect=expect, call=call)


class ConsumersSuite(VerbSuite):
    """Start and stop consumers."""

    verb = "enable"

    def read(self, world: Harness) -> Known[Any] | Unknown:
        read: Known[Any] | Unknown = world.port().read(world.target)
        return read

    def value(self, state: Any) -> Any:
        return state.enabled

    def wanted(self, state: Any) -> Any:
        return not state.enabled

    def change(self, world: Harness, wanted: Any, expect: Any, call: Call) -> None:
        world.port().enable(world.target, wanted, expect=expect, call=call)


class ComputeSuite(VerbSuite):
    """Scale a group of workers."""

    verb = "scale"

    def read(self, world: Harness) -> Known[Any] | Unknown:
        read: Known[Any] | Unknown = world.port().read(world.target)
        return read

    def value(self, state: Any) -> Any:
        return state.wanted

    def wanted(self, state: Any) -> Any:
        return state.wanted + 2

    def change(self, world: Harness, wanted: Any, expect: Any, call: Call) -> None:
        world.port().scale(world.target, wanted, expect=expect, call=call)

    def test_what_is_wanted_comes_to_run_and_then_to_be_healthy(self, world: Harness) -> None:
        state = known(self.read(world))
        self.change(world, state.wanted + 1, state, Calls().make())
        seen = eventually(world, lambda: self.read(world), lambda seen: bool(seen.healthy >= state.wanted + 1))
        assert seen.running >= seen.healthy

    def test_scale_in_is_held_and_let_go(self, world: Harness) -> None:
        for held in (True, False):
            state = known(self.read(world))
            world.port().hold(world.target, held, expect=state, call=Calls().make())
            eventually(world, lambda: self.read(world), lambda seen, held=held: seen.scale_in_held is held)  # type: ignore[misc]

    def test_a_hold_that_may_not_be_made_has_no_effect(self, world: Harness) -> None:
        state = known(self.read(world))
        call = Calls().make(raises=LeaseLost("Another worker took over."))
        refused(lambda: world.port().hold(world.target, True, expect=state, call=call), LeaseLost)
        assert not known(self.read(world)).scale_in_held


class TrafficSuite(VerbSuite):
    """What DNS names and load balancers share. The answer set is never empty (invariant I5)."""

    verb = "shift"

    def where(self, world: Harness) -> str:
        return ""

    def read(self, world: Harness) -> Known[Any] | Unknown:
        read: Known[Any] | Unknown = world.port().read()
        return read

    def value(self, state: Any) -> Any:
        return {region for region, weight in state.weights.items() if weight}

    def wanted(self, state: Any) -> Any:
        serving = self.value(state)
        return {next(region for region in state.weights if region not in serving)}

    def change(self, world: Harness, wanted: Any, expect: Any, call: Call) -> None:
        weights = {region: 100 if region in wanted else 0 for region in expect.weights}
        world.port().shift(weights, expect=expect, call=call)

    def test_every_region_has_its_weight_also_where_it_is_zero(self, world: Harness) -> None:
        assert {world.source, world.target} <= set(known(self.read(world)).weights)

    def test_an_empty_answer_set_is_refused_for_good(self, world: Harness) -> None:
        state, calls = known(self.read(world)), Calls()
        refused(lambda: self.change(world, set(), state, calls.make()), Permanent)
        assert self.value(known(self.read(world))) == self.value(state)
        refused(lambda: world.port().shift({}, expect=state, call=calls.make()), Permanent)
        assert self.value(known(self.read(world))) == self.value(state)


class DnsSuite(TrafficSuite):
    """A name whose answers choose the region."""

    def test_the_answers_are_those_of_the_regions_that_serve(self, world: Harness) -> None:
        dns, state = world.port(), known(self.read(world))
        assert set(state.answers) == set(dns.answers(state.weights))
        assert set(dns.answers({world.source: 100, world.target: 0})).isdisjoint(
            dns.answers({world.source: 0, world.target: 100})
        )

    def test_outside_resolvers_come_to_give_the_new_answer(self, world: Harness) -> None:
        dns, state = world.port(), known(self.read(world))
        wanted = self.wanted(state)
        self.change(world, wanted, state, Calls().make())
        answers = set(dns.answers({region: 100 if region in wanted else 0 for region in state.weights}))
        resolved = eventually(
            world, dns.resolve, lambda resolved: all(set(given) == answers for given in resolved.values())
        )
        assert resolved, "nobody was asked"


class LoadBalancerSuite(TrafficSuite):
    """A balancer that spreads requests over regions."""

    def test_a_region_that_serves_is_counted_healthy(self, world: Harness) -> None:
        eventually(world, lambda: self.read(world), lambda seen: bool(seen.healthy.get(world.source, 0) >= 1))


class DatabaseSuite:
    """One database with a member in each region, exactly one of which takes writes."""

    def state(self, world: Harness, region: str) -> DatabaseState:
        read: Known[DatabaseState] | Unknown = world.port().read(region)
        return known(read)

    def writers(self, world: Harness) -> set[str]:
        reads = {region: world.port().read(region) for region in (world.source, world.target)}
        return {region for region, read in reads.items() if isinstance(read, Known) and read.value.writable}

    def fence(self, world: Harness, epoch: int = 10) -> FenceOutcome:
        """Apply its methods one by one, until a write is seen to be refused."""
        database = world.port()
        for _ in range(EFFECTS_MAX):
            state = known(database.fence_state(world.source, world.target))
            if state.outcome in {FenceOutcome.PROVEN, FenceOutcome.PREVENTED} or not state.methods_left:
                return FenceOutcome(state.outcome)
            database.fence(world.source, world.target, expect=state, call=Calls().make(epoch))
            world.wait(0.5)
        raise AssertionError("the fence has methods without end")

    # ---- reads

    def test_the_source_takes_writes_and_the_target_follows_it(self, world: Harness) -> None:
        source, target = self.state(world, world.source), self.state(world, world.target)
        assert (source.role, source.writable) == (Role.PRIMARY, True)
        assert (target.role, target.writable) == (Role.REPLICA, False)
        assert target.upstream == world.source
        assert source.version != target.version or source.role is not target.role

    def test_reads_of_a_region_that_does_not_answer_are_unknown_and_raise_nothing(self, world: Harness) -> None:
        world.make_unreachable(world.source)
        database = world.port()
        assert isinstance(database.read(world.source), Unknown)
        assert isinstance(database.beat(world.source), Unknown)
        assert isinstance(database.read_canary(world.source, "r1/write"), Unknown)
        assert isinstance(database.switchover_state(world.source, world.target), Unknown)
        follow = database.follow_state(world.source, world.target)
        assert isinstance(follow, Unknown) or not follow.value.done
        assert known(database.read(world.target)).role is Role.REPLICA, "the other side has nothing to do with it"
        assert database.loss(world.source, world.target, Unknown("nobody saw one")).if_dead_seconds in {None, 0.0}

    def test_a_fence_on_what_does_not_answer_is_never_proven(self, world: Harness) -> None:
        world.make_unreachable(world.source)
        read = world.port().fence_state(world.source, world.target)
        if isinstance(read, Known):
            assert read.value.outcome in {FenceOutcome.OWED, FenceOutcome.PREVENTED}
            assert read.value.evidence

    def test_a_heartbeat_that_was_acknowledged_bounds_the_loss(self, world: Harness) -> None:
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

    # ---- fence

    def test_a_fence_is_proven_by_writes_that_were_refused(self, world: Harness) -> None:
        assert self.fence(world) is FenceOutcome.PROVEN
        state = known(world.port().fence_state(world.source, world.target))
        assert state.evidence, "which writes were refused, and from where"
        assert not self.writers(world)
        refused(lambda: world.port().write_canary(world.source, "r1/late", call=Calls().make()), *REFUSALS)

    def test_fencing_what_is_fenced_changes_nothing(self, world: Harness) -> None:
        self.fence(world)
        assert self.fence(world, epoch=11) is FenceOutcome.PROVEN
        assert not self.writers(world)

    def test_a_fence_is_lifted_again(self, world: Harness) -> None:
        self.fence(world)
        state = known(world.port().fence_state(world.source, world.target))
        world.port().unfence(world.source, expect=state, call=Calls().make(11))
        eventually(world, lambda: world.port().read(world.source), lambda seen: seen.writable)
        assert known(world.port().fence_state(world.source, world.target)).outcome is FenceOutcome.NONE

    def test_a_fence_that_may_not_be_made_has_no_effect(self, world: Harness) -> None:
        state = known(world.port().fence_state(world.source, world.target))
        call = Calls().make(raises=LeaseLost("Another worker took over."))
        refused(lambda: world.port().fence(world.source, world.target, expect=state, call=call), LeaseLost)
        assert self.writers(world) == {world.source}

    def test_an_older_epoch_does_not_lift_what_a_newer_one_fenced(self, world: Harness) -> None:
        if world.fencing("fence") != "mark":
            return
        self.fence(world, epoch=20)
        state = known(world.port().fence_state(world.source, world.target))
        refused(lambda: world.port().unfence(world.source, expect=state, call=Calls().make(19)), Conflict)
        assert not self.writers(world)

    def test_an_older_epoch_does_not_fence_what_a_newer_one_let_go(self, world: Harness) -> None:
        if world.fencing("fence") != "mark":
            return
        self.fence(world, epoch=10)
        state = known(world.port().fence_state(world.source, world.target))
        world.port().unfence(world.source, expect=state, call=Calls().make(20))
        free = eventually(
            world,
            lambda: world.port().fence_state(world.source, world.target),
            lambda seen: seen.outcome is FenceOutcome.NONE,
        )
        call = Calls().make(19)
        refused(lambda: world.port().fence(world.source, world.target, expect=free, call=call), Conflict)
        assert self.writers(world) == {world.source}

    # ---- promote

    def promote(self, world: Harness, state: DatabaseState, calls: Calls) -> DatabaseState:
        world.port().failover(world.source, world.target, expect=state, call=calls.make())
        return self.promoted(world, calls, 10)

    def promoted(self, world: Harness, calls: Calls, epoch: int) -> DatabaseState:
        """The target once it takes writes. What is a primary, takes none and does not move by itself wants another
        order, as the machine would give it: where a fence on the source was replicated, say, to let clients in."""
        orders = 0
        for _ in range(POLLS):
            read = world.port().read(world.target)
            if isinstance(read, Known) and read.value.writable:
                taken: DatabaseState = read.value
                return taken
            if isinstance(read, Known) and read.value.role is Role.PRIMARY and not read.value.moving:
                orders += 1
                assert orders <= EFFECTS_MAX, read
                state, call = read.value, calls.make(epoch)
                no_news(lambda state=state, call=call: self.order(world, state, call))  # type: ignore[misc]
            world.wait(0.5)
        raise AssertionError(f"it never took writes; last seen: {read}")

    @staticmethod
    def order(world: Harness, state: DatabaseState, call: Call) -> None:
        world.port().failover(world.source, world.target, expect=state, call=call)

    def test_a_promotion_makes_the_target_the_writer(self, world: Harness) -> None:
        self.fence(world)
        calls, state = Calls(), self.state(world, world.target)
        seen = self.promote(world, state, calls)
        assert seen.role is Role.PRIMARY
        assert seen.timeline > state.timeline or seen.timeline == 0
        assert calls.checked >= 1
        assert self.writers(world) == {world.target}

    def test_a_promotion_is_ordered_once(self, world: Harness) -> None:
        """The second call has what the first saw: it has no effect, while the first is under way and after."""
        self.fence(world)
        stale = self.state(world, world.target)
        world.port().failover(world.source, world.target, expect=stale, call=Calls().make())
        no_news(lambda: world.port().failover(world.source, world.target, expect=stale, call=Calls().make(11)))
        seen = self.promoted(world, Calls(), 11)
        no_news(lambda: world.port().failover(world.source, world.target, expect=stale, call=Calls().make(12)))
        assert self.state(world, world.target).timeline == seen.timeline

    def test_a_promotion_that_may_not_be_made_has_no_effect(self, world: Harness) -> None:
        state = self.state(world, world.target)
        call = Calls().make(raises=Halted("bob asked to abort."))
        refused(lambda: world.port().failover(world.source, world.target, expect=state, call=call), Halted)
        world.wait(1.0)
        assert self.state(world, world.target).role is Role.REPLICA

    # ---- canary

    def test_a_canary_is_written_once_and_read_back(self, world: Harness) -> None:
        database = world.port()
        assert known(database.read_canary(world.source, "r1/write")) is None
        for epoch in (10, 11):
            database.write_canary(world.source, "r1/write", call=Calls().make(epoch))
            proof = known(database.read_canary(world.source, "r1/write"))
            assert proof is not None
            assert (proof.token, proof.region) == ("r1/write", world.source)
        assert known(database.read_canary(world.source, "r2/write")) is None

    def test_a_canary_is_refused_where_no_writes_are_taken(self, world: Harness) -> None:
        refused(lambda: world.port().write_canary(world.target, "r1/write", call=Calls().make()), *REFUSALS)

    # ---- switchover and follow: several effects, each from what the world shows

    def carry_on(
        self, world: Harness, epoch: int, read: Callable[[], Any], order: Callable[[Progress, Call], None]
    ) -> list[str]:
        done: list[str] = []
        for _ in range(POLLS):
            state = read()
            if isinstance(state, Known) and state.value.done:
                return done
            if isinstance(state, Known) and state.value.next is not None:
                done.append(state.value.next)
                assert len(done) <= EFFECTS_MAX, done
                order(state.value, Calls().make(epoch))
            assert len(self.writers(world)) <= 1
            world.wait(0.5)
        raise AssertionError(f"it never ended; it ordered {done}")

    def move(self, world: Harness) -> list[str]:
        database = world.port()
        return self.carry_on(
            world,
            10,
            lambda: database.switchover_state(world.source, world.target),
            lambda seen, call: database.switchover(world.source, world.target, expect=seen, call=call),
        )

    def test_a_switchover_moves_the_writer_and_never_has_two(self, world: Harness) -> None:
        self.fence(world)
        assert self.move(world)
        assert self.writers(world) == {world.target}

    def test_a_switchover_that_was_seen_elsewhere_is_left_alone(self, world: Harness) -> None:
        self.fence(world)
        database = world.port()
        stale = known(database.switchover_state(world.source, world.target))
        assert stale.next is not None
        self.move(world)
        before = self.state(world, world.target).timeline
        no_news(lambda: database.switchover(world.source, world.target, expect=stale, call=Calls().make(30)))
        assert self.writers(world) == {world.target}
        assert self.state(world, world.target).timeline == before

    def test_the_old_side_comes_to_follow_the_new_one(self, world: Harness) -> None:
        self.fence(world)
        self.move(world)
        database = world.port()
        self.carry_on(
            world,
            11,
            lambda: database.follow_state(world.source, world.target),
            lambda seen, call: database.follow(world.source, world.target, expect=seen, call=call),
        )
        state = self.state(world, world.source)
        assert (state.role, state.upstream, state.writable) == (Role.REPLICA, world.target, False)
        assert self.writers(world) == {world.target}
