"""What the files of several applications say of each other: who names what another one names too (design.md §5).

Where a verb replaces a whole that others write, their runs wait for each other (cloudfail/resource_log.py), which they
can only in one and the same state store. Where it does not, nothing waits: each application moves the thing without the
other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cloudfail.config.loaded import Loaded
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.model.topology import PortName


@dataclass(frozen=True)
class _Use:
    """One resource of one application. account: of the region that it stands in there, "" where none is written."""

    resource: str
    account: str


def findings(loaded: Loaded, others: Iterable[Loaded]) -> list[Finding]:
    """What is wrong in `loaded`'s file beside those of `others`. Everything is told of this one file; the same of the
    others is found by checking them."""
    found: list[Finding] = []
    for other in others:
        found += _same_name(loaded, other)
        found += _same_resources(loaded, other)
    return found


def _same_name(loaded: Loaded, other: Loaded) -> Iterator[Finding]:
    name = loaded.topology.application
    if other.topology.application == name:
        message = f"{other.topology_file.file} is of an application {name} too: to a state store they are one"
        yield at(loaded.place("application"), "same-application", message, "give each a name of its own")


def _same_resources(loaded: Loaded, other: Loaded) -> Iterator[Finding]:
    theirs, application = _waiting(other), other.topology.application
    reported: set[tuple[str, str]] = set()
    for written, uses in _waiting(loaded).items():
        for use, match in _pairs(uses, theirs.get(written, ())):
            place = loaded.place("resources", use.resource)
            reported.add((use.resource, match.resource))
            both = f"{use.resource} writes {written}, as {match.resource} of {application} does ({_file(other)})"
            if loaded.topology.state != other.topology.state:
                message = f"{both}, and their states are in two stores, so that neither waits for the other"
                yield at(place, "resource-of-two", message, "write the same state: in both files")
            else:
                message = f"{both}: their runs wait for each other"
                cure = "give each a part of its own, if there can be one; else allow for it in the step's limit"
                yield at(place, "resource-of-two", message, cure, severity=Severity.WARNING)
    literal = _literal(other)
    for written, uses in _literal(loaded).items():
        for use, match in _pairs(uses, literal.get(written, ())):
            if (use.resource, match.resource) in reported:
                continue
            reported.add((use.resource, match.resource))
            message = (
                f"{use.resource} is {match.resource} of {application} too ({_file(other)}): each moves it without the "
                f"other"
            )
            cure = "let one application move it, or make both one application"
            yield at(
                loaded.place("resources", use.resource), "resource-of-two", message, cure, severity=Severity.WARNING
            )


def _file(loaded: Loaded) -> str:
    return loaded.topology_file.file


def _pairs(uses: Iterable[_Use], theirs: Iterable[_Use]) -> Iterator[tuple[_Use, _Use]]:
    """Those that may be the same thing: names are an account's own, unless one of the two does not say which."""
    told: set[tuple[str, str]] = set()
    for use in uses:
        for match in theirs:
            pair = (use.resource, match.resource)
            if pair not in told and ("" in {use.account, match.account} or use.account == match.account):
                told.add(pair)
                yield use, match


def _waiting(loaded: Loaded) -> Mapping[str, list[_Use]]:
    """What verbs replace as a whole, by the names under which their runs wait."""
    found: dict[str, list[_Use]] = {}
    topology = loaded.topology
    for resource, kind in loaded.parts():
        name = resource.name
        accounts = {one.account or "" for one in topology.regions.values() if one.provider == resource.provider}
        account = accounts.pop() if len(accounts) == 1 else ""
        for written in kind.shared_names(resource, topology):
            found.setdefault(written, []).append(_Use(name, account))
    return found


def _literal(loaded: Loaded) -> Mapping[str, list[_Use]]:
    """What is named word for word: by an id, by a member of a region, or as a DNS name."""
    found: dict[str, list[_Use]] = {}
    topology = loaded.topology
    for resource, _ in loaded.parts():
        name = resource.name
        of = (resource.provider, str(resource.port), resource.kind)
        ids = [("id", resource.id, "")] if resource.id else []
        if resource.port is PortName.DNS:
            # A member is an address there, which many names may have.
            ids += [("name", str(resource.options.get("name", "")).lower().rstrip("."), "")]
        else:
            for region, member in resource.members.items():
                account = topology.regions[region].account if region in topology.regions else None
                ids.append((region, json.dumps(member, sort_keys=True, default=str), account or ""))
        for where, written, account in ids:
            key = json.dumps([*of, where, written])
            found.setdefault(key, []).append(_Use(name, account))
    return found
