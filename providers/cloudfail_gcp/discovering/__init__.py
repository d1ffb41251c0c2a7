"""What stands in a project's regions, as values from which a draft of cloudfail.yaml is written (ports.Discovers).

One file per family. Each lists what there is in each region, pairs what belongs together, and asks about the rest. A
listing that fails is named with its reason, and the families beside it go on. All of it are reads, as one role, within
the same bounds and the project's budget as those of a run; what is listed for two families is asked for once.

Importing this package imports no vendor library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cloudfail.model.discovered import Discovered, Found, Wanted
from cloudfail.model.topology import PortName
from cloudfail.ports import Kind

if TYPE_CHECKING:
    from cloudfail_gcp.discovering.looking import Look

Said = Found | str
"""A resource, or what a person is asked."""


def discover(wanted: Wanted, kinds: Mapping[tuple[PortName, str], Kind]) -> Discovered:
    """ports.Discovers. kinds: those that this provider serves; what stands there of another one is asked about. Raises
    Refused."""
    from cloudfail_gcp.discovering import balancers, consumers, databases, names, workers
    from cloudfail_gcp.discovering.looking import Look

    look = Look(wanted, kinds)
    families = (databases.found, workers.found, names.found, balancers.found, consumers.found)
    with ThreadPoolExecutor(len(families), "cloudfail-discover") as pool:
        said = [pool.submit(_all, family, look) for family in families]
        everything = [one for each in said for one in each.result()]
    primary, why = look.home()
    return Discovered(
        found=tuple(one for one in everything if isinstance(one, Found)),
        asks=tuple(one for one in everything if isinstance(one, str)),
        unread=look.unread,
        accounts=dict.fromkeys(wanted.regions, look.project),
        primary=primary,
        primary_why=why,
    )


def _all(family: Callable[[Look], Iterator[Said]], look: Look) -> list[Said]:
    return list(family(look))
