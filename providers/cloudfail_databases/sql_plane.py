"""The data plane of PostgreSQL servers (`cloudfail_postgres.plane`) as fences and moves ask for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cloudfail.errors import Conflict, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound, WriteProof
from cloudfail.ports import Call
from cloudfail_databases.data_plane import NoWord, Proof, Standing, Tried, View
from cloudfail_postgres import write_proof
from cloudfail_postgres.endpoint import Endpoint
from cloudfail_postgres.logins import give_back, revoke
from cloudfail_postgres.managed import Sight, look
from cloudfail_postgres.plane import Plane
from cloudfail_postgres.session import SessionError


class SqlPlane:
    """data_plane.DataPlane."""

    method = "logins"
    reader = "in recovery"

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def has(self, region: str) -> bool:
        return self._plane.has(region)

    def place(self, region: str) -> str:
        return self._endpoint(region).place

    def close(self) -> None:
        self._plane.close()

    def look(self, region: str) -> View:
        with _answering():
            seen = self._plane.look(region)
        return _view(seen.sight, seen.takes_writes, seen.refusal)

    def peek(self, region: str) -> View:
        with _answering():
            return _view(look(self._plane.endpoint(region).look))

    def try_held(self, region: str) -> Proof:
        endpoint = self._endpoint(region)
        return _proof(write_proof.try_held(endpoint, endpoint.look))

    def try_new(self, region: str) -> Proof:
        return _proof(write_proof.try_new(self._endpoint(region)))

    def shut(self, region: str, call: Call) -> None:
        try:
            endpoint = self._plane.endpoint(region)
        except SessionError as error:
            raise Transient(f"{region} does not answer: {error}.") from error
        revoke(endpoint, call)

    def give_back(self, region: str, call: Call) -> None:
        try:
            endpoint = self._plane.endpoint(region)
            fence = look(endpoint.look).fence_of(region)
        except SessionError as error:
            raise Transient(f"{region} does not answer, so its own fence cannot be lifted: {error}.") from error
        if fence is None or not fence.standing:
            return
        if fence.epoch > call.epoch:
            raise Conflict(f"The fence on {region} carries epoch {fence.epoch}, later than this run's {call.epoch}.")
        give_back(endpoint, region, fence.roles, call)

    def admit(self, region: str, call: Call) -> None:
        self._plane.admit(region, call)

    def beat(self, region: str) -> Known[float] | Unknown:
        return self._plane.beat(region)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        return self._plane.loss(source, target, acknowledged)

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        return self._plane.read_canary(region, token)

    def write_canary(self, region: str, token: str, call: Call) -> None:
        self._plane.write_canary(region, token, call)

    def _endpoint(self, region: str) -> Endpoint:
        with _answering():
            return self._plane.endpoint(region)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except SessionError as error:
        raise NoWord(str(error)) from error


def _proof(found: write_proof.Proof) -> Proof:
    return Proof(Tried(found.tried.value), found.words)


def _view(sight: Sight, takes_writes: bool = False, refusal: str = "") -> View:
    where = sight.position
    return View(
        replica=sight.recovery,
        takes_writes=takes_writes,
        refusal=refusal,
        read_only=sight.read_only,
        fences=tuple(Standing(one.region, one.epoch) for one in sight.fences if one.standing),
        epoch=sight.epoch,
        position=where.at if where is not None else 0,
        timeline=where.timeline if where is not None else 0,
        lag_seconds=sight.lag_seconds,
    )
