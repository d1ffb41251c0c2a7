"""YAML's own traps are refused or defused: what is read is what was written."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import TOPOLOGY, changed, load, mistakes, place

from cloudfail.config.document import plain
from cloudfail.config.mistakes import Mistakes
from cloudfail.config.reading import BYTES_MAX, parse

ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + index)}: &{chr(98 + index)} [{', '.join([f'*{chr(97 + index)}'] * 10)}]\n" for index in range(12)
)

REFUSED = [
    # text, place, problem, instead
    ("a: 1\nb: 2\na: 3\n", "f:3:1", 'the key "a" stands twice in this mapping, first in line 1', "remove or rename"),
    ("a: {b: 1, b: 2}\n", "f:1:11", 'the key "b" stands twice', "remove or rename"),
    ("a:\n\tb: 1\n", "f:2:1", "indented with a tab", "indent with spaces"),
    ("a:\n  \tb: 1\n", "f:2:3", "indented with a tab", "indent with spaces"),
    ("a: &x [*x]\n", "f:1:8", "this alias contains itself", "write the value out"),
    ("a: *nowhere\n", "f:1:4", "no anchor &nowhere", "set the anchor"),
    ("a: &x 1\nb: &x 2\n", "f:2:4", "this anchor is set twice", "a name of its own"),
    (ALIAS_BOMB, "f:5:20", "this alias makes the file larger than 50,000 values", "write fewer"),
    ("a: &a {x: 1}\nb:\n  <<: *a\n", "f:3:3", "merge keys (<<) are not read", "write the keys out"),
    ("a: 1\n---\nb: 2\n", "f:2:1", "a second document begins here", "one document per file"),
    ("1: a\n", "f:1:1", "this key is not text but a number", 'put it in quotes: "1"'),
    ("true: a\n", "f:1:1", "this key is not text but true or false", 'put it in quotes: "true"'),
    ("null: a\n", "f:1:1", "this key is not text but nothing", 'put it in quotes: "null"'),
    ("?\n: a\n", "f:1:2", "this key is empty", "write `key: value`"),
    ("? [a, b]\n: c\n", "f:1:3", "a key must be one word", "write `key: value`"),
    ("a: !!str 1\n", "f:1:4", "tags are not read", "put text in quotes"),
    ("a: !!python/object/apply:os.system [id]\n", "f:1:4", "tags are not read", "remove the tag"),
    ("%YAML 1.1\n---\na: 1\n", "f:1:1", "rules of YAML 1.2", "remove the %YAML line"),
    ("[" * 65 + "]" * 65, "f:1:65", "nested more than 64 deep", "flatter"),
    ("\n".join(" " * depth + "a:" for depth in range(70)), "f:65:65", "nested more than 64 deep", "flatter"),
    ("a: 1\0\n", "f:1:5", "the file holds a NUL byte", "remove it"),
    ("a: 1\nb: \x1b[2J\n", "f:2:4", "control character U+001B", "remove it"),
    ('a: "\\e[2J"\n', "f:1:4", "this text holds a control character", "remove it"),
    ("a: [1, 2\n", "f:1:9", "this is not YAML", "bracket"),
    ('a: "x\n', "f:1:6", "this is not YAML", "close the quote"),
    ("a: b: c\n", "f:1:5", "mapping values are not allowed", "in quotes"),
    ("a: 1\n b: 2\n", "f:2:3", "this is not YAML", "indentation"),
    ("a: @b\n", "f:1:4", "cannot start any token", "in quotes"),
    ("", "f:1:1", "the file is empty", "begin"),
    ("# nothing\n", "f:1:1", "the file is empty", "begin"),
    ("---\n", "f:1:1", "the file is empty", "begin"),
    (b"a: 1\nb: x\xff\n", "f:2:5", "the file is not UTF-8", "save it as UTF-8"),
    ("a: 1\n".encode("utf-16"), "f:1:1", "the file is not UTF-8", "save it as UTF-8"),
    (b"#" * (BYTES_MAX + 1), "f:1:1", "larger than 1 MiB", "split it"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "problem", "instead"), REFUSED)
def test_a_trap_is_refused_at_its_place(text: str | bytes, where: str, problem: str, instead: str) -> None:
    found = Mistakes()
    parse("f", text if isinstance(text, bytes) else text.encode(), found)
    said = found.in_order(["f"])
    assert [one for one in said if place(one) == where and problem in one.problem and instead in one.instead], (
        "\n".join(map(str, said))
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("012", "012"),
        ("0o14", "0o14"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("9" * 5000, "9" * 5000),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("17", 17),
        ("-3", -3),
        ("0", 0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("'17'", "17"),
        ('"true"', "true"),
        ('""', ""),
        ("|\n  17\n", "17\n"),
    ],
)
def test_an_unquoted_word_means_what_it_says(written: str, read: object) -> None:
    found = Mistakes()
    document = parse("f", f"a: {written}".encode(), found)
    assert document is not None
    assert plain(document.root) == {"a": read}
    assert type(plain(document.root)["a"]) is type(read)


def test_an_alias_stands_for_its_anchor() -> None:
    document = parse("f", b"a: &x {b: [1, 2]}\nc: *x\n", Mistakes())
    assert document is not None
    assert plain(document.root) == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}


@pytest.mark.parametrize(
    "text",
    [
        ALIAS_BOMB,
        "[" * 500_000,
        "{" * 500_000,
        "{a: " * 200_000,
        "- " * 500_000,
        "? " * 500_000,
        "&a " * 300_000,
        "*a " * 300_000,
        "a" * 1_000_000,
        "'" * 1_000_000,
        '"' * 1_000_000,
        '"' + "\\" * 999_000,
        "\n" * 1_000_000,
        "a\n" * 500_000,
        "a: 1\n" * 200_000,
        "- a\n" * 250_000,
        "!" * 1_000_000,
        "%" * 1_000_000,
        "#" * 1_000_000,
        "---\n" * 250_000,
        "a: |\n" + "  x\n" * 200_000,
        "\n".join(f"k{index}: &k{index} v" for index in range(60_000)),
    ],
    ids=lambda text: text[:12],
)
def test_no_file_takes_long(text: str) -> None:
    began = time.process_time()
    parse("f", text.encode()[:BYTES_MAX], Mistakes())
    assert time.process_time() - began < 10


def test_a_region_called_no_is_a_region(tmp_path: Path) -> None:
    text = TOPOLOGY.replace("us-west-2", "NO")
    assert list(load(tmp_path, text).topology.regions) == ["us-east-1", "NO"]


def test_an_account_with_a_leading_zero_keeps_it(tmp_path: Path) -> None:
    text = changed(
        TOPOLOGY,
        ('us-east-1: {provider: aws, account: "111111111111"}', "us-east-1: {provider: aws, account: 011111111111}"),
    )
    assert load(tmp_path, text).topology.regions["us-east-1"].account == "011111111111"


def test_automation_off_is_a_word(tmp_path: Path) -> None:
    text = changed(TOPOLOGY, ("automation: stage-1", "automation: off"))
    assert load(tmp_path, text).topology.policy.automation == "off"


def test_yes_is_not_true(tmp_path: Path) -> None:
    from paper import EVACUATE

    text = changed(EVACUATE, ("steps:\n", "steps:\n  hold: {action: compute.hold, with: {group: web, held: yes}}\n"))
    (found,) = mistakes(tmp_path, TOPOLOGY, text)
    assert (place(found), found.instead) == ("r0.yaml:5:57", "write true")
