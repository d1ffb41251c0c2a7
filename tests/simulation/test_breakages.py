"""Every breakage is caught by the simulator, and nothing of them reaches production.

For each, the first seed that catches it is kept in FIRST: that seed is played with the breakage, which must be caught,
and without, which must be clean. Where the draw has changed since, the seeds are searched anew from 0. With
CLOUDFAIL_FULL=1 (or `python -m tests.simulation.test_breakages`, which prints the table) they always are.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cloudfail.testing.simulation.checkers import looks_wait_until_it_settled
from cloudfail.testing.simulation.play import play
from cloudfail.testing.simulation.scenario import Happening, Person, Scenario
from cloudfail.testing.simulation.setups import shipped_setups
from tests.simulation.breakages import (
    BREAKAGES,
    HEADER,
    Breakage,
    Caught,
    evacuation,
    search,
    setups_of,
    violations_without,
)

ROOT = Path(__file__).resolve().parents[2]
FULL = os.environ.get("CLOUDFAIL_FULL") == "1"
SEEDS_MAX = 2_000
MUST_BE_BROKEN = {*(f"R{n}" for n in range(1, 12)), *(f"I{n}" for n in range(1, 11)), "L1"}

FIRST: dict[str, int] = {
    "intent after the effect": 0,
    "intent never": 0,
    "a refused append is taken for ones own": 4,
    "replayed intent is permission": 125,
    "no settling after acting": 2,
    "no settling after an unknown outcome": 29,
    "moving is todo": 0,
    "unknown is done": 0,
    "the api said ok": 168,
    "the write is not tried": 0,
    "no call looks at the clock": 34,
    "the lease never runs out": 36,
    "the lease counts from after the append": 295,
    "the lapse is not waited for": 0,
    "time is read from the wall clock": 15,
    "calls carry no epoch": 0,
    "no last check at all": 34,
    "retries without bound": 11,
    "retries are not journaled": 11,
    "a servers wish to wait is ignored": 19,
    "the plan says no undo": 2,
    "the plan says no point of no return": 15,
    "a promotion says that it loses nothing": 22,
    "the tail is not read before a request": 9,
    "decline is ignored": 3,
    "abort is ignored": 2,
    "no quiet time after a take over": 5,
    "the quiet time forgets the longest call": 5,
    "nothing is watched after it was done": 335,
    "a fence is lifted after a promotion was ordered": 15,
    "the undo skips the fence": 20,
    "the undo forgets what was owed": 0,
    "an owed fence passes the gate": 281,
    "two runs are open at once": 0,
    "the loss bound is ignored": 22,
    "the loss is counted as if fenced": 22,
    "a fenced source counts as dead all along": 5,
    "what was expected is not checked": 19,
    "a switchover neither fences nor waits": 0,
    "traffic goes to a sick region": 84,
    "an answer set is emptied first": 0,
    "traffic does not wait for the promotion": 0,
    "unknown counts as down": 0,
    "one vantage is enough": 1,
    "a paused automation acts": 140,
    "a paused run acts": 7,
    "going home is automatic": 0,
    "the cool down is ignored": 0,
    "results are not journaled": 0,
    "entries are not chained": 0,
    "the checksum does not cover the bounds": 0,
    "what was reviewed is not compared": 0,
    "what was signed is not compared": 15,
    "a run is begun whatever is seen": 0,
    "what is owed is never retried": 0,
    "a halt names no command": 0,
    "each turn counts the silence anew": 27,
    "resume does not try again": 0,
}


def caught(breakage: Breakage, *, from_zero: bool) -> Caught:
    """The first seed that catches it. Fails if none of SEEDS_MAX does, or if that seed is not clean without it."""
    kept = [] if from_zero or breakage.name not in FIRST else [FIRST[breakage.name]]
    found = search(breakage, chain(kept, range(SEEDS_MAX)))
    assert found is not None, f"{breakage.name} ({breakage.breaks}) is not caught by {SEEDS_MAX} seeds"
    scenario = breakage.scenario(found.number, setups_of(breakage.setups))
    assert scenario is not None
    clean = violations_without(breakage, scenario)
    assert not clean, f"seed {found.number} is not clean without {breakage.name}: {clean[0]}"
    return found


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name.replace(" ", "-"))
def test_the_simulator_catches(breakage: Breakage) -> None:
    found = caught(breakage, from_zero=FULL)
    print(found.row())
    assert breakage.could_act > 0, f"{breakage.name} was caught and could not have acted"


def test_every_rule_and_every_invariant_has_its_breakages() -> None:
    assert {breakage.breaks for breakage in BREAKAGES} == MUST_BE_BROKEN
    assert len({breakage.name for breakage in BREAKAGES}) == len(BREAKAGES)
    assert all(breakage.sentence.endswith(".") for breakage in BREAKAGES)
    assert all(breakage.why for breakage in BREAKAGES if breakage.by_hand)


# ---- they are switches of the tests alone


def _insides() -> dict[str, Any]:
    """Everything that a breakage may touch: the names of cloudfail's modules, and of the classes in them."""
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("cloudfail") and isinstance(module, ModuleType):
            for key, value in vars(module).items():
                found[f"{name}.{key}"] = id(value)
                if isinstance(value, type) and value.__module__.startswith("cloudfail"):
                    found.update({f"{name}.{key}.{own}": id(it) for own, it in vars(value).items()})
    return found


