"""Columns and wrapped lines, counted in terminal cells: East Asian letters take two, combining marks none."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH_MIN = 40


def cells(text: str) -> int:
    """How many cells a terminal gives to this text."""
    return sum(_cell(letter) for letter in text)


def _cell(letter: str) -> int:
    if unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cells(text))


def cut(text: str, width: int) -> str:
    """At most `width` cells; what was cut ends in `…`."""
    if cells(text) <= width:
        return text
    kept, used = "", 1
    for letter in text:
        used += _cell(letter)
        if used > width:
            break
        kept += letter
    return kept + "…"


def wrapped(text: str, width: int) -> list[str]:
    """Broken at spaces, and inside of a word only where it is longer than a line. At least one line."""
    lines, line = [], ""
    for word in text.split(" "):
        rest = word
        if line and cells(line) + 1 + cells(rest) <= width:
            line += " " + rest
            continue
        if line:
            lines.append(line)
        while cells(rest) > width:
            head = _fitting(rest, width)
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line]


def _fitting(text: str, width: int) -> str:
    used = 0
    for index, letter in enumerate(text):
        used += _cell(letter)
        if used > width:
            return text[: max(1, index)]
    return text


def paragraph(text: str, width: int, indent: int = 0, hanging: int = 0) -> list[str]:
    """One paragraph: the first line indented by `indent`, the others by `indent + hanging`."""
    first, *rest = wrapped(text, max(WIDTH_MIN // 2, width - indent - hanging))
    return [" " * indent + first, *(" " * (indent + hanging) + line for line in rest)]


@dataclass(frozen=True)
class Column:
    """`wraps`: takes what is left of the width and breaks its text. `right`: numbers. `most`: cells at most."""

    title: str = ""
    wraps: bool = False
    right: bool = False
    most: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, indent: int = 2) -> list[str]:
    """Rows under one another. Where the wrapping column would be too narrow to read, each row is stacked instead."""
    widths = []
    for index, column in enumerate(columns):
        widest = max([cells(column.title), *(cells(row[index]) for row in rows)], default=0)
        widths.append(min(widest, column.most) if column.most else widest)
    wrapping = next((index for index, column in enumerate(columns) if column.wraps), None)
    if wrapping is not None:
        fixed = sum(w for index, w in enumerate(widths) if index != wrapping)
        left = width - indent - fixed - 2 * (len(columns) - 1)
        if left < min(28, widths[wrapping]):
            return _stacked(columns, rows, width, indent)
        widths[wrapping] = min(widths[wrapping], left)
    lines = []
    if any(column.title for column in columns):
        lines += _row(columns, widths, [column.title for column in columns], indent)
    for row in rows:
        lines += _row(columns, widths, row, indent)
    return lines


def _row(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str], indent: int) -> list[str]:
    parts = [
        wrapped(text, max(1, width)) if column.wraps else [cut(text, width)]
        for column, width, text in zip(columns, widths, row, strict=True)
    ]
    lines = []
    for number in range(max(len(part) for part in parts)):
        said = []
        for column, width, part in zip(columns, widths, parts, strict=True):
            text = part[number] if number < len(part) else ""
            said.append(" " * (width - cells(text)) + text if column.right else padded(text, width))
        lines.append((" " * indent + "  ".join(said)).rstrip())
    return lines


def _stacked(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, indent: int) -> list[str]:
    lines = []
    for row in rows:
        short = [
            text
            for column, text in zip(columns, row, strict=True)
            if not column.wraps and text.strip() not in {"", "–"}
        ]
        lines += paragraph("  ".join(short), width, indent, 4)
        for column, text in zip(columns, row, strict=True):
            if column.wraps and text:
                lines += paragraph(text, width, indent + 4)
    return lines


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as GitHub reads it. Cells cannot break out of it, nor become markup."""
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    return lines + ["| " + " | ".join(markdown(cell) for cell in row) + " |" for row in rows]


_MARKUP = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_[]|#~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})


def markdown(text: str) -> str:
    """Text with nothing in it that Markdown or HTML would read as markup."""
    return text.translate(_MARKUP)
