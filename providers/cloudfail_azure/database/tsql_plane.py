"""The data plane of Azure SQL: all that is asked and written over TDS, of each database that a member holds.

A group fails over as a whole, so a member takes writes where each of its databases let one in, and is a replica where
each is one. Where some are this and some that, it is on its way, and says nothing that counts.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound, WriteProof
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database import tsql_fence
from cloudfail_azure.database.tsql_endpoint import (
    Endpoint,
    Sight,
    put,
    quoted,
    sight,
    try_new,
    try_now,
    upserted,
    with_tables,
)
from cloudfail_azure.database.tsql_errors import mutation_error
from cloudfail_azure.database.tsql_session import TsqlError
from cloudfail_databases import heartbeats
from cloudfail_databases.data_plane import NoWord, Proof, Standing, Tried, View


class TsqlPlane:
    """data_plane.DataPlane. endpoints: region -> one for each database. silent: region -> why nothing can be asked."""

    method = "logins"
    reader = "a secondary"

    def __init__(self, endpoints: Mapping[str, Sequence[Endpoint]], silent: Mapping[str, str]) -> None:
        self._endpoints = endpoints
        self._silent = silent

    def has(self, region: str) -> bool:
        return region in self._endpoints

    def place(self, region: str) -> str:
        return ", ".join(one.look.place for one in self._all(region))

    def close(self) -> None:
        for several in self._endpoints.values():
            for one in several:
                one.close()

    def look(self, region: str) -> View:
        seen = self._sights(region)
        view = _view(region, seen)
        if view.replica or view.read_only:
            return view
        for endpoint in self._all(region):
            tried = try_now(endpoint)
            if tried.tried is not Tried.LET_IN:
                return _view(region, seen, refusal=f"{endpoint.database}: {tried.words}")
        for endpoint in self._all(region):
            if not endpoint.held.is_open:
                with contextlib.suppress(*TsqlError):  # the next look tries again
                    endpoint.held.ask("SELECT 1")
        return _view(region, seen, takes_writes=True)

    def peek(self, region: str) -> View:
        return _view(region, self._sights(region))

    def try_held(self, region: str) -> Proof:
        return _worst([(one.database, tsql_fence.held(one)) for one in self._all(region)])

    def try_new(self, region: str) -> Proof:
        return _worst([(one.database, try_new(one)) for one in self._all(region)])

    def shut(self, region: str, call: Call) -> None:
        timed = TimeLeft(call)
        for endpoint in self._changing(region):
            tsql_fence.deny(endpoint, timed.rest())

    def give_back(self, region: str, call: Call) -> None:
        timed = TimeLeft(call)
        for endpoint in self._changing(region):
            seen = self._seen(endpoint)
            fence = seen.fence_of(region)
            if fence is None or not fence.standing:
                continue
            if fence.epoch > call.epoch:
                raise Conflict(
                    f"The fence on {region} carries epoch {fence.epoch}, later than this run's {call.epoch}."
                )
            tsql_fence.give_back(endpoint, fence, timed.rest())

    def mark(self, region: str, call: Call) -> None:
        """The epoch's mark, in each database of a primary. Raises Conflict where it is a newer run's."""
        timed = TimeLeft(call)
        for endpoint in self._changing(region):
            with _changed(f"the mark in {endpoint.database} in {region}"):
                with_tables(endpoint, partial(put, endpoint, "mark", ("name", "writer"), timed.rest()))

    def admit(self, region: str, call: Call) -> None:
        timed = TimeLeft(call)
        for endpoint in self._changing(region):
            seen = self._seen(endpoint)
            if not seen.updateable:
                raise Transient(f"{endpoint.database} in {region} is no primary yet.")
            with _changed(f"opening {endpoint.database} in {region} for clients"):
                with_tables(endpoint, partial(put, endpoint, "mark", ("name", "writer"), timed.rest()))
            for fence in seen.fences:
                if fence.standing and fence.region != region:
                    tsql_fence.give_back(endpoint, fence, timed.rest())
                    call.log(
                        f"{region}: may connect to {endpoint.database} again, after the fence on {fence.region}: "
                        f"{', '.join(fence.taken)}"
                    )

    def beat(self, region: str) -> Known[float] | Unknown:
        at = time.time()
        try:
            for endpoint in self._all(region):
                written = upserted("heartbeat", ("region", region), {"written": at})
                with_tables(endpoint, partial(endpoint.beat.order, *written))
        except (NoWord, *TsqlError) as error:
            return Unknown(f"heartbeat in {region}: {error}", at)
        return Known(at, at)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        oldest: float | None = None
        try:
            for endpoint in self._all(target):
                seen = sight(endpoint)
                found = (
                    endpoint.look.ask(f"SELECT written FROM cloudfail.heartbeat WHERE region = {quoted(source)}")
                    if seen.made
                    else []
                )
                if not found:
                    return heartbeats.bound(None, acknowledged, now=time.time())
                oldest = float(found[0][0]) if oldest is None else min(oldest, float(found[0][0]))
        except (NoWord, *TsqlError) as error:
            return LossBound(None, None, (f"{target} does not answer: {error}",))
        return heartbeats.bound(oldest, acknowledged, now=time.time())

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        written = ""
        try:
            for endpoint in self._all(region):
                found = (
                    endpoint.canary.ask(f"SELECT region FROM cloudfail.canary WHERE token = {quoted(token)}")
                    if sight(endpoint).made
                    else []
                )
                if not found:
                    return Known(None, time.time())
                written = str(found[0][0])
        except (NoWord, *TsqlError) as error:
            return Unknown(f"canary in {region}: {error}", time.time())
        return Known(WriteProof(token, written), time.time())

    def write_canary(self, region: str, token: str, call: Call) -> None:
        try:
            endpoints = self._all(region)
        except NoWord as error:
            raise Permanent(f"No canary can be written in {region}: {error}.") from error
        for endpoint in endpoints:
            with _changed(f"canary in {endpoint.database} in {region}"):
                call.check()
                # Only where it is not there: the first one stays as it was written.
                row = upserted("canary", ("token", token), {"region": region, "written": time.time()})[1]
                with_tables(endpoint, partial(endpoint.canary.order, row))

    def _all(self, region: str) -> Sequence[Endpoint]:
        if region not in self._endpoints:
            raise NoWord(self._silent.get(region, f"this database has no member in {region}"))
        return self._endpoints[region]

    def _changing(self, region: str) -> Sequence[Endpoint]:
        try:
            return self._all(region)
        except NoWord as error:
            raise Transient(f"{region} does not answer: {error}.") from error

    def _sights(self, region: str) -> list[Sight]:
        try:
            return [sight(one) for one in self._all(region)]
        except TsqlError as error:
            raise NoWord(str(error)) from error

    @staticmethod
    def _seen(endpoint: Endpoint) -> Sight:
        try:
            return sight(endpoint)
        except TsqlError as error:
            raise Transient(f"{endpoint.region} does not answer: {error}.") from error


@contextlib.contextmanager
def _changed(what: str) -> Iterator[None]:
    try:
        yield
    except TsqlError as error:
        raise mutation_error(error, what) from error


def _view(region: str, seen: Sequence[Sight], *, takes_writes: bool = False, refusal: str = "") -> View:
    replicas = {not one.updateable and one.secondary for one in seen}
    if len(replicas) > 1:
        raise NoWord(f"some databases in {region} are secondaries and some are not")
    epochs = [one.epoch for one in seen if one.epoch is not None]
    return View(
        replica=replicas == {True},
        takes_writes=takes_writes,
        refusal=refusal,
        read_only=any(not one.updateable and not one.secondary for one in seen),
        fences=_standing(seen),
        epoch=max(epochs) if epochs else None,
    )


def _standing(seen: Sequence[Sight]) -> tuple[Standing, ...]:
    """A fence stands where it does on one database, and is whole where it is on all."""
    found: dict[str, list[Standing]] = {}
    for one in seen:
        for fence in one.fences:
            if fence.standing:
                found.setdefault(fence.region, []).append(fence.note)
    return tuple(
        Standing(
            region,
            max(one.epoch for one in notes),
            whole=len(notes) == len(seen) and all(one.whole for one in notes),
        )
        for region, notes in found.items()
    )


def _worst(proofs: Sequence[tuple[str, Proof]]) -> Proof:
    """Of several databases: one that let a write in is worse than one that says nothing."""
    came = {one.tried for _, one in proofs}
    worst = next(one for one in (Tried.LET_IN, Tried.NO_WORD, Tried.REFUSED) if one in came)
    return Proof(worst, "; ".join(f"{name}: {one.words}" for name, one in proofs))
