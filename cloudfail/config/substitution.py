"""`${name}` and nothing more: no expressions, no defaults, no nesting. `$${` stands for a literal `${`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

TOKEN = re.compile(r"\$\$\{|\$\{([^{}]{0,200})\}|\$\{")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

RUNBOOK_NAMES = ("from", "to", "application")
CHECK_NAMES = ("region", "application")


@dataclass(frozen=True)
class Reference:
    """One `${…}` in a text: its name, None where it is not one (`${`, `${a b}`, `${a:-b}`), and its offset."""

    name: str | None
    written: str
    offset: int


def references(text: str) -> Iterator[Reference]:
    """Every `${…}` of `text`, well-formed or not; escaped ones are none."""
    for found in TOKEN.finditer(text):
        if found[0] == "$${":
            continue
        inner = found[1]
        name = inner if inner is not None and NAME.fullmatch(inner) else None
        yield Reference(
            name, found[0] if inner is not None else text[found.start() : found.start() + 20], found.start()
        )


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `${name}` replaced. Raises KeyError for a name without a value; `load` has excluded that for
    the names that are known at load time. What is put in is not read again."""

    def put(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        return values[found[1] if found[1] is not None else found[0]]

    return TOKEN.sub(put, text)


def unescape(text: str) -> str:
    """`$${` → `${`, for texts in which nothing is substituted."""
    return text.replace("$${", "${")
