"""What fences, moves and ports ask of a database's members themselves, whatever those speak: SQL, MongoDB's wire
protocol, openCypher over HTTPS.

What an API says of a role is a claim. What stands in a `View` was seen: `takes_writes` is a write that was let in, as
an application writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound, WriteProof
from cloudfail.ports import Call


class NoWord(Exception):
    """The member said nothing that counts: no connection, silence, or no welcome to cloudfail's own login."""


class Tried(Enum):
    """What became of a write that was tried."""

    REFUSED = "refused"
    LET_IN = "let in"
    NO_WORD = "no word"


@dataclass(frozen=True)
class Proof:
    tried: Tried
    words: str


@dataclass(frozen=True)
class Standing:
    """A fence that stands on the writer in `region`, as it is noted beside the data; it is replicated with it. whole:
    whether it was put up to its end; one that was not is put up again, and lifted like any other."""

    region: str
    epoch: int
    whole: bool = True


@dataclass(frozen=True)
class View:
    """One look at one member. replica: it is no writer, by its own word. refusal: why a write was not let in; "" where
    it was, and where none was tried. read_only: a writer that takes no writes by its own settings. epoch: of the mark
    beside the writer. lag_seconds: None where unknown."""

    replica: bool
    takes_writes: bool = False
    refusal: str = ""
    read_only: bool = False
    fences: tuple[Standing, ...] = ()
    epoch: int | None = None
    position: int = 0
    timeline: int = 0
    lag_seconds: float | None = None

    def fence_of(self, region: str) -> Standing | None:
        return next((one for one in self.fences if one.region == region), None)

    def shut_out(self, region: str) -> bool:
        """Whether this, the member in `region`, is a writer in which the fence of another still shuts clients out."""
        return not self.replica and any(one.region != region for one in self.fences)


class DataPlane(Protocol):
    """The members of one database.

    method: the name of the fence that acts inside of the database; "" where there is none. reader: what a member is
    that takes no writes because another does, in the engine's words.
    """

    method: str
    reader: str

    def has(self, region: str) -> bool:
        """Whether somebody said how to reach the member."""

    def place(self, region: str) -> str:
        """Its address, for people."""

    def close(self) -> None:
        """End every session."""

    def look(self, region: str) -> View:
        """Ask the member, and where it is no replica, try a write. Raises NoWord."""

    def peek(self, region: str) -> View:
        """Ask the member, and write nothing. Raises NoWord."""

    def try_held(self, region: str) -> Proof:
        """A write over a connection that was opened before the fence, or what shows that none is left."""

    def try_new(self, region: str) -> Proof:
        """A write over a new connection, as an application opens it."""

    def shut(self, region: str, call: Call) -> None:
        """The fence `method`. Raises errors of ours."""

    def give_back(self, region: str, call: Call) -> None:
        """Take that fence away again, if it stands. Raises Conflict where it is a newer run's."""

    def admit(self, region: str, call: Call) -> None:
        """Let clients in on the new writer: the epoch's mark, and what the fence of another member took."""

    def beat(self, region: str) -> Known[float] | Unknown:
        """ports.Database.beat."""

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """ports.Database.loss."""

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        """ports.Database.read_canary."""

    def write_canary(self, region: str, token: str, call: Call) -> None:
        """ports.Database.write_canary."""
