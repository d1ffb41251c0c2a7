"""Numbers, times and other people's text, as a person reads them at night.

Unknown is the word `unknown`, never 0. What providers and commands said may hold anything: control characters, which
would steer the reader's terminal, and direction marks, which would reorder the line, are taken out, and what looks
like a secret is shown as `…`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cloudfail.config import durations
from cloudfail.model.plan import Plan
from cloudfail.model.runbook import Mode
from cloudfail.model.states import LossBound
from cloudfail.secrecy import HIDDEN, SECRET_KEY, redacted

UNKNOWN = "unknown"
NONE = "–"
CHECKSUM_DIGITS = 4
"""How much of a checksum people type. It only picks one of the plans that were reviewed; the whole is compared then."""

# A report errs on the side of hiding: `tsig_key` and `clientSecretRef` are hidden too, which lint lets pass.
_HIDE_KEY = re.compile(r"secret|passw|passphrase|token|credential|tsig|(api|access|private|signing)[_-]?key", re.I)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def plain(text: object) -> str:
    """Somebody else's text in one line: no control characters, no secrets."""
    found = _UNSEEN.sub(" ", str(text).replace("\t", " ").replace("\n", " "))
    return re.sub(r" {2,}", " ", redacted(found)).strip()


def without_secrets(value: Any, key: str = "") -> Any:
    """A JSON value in which every value whose key looks like a secret's, or which looks like one itself, is `…`."""
    if key and value not in (None, "", False, True) and (SECRET_KEY.search(key) or _HIDE_KEY.search(key)):
        return HIDDEN
    match value:
        case Mapping():
            return {plain(name): without_secrets(one, str(name)) for name, one in value.items()}
        case list() | tuple():
            return [without_secrets(one) for one in value]
        case str():
            return plain(value)
        case _:
            return value


def seconds(value: float | None) -> str:
    """0.8 → `0.8 s`, 1.234 → `1.23 s`, 41.2 → `41 s`, 160 → `2m 40s`, None → `unknown`. What is not 0 is not shown as
    0."""
    if value is None:
        return UNKNOWN
    if value < 0:
        return f"-{seconds(-value)}"
    if value < 10:
        if 0 < value < 0.005:
            return "<0.01 s"
        return f"{value:.2f}".rstrip("0").rstrip(".") + " s"
    return f"{value:.0f} s" if value < 119.5 else durations.written(value)


def measured(value: float | None) -> str:
    """Seconds in a column: always two decimals, so that they compare at a glance."""
    if value is None:
        return UNKNOWN
    return "<0.01 s" if 0 < value < 0.005 else f"{value:.2f} s"


def count(value: int | None) -> str:
    """12345 → `12,345`; None → `unknown`."""
    return UNKNOWN if value is None else f"{value:,}"


def offset(t: float) -> str:
    """Seconds since the run was opened: `+1.3s`, `+2m 41s`."""
    return f"+{t:.1f}s" if t < 60 else f"+{durations.written(t)}"


def clock(at: float) -> str:
    """Wall time as `03:12:07`, UTC."""
    return _utc(at).strftime("%H:%M:%S")


def moment(at: float) -> str:
    """Wall time as `2026-11-22 03:12:07 UTC`."""
    return _utc(at).strftime("%Y-%m-%d %H:%M:%S UTC") if at else UNKNOWN


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(max(0.0, min(at, 253402300799.0)), UTC)


def short(checksum: str) -> str:
    """The digits of a checksum that people use."""
    return plain(checksum)[:CHECKSUM_DIGITS] or UNKNOWN


def loss_against(loss: LossBound | None, rpo_seconds: float) -> str:
    """`loss if dead 0.8 s, if alive 41 s, of 30 s`, both held against the RPO."""
    if loss is None:
        return f"loss {UNKNOWN} (not read), of {seconds(rpo_seconds)}"
    dead, alive = (_held(value, rpo_seconds) for value in (loss.if_dead_seconds, loss.if_alive_seconds))
    return f"loss if dead {dead}, if alive {alive}, of {seconds(rpo_seconds)}"


def _held(value: float | None, rpo_seconds: float) -> str:
    return f"{seconds(value)} (beyond the RPO)" if value is not None and value > rpo_seconds else seconds(value)


def command(*words: str) -> str:
    """A command line as it can be typed. Words in capitals are the reader's to fill in."""
    return shlex.join(plain(word) for word in words)


def plan_command(plan: Plan) -> str:
    """What acts on exactly this plan."""
    words = ["cloudfail", "evacuate", plan.source]
    if plan.mode is not Mode.FAILOVER:
        words += ["--to", plan.target, "--runbook", plan.runbook]
    return command(*words, "--plan", short(plan.checksum))


def counted(number: int, one: str, many: str = "") -> str:
    """`1 step`, `10 steps`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def listed(words: list[str], most: int = 6) -> str:
    """`a, b and c`; beyond `most`, how many more."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
