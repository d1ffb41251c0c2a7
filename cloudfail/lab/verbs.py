"""What the lab's control socket understands: each verb with its arguments, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudfail.errors import Refused
from cloudfail.lab import load, processes
from cloudfail.lab.spec import SLOTS

if TYPE_CHECKING:
    from cloudfail.lab.lab import Lab


def status(lab: Lab) -> dict[str, Any]:
    """Everything that a person asks first."""
    regions: dict[str, Any] = {}
    for name, region in lab.regions.items():
        database: dict[str, Any] | str = "does not answer"
        if region.state == "up":
            try:
                database = region.postgres.positions()
            except Exception as error:  # noqa: BLE001  (a status shows what it cannot read)
                database = f"does not answer: {type(error).__name__}"
        regions[name] = {
            "state": region.state,
            "address": region.address,
            "processes": len(processes.living(region.pids())),
            "workers": region.count() | {"healthy": region.healthy() if region.state == "up" else 0},
            "database": database,
        }
    return {
        "mode": lab.layout.mode,
        "directory": str(lab.directory),
        "synchronous": lab.spec.synchronous,
        "regions": regions,
        "dropped": sorted([a, b] for a, b in lab.dropped),
        "edge": f"{lab.layout.addresses['edge']}:{lab.layout.edge_port}",
        "www": lab.resolve(),
    }


class Loads:
    """The one load that runs through the control socket."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.running: load.Load | None = None

    def start(self, seconds: float, rates: dict[str, float] | None = None) -> str:
        """Start a load and return the path of its record."""
        if self.running is not None and self.running.process.poll() is None:
            raise Refused("A load is running already.", "It goes on.", "Wait until it ends.")
        self.running = load.start(self.lab, seconds=seconds, rates=rates)
        return str(self.running.record)

    def stop(self) -> str | None:
        """End the load; the path of its record, or None if there was none."""
        return str(self.running.stop()) if self.running is not None else None


def verbs(lab: Lab) -> dict[str, Callable[..., Any]]:
    """Name → call. `workers` and `scale` are the region's own control plane: they fail while the region is lost."""
    loads = Loads(lab)

    def workers(region: str) -> dict[str, int]:
        lab.insist_that_it_answers(region)
        return lab.workers(region) | {"ceiling": SLOTS}

    def down() -> str:
        lab.ended.set()
        return str(lab.directory)

    return {
        "status": lambda: status(lab),
        "workers": workers,
        "scale": lab.scale,
        "kill": lab.kill,
        "freeze": lab.freeze,
        "wake": lab.wake,
        "cut": lab.cut,
        "heal": lab.heal,
        "lag_kill": lab.lag_then_kill,
        "start": lab.start_region,
        "fence": lab.fence,
        "unfence": lambda region: lab.fence(region, False),
        "fenced": lab.fenced,
        "load": loads.start,
        "load_stop": loads.stop,
        "ids": lambda region: sorted(lab.database_ids(region)),
        "inside": lab.inside,
        "write_config": lambda path, core_switch=None: str(lab.write_config(Path(path), core_switch)),
        "down": down,
    }
