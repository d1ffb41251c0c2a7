"""Many years of ordinary weather, for production `detect` and `decide`: was any failover false, was any loss missed?

    python benchmarks/weather.py --years 10000

What the weather is, what is true, and what is skipped stands in cloudfail/testing/simulation/weather/. A year is a
region-year of the primary; the standby's weather comes along and is not counted. One process, no network, no clock: the
same seed gives the same figures. Each finding is printed with the seed of its year; `--replay SEED` plays that alone.

Exit code 0: no false failover, none before its loss had lasted through the hold-down, no loss missed.
"""

from __future__ import annotations

import argparse
import sys
import time

from cloudfail.testing.simulation.weather import Weather, Year, weather, year

SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--years", type=float, default=1000.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", metavar="SEED", help="one year, as a finding names it: 1.4711")
    asked = parser.parse_args()
    if asked.replay:
        replay(year(asked.replay))
        return 0
    began, busy, told = time.monotonic(), time.process_time(), 0

    def tell(one: Year) -> None:
        nonlocal told
        for finding in (*one.false, *one.early, *one.missed):
            told += 1
            if told <= SHOWN:
                print(finding, file=sys.stderr, flush=True)

    result = weather(asked.years, asked.seed, tell=tell)
    show(result, time.monotonic() - began, time.process_time() - busy)
    good = not result.false and not result.early and not result.missed
    print("PASS" if good else "FAIL")
    return 0 if good else 1


def show(result: Weather, seconds: float, busy: float) -> None:
    print(f"region-years         {result.region_years:,.0f}")
    print(f"time                 {seconds:,.0f} s, of which {busy:,.0f} s on one core")
    print(f"region-years/s       {result.region_years / busy:.1f} of one core's time")
    print(f"events               {sum(result.events.values()):,}, {result.overlaps:,} met another kind")
    for kind, count in result.events.items():
        print(f"  {kind:28} {count:,}")
    print(f"answers folded       {result.folded:,}; decide asked {result.asked:,} times")
    print("decisions            " + ", ".join(f"{kind} {count:,}" for kind, count in result.decisions.items()))
    print(f"failovers            {result.failovers:,}")
    print(f"  false              {len(result.false)}")
    print(f"  early              {len(result.early)}")
    print(f"losses to act on     {result.losses:,}")
    print(f"  acted on in time   {result.acted:,}")
    print(f"  missed or late     {len(result.missed)}")
    print(f"losses hindered      {result.hindered:,}, of which {result.hindered_acted:,} were acted on")
    delays = ", ".join(f"p{percent:g} {result.delay(percent):.1f}" for percent in (1, 50, 90, 99, 100))
    print(f"seconds to the act   {delays} (of {len(result.delays):,} with nothing in the way)")


def replay(one: Year) -> None:
    print(f"year {one.seed}: {len(one.events)} events, {len(one.said)} decisions, {len(one.acts)} failovers")
    for act in one.acts:
        print(f"  {'right' if act.right else 'NOT RIGHT'}: {act.source} at second {act.at:.1f}")
    for finding in (*one.false, *one.early, *one.missed):
        print(f"  {finding}")


if __name__ == "__main__":
    sys.exit(main())
