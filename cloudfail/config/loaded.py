"""What `load` returns: the model, and where each part of it stands in the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cloudfail.config.document import Document, Place
from cloudfail.model.runbook import Runbook
from cloudfail.model.topology import Topology
from cloudfail.ports import Kind, Provider
from cloudfail.spanning import Part, parts_of


@dataclass(frozen=True)
class Loaded:
    """An application and its runbooks. `kinds` holds, by resource, what its provider says of its kind; `providers` are
    those that the topology names."""

    topology: Topology
    runbooks: Mapping[str, Runbook]
    kinds: Mapping[str, Kind]
    topology_file: Document
    runbook_files: Mapping[str, Document] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)

    def parts(self) -> Iterator[Part]:
        """Who is asked: each resource and its kind, or the parts of a group whose members are of several kinds."""
        for name, resource in self.topology.resources.items():
            if name in self.kinds:
                yield from parts_of(resource, self.kinds[name])

    def place(self, *path: str | int, runbook: str | None = None, key: bool = False) -> Place:
        """Where something stands: `place("resources", "orders")`, `place("steps", "fence", runbook="evacuate")`."""
        document = self.topology_file if runbook is None else self.runbook_files[runbook]
        return document.place(*path, key=key)
