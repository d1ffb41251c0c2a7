"""Ask before the bad day what would refuse a change on it: a protected record, a health check that is switched off, a
name that another application moves.

What is found is a refusal of the plan. What could not be asked is unknown, and refuses nothing: a control plane that is
gone with its region must not keep anybody from leaving by a switch that does not need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong

from cloudfail.clock import Clock
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import Plan
from cloudfail.world import Ports

PREFLIGHT_SECONDS = 10.0
"""For all of them together: who plans an evacuation does not wait longer for what may be gone."""
WORKERS = 8

Found = Mapping[str, Known[tuple[str, ...]] | Unknown]
"""Resource -> sentences (none is good), or why nobody knows. Resources that have nothing to ask for are left out."""


def of_plan(plan: Plan) -> tuple[str, ...]:
    """The resources that some step of the plan acts on."""
    return tuple(dict.fromkeys(name for step in plan.steps if step.action for name in step.identifiers))


def ask(world: Ports, names: Iterable[str], clock: Clock, seconds: float = PREFLIGHT_SECONDS) -> Found:
    """Ask all of them at once, and wait for so long in all. Raises nothing."""
    pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="preflight")
    until = clock.boot() + seconds
    found: dict[str, Known[tuple[str, ...]] | Unknown] = {}
    try:
        asked = {name: pool.submit(world.preflight, name) for name in names}
        for name, answer in asked.items():
            try:
                heard = answer.result(timeout=max(0.0, until - clock.boot()))
            except TookTooLong:
                heard = Unknown(f"no answer within {seconds:g} s", clock.wall())
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known, and nothing is refused by it
                heard = Unknown(f"{type(error).__name__}: {error}", clock.wall())
            if heard is not None:
                found[name] = heard
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return found


def refused(found: Found) -> list[str]:
    """One sentence for each thing that would refuse a change."""
    return [f"{name}: {said}" for name, heard in found.items() if isinstance(heard, Known) for said in heard.value]


def unanswered(found: Found) -> frozenset[str]:
    """The resources of which nobody knows."""
    return frozenset(name for name, heard in found.items() if isinstance(heard, Unknown))


def unknown(found: Found) -> list[str]:
    """One sentence for each resource of which nobody knows."""
    return [
        f"{name}: whether anything would refuse its change is not known: {heard.reason}"
        for name, heard in found.items()
        if isinstance(heard, Unknown)
    ]
