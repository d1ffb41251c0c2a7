"""What the roles of an application must be allowed: for all of its topology, or for what one runbook does.

Nothing is asked of any cloud. Each kind says what its resource needs (`Kind.permissions`); here that is narrowed to the
verbs and regions that were meant, and put together by role, since a resource may have roles of its own, in another
account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cloudfail.actions.arguments import ARGUMENTS
from cloudfail.config.loaded import Loaded
from cloudfail.errors import Refused
from cloudfail.lint.view import View, traits_of
from cloudfail.model.runbook import Runbook, Step
from cloudfail.ports import Grant

WATCH, EXECUTE = "watch", "execute"


@dataclass(frozen=True)
class Needed:
    """What one role needs, by resource. role: as cloudfail.yaml names it; "" is the process's own identity. does: watch
    or execute."""

    role: str
    does: str
    grants: Mapping[str, Sequence[Grant]]

    @property
    def wide(self) -> Iterator[tuple[str, Grant]]:
        """(resource, grant) of all that is given on more than cloudfail.yaml names, with its reason."""
        for name, grants in self.grants.items():
            yield from ((name, grant) for grant in grants if grant.why)


@dataclass(frozen=True)
class Stated:
    """What was found. unsaid: resources whose kind does not say what it needs."""

    roles: tuple[Needed, ...]
    unsaid: tuple[str, ...] = ()


@dataclass
class _Collected:
    grants: dict[tuple[str, str], dict[str, list[Grant]]] = field(default_factory=dict)

    def add(self, role: str, does: str, name: str, grant: Grant) -> None:
        held = self.grants.setdefault((does, role), {}).setdefault(name, [])
        if grant not in held:
            held.append(grant)


def needed(
    loaded: Loaded, provider: str, source: str | None = None, target: str | None = None, runbook: str | None = None
) -> Stated:
    """What that provider's roles must be allowed. source, target: only for members there. runbook: only what its steps
    do, and what takes them back. Raises Refused."""
    topology = loaded.topology
    wanted = _regions(loaded, source, target)
    verbs = None if runbook is None else _verbs(loaded, _runbook(loaded, runbook), source, target)
    found, unsaid = _Collected(), []
    for resource, kind in loaded.parts():
        name, permissions = resource.name, kind.permissions
        if resource.provider != provider or (verbs is not None and name not in verbs):
            continue
        if permissions is None:
            unsaid.append(name)
            continue
        said = permissions(resource, topology, wanted)
        for does, grants in ((WATCH, said.watch), (EXECUTE, said.execute)):
            for grant in grants:
                if verbs is not None and grant.verbs and not verbs[name] & set(grant.verbs):
                    continue
                roles = topology.roles_of(resource, grant.region)
                found.add(roles.watch if does == WATCH else roles.execute, does, name, grant)
    stated = [Needed(role, does, grants) for (does, role), grants in found.grants.items()]
    return Stated(tuple(sorted(stated, key=lambda one: (one.role, one.does != WATCH))), tuple(unsaid))


def _regions(loaded: Loaded, *named: str | None) -> list[str]:
    regions = loaded.topology.regions
    for one in named:
        if one is not None and one not in regions:
            raise Refused(
                f"{one} is no region of {loaded.topology.application}.",
                "Nothing was printed.",
                f"Its regions are {', '.join(regions)}.",
            )
    return [one for one in regions if one in named] or list(regions)


def _runbook(loaded: Loaded, name: str) -> Runbook:
    if name not in loaded.runbooks:
        raise Refused(
            f"There is no runbook {name}.",
            "Nothing was printed.",
            f"There are {', '.join(loaded.runbooks) or 'none; name one with --runbook-file'}.",
        )
    return loaded.runbooks[name]


def _verbs(loaded: Loaded, runbook: Runbook, source: str | None, target: str | None) -> dict[str, set[str]]:
    """Resource -> the verbs that a run of it may need. A step that only looks at a resource needs none there, and the
    resource is in it all the same."""
    traits = traits_of(None)
    view = View(loaded, runbook, traits, source, target)
    # Whoever runs it looks before it moves traffic, and a check may be a provider's word.
    found: dict[str, set[str]] = {check.target: set() for check in loaded.topology.signalled.values()}
    for step in _with_undo(runbook):
        if step.action is not None:
            for name in view.resources(step):
                found.setdefault(name, set()).add(traits[step.action].verb)
        for condition in (*step.pre, *step.post):
            if condition.subject in loaded.topology.resources:
                found.setdefault(condition.subject, set())
    return found


def _with_undo(runbook: Runbook) -> Iterator[Step]:
    """Its steps, and those that take them back. An action's own compensation acts on the same resource."""
    for step in runbook.steps.values():
        yield step
        if step.undo is not None and step.undo[0] in ARGUMENTS:
            yield replace(step, action=step.undo[0], arguments=step.undo[1])
        elif step.action is not None and step.undo is None and (own := ARGUMENTS[step.action].undo) is not None:
            yield replace(step, action=own)
