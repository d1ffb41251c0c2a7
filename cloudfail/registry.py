"""Finds providers by their entry points, one by one as they are named: what is not named is not imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from cloudfail.errors import Refused
from cloudfail.model.topology import PortName
from cloudfail.ports import Kind, Provider

GROUP = "cloudfail.providers"
EXTRAS = ("aws", "gcp", "azure", "local")


def known() -> Mapping[str, EntryPoint]:
    """Every provider that is installed, by name; nothing is imported."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def provider(name: str) -> Provider:
    """The provider of that name. Refused says which extra to install."""
    entries = known()
    if name not in entries:
        raise Refused(f'There is no provider "{name}" here.', "Nothing was loaded.", advice(name, entries))
    try:
        found = entries[name].load()
    except ImportError as error:
        raise Refused(
            f'The provider "{name}" cannot be imported: {error}.',
            "Nothing was loaded.",
            advice(name, ()) if name in EXTRAS else f"Reinstall the package that brings {entries[name].value}.",
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
