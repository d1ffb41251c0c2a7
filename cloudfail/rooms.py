"""What an account may run of each group, asked of the clouds that bound it; and for a calm day, a line each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room, most_of_any, short
from cloudfail.plan import Rooms
from cloudfail.ports import HasRoom
from cloudfail.world import Ports

ROOM_SECONDS = 15.0
"""How long they are waited for."""


def rooms_of(world: Ports, groups: Iterable[str], region: str, *, seconds: float = ROOM_SECONDS) -> Rooms:
    """Group -> what the account may run of it there, of those that have such a bound; asked side by side, for so many
    seconds in all. Who does not answer by then is unknown."""
    until = time.monotonic() + seconds
    computes = world.computes()
    pool = ThreadPoolExecutor(max_workers=8)
    try:
        futures: dict[str, Future[Known[Room] | Unknown]] = {}
        for name in groups:
            compute = computes.get(name)
            if isinstance(compute, HasRoom):
                futures[name] = pool.submit(compute.room, region)
        return {name: _answer(future, max(0.0, until - time.monotonic())) for name, future in futures.items()}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _answer(future: Future[Known[Room] | Unknown], seconds: float) -> Known[Room] | Unknown:
    try:
        return future.result(timeout=seconds)
    except Exception as error:  # noqa: BLE001 - what cannot be read is unknown, and whoever asked says so
        return Unknown(f"{type(error).__name__}: {error}" if str(error) else "it did not answer in time")


def reports(world: Ports, recorded: Mapping[str, Mapping[str, int]]) -> list[str]:
    """For each region and group: whether it may run there the most that was recorded anywhere, and what is reserved."""
    wanted = most_of_any(recorded, world.computes())
    lines = []
    for region in world.topology.regions:
        here = [name for name in wanted if region in (world.topology.resources[name].members or (region,))]
        rooms = rooms_of(world, here, region)
        known = {name: room.value for name, room in rooms.items() if isinstance(room, Known)}
        lacking = {name: why for groups, why in short(wanted, known) for name in groups}
        for name, room in rooms.items():
            said = f"may run {room.value.in_words()}" if isinstance(room, Known) else f"unknown: {room.reason}"
            verdict = f"TOO LITTLE: {lacking[name]}" if name in lacking else f"{wanted[name]} may be wanted."
            lines.append(f"{region}  {name}  {said}; {verdict}")
    return lines
