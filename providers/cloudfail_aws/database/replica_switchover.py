"""Moving the writer of an rds-replica without losing anything, one effect at a time, each stage read from the world.

RDS has no such verb for PostgreSQL (SwitchoverReadReplica is for Oracle Data Guard), so it is made of parts. Invariant
I4: the source is fenced until a write over a connection opened before and one over a new connection were refused; then
a last row is written on it, after which no client can have committed; the target is promoted only once it has replayed
that row, and WAL is replayed in order. So the target holds all. The fence is proven anew immediately before the order,
and putting it up or lifting it takes the row away (cloudfail_postgres/logins.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, FenceState, Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.database.instances import Instance
from cloudfail_aws.database.marks import refuse_older
from cloudfail_databases.fence import Fencing
from cloudfail_postgres.logins import last_row, write_last
from cloudfail_postgres.plane import Plane, Seen
from cloudfail_postgres.session import SessionError

READY = "available"


class Parts(Protocol):
    """What a database lends to it."""

    @property
    def plane(self) -> Plane: ...

    @property
    def fencing(self) -> Fencing: ...

    def instance(self, region: str) -> Instance: ...

    def upstream_of(self, region: str, instance: Instance) -> str | None: ...

    def promote(self, target: str, seen: Seen, instance: Instance, call: Call) -> None: ...


@dataclass(frozen=True)
class _Stage:
    progress: Progress
    name: str = ""
    fence: FenceState | None = None
    seen: Seen | None = None
    instance: Instance | None = None


def _moving(detail: str) -> _Stage:
    return _Stage(Progress(None, False, detail))


class Switchover:
    """The switchover verb of one database."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def state(self, source: str, target: str) -> Known[Progress] | Unknown:
        at = time.time()
        try:
            stage = self._stage(source, target)
        except (CloudfailError, *SessionError) as error:
            return Unknown(str(error), at)
        return stage if isinstance(stage, Unknown) else Known(stage.progress, at)

    def act(self, source: str, target: str, expect: Progress, call: Call) -> None:
        timed = TimeLeft(call)
        try:
            stage = self._stage(source, target)
        except SessionError as error:
            raise Transient(f"The switchover cannot be read: {error}.") from error
        if isinstance(stage, Unknown):
            raise Transient(f"The switchover cannot be read: {stage.reason}.")
        now = stage.progress
        if now.done:
            return
        if now.version != expect.version or now.next is None:
            raise Conflict(f"The switchover is at {now.version or now.detail}, not {expect.version} as it was seen.")
        self._do(stage, source, target, timed.rest())

    def _do(self, stage: _Stage, source: str, target: str, call: Call) -> None:
        parts = self._parts
        if stage.name == "fence" and stage.fence is not None:
            parts.fencing.apply(source, stage.fence, call)
        elif stage.name == "last":
            write_last(parts.plane.endpoint(source), call)
        elif stage.name == "admit":
            parts.plane.admit(target, call)
        elif stage.name == "promote" and stage.seen is not None and stage.instance is not None:
            refuse_older(stage.instance.epoch, call, f"{stage.instance.name} in {target}")
            parts.promote(target, stage.seen, stage.instance, call)
        else:
            raise Permanent(f"No such stage: {stage.name}.")

    def _stage(self, source: str, target: str) -> _Stage | Unknown:
        plane = self._parts.plane
        new = plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        if not new.sight.recovery:
            words = f"let clients in on {target}, and give back the logins that the fence on {source} took"
            return _Stage(
                Progress(words, False, "", f"{target}: {new.refusal}", f"{target} takes writes", f"admit/{target}"),
                "admit",
            )
        instance = self._parts.instance(target)
        if not instance.source:
            return _moving(f"RDS says that {instance.name} is promoted; the server is in recovery still")
        old = plane.look(source)
        if old.sight.recovery:
            return _moving(f"both {source} and {target} are replicas: fail over to {target} instead")
        if self._parts.upstream_of(target, instance) != source:
            return _moving(f"{instance.name} replicates {instance.source}, which is not the member in {source}")
        if instance.status != READY:
            return _moving(f"RDS says that {instance.name} is {instance.status}; nothing was stopped")
        return self._drain(source, target, new, instance)

    def _over(self, source: str, target: str) -> _Stage:
        try:
            old = self._parts.plane.look(source)
        except SessionError as error:
            return _Stage(Progress(None, True, f"{target} takes writes; {source} does not answer: {error}"))
        if old.takes_writes:
            return _moving(f"both {source} and {target} take writes: fence {source}, then let it follow {target}")
        return _Stage(Progress(None, True, f"{target} takes writes; {source} takes none"))

    def _drain(self, source: str, target: str, new: Seen, instance: Instance) -> _Stage | Unknown:
        fence = self._parts.fencing.state(source)
        if isinstance(fence, Unknown):
            return fence
        state = fence.value
        if state.outcome is not FenceOutcome.PROVEN:
            if not state.methods_left:
                return _moving(f"the fence on {source} is not proven, so nothing is promoted: {state.evidence}")
            words = f"fence {source} by {state.methods_left[0]}"
            after = f"{source} takes no writes"
            return _Stage(
                Progress(words, False, "", str(state.outcome), after, f"fence/{state.version}"), "fence", state
            )
        last = last_row(self._parts.plane.endpoint(source), source)
        if last is None:
            words = f"write a last row on {source}, after which no client can have committed"
            version = f"last/{state.version}"
            return _Stage(Progress(words, False, "", "fenced", "its end is known", version), "last")
        if last_row(self._parts.plane.endpoint(target), source) != last:
            return _moving(f"{target} has not replayed the last row of {source} yet, so it is not promoted")
        return _Stage(
            Progress(
                f"promote {target}; it holds all of {source}, its last row included",
                before=f"{target} is a replica",
                after=f"{target} takes writes",
                version=f"promote/{'/'.join(last)}",
            ),
            "promote",
            seen=new,
            instance=instance,
        )
