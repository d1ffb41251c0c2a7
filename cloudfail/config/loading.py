"""Reads all files, notes every mistake, and raises them together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudfail.config.document import Document
from cloudfail.config.loaded import Loaded
from cloudfail.config.mistakes import Mistakes
from cloudfail.config.reading import parse, read
from cloudfail.config.runbooks import RunbookReader
from cloudfail.config.topologies import TopologyReader, names_in
from cloudfail.errors import ConfigError
from cloudfail.model.runbook import Runbook
from cloudfail.ports import Provider

RUNBOOKS_MAX = 200


def load(
    topology_path: Path,
    runbook_paths: list[Path],
    providers: Mapping[str, Provider] | None,
    contents: Mapping[str, bytes] | None = None,
) -> Loaded:
    """See cloudfail.config.load."""
    mistakes = Mistakes()

    def document_of(path: Path) -> Document | None:
        return read(path, mistakes) if contents is None else parse(str(path), contents[str(path)], mistakes)

    files = [str(topology_path), *(str(path) for path in runbook_paths)]
    if len(runbook_paths) > RUNBOOKS_MAX:
        mistakes.add(files[0], 1, 1, "", f"more than {RUNBOOKS_MAX} runbooks", "load fewer at a time")
        runbook_paths = runbook_paths[:RUNBOOKS_MAX]
    topology_file = document_of(topology_path)
    topology, kinds, found = None, {}, {}
    if topology_file is not None:
        reader = TopologyReader(topology_file, mistakes, providers)
        topology = reader.read()
        kinds, found = reader.kinds, reader.found
    names = names_in(topology_file) if topology_file is not None else None
    runbooks: dict[str, Runbook] = {}
    runbook_files: dict[str, Document] = {}
    for path in runbook_paths:
        document = document_of(path)
        runbook = RunbookReader(document, mistakes, names).read() if document is not None else None
        if document is None or runbook is None:
            continue
        if runbook.name in runbooks:
            place = document.place("name")
            first = runbook_files[runbook.name].file
            problem = f'a runbook of the name "{runbook.name}" is already in {first}'
            mistakes.add(
                place.file, place.line, place.column, place.text, problem, "give each runbook a name of its own"
            )
            continue
        runbooks[runbook.name], runbook_files[runbook.name] = runbook, document
    if mistakes.found or topology is None or topology_file is None:
        raise ConfigError(mistakes.in_order(files))
    there = {name: provider for name, provider in found.items() if provider is not None}
    return Loaded(topology, runbooks, kinds, topology_file, runbook_files, there)
