"""What synchronous_standby_names means: whom a commit waits for. PostgreSQL 15 documentation, chapter 20.6."""

from __future__ import annotations

import re


def standbys_needed(names: str) -> int:
    """How many standbys a commit waits for under this synchronous_standby_names; 0 for an empty one."""
    count, listed = parse_names(names)
    return count if listed else 0


def parse_names(names: str) -> tuple[int, tuple[str, ...]]:
    """(number waited for, names listed) of a synchronous_standby_names value: `a`, `2 (a, b)`, `FIRST 1 (a)`,
    `ANY 1 (a, b)`, each name plain or in double quotes."""
    text = names.strip()
    if not text:
        return 0, ()
    match = re.match(r"^(?:(?:FIRST|ANY)\s+)?(\d+)\s*\((.*)\)$", text, re.IGNORECASE | re.DOTALL)
    count, inner = (int(match[1]), match[2]) if match else (1, text)
    listed = re.findall(r'"((?:[^"]|"")*)"|([^\s,"]+)', inner)
    return count, tuple((quoted.replace('""', '"') if quoted else plain) for quoted, plain in listed)


def cannot_without(names: str, commit: str, standby: str) -> bool:
    """Whether a commit under these settings cannot be acknowledged unless `standby` has it.

    A commit waits for `count` of the names listed; it needs `standby` if fewer than `count` others are listed. `*`
    stands for anybody and so needs nobody in particular.
    """
    if commit in ("off", "local"):
        return False
    count, listed = parse_names(names)
    if "*" in listed:
        return False
    # Names compare without case (pg_strcasecmp in syncrep.c).
    others = [name for name in listed if name.lower() != standby.lower()]
    return len(others) < len(listed) and count > len(others)
