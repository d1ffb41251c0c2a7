"""Switchover and follow of a global datastore: what comes next, read from the API and from the servers.

ElastiCache has no switchover, so it is made of parts. Invariant I4: the source is fenced until a write over a
connection opened before and one over a new connection were refused; then a last key is written on it, after which no
client can have written; the roles are exchanged only once the target holds that key, and a server replicates in the
order in which it executed. So the target holds all, and the request that is lossy otherwise loses nothing. The fence is
proven anew immediately before it.

Following is AWS's own: the old primary is made a secondary by the same request, and resynchronised. What only it held
is gone with that, and nothing of it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.errors import Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import FenceOutcome, FenceState, Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.database.cache_fence import Fencing
from cloudfail_aws.database.cache_plane import Plane
from cloudfail_aws.database.cache_session import CacheError
from cloudfail_aws.database.global_datastores import ASSOCIATED, Datastore, GlobalDatastores, Member
from cloudfail_aws.database.marks import refuse_older
from cloudfail_databases.staged import StagedMoves


@dataclass(frozen=True)
class _Stage:
    progress: Progress
    name: str = ""
    fence: FenceState | None = None
    target: Member | None = None


def _moving(detail: str) -> _Stage:
    return _Stage(Progress(None, False, detail))


class Moves(StagedMoves[_Stage]):
    """Of one datastore."""

    silent = CacheError

    def __init__(self, stores: GlobalDatastores, plane: Plane, fencing: Fencing) -> None:
        self._stores = stores
        self._plane = plane
        self._fencing = fencing

    def _switch(self, stage: _Stage, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        if stage.name == "fence" and stage.fence is not None:
            self._fencing.apply(source, stage.fence, timed.rest())
        elif stage.name == "open":
            self._fencing.open(target, timed.rest())
        elif stage.name == "last":
            self._plane.write_last(source, stage.progress.version, timed.rest())
        elif stage.name == "move" and stage.target is not None:
            refuse_older(self._stores.epoch(stage.target), call, f"{stage.target.group} in {target}")
            self._stores.fail_over(stage.target, timed.rest())

    def _rejoin(self, stage: _Stage, region: str, upstream: str, timed: TimeLeft) -> None:
        self._fencing.open(region, timed.rest())

    # ---- switchover

    def _switchover(self, source: str, target: str) -> _Stage:
        new = self._plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        self._plane.sight(source)
        known = self._stores.describe(target)
        if known.underway:
            return _moving(known.underway)
        old, member = self._members(known, source, target)
        if member.primary:
            if self._fencing.shuts(target):
                words = f"give the users of {target} back what a fence on it took"
                return _Stage(Progress(words, False, "", new.refusal, f"{target} takes writes", "open"), "open")
            return _moving(f"AWS calls {member.group} the primary; its server takes no writes yet")
        if not old.primary:
            return _moving(f"AWS calls neither {source} nor {target} the primary of {known.name}")
        if member.status != ASSOCIATED:
            return _moving(f"{member.group} is {member.status}, so nothing is moved")
        return self._drain(source, target, member)

    def _members(self, known: Datastore, source: str, target: str) -> tuple[Member, Member]:
        found = [known.member(self._stores.group(region), region) for region in (source, target)]
        old, new = found
        if old is None or new is None:
            raise Permanent(
                f"{known.name} has not both {source} and {target} as members.",
                "Nothing was moved.",
                f"See what AWS has: aws elasticache describe-global-replication-groups --region {target} "
                "--show-member-info",
            )
        return old, new

    def _over(self, source: str, target: str) -> _Stage:
        try:
            old = self._plane.look(source)
        except CacheError as error:
            return _Stage(Progress(None, True, f"{target} takes writes; {source} does not answer: {error}"))
        if old.takes_writes:
            return _moving(f"both {source} and {target} take writes: fence {source}")
        return _Stage(Progress(None, True, f"{target} takes writes; {source} takes none"))

    def _drain(self, source: str, target: str, member: Member) -> _Stage:
        fence = self._fencing.state(source)
        if isinstance(fence, Unknown):
            raise Transient(f"The fence on {source} cannot be read: {fence.reason}.")
        state = fence.value
        if state.outcome is not FenceOutcome.PROVEN:
            if not state.methods_left:
                return _moving(f"the fence on {source} is not proven, so nothing is moved: {state.evidence}")
            words, after = f"fence {source} by {state.methods_left[0]}", f"{source} takes no writes"
            version = f"fence/{state.version}"
            return _Stage(Progress(words, False, "", str(state.outcome), after, version), "fence", state)
        # The mark of the fence is part of the key: one of an earlier fence, after which clients wrote, is none.
        version = f"last/{state.epoch}"
        last = self._plane.last(source, source)
        if last is None or not last.startswith(f"{version} "):
            words = f"write a last key on {source}, after which no client can have written"
            return _Stage(Progress(words, False, "", "fenced", "its end is known", version), "last")
        if self._plane.last(target, source) != last:
            return _moving(f"{target} does not hold the last key of {source} yet, so nothing is moved")
        words = f"exchange the roles of {source} and {target}, which holds all, the last key of {source} included"
        progress = Progress(words, False, "", f"{target} is a replica", f"{target} takes writes", f"move/{last}")
        return _Stage(progress, "move", target=member)

    # ---- follow

    def _follow(self, region: str, upstream: str) -> _Stage:
        if not self._plane.look(upstream).takes_writes:
            return _moving(f"{upstream} takes no writes: promote it first")
        known = self._stores.describe(upstream)
        if known.underway:
            return _moving(known.underway)
        group = self._stores.group(region)
        member = known.member(group, region)
        if member is None:
            raise Permanent(
                f"{group} in {region} is no member of {known.name}.",
                "AWS has not taken it back in, or somebody took it out; nothing was changed.",
                f"Add a secondary replication group in {region} to {known.name}.",
            )
        if member.primary:
            return _moving(f"AWS calls {group} in {region} the primary")
        seen = self._plane.look(region)
        if not seen.replica:
            return _moving(f"AWS calls {group} a secondary; its server is none")
        if self._fencing.shuts(region):
            words = f"open the way to {region} again: a replica takes no writes"
            return _Stage(Progress(words, False, "", "shut", "open", f"open/{region}"), "open")
        if member.status != ASSOCIATED or seen.sight.link_up is False:
            return _moving(f"{group} is {member.status}, its upstream {'there' if seen.sight.link_up else 'not there'}")
        return _Stage(Progress(None, True, f"{group} in {region} is a replica of {upstream}"))
