"""The log of a resource that several applications write: who may claim when, and what its entries say."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail.clock import SystemClock
from cloudfail.config.fields import NAME_PATTERN
from cloudfail.entrypoints.cli import app
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, StoreUnavailable, Transient
from cloudfail.journal import Journal
from cloudfail.model.journal import Entry, Kind
from cloudfail.ports import Call, Store, StoredEntry
from cloudfail.report.audit import held_as_text
from cloudfail.resource_log import Held, ResourceLogs, Writer, log_of
from cloudfail.stores import open_store
from cloudfail.stores.memory import MemoryStore
from cloudfail.stores.object_names import name_of
from cloudfail.testing.clock import VirtualClock

RESOURCE = "aws/elasticloadbalancing/" + "x" * 300
CALL, SETTLE = 10.0, 2.0
LAPSE = CALL * 1.25 + CALL + SETTLE
SHOP, BILLING = Writer("shop", "r1", "edge", 5, "w1"), Writer("billing", "r7", "www", 9, "w2")


class Desk:
    """One store and one clock, and any number of processes that know nothing of each other."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store: Store = MemoryStore()
        self.said: list[str] = []
        self.asked: list[str] = []

    def process(self) -> ResourceLogs:
        return ResourceLogs(self.store, self.clock)

    @contextlib.contextmanager
    def claimed(self, logs: ResourceLogs, writer: Writer, *names: str, leading_since: float = 0.0) -> Iterator[Call]:
        call = Call(
            writer.run, writer.step, writer.epoch, "key", CALL, lambda: self.asked.append(writer.application),
            self.said.append,
        )  # fmt: skip
        with logs.claimed(
            names or (RESOURCE,), writer, call=call, ends=self.clock.boot() + CALL,
            leading_since=leading_since or self.clock.boot(), settle_seconds=SETTLE, still=lambda: None,
        ) as own:  # fmt: skip
            yield own

    def dies_holding(self, writer: Writer, *names: str) -> None:
        with contextlib.suppress(KeyboardInterrupt), self.claimed(self.process(), writer, *names) as call:
            call.check()
            raise KeyboardInterrupt

    def seconds_until_claimed(self, logs: ResourceLogs, writer: Writer, **how: Any) -> float:
        began = self.clock.boot()
        for _ in range(100):
            with contextlib.suppress(Held), self.claimed(logs, writer, **how):
                return self.clock.boot() - began
        raise AssertionError("never")

    def entries(self, resource: str = RESOURCE) -> list[Entry]:
        return Journal(self.store, log_of(resource), self.clock, "reader").refresh()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_its_name_is_short_valid_everywhere_and_no_application_s() -> None:
    name = log_of(RESOURCE)
    assert len(name) < 64
    assert len(name_of("a/prefix", name, 1)) < 128
    assert not re.fullmatch(NAME_PATTERN, name)
    assert name != log_of(RESOURCE + "x")


def test_without_names_nothing_is_claimed_and_the_call_is_the_same(desk: Desk) -> None:
    call = Call("r1", "edge", 5, "key", CALL, lambda: None)
    with desk.process().claimed(
        (), SHOP, call=call, ends=0.0, leading_since=0.0, settle_seconds=0.0, still=lambda: None
    ) as own:  # fmt: skip
        assert own is call
    assert desk.entries() == []


def test_the_entries_say_who_and_for_how_long(desk: Desk) -> None:
    with desk.claimed(desk.process(), SHOP) as call:
        call.check()
        assert desk.process().last(RESOURCE)[0].writer == SHOP
    claim, release = desk.entries()
    who = {"resource": RESOURCE, "application": "shop", "run": "r1", "step": "edge", "application_epoch": 5}
    assert claim.data == {**who, "lease_seconds": CALL, "settle_seconds": SETTLE, "quiet_seconds": CALL + SETTLE}
    assert release.data == {**who, "settle_seconds": SETTLE, "quiet_seconds": SETTLE}
    assert (claim.kind, claim.epoch, claim.by) == (Kind.CLAIM, 1, "w1")
    assert (release.kind, release.epoch) == (Kind.RELEASE, 1)


