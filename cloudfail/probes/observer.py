"""The process that looks from one vantage: `python -m cloudfail.probes.observer`.

On stdin: one line with a JSON list of what to look at, then nothing more; the pipe stays open. On stdout: one JSON line
for each look. It ends when stdin closes, when its parent is gone, or when nobody reads its answers, so that whatever
killed those who started it, no observer is left behind.

It looks about every `every` seconds on the clock that counts sleep, so it does not drift; `phase` (a part of `every`)
lets several vantages look in turn and not all at once. Each look is up to a fifth of that early or late, by lot: looks
at fixed times see what beats in step with them as always down, or never. One look at a time per target. After a look
that ends a little late the next follows at once; times missed by more than half an interval are left out, not made up
for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import random
import sys
import threading
from typing import Any, NamedTuple

from cloudfail.detect import LOOKS_BY_LOT
from cloudfail.model.observation import Health
from cloudfail.probes import http, tcp
from cloudfail.probes.look import Answer, Ask, CouldNotLook, answer, boot, plain

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
PROBES_MAX = 1000
EVERY_SECONDS_MIN = 0.02
PARENT_LOOK_SECONDS = 1.0


class Probe(NamedTuple):
    """One entry of the document. `rounds` 0 means until the end."""

    region: str
    check: str
    every_seconds: float
    phase: float
    rounds: int
    ask: Ask


def read_document(line: bytes) -> list[Probe]:
    """ValueError says what is wrong with it."""
    if len(line) > DOCUMENT_BYTES_MAX:
        raise ValueError("the document is too long")
    entries = json.loads(line)
    if not isinstance(entries, list) or len(entries) > PROBES_MAX:
        raise ValueError(f"the document is not a list of at most {PROBES_MAX} probes")
    return [_probe(entry) for entry in entries]


def _probe(entry: Any) -> Probe:
    if not isinstance(entry, dict):
        raise ValueError("a probe is not an object")
    try:
        ask = Ask(
            str(entry["kind"]),
            str(entry["target"]),
            max(0.001, float(entry["timeout"])),
            tuple(int(status) for status in entry.get("expect_status") or ()),
            entry.get("expect_body"),
            entry.get("loopback") is True,
        )
        every = max(EVERY_SECONDS_MIN, float(entry["every"]))
        phase, rounds = float(entry.get("phase", 0.0)) % 1.0, int(entry.get("rounds", 0))
        return Probe(str(entry["region"]), str(entry["check"]), every, phase, rounds, ask)
    except (KeyError, TypeError) as error:
        raise ValueError(f"a probe lacks or misstates {error}") from None


async def observe_once(ask: Ask) -> Answer:
    """One look, of whichever kind."""
    if ask.kind == "http":
        return await answer(ask, http.look)
    if ask.kind == "tcp":
        return await answer(ask, tcp.look)
    if ask.kind == "sql":
        from cloudfail.probes import sql

        return await answer(ask, sql.look)
    return Answer(Health.UNKNOWN, plain(f"could not look: {ask.kind!r} is no kind of check"), 0.0, {})


async def repeat(probe: Probe) -> None:
    """Look now, and then about each fixed time."""
    every, base, looked = probe.every_seconds, boot(), 0
    began = base
    if not probe.rounds:
        base = (math.floor(began / every) + probe.phase) * every
    number = math.ceil((began - base) / every + 0.5) - 1  # the first fixed time at least half an interval from now
    while True:
        say(probe, await observe_once(probe.ask))
        looked += 1
        if looked == probe.rounds:
            return
        number = max(number + 1, math.ceil((boot() - base) / every - 0.5))
        lot = 0.0 if probe.rounds else every * LOOKS_BY_LOT * (2.0 * random.random() - 1.0)
        await asyncio.sleep(base + number * every + lot - boot())


def say(probe: Probe, given: Answer) -> None:
    """One line. `sent` is this machine's clock: by it the receiver sees an answer that was long on its way."""
    line = json.dumps(
        {
            "region": probe.region,
            "check": probe.check,
            "health": given.health,
            "took": given.took_seconds,
            "sent": boot(),
            "detail": given.detail,
            "phases": given.phases,
        },
        separators=(",", ":"),
    )
    left = line.encode() + b"\n"
    while left:
        left = left[os.write(1, left) :]


async def run(probes: list[Probe]) -> None:
    if any(probe.ask.target.startswith("https:") for probe in probes):
        http.tls()
    if any(probe.ask.kind == "sql" for probe in probes):
        from cloudfail.probes import sql

        with contextlib.suppress(CouldNotLook):  # each look will say so
            sql.driver()  # its import takes longer than many a deadline
    parent = asyncio.create_task(end_with_the_parent(os.getppid()))
    try:
        await asyncio.gather(*(repeat(probe) for probe in probes))
    finally:
        parent.cancel()


async def end_with_the_parent(parent: int) -> None:
    """For the case that a stranger inherited the other end of our stdin and keeps it open."""
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_LOOK_SECONDS)
    os._exit(0)


def end_with_stdin() -> None:
    """Wait for the end of stdin and leave at once: a look that is under way has nothing to clean up."""
    while os.read(0, 65536):
        pass
    os._exit(0)


def main() -> int:
    line = bytearray()
    while not line.endswith(b"\n") and len(line) <= DOCUMENT_BYTES_MAX:
        more = os.read(0, 65536)
        if not more:
            return 2
        line += more
    try:
        probes = read_document(bytes(line))
    except ValueError as error:
        sys.stderr.write(f"cloudfail.probes.observer: {error}\n")
        return 2
    threading.Thread(target=end_with_stdin, daemon=True).start()
    try:
        asyncio.run(run(probes))
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
