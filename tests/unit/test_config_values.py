"""Durations, names to put in, and the advice: what holds of every value, not of one."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfail.config import durations
from cloudfail.config.fields import Duration, PositiveDuration, Shape
from cloudfail.config.mistakes import did_you_mean, nearest, shown
from cloudfail.config.scalars import value_of
from cloudfail.config.substitution import references, substitute, unescape

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)


class Both(Shape):
    """A model as a provider writes it."""

    wait: Duration
    least: PositiveDuration = durations.Seconds(1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("2m", 120), ("1h", 3600), ("7d", 604800), ("1.5h", 5400), ("0s", 0)],
)
def test_a_time_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("30", "write 30s"),
        ("30 s", "write 30s"),
        ("5min", "write 5m"),
        ("2 hours", "write 2h"),
        ("1H", "write 1h"),
        ("10 sec", "write 10s"),
        ("03s", "write 3s"),
        ("1e3s", "write a number with its unit, one of ms, s, m, h, d: 500ms, 10s, 2m, 1h"),
        ("10s\n", "write 10s"),
        ("-5s", "write a number with its unit, one of ms, s, m, h, d: 500ms, 10s, 2m, 1h"),
        ("", "write a number with its unit, one of ms, s, m, h, d: 500ms, 10s, 2m, 1h"),
        ("999999999d", "write at most 366d"),
    ],
)
def test_what_is_no_time_says_what_to_write(text: str, instead: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(instead) + "$"):
        durations.parse(text)


@given(st.text(max_size=20))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        parsed = durations.parse(text)
    except ValueError as error:
        assert str(error).startswith("write ")
    else:
        assert math.isfinite(parsed)
        assert parsed >= 0


@given(st.integers(0, 366 * 24 * 3600))
def test_a_time_for_people_adds_up(seconds: int) -> None:
    parts = durations.written(seconds).split(" ")
    assert sum(durations.parse(part) for part in parts) == seconds


def test_options_that_were_dumped_validate_again() -> None:
    once = Both.model_validate({"wait": "2m"})
    assert Both.model_validate(once.model_dump()) == once


@given(st.dictionaries(NAMES, st.text(max_size=10), min_size=1), st.data())
def test_what_is_put_in_is_not_read_again(values: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(values)))
    assert substitute(f"a ${{{name}}} b", values) == f"a {values[name]} b"
    assert substitute(f"a $${{{name}}} b", values) == f"a ${{{name}}} b"


@given(st.text(alphabet="${}ab-: ", max_size=12))
def test_a_text_without_mistakes_can_be_put_in(text: str) -> None:
    found = list(references(text))
    if all(reference.name is not None for reference in found):
        result = substitute(text, {str(reference.name): "x" for reference in found})
        if not found:
            assert result == unescape(text)
    else:
        with pytest.raises(KeyError):
            substitute(text, {})


@pytest.mark.parametrize("text", ["${", "${}", "${a b}", "${a:-b}", "${1}", "${a.b}", "${${a}}", "${a"])
def test_anything_but_a_name_is_a_mistake(text: str) -> None:
    assert [reference.name for reference in references(text)][:1] == [None]


@given(st.text(max_size=30))
def test_a_word_means_itself_or_a_plain_value(text: str) -> None:
    value = value_of(text)
    if isinstance(value, bool):
        assert text.lower() == str(value).lower()
    elif isinstance(value, int | float):
        assert float(text) == value
        assert math.isfinite(value)
    elif value is not None:
        assert value == text


@given(st.text(max_size=200))
def test_what_is_shown_is_one_bounded_printable_line(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= 72 * 10 + 1


def test_the_nearest_word_is_offered() -> None:
    assert nearest("Regions", ["regions", "resources"]) == "regions"
    assert nearest("x" * 100_000, ["regions"]) is None
    assert did_you_mean("zzz", ["a", "b"]) == "known here: a, b"
    assert did_you_mean("zzz", []) == "known here: none"
