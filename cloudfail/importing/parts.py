"""What a draft is made of: resources, steps, runbooks. Values; writing.py knows how they look in a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cloudfail.drafting import tidy_name
from cloudfail.importing.source import FILL_IN
from cloudfail.model.runbook import Mode

ADDED = "added: Region switch has no such step"


@dataclass(frozen=True)
class Resource:
    """A resource of cloudfail.yaml. `remarks` become comments above it."""

    name: str
    port: str
    kind: str
    id: str | None
    members: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A step of a runbook. Without an action it is a gate; `by_hand` says that the gate stands for a block that no
    action carries, so that a person does it, or decides against it, before the run goes on. `block` is the key of
    the plan's step that it comes from, "" for what was added."""

    name: str
    action: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    limit: str = ""
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    block: str = ""
    by_hand: bool = False
    needs: tuple[str, ...] = ()

    @property
    def is_gate(self) -> bool:
        return not self.action

    @property
    def promotes(self) -> bool:
        return self.action in ("database.failover", "database.switchover")

    def saying(self, *remarks: str) -> Step:
        return replace(self, remarks=(*self.remarks, *remarks))


@dataclass(frozen=True)
class Runbook:
    """A runbook's file. `region`: the one that its workflow was written for, "" for either."""

    name: str
    mode: Mode
    description: str
    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = ()
    region: str = ""


class Names:
    """Gives every wish a name of its own, in small letters."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def give(self, *wishes: str) -> str:
        stem = next((tidy.lower() for wish in wishes if (tidy := tidy_name(wish.removeprefix(FILL_IN), 48))), "step")
        name, count = stem, 1
        while name in self._taken:
            count += 1
            name = f"{stem}-{count}"
        self._taken.add(name)
        return name


@dataclass
class Resources:
    """The resources as they are found. What is named by two blocks is one resource; its members are joined."""

    found: dict[tuple[str, str, str], Resource] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def add(self, resource: Resource) -> str:
        """The name under which it stands."""
        identity = resource.id if resource.id is not None else repr(sorted(resource.members.items()))
        key = (resource.port, resource.kind, identity)
        known = self.found.get(key)
        if known is None:
            self.found[key] = replace(resource, name=self.names.give(resource.name, resource.kind))
        else:
            members = {**resource.members, **known.members}
            remarks = tuple(dict.fromkeys((*known.remarks, *resource.remarks)))
            self.found[key] = replace(known, members=members, remarks=remarks)
        return self.found[key].name

    def of(self, port: str) -> list[Resource]:
        return [one for one in self.found.values() if one.port == port]