def test_whoever_waits_is_told_for_whom_and_tries_again_with_no_attempt_lost(desk: Desk) -> None:
    logs = desk.process()
    with desk.claimed(desk.process(), SHOP):
        began = desk.clock.boot()
        with pytest.raises(Held, match=r"waits for application shop: run r1 \(edge\) writes aws/"), desk.claimed(
            logs, BILLING
        ):  # fmt: skip
            raise AssertionError
        assert desk.clock.boot() - began == pytest.approx(CALL / 2, abs=0.3)
    assert isinstance(Held("x"), Transient)
    with desk.claimed(logs, BILLING) as call:
        assert call.timeout_seconds == CALL


def test_what_waiting_took_is_not_the_call_s(desk: Desk) -> None:
    with desk.claimed(desk.process(), SHOP) as call:
        call.check()
    with desk.claimed(desk.process(), BILLING) as call:
        assert call.timeout_seconds == pytest.approx(CALL - SETTLE, abs=0.3)


@pytest.mark.parametrize(
    ("raised", "made", "waits"),
    [
        (None, False, 0.0),
        (None, True, SETTLE),
        (Transient("429"), True, SETTLE),
        (Permanent("no"), True, SETTLE),
        (Conflict("not as seen"), False, 0.0),
        (OutcomeUnknown("no answer"), True, CALL + SETTLE),
        (LeaseLost("too late"), True, CALL + SETTLE),
        (LeaseLost("too late"), False, 0.0),
        (ValueError("a mistake of ours"), True, CALL + SETTLE),
    ],
)
def test_how_long_others_wait_after_a_release_is_what_may_still_land_or_be_read(
    desk: Desk, raised: Exception | None, made: bool, waits: float
) -> None:
    suppress = contextlib.suppress(type(raised)) if raised is not None else contextlib.nullcontext()
    with suppress, desk.claimed(desk.process(), SHOP) as call:
        if made:
            call.check()
        if raised is not None:
            raise raised
    assert desk.entries()[-1].data["quiet_seconds"] == waits
    assert desk.seconds_until_claimed(desk.process(), BILLING) == pytest.approx(waits, abs=0.3)


def test_who_died_holding_it_is_taken_over_after_the_lapse_and_not_before(desk: Desk) -> None:
    desk.dies_holding(SHOP)
    desk.clock.sleep(3600.0)
    # Whoever comes new has seen nothing yet: it counts from its own first look.
    assert desk.seconds_until_claimed(desk.process(), BILLING) == pytest.approx(LAPSE, abs=0.3)


def test_a_silence_is_counted_over_turns_of_one_process(desk: Desk) -> None:
    desk.dies_holding(SHOP)
    logs = desk.process()
    with contextlib.suppress(Held), desk.claimed(logs, BILLING):
        raise AssertionError
    desk.clock.sleep(LAPSE)
    assert desk.seconds_until_claimed(logs, BILLING) == 0.0


def test_an_effect_that_is_tried_again_waits_only_until_it_can_be_read_and_the_others_wait_on(desk: Desk) -> None:
    with contextlib.suppress(OutcomeUnknown), desk.claimed(desk.process(), SHOP) as call:
        call.check()
        raise OutcomeUnknown("no answer")
    other = desk.process()
    other.last(RESOURCE)
    began = desk.clock.boot()
    assert desk.seconds_until_claimed(desk.process(), SHOP) == pytest.approx(SETTLE, abs=0.3)
    assert desk.entries()[-1].data["quiet_seconds"] == pytest.approx(CALL, abs=0.3), "what is left of the first"
    desk.seconds_until_claimed(other, BILLING)
    assert desk.clock.boot() - began >= CALL + SETTLE


def test_what_undoes_it_waits_as_others_do(desk: Desk) -> None:
    with contextlib.suppress(OutcomeUnknown), desk.claimed(desk.process(), SHOP) as call:
        call.check()
        raise OutcomeUnknown("no answer")
    undo = Writer("shop", "r1", "undo edge", 5, "w1")
    assert desk.seconds_until_claimed(desk.process(), undo) == pytest.approx(CALL + SETTLE, abs=0.3)


