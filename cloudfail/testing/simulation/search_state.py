"""A searched history's state as one number: everything that the rest of the history depends on.

Times are ages, epochs count only by their order, nonces and wall stamps are left out. Where a greenlet stands is read
from its frames; of their local variables only those that matter (since when a claimant waits).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudfail.testing.simulation.search_checks import age
from cloudfail.testing.simulation.search_play import Play
from cloudfail.testing.simulation.search_worker import BOOT_AT_START, SETTLE_SECONDS, Task, Worker


def key_of(play: Play) -> int:
    """A hash of everything that the rest of the history depends on: times as ages, epochs by their order."""
    log = play.checks.log
    marks = play.cloud._marks
    engines = [worker.engine for worker in play.workers]
    epochs = {log.epoch, *marks.values(), *(engine._epoch for engine in engines if engine is not None)}
    epochs |= {request.call.epoch for request in play.requests}
    rank = {epoch: number for number, epoch in enumerate(sorted(epochs))}
    return hash(
        (
            play.checks.canonical(rank),
            tuple(rank[mark] for _, mark in sorted(marks.items())),
            _cloud_key(play),
            tuple(_worker_key(play, worker, rank) for worker in play.workers),
            tuple(
                (r.task.worker.name, r.verb, r.call.step, rank[r.call.epoch], r.adrift, age(play.now, r.started_at))
                for r in play.requests
                if not r.landed
            ),
            play.resumes,
            play.current is not None and play._can_run(play.current) and play.current.worker.name,
        )
    )


def _cloud_key(play: Play) -> tuple[Any, ...]:
    cloud, now = play.cloud, play.now
    return (
        tuple(
            (region, m.role, m.timeline, m.fenced, m.upstream, m.promoting_until and m.promoting_until - now)
            for region, m in cloud.databases["orders"].items()
        ),
        tuple(sorted(cloud.weights["edge"].items())),
        tuple(sorted(key for key, frozen in cloud.frozen.items() if frozen)),
        tuple(name for name, (at, _) in sorted(cloud._past.items()) if now - at < SETTLE_SECONDS),
    )


def _worker_key(play: Play, worker: Worker, rank: Mapping[int, int]) -> tuple[Any, ...]:
    engine, now = worker.engine, play.now
    if not worker.alive or engine is None:
        return (worker.alive,)
    tasks = tuple(_task_key(play, task) for task in worker.tasks)
    own = (
        worker.stopped_at is not None and age(now, worker.stopped_at),
        max(0.0, worker.cut_until - now),
        rank[engine._epoch],
        engine.lease.remaining(),
        tasks,
    )
    if worker.main.where[0] in {"start", "sleep"}:
        # A claimant reads everything anew when it goes on, and a process that starts again has a new engine.
        return own
    t = engine.t()
    behind = play.checks.log.seq - engine.journal.seq
    return (
        *own,
        behind and (behind, engine.state.run is not None and engine.state.run.phase, engine.state.holder),
        t - play.checks.run.t if engine._epoch == play.checks.log.epoch else 0,
        max(0.0, engine._quiet_until_t - t),
        tuple(sorted((track, _said(seen.seen), age(t, seen.t)) for track, seen in engine._looks.items())),
        tuple(sorted(engine._busy)),
        tuple(sorted(engine._acting)),
        len(worker._back),
    )


def _task_key(play: Play, task: Task) -> tuple[Any, ...]:
    where: Any = task.where
    if where[0] == "append":
        entry = json.loads(where[1])
        where = ("append", entry["kind"], repr(sorted(entry["data"].items())) if entry["kind"] != "claim" else "")
    frames = []
    frame = task.g.gr_frame
    while frame is not None:
        code = frame.f_code
        local: Any = None
        if code.co_name == "_claim":
            since, seen = frame.f_locals.get("since"), frame.f_locals.get("seen")
            # Since when it waits counts only while the holder has written nothing since.
            local = seen == play.checks.log.holder_seq and since and age(play.now + BOOT_AT_START, since)
        elif code.co_name == "_drain":
            local = frame.f_locals.get("end", 0.0) - play.now
        frames.append((code.co_name, frame.f_lasti, local))
        frame = frame.f_back
    return (where, task.ready, task.deadline and task.deadline - play.now, tuple(frames))


def _said(seen: Any) -> str:
    expect = getattr(seen, "expect", None)
    if isinstance(expect, tuple):
        expect = expect[-1]
    said = getattr(seen, "effect", "") or getattr(seen, "detail", "") or getattr(seen, "reason", "")
    return f"{type(seen).__name__} {said} {getattr(expect, 'version', '')}"
