"""One mistake in a file that a person wrote: where, what, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cloudfail.secrecy import concealed

SHOWN_CHARACTERS = 72
"""How much of an offending text is repeated. A file may hold a megabyte on one line."""


def shown(text: str) -> str:
    """`text` as it may stand in a terminal: one line, bounded, and without control characters that would act there."""
    cut = text[:SHOWN_CHARACTERS]
    safe = "".join(character if character.isprintable() else repr(character)[1:-1] for character in cut)
    return safe + ("…" if len(text) > SHOWN_CHARACTERS else "")


def listed(words: Iterable[str], most: int = 12) -> str:
    """`a, b, c`, bounded."""
    every = list(words)
    return ", ".join(every[:most]) + (", …" if len(every) > most else "")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, None if nothing is near."""
    candidates = list(known)[:1000]
    if len(word) > 80:
        return None
    folded = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], what: str = "known here") -> str:
    """The advice for a word that nobody knows: the nearest one, else all of them."""
    every = list(known)
    near = nearest(word, every)
    if near is not None:
        return f"did you mean {near}?"
    return f"{what}: {listed(every)}" if every else f"{what}: none"


@dataclass(frozen=True)
class Mistake:
    """`file:line:column: problem`, the offending text, and what to write instead. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str
    problem: str
    instead: str

    def __str__(self) -> str:
        lines = [f"{self.file}:{self.line}:{self.column}: {self.problem}"]
        if self.text:
            lines.append(f"    here: {self.text}")
        if self.instead:
            lines.append(f"    instead: {self.instead}")
        return "\n".join(lines)


@dataclass
class Mistakes:
    """Collects, so that a person is told everything in one go."""

    found: list[Mistake] = field(default_factory=list)

    def add(self, file: str, line: int, column: int, text: str, problem: str, instead: str) -> None:
        mistake = Mistake(file, line, column, shown(concealed(text[:1000])), problem, instead)
        if mistake not in self.found[-50:]:
            self.found.append(mistake)

    def in_order(self, files: list[str]) -> tuple[Mistake, ...]:
        """By file in the order given, then by place, without repetitions."""
        rank = {name: index for index, name in enumerate(files)}
        unique = dict.fromkeys(self.found)
        return tuple(sorted(unique, key=lambda one: (rank.get(one.file, len(rank)), one.line, one.column)))
