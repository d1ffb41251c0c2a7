"""As whom regions are read and changed: who watches may change nothing, so that what leaks from a watcher breaks
nothing (feature K2)."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.config.document import Place
from cloudfail.config.loaded import Loaded
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.model.topology import PortName, Resource, Roles

_IN_NO_REGION = (PortName.DNS, PortName.LOADBALANCER, PortName.NETWORK)


def findings(loaded: Loaded) -> list[Finding]:
    """What these rules say of cloudfail.yaml."""
    return [*one_principal(loaded), *whose_global(loaded)]


def one_principal(loaded: Loaded) -> Iterator[Finding]:
    """The role that changes things is taken on only while a run is open; one that also watches is taken on always."""
    topology = loaded.topology
    written: list[tuple[Place, Roles]] = [
        (loaded.place("regions", name, "roles"), region.roles) for name, region in topology.regions.items()
    ]
    written += [
        (loaded.place("resources", name, "roles"), resource.roles)
        for name, resource in topology.resources.items()
        if resource.roles is not None
    ]
    watching = {roles.watch for _, roles in written if roles.watch}
    for place, roles in written:
        if roles.execute and roles.execute in watching:
            message = f"{roles.execute} watches and executes: it may change things at any time, run or no run"
            yield at(
                place, "one-role", message, "write two roles, watch: one that only reads", severity=Severity.WARNING
            )
        elif roles.watch and not roles.execute:
            message = "changes here are made as the process itself: whatever runs cloudfail may make them at any time"
            cure = "write execute: a role that is taken on only while a run is open"
            yield at(place, "no-execute-role", message, cure, severity=Severity.WARNING)


def whose_global(loaded: Loaded) -> Iterator[Finding]:
    """A name, a balancer or a path that belongs to no region of the file is asked under one role, and which one is not
    guessed."""
    topology = loaded.topology
    for name, resource in topology.resources.items():
        if resource.port not in _IN_NO_REGION or resource.roles is not None:
            continue
        if resource.port is PortName.NETWORK and _homes(loaded, resource) <= set(topology.regions):
            continue
        of = [region for region in topology.regions.values() if region.provider == resource.provider]
        if len({region.roles for region in of}) > 1:
            regions = " and ".join(region.name for region in of)
            message = f"{name} belongs to no region, and {regions} have different roles"
            yield at(loaded.place("resources", name), "whose-role", message, "write roles: {watch: …, execute: …} here")


def _homes(loaded: Loaded, resource: Resource) -> set[str | None]:
    """Where the object itself stands, as its kind says of its verbs: there it is asked as that region is."""
    kind = loaded.kinds.get(resource.name)
    if kind is None:
        return {None}
    said = kind.verbs_of(resource) if kind.verbs_of is not None else kind.verbs
    return {facts.home for facts in said.values()} or {None}
