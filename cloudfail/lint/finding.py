"""What lint says of one place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cloudfail.config.document import Place


class Severity(StrEnum):
    """error: refused. warning: told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One rule that a file breaks, where, and what to write instead. `overridden` is the written reason for which a
    person set the rule aside; it stands beside a warning, so that nobody can do it silently. `step` names the step."""

    rule: str
    severity: Severity
    file: str
    line: int
    column: int
    message: str
    instead: str
    step: str | None = None
    overridden: str | None = None

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.rule}]"
        if self.overridden is not None:
            return f"{head}\n    set aside by an override: {self.overridden}"
        return f"{head}\n    instead: {self.instead}" if self.instead else head


def at(
    place: Place,
    rule: str,
    message: str,
    instead: str,
    *,
    severity: Severity = Severity.ERROR,
    step: str | None = None,
) -> Finding:
    """A finding at a place."""
    return Finding(rule, severity, place.file, place.line, place.column, message, instead, step)
