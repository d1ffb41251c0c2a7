"""Numbers, times and other people's text, as a person reads them."""

from __future__ import annotations

import pytest

from cloudfail.report.layout import Column, cells, cut, markdown, table, wrapped
from cloudfail.report.wording import clock, command, count, listed, measured, moment, offset, plain, seconds
from cloudfail.report.wording import without_secrets as hidden


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "unknown"),
        (0.0, "0 s"),
        (0.001, "<0.01 s"),
        (0.8, "0.8 s"),
        (1.234, "1.23 s"),
        (41.2, "41 s"),
        (119.0, "119 s"),
        (160.0, "2m 40s"),
        (-2.0, "-2 s"),
    ],
)
def test_seconds_are_said_with_their_unit_and_unknown_is_a_word(value: float | None, said: str) -> None:
    assert seconds(value) == said


def test_a_column_of_seconds_has_two_decimals_and_never_shows_something_as_nothing() -> None:
    assert [measured(value) for value in (None, 0.0, 0.004, 1.5)] == ["unknown", "0.00 s", "<0.01 s", "1.50 s"]
    assert [count(value) for value in (None, 0, 12345)] == ["unknown", "0", "12,345"]


def test_times_are_utc_and_a_moment_that_nobody_noted_is_unknown() -> None:
    assert clock(1_000_000.0) == "13:46:40"
    assert moment(1_000_000.0) == "1970-01-12 13:46:40 UTC"
    assert moment(0.0) == "unknown"
    assert moment(1e30).startswith("9999-")
    assert (offset(1.26), offset(161.0)) == ("+1.3s", "+2m 41s")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://bob:hunter2@db:5432/x",
        "password=hunter2 host=db",
        'token: "hunter2 and more"',
        "secret: hunter2",
    ],
)
def test_a_secret_inside_of_a_text_is_taken_out(text: str) -> None:
    assert "hunter2" not in plain(text)
    assert "…" in plain(text)


def test_harmless_text_is_left_as_it_is() -> None:
    for text in ("east does not answer", "https://east.shop.example:8443/healthz", "déjà vu 漢字", "timeline 2"):
        assert plain(text) == text


def test_values_under_a_secrets_key_are_hidden_at_any_depth() -> None:
    found = hidden({"a": [{"apiKey": "x", "tsig_key": "y", "ttl": "60s", "password": ""}], "token": {"deep": "z"}})
    assert found == {"a": [{"apiKey": "…", "tsig_key": "…", "ttl": "60s", "password": ""}], "token": "…"}


def test_a_command_can_be_pasted_whatever_the_names_hold() -> None:
    assert command("cloudfail", "approve", "r1; rm -rf ~") == "cloudfail approve 'r1; rm -rf ~'"


def test_lists_have_a_bound() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([str(n) for n in range(200)], 3) == "0, 1, 2 and 197 more"


def test_wide_letters_take_two_cells_and_marks_none() -> None:
    assert cells("漢字") == 4
    assert cells("e\u0301") == 1
    assert cut("漢字漢字", 5) == "漢字…"
    assert all(cells(line) <= 7 for line in wrapped("漢字" * 9 + " and more", 7))
    assert "".join(wrapped("漢字" * 9, 7)) == "漢字" * 9


def test_columns_line_up_with_wide_letters_in_them() -> None:
    lines = table((Column(), Column()), [("漢字", "x"), ("abcd", "y")], 80)
    assert [cells(line[: line.index(letter)]) for line, letter in zip(lines, "xy", strict=True)] == [8, 8]


def test_a_column_too_narrow_to_read_is_put_below() -> None:
    lines = table((Column(), Column(wraps=True)), [("a-long-name-here", "many words " * 8)], 44)
    assert lines[0].strip() == "a-long-name-here"
    assert all(cells(line) <= 44 for line in lines)


def test_markdown_has_no_markup_of_others() -> None:
    assert markdown("a|b <i> `c` [d](e)") == "a\\|b &lt;i&gt; \\`c\\` \\[d\\](e)"
