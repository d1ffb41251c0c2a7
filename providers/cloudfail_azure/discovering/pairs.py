"""Things of one sort that stand in several regions, as resources: paired, or asked about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.discovering.pairing import Thing, asked, pair
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.discovering.looking import Look


@dataclass(frozen=True)
class Sort:
    """What one kind's members are. what: in the plural, as a person is told."""

    port: PortName
    kind: str
    what: str


def paired(look: Look, sort: Sort, things: Iterable[Thing]) -> Iterator[Found | str]:
    """The things of one sort, as resources, and what is asked of the rest."""
    result = pair([one for one in things if one.region in look.wanted.regions], look.wanted.regions, look.words)
    for one in result.pairs:
        yield drafted(look, sort, one.name, one.members, one.why)
    yield from asked(sort.what[:1].upper() + sort.what[1:], f"{sort.port}: {sort.kind}", result)


def drafted(
    look: Look,
    sort: Sort,
    name: str,
    members: Mapping[str, Any],
    why: str,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Found | str:
    """As a resource, where there is such a kind here that reads it so; else what a person has to know of it."""
    if look.takes(sort.port, sort.kind, members, options or {}):
        return Found(sort.port, sort.kind, name, members, why, options=options or {}, **more)
    shown = ", ".join(f"{region}: {member}" for region, member in members.items())
    return f"{sort.what}: {name} ({why}). Nothing here drafts {sort.port}: {sort.kind} of {shown}."
