"""The RTO as one bar, and the graph under it."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, TOPOLOGY, changed, load

from cloudfail.actions.catalog import ACTIONS
from cloudfail.lint import bar, estimate, graph, lint
from cloudfail.model.plan import Estimate

GRAPHS = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=4, unique=True).map(tuple), max_size=8
).map(lambda needs: {step: tuple(need for need in wanted if need in needs) for step, wanted in needs.items()})


def test_the_example_adds_up_as_the_documentation_says(tmp_path: Path) -> None:
    parts = estimate(load(tmp_path, TOPOLOGY, EVACUATE), "evacuate")
    assert parts.detection == 3 * 10 + 5
    assert parts.hold_down == 120
    assert parts.path_limit == 11 * 60 + 10
    assert parts.ttl == 60
    assert parts.gate_limit == 600
    assert parts.critical_path == ("freeze", "scale", "traffic", "users", "unfreeze")
    assert parts.path_expected == 1 + 90 + 20 + 20 + 1
    assert parts.by_limits == 35 + 120 + 670 + 60 <= 900


def test_the_bar_is_one_line_as_wide_as_the_rto() -> None:
    parts = Estimate(30, 120, 160, 670, 60, 600)
    assert bar(parts, 900) == (
        "detect 30s + hold-down 2m + path 2m 40s (by limits 11m 10s) + TTL 1m: 6m 10s expected, "
        "14m 40s by limits, of 15m; gates up to 10m more  [dhhhhhhppppppptt························]"
    )


def test_what_exceeds_the_rto_stands_outside_of_the_bar() -> None:
    assert bar(Estimate(30, 120, 160, 670, 60, 0), 300).endswith("ppppppppp]!!!!!!!!!")
    assert bar(Estimate(0, 0, 10_000_000, 10_000_000, 0, 0), 300).endswith("p]!!!!!!!!!!")
    assert bar(Estimate(0, 0, 0, 0, 0, 0), 300).endswith(f"[{'·' * 40}]")


def test_a_step_never_counts_for_more_than_its_limit(tmp_path: Path) -> None:
    runbook = changed(
        EVACUATE,
        (
            'like: "recorded ${from}"},   needs: [freeze],  limit: 4m',
            'like: "recorded ${from}"}, needs: [freeze], limit: 30s',
        ),
    )
    parts = estimate(load(tmp_path, TOPOLOGY, runbook), "evacuate")
    assert parts.critical_path == ("freeze", "fence", "approve", "promote", "write", "traffic", "users", "unfreeze")
    assert parts.path_expected == 1 + 5 + 60 + 2 + 20 + 20 + 1


def test_a_step_that_ends_before_its_names_ttl_is_told(tmp_path: Path) -> None:
    """Simulated, it halted eight moves of nine half-way: resolvers kept the old answer for longer than it waited."""

    def said(limit: str) -> list[str]:
        loaded = load(tmp_path, TOPOLOGY, changed(EVACUATE, ("limit: 2m", f"limit: {limit}")))
        return [str(found) for found in lint(loaded, ACTIONS) if found.rule == "ttl"]

    assert said("2m") == []
    (told,) = said("30s")
    assert "traffic ends after 30s, and resolvers keep the old answer for 1m" in told
    assert "write limit: 2m, or a shorter ttl" in told


def test_a_name_that_is_not_switched_costs_no_ttl(tmp_path: Path) -> None:
    topology = changed(
        TOPOLOGY, ("checks:\n", "  api: {dns: route53, zone: Z, name: api.shop.example, ttl: 1h}\nchecks:\n")
    )
    assert estimate(load(tmp_path, topology, EVACUATE), "evacuate").ttl == 60


@given(GRAPHS)
def test_an_order_holds_all_steps_unless_there_is_a_cycle(needs: dict[str, tuple[str, ...]]) -> None:
    ordered, cycle = graph.in_order(needs), graph.cycle(needs)
    for index, step in enumerate(ordered):
        assert set(needs[step]) <= set(ordered[:index])
    assert (len(ordered) == len(needs)) is (cycle == [])
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(then in needs[step] for step, then in itertools.pairwise(cycle))


@given(GRAPHS)
def test_before_is_what_any_path_of_needs_reaches(needs: dict[str, tuple[str, ...]]) -> None:
    before = graph.before(needs)
    for step, wanted in needs.items():
        assert before[step] == set(wanted) | {far for need in wanted for far in before[need]}


@given(GRAPHS, st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 9)))
def test_the_longest_path_is_a_path_and_none_is_longer(
    needs: dict[str, tuple[str, ...]], weights: dict[str, int]
) -> None:
    if graph.cycle(needs):
        return
    seconds, way = graph.longest(needs, lambda step: float(weights.get(step, 0)))
    assert seconds == sum(weights.get(step, 0) for step in way)
    assert all(step in needs[then] for step, then in itertools.pairwise(way))

    def heaviest(step: str) -> int:
        return weights.get(step, 0) + max((heaviest(need) for need in needs[step]), default=0)

    assert seconds == max((heaviest(step) for step in needs), default=0)


@pytest.mark.parametrize("steps", [200])
def test_a_long_row_of_steps_is_no_recursion(steps: int) -> None:
    needs = {str(index): (str(index - 1),) if index else () for index in range(steps)}
    assert graph.longest(needs, lambda _: 1.0)[0] == steps
    assert len(graph.before(needs)[str(steps - 1)]) == steps - 1
