"""Names, values and texts in the one way to write them, and the mark that a run leaves beside a name. Pure.

The mark is a TXT record set at `_cloudfail.<name>`: whose name it is (`owner`, the application), the epoch and run that
moved it last, and the weights that it was given. It is changed in the same request as the records, so that it is never
older than they are.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RecordType = Literal["A", "AAAA", "CNAME"]

MARK_LABEL = "_cloudfail"
_STRING_MAX = 255
"""Characters in one string of a TXT value (RFC 1035 §3.3; Route 53 developer guide, "TXT record type")."""

_TEXT = re.compile(r"^cloudfail owner=(\S+) epoch=(\d+) weights=(\S*) run=(\S*)$")
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def canonical(name: str) -> str:
    """A name in lower case, with the dot at its end, its escapes undone: Route 53 lists *.shop as \\052.shop."""
    plain = _OCTAL.sub(lambda match: chr(int(match[1], 8)), name).lower()
    return plain if plain.endswith(".") else f"{plain}."


def value_of(text: str, kind: RecordType) -> str:
    """One value of a record, in the one way to write it."""
    if kind == "CNAME":
        return canonical(text)
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text.strip().lower()


def mark_name(name: str) -> str:
    """Where the mark of `name` stands. A `*` may only be a first label, so that of a wildcard stands at _any."""
    whole = canonical(name)
    return f"{MARK_LABEL}.{'_any.' + whole[2:] if whole.startswith('*.') else whole}"


def quoted(text: str) -> str:
    """A TXT value: strings in quotes."""
    pieces = [text[start : start + _STRING_MAX] for start in range(0, len(text), _STRING_MAX)] or [""]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)


def unquoted(value: str) -> str:
    return "".join(re.sub(r"\\(.)", r"\1", piece) for piece in _QUOTED.findall(value))


@dataclass(frozen=True)
class Mark:
    """What the text beside a name says."""

    owner: str
    epoch: int
    weights: Mapping[str, int]
    run: str

    @property
    def text(self) -> str:
        weights = ",".join(f"{region}:{weight}" for region, weight in self.weights.items())
        return f"cloudfail owner={_word(self.owner)} epoch={self.epoch} weights={weights} run={_word(self.run)}"


def mark_of(text: str) -> Mark | None:
    """None for a text that no run of ours wrote."""
    match = _TEXT.match(text)
    if match is None:
        return None
    weights = {}
    for pair in match[3].split(",") if match[3] else ():
        region, _, weight = pair.rpartition(":")
        if not weight.isdigit():
            return None
        weights[region] = int(weight)
    return Mark(match[1], int(match[2]), weights, match[4])


def is_owned_by(mark: Mark, application: str) -> bool:
    return mark.owner == _word(application)


def _word(text: str) -> str:
    return re.sub(r"\s", "_", text) or "-"
