"""The data plane of a database whose members nobody here can ask: for an engine that no driver of ours speaks.

So no write is ever seen, no fence is proven, and no verb on it is ever seen to be done; what a control plane says of it
stays a claim.
"""

from __future__ import annotations

import time

from cloudfail.errors import Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound
from cloudfail.ports import Call
from cloudfail_databases.data_plane import NoWord, Proof, Tried, View


class Unasked:
    """data_plane.DataPlane. why: for people."""

    method = ""
    reader = "unseen"

    def __init__(self, why: str) -> None:
        self.why = why

    def has(self, region: str) -> bool:
        return False

    def place(self, region: str) -> str:
        return region

    def close(self) -> None:
        """There is no session."""

    def look(self, region: str) -> View:
        raise NoWord(self.why)

    def peek(self, region: str) -> View:
        raise NoWord(self.why)

    def try_held(self, region: str) -> Proof:
        return Proof(Tried.NO_WORD, self.why)

    def try_new(self, region: str) -> Proof:
        return Proof(Tried.NO_WORD, self.why)

    def shut(self, region: str, call: Call) -> None:
        raise self._refused()

    def give_back(self, region: str, call: Call) -> None:
        """Nothing was taken."""

    def admit(self, region: str, call: Call) -> None:
        """Nothing shuts clients out."""

    def beat(self, region: str) -> Unknown:
        return self._none()

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        return LossBound(None, None, (self.why,))

    def read_canary(self, region: str, token: str) -> Unknown:
        return self._none()

    def write_canary(self, region: str, token: str, call: Call) -> None:
        raise self._refused()

    def _none(self) -> Unknown:
        return Unknown(self.why, time.time())

    def _refused(self) -> Permanent:
        return Permanent(f"Nothing is written to it: {self.why}.", "Nothing was changed.")
