"""`python -m cloudfail.testing.simulation --seeds N`: play the shipped runbooks, judge each history, say what was hit.

It fails on a violation, on a fault that took effect in less than one seed of a hundred, and on a row of the state table
that no seed took: what is not exercised proves nothing."""

from __future__ import annotations

import argparse
import os
import sys
import time

from cloudfail.testing.simulation.setups import shipped_setups
from cloudfail.testing.simulation.swarm import Swarm, kept, replayed, run_swarm, shrink

SEEDS_THAT_HIT_EVERYTHING = 2000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cloudfail.testing.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS_THAT_HIT_EVERYTHING)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--pairs", action="store_true", help="print each pair of state and fault, not their number only"
    )
    asked = parser.parse_args()
    began, told = time.monotonic(), 0

    def progress(so_far: Swarm) -> None:
        nonlocal told
        for seed, setup, violation in so_far.violations[told:]:
            say(f"VIOLATION seed {seed} ({setup}) {violation}")
        told = len(so_far.violations)

    swarm = run_swarm(asked.first, asked.seeds, shipped_setups, processes=asked.processes, progress=progress)
    seconds = time.monotonic() - began
    tell(swarm, asked.first, seconds, pairs=asked.pairs)
    if swarm.violations:
        tell_smallest(swarm)
        return 1
    if asked.seeds < SEEDS_THAT_HIT_EVERYTHING:
        return 0
    return 1 if swarm.rare_faults() or swarm.rows_never_taken() else 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tell(swarm: Swarm, first: int, seconds: float, *, pairs: bool) -> None:
    say(
        f"seeds {first} to {first + swarm.seeds - 1}: {swarm.seeds} in {seconds:.0f} s, "
        f"{swarm.seeds / seconds * 60:.0f} a minute; violations {len(swarm.violations)}"
    )
    say("ends: " + ", ".join(f"{end} {count}" for end, count in swarm.ends.most_common()))
    say("faults, by the seeds in which they took effect:")
    for fault, count in sorted(swarm.fired.items(), key=lambda item: -item[1]):
        say(f"  {count:7} {count / swarm.seeds:7.2%}  {fault}")
    say(f"pairs of the run's state and a fault: {len(swarm.hits)} different")
    for (state, fault), count in sorted(swarm.hits.items()) if pairs else ():
        say(f"  {count:7}  {state} | {fault}")
    for fault, share in swarm.rare_faults():
        say(f"TOO RARE: {fault} took effect in {share:.2%} of the seeds")
    for row in swarm.rows_never_taken():
        say(f"NEVER TAKEN: {row}")


def tell_smallest(swarm: Swarm) -> None:
    seed, name, violation = swarm.violations[0]
    setups = shipped_setups()
    setup = next(setup for setup in setups if setup.name == name)
    full = replayed(seed, setups)
    small = shrink(full, setup, violation.invariant)
    say(f"\nthe first of them, cut down:\n{small.told()}")
    keep = ",".join(map(str, kept(full, small)))
    say(f"replay: cloudfail simulate --sweep --seed {seed} --keep {keep}")


if __name__ == "__main__":
    sys.exit(main())
