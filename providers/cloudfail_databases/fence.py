"""The fence on a managed writer: which methods there are, in which order, and what proves that they hold.

The method inside of the database (`logins`, over SQL) needs nothing of the old region but the server itself; it is
proven by writes that the server refused, over a connection opened before and over a new one. `network-acl` needs EC2's
control plane there, and is for the server that does not answer: what it stands for is said, and is no proof, unless the
operator gave their word. `security-group` needs RDS's control plane there, and only keeps new connections out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from cloudfail.errors import Conflict, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, FenceState
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.data_plane import DataPlane, NoWord, Proof, Tried, View


class Network(Protocol):
    """A method that acts on the way to the server. cuts: whether connections that were made before end too."""

    name: str
    cuts: bool

    def has(self, region: str) -> bool: ...

    def prevents(self, region: str) -> bool: ...

    def standing(self, region: str) -> Known[bool] | Unknown: ...

    def apply(self, region: str, call: Call) -> None: ...

    def lift(self, region: str, call: Call) -> None: ...


class Fencing:
    """The fence verbs of one database. order: the methods as they are declared."""

    def __init__(
        self, plane: DataPlane, networks: Sequence[Network], order: Sequence[str], regions: Sequence[str]
    ) -> None:
        self._plane = plane
        self._networks = {one.name: one for one in networks if one.name in order}
        self._order = tuple(order)
        self._regions = tuple(regions)

    def state(self, source: str) -> Known[FenceState] | Unknown:
        """ports.Database.fence_state."""
        sight: View | None = None
        silence = ""
        try:
            sight = self._plane.peek(source)
        except NoWord as error:
            silence = str(error)
        standing, left, words = self._methods(source, sight)
        preventing = [name for name in standing if name != self._plane.method and self._networks[name].prevents(source)]
        if preventing:
            evidence = f"{preventing[0]} stands in {source}, and `prevents` says that there is no other way in"
            return self._known(FenceOutcome.PREVENTED, evidence, source, sight)
        if sight is None:
            if left:
                return self._known(FenceOutcome.NONE, f"{source} does not answer: {silence}", source, None, left)
            evidence = "; ".join((f"{source} does not answer, so no write could be tried: {silence}", *words))
            return self._known(FenceOutcome.OWED, evidence, source, None)
        if not (standing or sight.replica or sight.read_only):
            if not left:
                evidence = f"{source} answers and no way to fence it is configured"
                return self._known(FenceOutcome.OWED, "; ".join((evidence, *words)), source, sight)
            return self._known(FenceOutcome.NONE, f"{source} answers and no fence stands on it", source, sight, left)
        return self._tried(source, sight, standing, left)

    def _methods(self, source: str, sight: View | None) -> tuple[list[str], tuple[str, ...], list[str]]:
        """(standing, not standing and possible, words about the rest)."""
        standing: list[str] = []
        left: list[str] = []
        words: list[str] = []
        for name in self._order:
            if name == self._plane.method:
                if sight is None:
                    words.append(f"{name} cannot be revoked on a server that does not answer")
                elif not sight.replica:
                    fence = sight.fence_of(source)
                    if fence is not None:
                        standing.append(name)
                    if fence is None or not fence.whole:
                        left.append(name)
            elif self._networks[name].has(source):
                read = self._networks[name].standing(source)
                if isinstance(read, Unknown):
                    words.append(read.reason)
                elif read.value:
                    standing.append(name)
                    words.append(f"{name} stands, and proves nothing by itself")
                else:
                    left.append(name)
        return standing, tuple(left), words

    def _tried(
        self, source: str, sight: View, standing: list[str], left: tuple[str, ...]
    ) -> Known[FenceState] | Unknown:
        if sight.replica:
            older = Proof(Tried.REFUSED, "it has been a replica since it started, so no older connection can write")
        else:
            older = self._plane.try_held(source)
        proofs = (older, self._plane.try_new(source))
        evidence = f"from here to {self._plane.place(source)}: " + "; ".join(proof.words for proof in proofs)
        if all(proof.tried is Tried.REFUSED for proof in proofs):
            return self._known(FenceOutcome.PROVEN, evidence, source, sight)
        if any(proof.tried is Tried.LET_IN for proof in proofs):
            # What stands did not keep a write out; what was revoked before these logins came is revoked again.
            inside = self._plane.method
            again = left or ((inside,) if inside in self._order and not sight.replica else ())
            return self._known(FenceOutcome.FAILED, evidence, source, sight, again)
        if left:
            # What stands already is no "none": whoever takes the fence back has it to lift.
            outcome = FenceOutcome.FAILED if standing else FenceOutcome.NONE
            return self._known(outcome, evidence, source, sight, left)
        return Unknown(evidence, time.time())

    @staticmethod
    def _known(
        outcome: FenceOutcome, evidence: str, source: str, sight: View | None, left: tuple[str, ...] = ()
    ) -> Known[FenceState]:
        fence = sight.fence_of(source) if sight is not None else None
        epoch = fence.epoch if fence is not None else None
        return Known(FenceState(outcome, evidence, f"{outcome}/{','.join(left)}/{epoch}", epoch, left), time.time())

    def shuts(self, region: str) -> bool:
        """Whether a method of ours is seen to keep new connections from the member in this region."""
        return any(self._stands(one, region) for one in self._networks.values())

    def cuts(self, region: str) -> bool:
        """Whether one is seen to that cuts those which were made before, too."""
        return any(one.cuts and self._stands(one, region) for one in self._networks.values())

    @staticmethod
    def _stands(network: Network, region: str) -> bool:
        if not network.has(region):
            return False
        read = network.standing(region)
        return isinstance(read, Known) and read.value

    def open_network(self, region: str, call: Call) -> None:
        """Take back what stands on the way to this member: its fence is lifted, or has done its work."""
        timed = TimeLeft(call)
        for network in self._networks.values():
            if network.has(region):
                network.lift(region, timed.rest())

    def apply(self, source: str, expect: FenceState, call: Call) -> None:
        """ports.Database.fence."""
        timed = TimeLeft(call)
        seen = self.state(source)
        if isinstance(seen, Unknown):
            raise Transient(f"The fence on {source} cannot be read: {seen.reason}.")
        now = seen.value
        if now.outcome in (FenceOutcome.PROVEN, FenceOutcome.PREVENTED):
            return
        if now.version != expect.version or not expect.methods_left:
            raise Conflict(f"The fence on {source} is {now.version}, not {expect.version} as it was seen.")
        network = self._networks.get(expect.methods_left[0])
        if network is not None:
            network.apply(source, timed.rest())
            return
        self._plane.shut(source, timed.rest())

    def lift(self, source: str, expect: FenceState, call: Call) -> None:
        """ports.Database.unfence. Refused while another member is a writer: then the fence is what keeps the writer
        single (invariant I1)."""
        timed = TimeLeft(call)
        for other in self._regions:
            if other == source:
                continue
            try:
                sight = self._plane.peek(other)
            except NoWord:
                continue
            if not sight.replica:
                raise Conflict(f"{other} is a primary: lifting the fence on {source} could make two writers.")
        self.open_network(source, timed.rest())
        if not self._plane.has(source):
            return
        try:
            fence = self._plane.peek(source).fence_of(source)
        except NoWord as error:
            raise Transient(f"{source} does not answer, so its own fence cannot be lifted: {error}.") from error
        if fence is None:
            return
        if fence.epoch > call.epoch or (expect.epoch is not None and fence.epoch != expect.epoch):
            raise Conflict(f"The fence on {source} carries epoch {fence.epoch}, not {expect.epoch} as it was seen.")
        self._plane.give_back(source, timed.rest())
