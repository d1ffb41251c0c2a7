"""How many failovers a minute are simulated on one core, with the default mix of faults; and where the time goes.

Run: python benchmarks/simulation.py [--seeds 400]. It plays the seeds twice: once for the rate, once under a profiler
for the shares. The peer is a bare floor: what it costs to encode, hash, store, read back and decode the same entries,
once by their writer and once by each reader, with nothing decided in between.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections import Counter
from pathlib import Path

from cloudfail.model.journal import GENESIS, decode, encode
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.simulation.play import play
from cloudfail.testing.simulation.scenario import Setup, draw
from cloudfail.testing.simulation.setups import shipped_setups
from cloudfail.testing.simulation.swarm import run_seeds

READERS = 2
LAYERS = (
    ("testing/simulation", "the simulated world"),
    ("testing", "the simulated world"),
    ("execution", "execution: fold and next commands"),
    ("engine.py", "engine"),
    ("model/journal.py", "journal: encode, decode, hash"),
    ("model/codec.py", "journal: encode, decode, hash"),
    ("journal.py", "journal: encode, decode, hash"),
    ("json/", "journal: encode, decode, hash"),
    ("detect.py", "detect and decide"),
    ("decide.py", "detect and decide"),
    ("watcher.py", "watcher and app"),
    ("app.py", "watcher and app"),
    ("actions", "actions"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=400)
    seeds = range(parser.parse_args().seeds)
    setups = shipped_setups()
    run_seeds(range(5), setups)
    began = time.process_time()
    run_seeds(seeds, setups)
    seconds = time.process_time() - began
    floor = floor_seconds(seeds, setups)
    rate = len(seeds) / seconds * 60
    print(
        f"{len(seeds)} seeds in {seconds:.1f} s of one core: {rate:,.0f} a minute, "
        f"{seconds / len(seeds) * 1e3:.1f} ms each"
    )
    print(f"the same entries, only written and read {READERS} times: {floor / len(seeds) * 1e3:.1f} ms each")
    print(f"ratio {seconds / floor:.1f} of the floor")
    profile = cProfile.Profile()
    profile.enable()
    run_seeds(range(min(100, len(seeds))), setups)
    profile.disable()
    shares: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        shares[layer_of(file, name)] += own
    total = sum(shares.values())
    for layer, own in shares.most_common():
        print(f"  {own / total:6.1%}  {layer}")


def layer_of(file: str, name: str) -> str:
    if file.startswith("~"):
        if "json" in name or "sha" in name:
            return "journal: encode, decode, hash"
        return "Python's own built-ins, called from all of these"
    place = str(Path(file))
    return next((layer for part, layer in LAYERS if part in place), "the standard library, called from all of these")


def floor_seconds(seeds: range, setups: tuple[Setup, ...]) -> float:
    by_name = {setup.name: setup for setup in setups}
    total = 0.0
    for seed in list(seeds)[:50]:
        scenario = draw(seed, setups)
        entries = [entry for _, entry in play(scenario, by_name[scenario.setup]).entries]
        began = time.process_time()
        store, previous = MemoryStore(), GENESIS
        for entry in entries:
            body = encode(
                seq=entry.seq, kind=entry.kind, epoch=entry.epoch, by=entry.by, at=entry.at, t=entry.t,
                nonce=entry.nonce, previous=previous, data=entry.data,
            )  # fmt: skip
            store.append("log", entry.seq, body)
            for _ in range(READERS):
                found = store.read("log", entry.seq - 1)[0]
                previous_after = decode.__wrapped__(found.seq, found.body, previous).digest
            previous = previous_after
        total += time.process_time() - began
    return total / min(50, len(seeds)) * len(seeds)


if __name__ == "__main__":
    main()
