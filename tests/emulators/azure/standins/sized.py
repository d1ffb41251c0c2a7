"""What stands behind a number of instances: each is made, runs a little later, and is then a listener on loopback, and
is healthy while it listens. An autoscale setting that is enabled takes the number to what its load recommends, within
the bounds of the profile that is in force.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.azure.standins.arm import Resources
from tests.emulators.listening import listening


@dataclass
class Instance:
    """`due`: when it runs. port: where it listens, 0 before."""

    name: str
    due: float
    port: int = 0
    serves: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


class Fleet:
    """The instances of one number. `boots`, `boot_seconds`, clock: of the machine that has them."""

    def __init__(self, machine: Sized) -> None:
        self.machine = machine
        self.each: list[Instance] = []

    def follow(self, count: int) -> None:
        machine = self.machine
        while len(self.each) < count:
            self.each.append(Instance(str(next(machine.numbers)), machine.clock() + machine.boot_seconds))
        while len(self.each) > count:
            self.each.pop().serves.close()
        for one in self.each:
            if not one.port and machine.boots and machine.clock() >= one.due:
                one.port = one.serves.enter_context(listening())

    def begun(self, count: int) -> None:
        """So many, which run from the beginning."""
        boot, self.machine.boot_seconds = self.machine.boot_seconds, 0.0
        self.follow(count)
        self.machine.boot_seconds = boot


class Sized(Resources):
    """`boots`: whether what is made comes to run, after `boot_seconds`. fleets: by id, in lower case, of what has
    `sku.capacity`. loads, settings: by id of an autoscale setting, what it would recommend without bounds, and its
    body."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.boots = True
        self.boot_seconds = 0.1
        self.numbers = itertools.count()
        self.loads: dict[str, int] = {}
        self.settings: dict[str, dict[str, Any]] = {}
        self.fleets: dict[str, Fleet] = {}

    def fleet(self, id_: str, count: int) -> Fleet:
        """Of a resource that is there from the beginning, whose instances run."""
        made = self.fleets[id_.lower()] = Fleet(self)
        made.begun(count)
        return made

    def instances(self, id_: str) -> list[Instance]:
        self.settle()
        return self.fleets[id_.lower()].each

    def sicken(self, id_: str) -> str:
        """The newest instance no longer listens. Returns its name."""
        one = self.instances(id_)[-1]
        one.serves.close()
        return one.name

    def settle(self) -> None:
        super().settle()
        for id_, setting in self.settings.items():
            properties = setting["properties"]
            if properties.get("enabled", True):
                bounds = properties["profiles"][0]["capacity"]
                wanted = max(int(bounds["minimum"]), min(self.loads[id_], int(bounds["maximum"])))
                self._bodies[properties["targetResourceUri"].lower()]["sku"]["capacity"] = wanted
        for id_, fleet in self.fleets.items():
            self.sized(id_, fleet)

    def sized(self, id_: str, fleet: Fleet) -> None:
        """What a fleet follows."""
        fleet.follow(int(self._bodies[id_]["sku"]["capacity"]))

    def close(self) -> None:
        for fleet in self.fleets.values():
            fleet.follow(0)
