"""Which alarms a composite alarm's rule names.

The grammar is CloudWatch's (API reference, PutCompositeAlarm, AlarmRule): ALARM, OK and INSUFFICIENT_DATA of an
alarm's name or ARN, joined by AND, OR, NOT and parentheses, and TRUE and FALSE. What is none of that is not guessed: a
rule that is read by half would have its other half taken for fresh.
"""

from __future__ import annotations

import re

_ALARM = re.compile(r"""\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"([^"]+)"|'([^']+)'|([^\s"'()]+))\s*\)""")
_JOINS = re.compile(r"\b(?:AND|OR|NOT|TRUE|FALSE)\b|[()\s]")


def children(rule: str) -> tuple[str, ...]:
    """The names, each once. ValueError says what could not be read."""
    named = [next(one for one in found.groups() if one) for found in _ALARM.finditer(rule)]
    rest = _JOINS.sub("", _ALARM.sub(" ", rule))
    if rest:
        raise ValueError(f"{rest[:40]!r} in its rule is not read here")
    if not named:
        raise ValueError("its rule names no alarm, so nothing is measured by it")
    return tuple(dict.fromkeys(name.partition(":alarm:")[2] if name.startswith("arn:") else name for name in named))
