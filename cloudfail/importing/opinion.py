"""What the loader and lint say of a draft, without asking any cloud.

Twice. As things are: does an installed provider serve every kind that the draft names? And with a provider on paper
that serves them all by name, so that lint can judge the order of the steps today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cloudfail.actions.catalog import ACTIONS
from cloudfail.config import load
from cloudfail.config.fields import Duration, Shape
from cloudfail.config.loaded import Loaded
from cloudfail.errors import ConfigError, Refused
from cloudfail.importing.draft import Draft
from cloudfail.lint import Severity, lint
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, Provider
from cloudfail.registry import provider

TTL_ASSUMED_SECONDS = 60.0


@dataclass(frozen=True)
class Opinion:
    """`missing`: why the draft does not load here as things are, and `unserved`: the kinds that no installed provider
    serves. `findings`: what lint says of it with every kind taken for served. `errors`: how many are errors."""

    missing: tuple[str, ...]
    unserved: tuple[str, ...]
    findings: tuple[str, ...]
    errors: int


class _Options(Shape):
    """What a draft writes beside id and members."""

    zone: str | None = None
    name: str | None = None
    ttl: Duration = TTL_ASSUMED_SECONDS


class OnPaper:
    """A provider that serves, by name only, every kind that a draft names. It opens nothing."""

    def __init__(self, name: str, draft: Draft) -> None:
        self.name = name
        self._draft = draft

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        found = {(PortName(one.port), one.kind) for one in self._draft.resources}
        return {(port, kind): Kind(port, kind, _unbuilt, options=_Options) for port, kind in found}

    def identity(self) -> Known[str] | Unknown:
        return Unknown("a provider on paper is nobody")


def _unbuilt(resource: Resource, _topology: Topology) -> Any:
    raise AssertionError(f"{resource.name} stands on paper only")


def judged(draft: Draft, shown_as: str) -> Opinion:
    """The opinion on a draft whose files will be called as they are below `shown_as`."""
    with TemporaryDirectory(prefix="cloudfail-import-") as place:
        home = Path(place)
        paths = []
        for name, text in draft.files().items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            paths.append(path)
        topology, runbooks = paths[0], paths[1:]

        def named(text: str) -> str:
            return text.replace(f"{place}/", f"{shown_as.rstrip('/')}/" if shown_as else "")

        on_paper = OnPaper("aws", draft)
        _, missing = _loaded(topology, runbooks, None)
        loaded, findings = _loaded(topology, runbooks, {"aws": on_paper})
        errors = len(findings)
        if loaded is not None:
            said = lint(loaded, ACTIONS)
            findings, errors = [str(one) for one in said], sum(one.severity is Severity.ERROR for one in said)
        return Opinion(tuple(map(named, missing)), _unserved(on_paper), tuple(map(named, findings)), errors)


def _unserved(wanted: OnPaper) -> tuple[str, ...]:
    try:
        served = set(provider(wanted.name).kinds())
    except Refused:
        served = set()
    return tuple(sorted(f"{port}: {kind}" for port, kind in wanted.kinds() if (port, kind) not in served))


def _loaded(
    topology: Path, runbooks: list[Path], providers: Mapping[str, Provider] | None
) -> tuple[Loaded | None, list[str]]:
    """What was loaded, or why it was not."""
    try:
        return load(topology, runbooks, providers), []
    except ConfigError as error:
        return None, [str(one) for one in error.mistakes]
