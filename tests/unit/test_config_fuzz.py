"""Files as they come out of accidents: thousands of mutations of the files that ship. Whatever they hold, the answer is
a model or a ConfigError with places, soon; and no unknown key is ever accepted.

Each of the 10,000 is made from its own seed, so that a failure can be repeated.
"""

from __future__ import annotations

import copy
import random
import string
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, HERE, RUNBOOKS, TOPOLOGY, load

from cloudfail.config import Loaded, Mistake
from cloudfail.errors import ConfigError
from cloudfail.lint import lint

COUNT = 10_000
BATCHES = 10
LAB = (HERE / "lab.yaml").read_text(encoding="utf-8")
PAIRS = [
    (TOPOLOGY, EVACUATE),
    *(
        (LAB, (RUNBOOKS / f"{name}-local.yaml").read_text(encoding="utf-8"))
        for name in ("evacuate", "restore", "failback")
    ),
]
VALUES = [
    "~", "[]", "{}", "true", "NO", "-1", "0", "1e400", "9" * 400, "'", '"', "*x", "&x", "<<", "!!binary x", "|", ">",
    "? a", "- a", "${", "${from}", "$${from}", "${a b}", "${__import__}", "\\ud800", "\u202e", "\x85", "\t", "---",
    "...", "%YAML 1.1", "#", "a: b: c", "x" * 5000, "{a: {b: {c: {d: [1, [2, [3]]]}}}}", "30", "30s", "1 of 1",
    "memory:", "sqlite:", "none", "us-east-1", "approval", "null",
]  # fmt: skip


def flipped_bytes(dice: random.Random, text: bytes) -> bytes:
    """Some bytes, whatever they become."""
    raw = bytearray(text)
    for _ in range(dice.randint(1, 8)):
        raw[dice.randrange(len(raw))] = dice.randrange(256)
    return bytes(raw)


def shuffled_lines(dice: random.Random, text: bytes) -> bytes:
    """A line twice, gone, or elsewhere."""
    lines = text.splitlines(keepends=True)
    index = dice.randrange(len(lines))
    line = lines.pop(index) if dice.random() < 0.5 else lines[index]
    for _ in range(dice.randint(0, 2)):
        lines.insert(dice.randint(0, len(lines)), line)
    return b"".join(lines)


def renamed_key(dice: random.Random, text: bytes) -> bytes:
    """One word before a colon becomes another one."""
    words = text.split(b":")
    if len(words) < 2:
        return text
    index = dice.randrange(len(words) - 1)
    stem = words[index].rstrip(string.ascii_letters.encode() + b"_-0123456789")
    new = "".join(dice.choices(string.ascii_lowercase + "_", k=dice.randint(1, 9))).encode()
    return b":".join([*words[:index], stem + new, *words[index + 1 :]])


def moved_indent(dice: random.Random, text: bytes) -> bytes:
    """A line begins elsewhere."""
    lines = text.splitlines(keepends=True)
    index = dice.randrange(len(lines))
    pad = dice.choice([b"", b" ", b"  ", b"   ", b"\t", b" " * 30])
    lines[index] = pad + lines[index].lstrip()
    return b"".join(lines)


def other_value(dice: random.Random, text: bytes) -> bytes:
    """Something else stands where a value stood."""
    for _ in range(dice.randint(1, 3)):
        index = dice.choice([at for at, byte in enumerate(text) if byte in b":,[{"] or [0])
        end = min(
            [at for at in (text.find(mark, index + 1) for mark in (b",", b"}", b"\n", b"]")) if at > 0] or [len(text)]
        )
        text = text[: index + 1] + b" " + dice.choice(VALUES).encode("utf-8", "replace") + text[end:]
    return text


def spliced(dice: random.Random, text: bytes) -> bytes:
    """A piece of the file stands elsewhere in it too."""
    begin = dice.randrange(len(text))
    piece = text[begin : begin + dice.randint(1, 200)]
    at = dice.randrange(len(text))
    return text[:at] + piece + text[at + dice.choice([0, len(piece)]) :]


def aliased(dice: random.Random, text: bytes) -> bytes:
    """An anchor here, an alias there."""
    for mark in (b" &x ", b" *x "):
        at = dice.choice([place for place, byte in enumerate(text) if byte in b":,[{"] or [0])
        text = text[: at + 1] + mark + text[at + 1 :]
    return text


def cut(dice: random.Random, text: bytes) -> bytes:
    """The file ends early."""
    return text[: dice.randrange(len(text))]


MUTATIONS = [flipped_bytes, shuffled_lines, renamed_key, moved_indent, other_value, spliced, aliased, cut]


def outcome(folder: Path, topology: bytes, runbook: bytes) -> Loaded | ConfigError:
    """Both are fine; anything else fails the test that asks."""
    try:
        return load(folder, topology, runbook)
    except ConfigError as error:
        return error


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_mutated_file_is_read_or_refused_with_its_places(tmp_path: Path, batch: int) -> None:
    for number in range(batch, COUNT, BATCHES):
        dice = random.Random(number)
        texts = [text.encode() for text in dice.choice(PAIRS)]
        for _ in range(dice.randint(1, 3)):
            which = dice.randrange(2)
            texts[which] = dice.choice(MUTATIONS)(dice, texts[which] or b"\n")
        began = time.process_time()
        result = outcome(tmp_path, *texts)
        if isinstance(result, ConfigError):
            assert result.mistakes, number
            for one in result.mistakes:
                assert isinstance(one, Mistake), number
                assert one.line >= 1, number
                assert one.column >= 1, number
                assert one.problem, number
                assert str(one).encode("utf-8"), number
        else:
            for finding in lint(result):
                assert str(finding), number
        assert time.process_time() - began < 5, number


def mappings(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every mapping; `variables` is the one that may hold keys of one's own."""
    if isinstance(value, list):
        return [one for index, item in enumerate(value) for one in mappings(item, (*path, index))]
    if not isinstance(value, dict) or path[-1:] == ("variables",):
        return []
    return [path, *(one for key, item in value.items() for one in mappings(item, (*path, key)))]


def with_key(data: Any, path: tuple[str | int, ...], key: str, value: Any) -> Any:
    """A copy of `data` with one more key at `path`."""
    whole = copy.deepcopy(data)
    at = whole
    for part in path:
        at = at[part]
    at[key] = value
    return whole


@pytest.mark.parametrize("pair", range(len(PAIRS)))
def test_an_unknown_key_is_refused_wherever_it_stands(tmp_path: Path, pair: int) -> None:
    files = [yaml.safe_load(text) for text in PAIRS[pair]]
    files[1]["steps"][next(iter(files[1]["steps"]))]["undo"] = {"action": "change.unfreeze", "with": {"where": "${to}"}}
    assert isinstance(outcome(tmp_path, *(yaml.safe_dump(data).encode() for data in files)), Loaded)
    dice, tried = random.Random(pair), 0
    for which, data in enumerate(files):
        for path in mappings(data):
            for value in dice.sample(["x", 1, None, [], "30s", True], 2):
                key = "".join(dice.choices(string.ascii_lowercase, k=12))
                changed = [
                    with_key(one, path, key, value) if index == which else one for index, one in enumerate(files)
                ]
                result = outcome(tmp_path, *(yaml.safe_dump(one, sort_keys=False).encode() for one in changed))
                assert isinstance(result, ConfigError), (path, key, value)
                assert any(key in str(one) for one in result.mistakes), (path, key, value)
                tried += 1
    assert tried > 60
