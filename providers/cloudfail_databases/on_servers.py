"""What a database says whose members are servers that can be asked: the verbs that its data plane and its fence answer
alone, whatever cloud runs the servers."""

from __future__ import annotations

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceState, LossBound, WriteProof
from cloudfail.ports import Call
from cloudfail_databases.data_plane import DataPlane
from cloudfail_databases.fence import Fencing

GIVE_BACK = "give back the logins that the fence took"


class OnServers:
    """The part of ports.Database that asks no control plane for a role."""

    def __init__(self, plane: DataPlane, fencing: Fencing) -> None:
        self.plane = plane
        self.fencing = fencing

    def close(self) -> None:
        """End every session."""
        self.plane.close()

    def beat(self, region: str) -> Known[float] | Unknown:
        return self.plane.beat(region)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        return self.plane.loss(source, target, acknowledged)

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        return self.fencing.state(source)

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        self.fencing.apply(source, expect, call)

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        self.fencing.lift(source, expect, call)

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        return self.plane.read_canary(region, token)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        self.plane.write_canary(region, token, call)
