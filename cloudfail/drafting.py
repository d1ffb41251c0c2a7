"""A draft as YAML, written by hand and not by a library: the comments are half of what it says, and no library keeps
a step on one line. Every text that comes from somewhere else is quoted, or is a name that is safe as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail.secrecy import concealed

WIDTH = 118
COMMENT_WIDTH = 116
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*|\d+(?:ms|s|m|h)")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def is_plain(text: str) -> bool:
    """Whether YAML reads it back as this very text, without quotes."""
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS


def quoted(text: str) -> str:
    """A text as YAML reads it back. `${` would be put in for, or refused, where only the very text is meant."""
    if is_plain(text):
        return str(text)
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)


def inline(written: Any) -> str:
    """A text, a number, a list or a mapping, on one line."""
    if isinstance(written, Mapping):
        return "{" + ", ".join(f"{quoted(str(key))}: {inline(one)}" for key, one in written.items()) + "}"
    if isinstance(written, list | tuple):
        return "[" + ", ".join(inline(one) for one in written) + "]"
    return quoted(written) if isinstance(written, str) else json.dumps(written)


def comment(text: str, indent: int = 0) -> Iterator[str]:
    """A comment, broken at blanks."""
    line, prefix = "", " " * indent + "# "
    for word in text.split():
        if line and len(prefix) + len(line) + 1 + len(word) > COMMENT_WIDTH:
            yield prefix + line
            line, prefix = "", " " * indent + "#   "
        line = f"{line} {word}".lstrip()
    yield prefix + line


def flow(head: str, parts: list[str]) -> Iterator[str]:
    """One line if it fits, else as many as it needs; a part is not broken."""
    line, indent = f"{head}{{{parts[0]}", " " * min(len(head) + 1, 12)
    for part in parts[1:]:
        if len(line) + len(part) + 3 > WIDTH:
            yield f"{line},"
            line = f"{indent}{part}"
        else:
            line = f"{line}, {part}"
    yield f"{line}}}"


def tidy_name(text: str, longest: int = 63) -> str:
    """`text` as cloudfail's files allow a name, "" if nothing is left of it."""
    tidy = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip("0123456789_.-")
    return re.sub(r"-{2,}", "-", tidy)[:longest].rstrip("-.")


def said(text: str, longest: int = 72) -> str:
    """`text` as it may stand in a comment or on a screen: one line, bounded, and no secret."""
    clean = concealed(" ".join(text[: longest * 4].split()))
    safe = "".join(character if character.isprintable() else repr(character)[1:-1] for character in clean[:longest])
    return safe + ("…" if len(clean) > longest else "")
