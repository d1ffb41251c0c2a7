"""Finds providers and stores by their entry points, one by one as they are named: what is not named is not imported.

Any package that is installed can register any name, one of ours too, and would get the credentials of whoever runs a
failover. So a name counts only where it comes from our own distribution, or from one that the operator allowed by its
name: CLOUDFAIL_PROVIDERS=acme-cloudfail,other. Nothing of the others is imported. (Whoever can write where Python looks
for packages needs no entry point: that is not guarded here.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from cloudfail.errors import Refused
from cloudfail.model.topology import PortName
from cloudfail.ports import Kind, Provider

GROUP = "cloudfail.providers"
EXTRAS = ("aws", "gcp", "azure", "local")
OWN = "cloudfail"
"""Our own distribution."""
ALLOWED = "CLOUDFAIL_PROVIDERS"


def distribution(entry: EntryPoint) -> str:
    """The name of the distribution that brings it, as package indexes compare names (PEP 503); "" where it has none."""
    name = entry.dist.metadata["Name"] if entry.dist is not None else None
    return _normal(name or "")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def allowed(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The distributions whose providers and stores may be imported."""
    return frozenset({OWN, *(_normal(name) for name in environment.get(ALLOWED, "").split(",") if name.strip())})


def known(group: str = GROUP) -> Mapping[str, EntryPoint]:
    """Every provider (or store) that is installed and allowed, by name; nothing is imported."""
    may = allowed()
    return {entry.name: entry for entry in entry_points(group=group) if distribution(entry) in may}


def strangers(group: str = GROUP) -> list[EntryPoint]:
    """Those that are installed and not allowed."""
    may = allowed()
    return [entry for entry in entry_points(group=group) if distribution(entry) not in may]


def chosen(name: str, group: str = GROUP) -> EntryPoint | None:
    """The one entry point of that name that may be imported; None where nobody brings it. Raises Refused where only a
    distribution that is not allowed does, or where two that are allowed do."""
    entries = [entry for entry in entry_points(group=group) if entry.name == name]
    may = allowed()
    taken = [entry for entry in entries if distribution(entry) in may]
    what = group.rpartition(".")[2].removesuffix("s")
    if len(taken) > 1:
        brought = " and ".join(sorted(distribution(entry) for entry in taken))
        raise Refused(
            f'The {what} "{name}" is brought by {brought}: which one is meant is not guessed.',
            "Nothing was loaded.",
            f"Uninstall one, or take it out of {ALLOWED}.",
        )
    if entries and not taken:
        brought = " and ".join(sorted({distribution(entry) or "a nameless distribution" for entry in entries}))
        raise Refused(
            f'The {what} "{name}" is brought by {brought}, which is not allowed here.',
            "Nothing was loaded.",
            f"If you trust it with your credentials: export {ALLOWED}={distribution(entries[0])}",
        )
    return taken[0] if taken else None


def provider(name: str) -> Provider:
    """The provider of that name. Refused says which extra to install, or whom to allow."""
    entry = chosen(name)
    if entry is None:
        raise Refused(f'There is no provider "{name}" here.', "Nothing was loaded.", advice(name, known()))
    try:
        found = entry.load()
    except ImportError as error:
        raise Refused(
            f'The provider "{name}" cannot be imported: {error}.',
            "Nothing was loaded.",
            advice(name, ()) if name in EXTRAS else f"Reinstall the package that brings {entry.value}.",
        ) from error
    return cast(Provider, found() if callable(found) and not hasattr(found, "kinds") else found)


def advice(name: str, installed: Iterable[str]) -> str:
    """What to do about a provider that is not there."""
    from cloudfail.config.mistakes import listed, nearest

    near = nearest(name, {*installed, *EXTRAS})
    if name not in EXTRAS and near is not None:
        return f"Did you mean {near}?"
    if name in EXTRAS:
        return f"Install it with: pip install 'cloudfail[{name}]'"
    return f"Install the package that brings it; known are: {listed(sorted({*installed, *EXTRAS}))}."


def providers(names: Iterable[str]) -> dict[str, Provider]:
    """The providers of those names."""
    return {name: provider(name) for name in dict.fromkeys(names)}


def kind(port: PortName, name: str, of: Provider) -> Kind:
    """The kind as that provider serves it, or Refused naming the kinds of that port that it does serve."""
    from cloudfail.config.mistakes import did_you_mean

    kinds = of.kinds()
    found = kinds.get((port, name))
    if found is None:
        served = sorted(kind_name for kind_port, kind_name in kinds if kind_port == port)
        raise Refused(
            f'The provider "{of.name}" serves no {port} of kind "{name}".',
            "Nothing was loaded.",
            did_you_mean(name, served, f"its kinds of {port}"),
        )
    return found
