"""Ways to break cloudfail, at least one for each rule of design.md §4 and each invariant of §7: what the simulator must
catch. Each is a switch that exists only here, while its `on()` lasts: production code knows nothing of it.

A breakage that a second safety net makes harmless (the tail is read before each request, and the append fails if it
moved) takes both nets away, and its sentence says so.

breakage       what a breakage is; catching: the search for a seed that catches one; made_by_hand: scenarios and worlds
journal        R1, R2, I9: what is written, before and after
looks          R3, R4, R5: when the world is looked at, and what is made of it
lease          R6, R10, I2: who may act, and when
trying_again   R7, L1: retries, and a way out of every halt
plan           R8, I10: what steps say of themselves, and what was reviewed or signed
commands       R9, I7: decline, abort, pause
fences         R11, I1: fences and undo
promotion      I3, I4: what a promotion may lose
traffic        I5: where traffic may go
automation     I6, I8: what counts as a loss, and what follows of itself
"""

from tests.simulation.breakages import (
    automation,
    commands,
    fences,
    journal,
    lease,
    looks,
    plan,
    promotion,
    traffic,
    trying_again,
)
from tests.simulation.breakages.breakage import Breakage
from tests.simulation.breakages.catching import HEADER, Caught, search, setups_of, violations_with, violations_without
from tests.simulation.breakages.made_by_hand import evacuation

__all__ = [
    "BREAKAGES",
    "HEADER",
    "Breakage",
    "Caught",
    "evacuation",
    "search",
    "setups_of",
    "violations_with",
    "violations_without",
]

SUBJECTS = (journal, looks, lease, trying_again, plan, commands, fences, promotion, traffic, automation)


def _place(breakage: Breakage) -> tuple[int, int]:
    """The rules in their order, then the invariants, then liveness."""
    return "RIL".index(breakage.breaks[0]), int(breakage.breaks[1:])


BREAKAGES: list[Breakage] = sorted(
    (found for subject in SUBJECTS for found in vars(subject).values() if isinstance(found, Breakage)), key=_place
)