def test_a_newer_worker_of_the_same_application_need_not_wait_again(desk: Desk) -> None:
    """It leads since long enough ago: every call of the old one is over."""
    desk.dies_holding(SHOP)
    newer = Writer("shop", "r1", "edge", 6, "w9")
    since = desk.clock.boot()
    desk.clock.sleep(CALL + SETTLE)
    assert desk.seconds_until_claimed(desk.process(), newer, leading_since=since) == 0.0


def test_but_it_waits_out_the_old_one_s_last_call(desk: Desk) -> None:
    desk.dies_holding(SHOP)
    newer = Writer("shop", "r1", "edge", 6, "w9")
    since = desk.clock.boot()
    waited = desk.seconds_until_claimed(desk.process(), newer, leading_since=since)
    assert waited == pytest.approx(CALL + SETTLE, abs=0.3)


def test_the_same_worker_s_own_parallel_step_waits_its_turn(desk: Desk) -> None:
    logs = desk.process()
    with desk.claimed(logs, SHOP), pytest.raises(Held, match="waits for another step: run r1"), desk.claimed(
        logs, Writer("shop", "r1", "other", 5, "w1")
    ):  # fmt: skip
        raise AssertionError


def test_several_are_claimed_in_one_order_and_all_are_given_back(desk: Desk) -> None:
    with desk.claimed(desk.process(), SHOP, "c", "a", "b", "a") as call:
        at = [desk.entries(name)[0].at for name in "abc"]
        assert at == sorted(at)
        call.check()
        with pytest.raises(Held), desk.claimed(desk.process(), BILLING, "b", "0"):
            raise AssertionError
        assert [entry.kind for entry in desk.entries("0")] == [Kind.CLAIM, Kind.RELEASE], "what it held meanwhile"
    assert [[entry.kind for entry in desk.entries(name)] for name in "abc"] == [[Kind.CLAIM, Kind.RELEASE]] * 3


def test_a_request_is_let_through_only_while_the_claim_stands(desk: Desk) -> None:
    with pytest.raises(LeaseLost, match="taken over"), desk.claimed(desk.process(), SHOP) as call:
        call.check()
        journal = Journal(desk.store, log_of(RESOURCE), desk.clock, "somebody")
        journal.refresh()
        journal.append(Kind.CLAIM, desk.entries()[0].data, epoch=2)
        call.check()
    assert desk.asked == ["shop"], "of the application's own lease it is asked last, and not at all where this fails"
    assert "had been taken over by another" in desk.said[0]
    assert len(desk.entries()) == 2, "nobody gives back what another holds"


@pytest.mark.parametrize("seconds", [600.0, -600.0])
def test_a_wall_clock_that_jumps_loses_the_claim(desk: Desk, seconds: float) -> None:
    with pytest.raises(LeaseLost, match="run out"), desk.claimed(desk.process(), SHOP) as call:
        desk.clock.jump_wall(seconds)
        call.check()


def test_a_machine_that_slept_loses_the_claim(desk: Desk) -> None:
    with pytest.raises(LeaseLost, match="run out"), desk.claimed(desk.process(), SHOP) as call:
        desk.clock.suspend(CALL + 0.1)
        call.check()


def test_a_log_that_is_not_what_was_written_stops_the_step_with_the_reason(desk: Desk) -> None:
    Journal(desk.store, log_of(RESOURCE), desk.clock, "mallory").append(Kind.CLAIM, {"lease_seconds": 1.0}, epoch=1)
    with pytest.raises(Permanent, match=r"The log of aws/.* is none that cloudfail wrote"), desk.claimed(
        desk.process(), SHOP
    ):  # fmt: skip
        raise AssertionError


class Flaky(MemoryStore):
    """Appends that fail: by their numbers, before they landed or after."""

    def __init__(self, *failing: int, landed: bool = False) -> None:
        super().__init__()
        self.failing, self.landed, self.silent = set(failing), landed, False

    def read(self, log: str, after: int) -> list[StoredEntry]:
        if self.silent:
            raise StoreUnavailable("The connection was reset.")
        return super().read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if seq not in self.failing:
            return super().append(log, seq, body)
        self.failing.discard(seq)
        if self.landed:
            super().append(log, seq, body)
        self.silent = True
        raise StoreUnavailable("The connection was reset.")


