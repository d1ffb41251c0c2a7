"""What some seeds can say of all of them. The tails are held against sums of whole fractions."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from cloudfail.testing.simulation.confidence import DOUBT, at_least, at_most, between, kept, seeds_to_tell


def exactly(counts: range, judged: int, share: Fraction) -> float:
    return float(sum(math.comb(judged, k) * share**k * (1 - share) ** (judged - k) for k in counts))


@pytest.mark.parametrize("judged", [1, 2, 7, 50, 201])
@pytest.mark.parametrize("share", [Fraction(1, 20), Fraction(1, 3), Fraction(1, 2), Fraction(9, 10)])
def test_the_tails_are_those_of_the_binomial(judged: int, share: Fraction) -> None:
    for missed in {0, 1, judged // 3, judged // 2, judged - 1, judged}:
        more = exactly(range(missed, judged + 1), judged, share)
        fewer = exactly(range(missed + 1), judged, share)
        assert at_least(missed, judged, float(share)) == pytest.approx(more, rel=1e-9, abs=1e-15)
        assert at_most(missed, judged, float(share)) == pytest.approx(fewer, rel=1e-9, abs=1e-15)


def test_a_million_seeds_are_no_harder() -> None:
    assert at_most(49_000, 1_000_000, 0.05) < 1e-5
    assert at_least(49_000, 1_000_000, 0.05) == pytest.approx(1.0, abs=1e-5)
    assert at_least(50_000, 1_000_000, 0.05) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("missed", "judged", "answer"),
    [(0, 58, None), (0, 59, True), (2, 50, None), (5, 50, None), (6, 50, False), (32, 271, False),
     (2, 273, True), (1, 1, None), (2, 3, False)],
)  # fmt: skip
def test_an_answer_is_given_where_chance_would_hardly_do_as_much(missed: int, judged: int, answer: bool | None) -> None:
    assert kept(missed, judged, 0.05) is answer


@pytest.mark.parametrize(("missed", "judged"), [(0, 1), (1, 1), (0, 50), (2, 50), (25, 50), (50, 50), (32, 271)])
def test_the_answer_and_the_interval_say_the_same(missed: int, judged: int) -> None:
    low, high = between(missed, judged)
    assert 0.0 <= low <= missed / judged <= high <= 1.0
    for line in (0.01, 0.05, 0.1, 0.3, 0.7, 0.99):
        answer = {(True, False): True, (False, True): False}.get((high < line, low > line))
        assert kept(missed, judged, line) is answer


def test_an_answer_is_seldom_wrong() -> None:
    """With a share just on the wrong side of the line, a yes (or a no) comes in about as few trials as promised."""
    draw = random.Random(7)
    for share, wrong in ((0.0501, True), (0.0499, False)):
        said = [kept(sum(draw.random() < share for _ in range(120)), 120, 0.05) for _ in range(1500)]
        assert said.count(wrong) / len(said) <= DOUBT * 1.3
        assert said.count(None) / len(said) > 0.8


def test_how_many_would_tell_is_more_than_were_played_and_then_they_do() -> None:
    seeds = seeds_to_tell(2, 50, 75, 0.05)
    assert seeds is not None and seeds > 75
    judged = round(seeds * 50 / 75)
    assert kept(round(judged * 2 / 50), judged, 0.05) is True
    assert seeds_to_tell(5, 100, 100, 0.05) is None
    assert seeds_to_tell(0, 10, 40, 0.05) == 500
    assert seeds_to_tell(0, 0, 40, 0.05) is None
