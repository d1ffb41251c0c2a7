"""The names of a log's entries in a store of objects: `PREFIX/<log>/<number>`.

Different logs have different names, none inside another's; and the order of names is the order of numbers, so that a
listing reads a log in order and can begin at any entry.
"""

from __future__ import annotations

import string

DIGITS = 12
_AS_THEY_ARE = frozenset(f"{string.ascii_letters}{string.digits}-".encode())


def folder_of(prefix: str, log: str) -> str:
    """What all names of that log begin with."""
    return f"{prefix}/{quoted(log)}/".lstrip("/")


def name_of(prefix: str, log: str, seq: int) -> str:
    return f"{folder_of(prefix, log)}{seq:0{DIGITS}d}"


def number_of(name: str, folder: str) -> int | None:
    """The entry whose name this is; None for what is no entry of that log."""
    number = name.removeprefix(folder)
    return int(number) if len(number) == DIGITS and number.isascii() and number.isdigit() else None


def quoted(log: str) -> str:
    """Any text as one part of a name: ASCII letters, digits and '-' stand for themselves, every other byte of its UTF-8
    is '_' and two hexadecimal digits, and a lone '_' is the empty text. '/' and '.' mean something in names, and tools
    that decode '%' do so once too often."""
    written = log.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if byte in _AS_THEY_ARE else f"_{byte:02x}" for byte in written) or "_"
