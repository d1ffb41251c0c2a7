"""The data plane of a DocumentDB global cluster: all that is asked and written over MongoDB's wire protocol."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound, WriteProof
from cloudfail.ports import Call
from cloudfail_aws.database import document_fence
from cloudfail_aws.database.document_endpoint import OWN, Endpoint, Sight, newer, ping, put, sight, try_new, try_now
from cloudfail_aws.database.document_errors import mutation_error
from cloudfail_aws.database.document_session import DocumentError
from cloudfail_databases import heartbeats
from cloudfail_databases.data_plane import NoWord, Proof, Tried, View


class DocumentPlane:
    """data_plane.DataPlane. silent: region -> why nothing can be asked there."""

    method = "roles"
    reader = "a secondary"

    def __init__(self, endpoints: Mapping[str, Endpoint], silent: Mapping[str, str]) -> None:
        self._endpoints = endpoints
        self._silent = silent

    def has(self, region: str) -> bool:
        return region in self._endpoints

    def place(self, region: str) -> str:
        return self._endpoint(region).look.place

    def close(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.close()

    def look(self, region: str) -> View:
        endpoint = self._endpoint(region)
        seen = self._sight(region)
        if not seen.primary:
            return _view(seen)
        tried = try_now(endpoint)
        if tried.tried is not Tried.LET_IN:
            return _view(seen, refusal=tried.words)
        if not endpoint.held.is_open:
            with contextlib.suppress(*DocumentError):  # the next look tries again
                endpoint.held.ask(ping)
        return _view(seen, takes_writes=True)

    def peek(self, region: str) -> View:
        return _view(self._sight(region))

    def try_held(self, region: str) -> Proof:
        return document_fence.held(self._endpoint(region))

    def try_new(self, region: str) -> Proof:
        return try_new(self._endpoint(region))

    def shut(self, region: str, call: Call) -> None:
        document_fence.revoke(self._changing(region), call)

    def give_back(self, region: str, call: Call) -> None:
        endpoint = self._changing(region)
        try:
            fence = sight(endpoint.act).fence_of(region)
        except DocumentError as error:
            raise Transient(f"{region} does not answer, so its own fence cannot be lifted: {error}.") from error
        if fence is None or not fence.standing:
            return
        if fence.epoch > call.epoch:
            raise Conflict(f"The fence on {region} carries epoch {fence.epoch}, later than this run's {call.epoch}.")
        document_fence.give_back(endpoint, fence, call)

    def admit(self, region: str, call: Call) -> None:
        endpoint = self._changing(region)
        try:
            seen = sight(endpoint.act)
            if not seen.primary:
                raise Transient(f"{region} is no primary yet.")
            call.check()
            endpoint.act.order(lambda client: put(client, "mark", "writer", call), seconds=call.timeout_seconds)
        except DocumentError as error:
            what = f"opening {region} for clients"
            raise newer(error, f"The writer in {region}", call) or mutation_error(error, what) from error
        for fence in seen.fences:
            if fence.standing and fence.region != region:
                document_fence.give_back(endpoint, fence, call)
                names = ", ".join(user for user, _ in fence.taken)
                call.log(f"{region}: roles given back that the fence on {fence.region} took: {names}")

    def beat(self, region: str) -> Known[float] | Unknown:
        at = time.time()
        try:
            endpoint = self._endpoint(region)
            endpoint.beat.order(
                lambda client: client[OWN].heartbeat.update_one({"_id": region}, {"$set": {"at": at}}, upsert=True)
            )
        except (NoWord, *DocumentError) as error:
            return Unknown(f"heartbeat in {region}: {error}", at)
        return Known(at, at)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        try:
            endpoint = self._endpoint(target)
            found = endpoint.look.ask(lambda client: client[OWN].heartbeat.find_one({"_id": source}))
        except (NoWord, *DocumentError) as error:
            return LossBound(None, None, (f"{target} does not answer: {error}",))
        return heartbeats.bound(float(found["at"]) if found else None, acknowledged, now=time.time())

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        try:
            endpoint = self._endpoint(region)
            found = endpoint.canary.ask(lambda client: client[OWN].canary.find_one({"_id": token}))
        except (NoWord, *DocumentError) as error:
            return Unknown(f"canary in {region}: {error}", time.time())
        return Known(WriteProof(token, str(found["region"])) if found else None, time.time())

    def write_canary(self, region: str, token: str, call: Call) -> None:
        try:
            endpoint = self._endpoint(region)
        except NoWord as error:
            raise Permanent(f"No canary can be written in {region}: {error}.") from error
        written = {"$setOnInsert": {"region": region, "at": time.time()}}
        try:
            call.check()
            endpoint.canary.order(lambda client: client[OWN].canary.update_one({"_id": token}, written, upsert=True))
        except DocumentError as error:
            raise mutation_error(error, f"canary in {region}") from error

    def _endpoint(self, region: str) -> Endpoint:
        if region not in self._endpoints:
            raise NoWord(self._silent.get(region, f"this database has no member in {region}"))
        return self._endpoints[region]

    def _changing(self, region: str) -> Endpoint:
        try:
            return self._endpoint(region)
        except NoWord as error:
            raise Transient(f"{region} does not answer: {error}.") from error

    def _sight(self, region: str) -> Sight:
        endpoint = self._endpoint(region)
        try:
            seen = sight(endpoint.look)
        except DocumentError as error:
            raise NoWord(str(error)) from error
        if seen.primary == seen.secondary:
            raise NoWord(f"{endpoint.look.place} is neither a primary nor a secondary now")
        return seen


def _view(seen: Sight, *, takes_writes: bool = False, refusal: str = "") -> View:
    return View(
        replica=not seen.primary,
        takes_writes=takes_writes,
        refusal=refusal,
        fences=tuple(one.note for one in seen.fences if one.standing),
        epoch=seen.epoch,
        position=seen.position,
    )
