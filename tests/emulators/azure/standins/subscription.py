"""What stands in a subscription, as Azure's APIs list it: for whoever looks at all of it, ten on a page."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from tests.emulators.azure.front import Ask, Front, Refused

PAGE = 10
# Where the members of several types are listed together, below a zone.
_ALL_TYPES = ("recordsets", "all")


class Listing:
    """The lists of one package: `operations`, each of what stands where its path says. `bodies` may be added to. What
    else is asked goes to `machine`, if there is one."""

    def __init__(self, bodies: Iterable[Mapping[str, Any]], *operations: str, machine: Any = None) -> None:
        self.bodies = [copy.deepcopy(dict(one)) for one in bodies]
        self._operations = frozenset(operations)
        self._machine = machine
        self._front: Front | None = None

    @property
    def front(self) -> Front:
        assert self._front is not None
        return self._front

    @front.setter
    def front(self, front: Front) -> None:
        self._front = front
        if self._machine is not None:
            self._machine.front = front

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._listed if name in self._operations else getattr(self._machine, name)

    def _listed(self, ask: Ask) -> dict[str, Any]:
        found = [one for one in self.bodies if _stands_in(str(one["id"]).lower(), ask.path.lower())]
        start = int(ask.query.get("$skiptoken", "0"))
        page: dict[str, Any] = {"value": copy.deepcopy(found[start : start + PAGE])}
        more = f"{self.front.url}{ask.path}?api-version={ask.query['api-version']}&$skiptoken={start + PAGE}"
        return page | ({"nextLink": more} if start + PAGE < len(found) else {})


class Everything(Listing):
    """Resource Manager's own list: what the others have, but for what stands below something else. `filters` are not
    played."""

    def __init__(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(({key: one[key] for key in _TOLD if key in one} for one in bodies), "resources_list")

    def _listed(self, ask: Ask) -> dict[str, Any]:
        if "$filter" in ask.query:
            raise Refused(400, "BadRequest", "Nothing filters here.")
        return super()._listed(ask)


_TOLD = ("id", "name", "type", "location", "tags", "kind", "sku")


def _stands_in(id_: str, path: str) -> bool:
    """Whether the list at `path` has what this id names."""
    above, _, sort = path.rpartition("/")
    if sort in _ALL_TYPES:
        return id_.startswith(f"{above}/") and id_.removeprefix(f"{above}/").count("/") == 1
    if sort == "resources":
        return id_.startswith(f"{above}/")
    if "/resourcegroups/" in path:
        return id_.startswith(f"{path}/") and "/" not in id_.removeprefix(f"{path}/")
    subscription, _, type_ = path.partition("/providers/")
    before, _, named = id_.partition("/providers/")
    return before.startswith(f"{subscription}/") and named.startswith(f"{type_}/") and named.count("/") == 2


def resource(id_: str, location: str = "global", **more: Any) -> dict[str, Any]:
    """As every list has it: name and type are the id's."""
    provider, *parts = id_.partition("/providers/")[2].split("/")
    return {"id": id_, "name": parts[-1], "type": "/".join((provider, *parts[::2])), "location": location, **more}