def test_a_breakage_is_over_when_its_switch_is_off() -> None:
    before = _insides()
    for breakage in BREAKAGES:
        with breakage.on():
            assert _insides() != before, f"{breakage.name} changes nothing"
        assert _insides() == before, f"{breakage.name} leaves something behind"


PRODUCTION = [*(ROOT / "cloudfail").rglob("*.py"), *(ROOT / "providers").rglob("*.py")]


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_production_imports_no_test_and_nothing_that_patches() -> None:
    for path in PRODUCTION:
        bad = {n for n in _imports(path) if re.match(r"(tests|unittest|pytest|conftest)(\.|$)", n)}
        assert not bad, f"{path.relative_to(ROOT)} imports {bad}"


def test_no_switch_is_reached_by_environment_or_configuration() -> None:
    """No production file knows a breakage by name, no name is imported that is computed from what a user writes, and
    the switches themselves read no environment and no file."""
    switches = {breakage.name.replace(" ", "_") for breakage in BREAKAGES}
    for path in [*PRODUCTION, *(ROOT / "cloudfail").rglob("*.json"), *(ROOT / "runbooks").rglob("*.yaml")]:
        text = path.read_text()
        assert "tests.simulation" not in text, path
        assert not switches & set(re.findall(r"\w+", text)), path
    files = sorted((Path(__file__).parent / "breakages").glob("*.py"))
    assert len(files) > len({breakage.breaking.__module__ for breakage in BREAKAGES}) > 5
    for path in files:
        assert not re.search(r"environ|getenv|sys\.argv|open\(|read_text|yaml", path.read_text()), path
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert built["targets"]["wheel"]["only-include"] == ["cloudfail", "providers"]


# ---- what the search for them found in whole code: rule 3 after an undo, and after a resume


def _settled(scenario: Scenario) -> list[str]:
    history = play(scenario, setups_of(shipped_setups)[scenario.setup])
    return [str(violation) for violation in looks_wait_until_it_settled(history)]


def test_an_undo_waits_until_what_was_just_done_has_settled() -> None:
    setup = setups_of(shipped_setups)["evacuate"]
    stale, abort = Happening("stale reads", 2.0, {"seconds": 60.0}), Happening("person: abort", 3.6)
    scenario = evacuation(setup, stale, abort, preapproved=False, person=Person(8.0, "silent"))
    assert _settled(scenario) == []


def test_a_resume_does_not_shorten_the_settle_time() -> None:
    setup = setups_of(shipped_setups)["evacuate"]
    slow = Happening("slow calls", 2.1, {"seconds": 60.0})  # by its seed, 30 s each
    assert _settled(evacuation(setup, slow, seed=5, person=Person(2.0))) == []


def main() -> None:
    """Search all of them from seed 0, print the table, and exit with the number of those that were not caught."""
    print(HEADER)
    missed = 0
    for breakage in BREAKAGES:
        try:
            print(caught(breakage, from_zero=True).row(), flush=True)
        except AssertionError as error:
            missed += 1
            print(f"{breakage.breaks:4} {breakage.name:50} {error}", flush=True)
    sys.exit(missed)


if __name__ == "__main__":
    main()
