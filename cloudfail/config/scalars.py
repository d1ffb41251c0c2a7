"""What an unquoted word means: YAML 1.2's core rules, made stricter where they would surprise.

PyYAML's own rules (YAML 1.1) turn `NO` into False, `on` into True, `12:30:45` into 45045 and `010` into 8. Here all
four are the text that was written. So is what only looks like a number: an account number with a leading zero, `0x1F`,
`1_000`, `.inf`, more digits than a number of ours could need. A key that wants a number then refuses the text.
"""

from __future__ import annotations

import math
import re

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
TRUE = frozenset({"true", "True", "TRUE"})
FALSE = frozenset({"false", "False", "FALSE"})
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
FRACTION = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})?\.[0-9]{1,18}([eE][-+]?[0-9]{1,3})?")


def value_of(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar."""
    if text in NULLS:
        return None
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    if WHOLE.fullmatch(text):
        return int(text)
    if FRACTION.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