@pytest.mark.parametrize("landed", [False, True])
def test_a_store_that_goes_away_while_it_is_claimed_lets_no_call_through(desk: Desk, landed: bool) -> None:
    desk.store = store = Flaky(1, landed=landed)
    with pytest.raises(StoreUnavailable), desk.claimed(desk.process(), SHOP):
        raise AssertionError
    store.silent = False
    assert desk.seconds_until_claimed(desk.process(), BILLING) <= LAPSE + 0.3


@pytest.mark.parametrize("landed", [False, True])
def test_a_store_that_goes_away_before_it_is_given_back_leaves_it_to_lapse(desk: Desk, landed: bool) -> None:
    desk.store = store = Flaky(2, landed=landed)
    with desk.claimed(desk.process(), SHOP) as call:
        call.check()
    assert "left to lapse" in desk.said[0]
    store.silent = False
    waited = desk.seconds_until_claimed(desk.process(), BILLING)
    assert waited == pytest.approx(SETTLE if landed else LAPSE, abs=0.3)


# ---- what people are told of it


def test_who_held_it_and_who_holds_it_is_told(desk: Desk) -> None:
    with desk.claimed(desk.process(), SHOP) as call:
        call.check()
        desk.clock.sleep(1.5)
    assert desk.entries()[-1].kind is Kind.RELEASE
    told = held_as_text("edge", RESOURCE, desk.entries()).splitlines()
    assert told[0] == f"edge: {RESOURCE}"
    assert told[1].endswith("shop, run r1, edge (w1)  held for 1.5 s; others wait 2 s after it")
    desk.dies_holding(Writer("shop", "r1", "edge", 5, "w1"))
    desk.seconds_until_claimed(desk.process(), BILLING)
    desk.dies_holding(BILLING)
    told = held_as_text("edge", RESOURCE, desk.entries()).splitlines()
    assert told[1].endswith("others waited 2 s more")
    assert told[2].endswith("never gave it back: taken over")
    assert told[3].endswith("billing, run r7, www (w2)  held for 0.0 s")
    assert told[4].endswith(f"holds it, or died: another takes over {LAPSE:.0f} s after it began to wait")


def test_what_was_never_held_says_so_and_a_long_log_is_cut(desk: Desk) -> None:
    assert held_as_text("edge", RESOURCE, []).splitlines()[1] == "  never held"
    for _ in range(25):
        with desk.claimed(desk.process(), SHOP):
            pass
    told = held_as_text("edge", RESOURCE, desk.entries()).splitlines()
    assert (told[1], len(told)) == ("  5 earlier turns", 22)


def test_the_command_reads_the_log_out_of_the_store(tmp_path: Path) -> None:
    state = f"sqlite:{tmp_path}/state.db"
    listener = "arn:aws:elasticloadbalancing:us-west-2:111111111111:listener/app/web/0123456789abcdef/0123456789abcdef"
    (tmp_path / "cloudfail.yaml").write_text(
        f"application: shop\nobjectives: {{rto: 15m, rpo: 30s}}\n"
        "regions: {us-east-1: {provider: aws}, us-west-2: {provider: aws}}\nprimary: us-east-1\n"
        f"state: '{state}'\nresources:\n"
        f"  edge: {{loadbalancer: alb, listener: '{listener}', members: {{us-east-1: e, us-west-2: w}}}}\n"
        "  web: {compute: autoscaling, members: {us-east-1: web-e, us-west-2: web-w}}\n"
    )
    words = ["-c", str(tmp_path / "cloudfail.yaml")]
    assert "never held" in CliRunner().invoke(app, ["audit", "held", *words]).output
    clock = SystemClock()
    call = Call("r7", "www", 9, "key", CALL, lambda: None)
    with ResourceLogs(open_store(state), clock).claimed(
        (f"aws/elasticloadbalancing/{listener}",), BILLING, call=call, ends=clock.boot() + CALL,
        leading_since=0.0, settle_seconds=0.0, still=lambda: None,
    ):  # fmt: skip
        told = CliRunner().invoke(app, ["audit", "held", "edge", *words]).output
    assert "billing, run r7, www (w2)  holds it" in told
    assert "no log of its own" in CliRunner().invoke(app, ["audit", "held", "web", *words]).output
    assert CliRunner().invoke(app, ["audit", "held", "wbe", *words]).exit_code != 0
