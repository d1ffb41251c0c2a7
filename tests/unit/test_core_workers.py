"""How many workers a region ran: the most of 24 hours, worked out from the log alone."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudfail.app import App
from cloudfail.execution.workers import FORMER_MAX, WINDOW_SECONDS, most, noted
from cloudfail.stores.memory import MemoryStore
from tests.kit import load_local

HOUR = 3600.0


def seen(*counts: tuple[float, int]) -> dict[str, Any]:
    """The samples after `web` in `east` was counted at those hours."""
    samples: dict[str, Any] = {}
    for hour, count in counts:
        samples = noted(samples, {"web": {"east": count}}, hour * HOUR)
    return samples


def recorded(*counts: tuple[float, int]) -> int:
    return most(seen(*counts))["web"]["east"]


def test_the_most_of_a_day_counts_and_not_the_last_look() -> None:
    assert recorded((0, 4)) == 4
    assert recorded((0, 4), (1, 10), (2, 3)) == 10
    assert recorded((0, 4), (1, 10), (20, 3), (21, 5)) == 10


def test_a_count_is_forgotten_a_day_after_it_ended_and_not_after_it_began() -> None:
    assert recorded((0, 10), (30, 3)) == 10
    assert recorded((0, 10), (30, 3), (53, 3)) == 10
    assert recorded((0, 10), (30, 3), (55, 3)) == 3


def test_what_is_known_of_a_region_that_is_gone_does_not_get_less_by_waiting() -> None:
    samples = seen((0, 10), (1, 3))
    later = noted(samples, {"web": {"west": 2}}, 1000 * HOUR)
    assert most(later)["web"] == {"east": 10, "west": 2}


def test_what_did_not_change_is_not_noted_anew() -> None:
    samples = seen((0, 10), (1, 3))
    assert noted(samples, {"web": {"east": 3}}, 2 * HOUR) == samples


def test_a_log_of_before_says_what_it_said() -> None:
    assert most({"workers": {"web": {"east": 4}}}) == {"web": {"east": 4}}
    assert noted({"workers": {"web": {"east": 4}}}, {}, 0.0) == {"workers": {"web": {"east": 4}}}


def test_a_clock_that_was_set_back_keeps_nothing_for_longer_than_a_day() -> None:
    assert recorded((1000, 10), (1000, 3), (0, 3), (23, 3)) == 10
    assert recorded((1000, 10), (1000, 3), (0, 3), (25, 3)) == 3


looks = st.lists(st.tuples(st.floats(0, 5 * HOUR), st.integers(0, 30)), min_size=1, max_size=60)


@given(looks)
def test_it_is_what_a_plain_search_of_the_day_finds(steps: list[tuple[float, int]]) -> None:
    samples: dict[str, Any] = {}
    at, history = 0.0, []
    for pause, count in steps:
        at += pause
        history.append((at, count))
        samples = noted(samples, {"web": {"east": count}}, at)
    # Each count holds until the next look.
    ends = [*(when for when, _ in history[1:]), float("inf")]
    inside = [count for (_, count), end in zip(history, ends, strict=True) if end > at - WINDOW_SECONDS]
    assert most(samples)["web"]["east"] == max(inside)
    former = samples.get("workers_before", {}).get("web", {}).get("east", [])
    assert len(former) <= FORMER_MAX
    assert [count for _, count in former] == sorted({count for _, count in former}, reverse=True)


def test_a_watcher_notes_a_lower_count_and_plans_with_the_higher() -> None:
    app = App(load_local(), MemoryStore(), "alice")
    app.record({"web": {"east": 9}})
    app.record({"web": {"east": 2}})
    entries = app.log().seq
    app.record({"web": {"east": 2}})
    assert app.log().seq == entries
    assert app.recorded() == {"web": {"east": 9}}
