"""The applications that are simulated: the shipped runbooks on clouds that are simulated, or a user's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.config.loaded import Loaded
from cloudfail.model.topology import PortName
from cloudfail.plan import bind
from cloudfail.shipped import runbook_file
from cloudfail.testing.provider import FakeProvider
from cloudfail.testing.simulation.scenario import Setup

EXAMPLES = Path(__file__).resolve().parent / "examples"
WORKERS = 4
SETTLE_SECONDS = 3.0


def setup_of(loaded: Loaded, runbook: str, source: str, target: str, name: str = "") -> Setup:
    """Bind that runbook as `plan` would, with some workers recorded in each region. Raises what `bind` raises."""
    topology = loaded.topology
    recorded: Mapping[str, Mapping[str, int]] = {
        resource.name: dict.fromkeys(resource.members or topology.regions, WORKERS)
        for resource in topology.resources.values()
        if resource.port is PortName.COMPUTE
    }
    plan = bind(loaded, loaded.runbooks[runbook], source, target, recorded, ACTIONS)
    return Setup(name or runbook, loaded, plan, recorded)


def shipped_setups() -> tuple[Setup, ...]:
    """The example of the documentation over three clouds, the local runbooks, and one with gates wherever a gate may
    be."""
    clouds = {name: FakeProvider(name, settle_seconds=SETTLE_SECONDS) for name in ("aws", "gcp", "azure")}
    example = config.load(EXAMPLES / "cloudfail.yaml", [runbook_file("evacuate")], clouds)
    names = ("evacuate-local", "restore-local", "failback-local")
    files = [*(runbook_file(name) for name in names), EXAMPLES / "evacuate-gates.yaml"]
    local = config.load(EXAMPLES / "local.yaml", files, {"local": FakeProvider("local")})
    first, second = list(example.topology.regions)[:2]
    return (
        setup_of(example, "evacuate", first, second),
        setup_of(local, "evacuate-local", "east", "west"),
        setup_of(local, "failback-local", "east", "west"),
        setup_of(local, "evacuate-gates", "east", "west"),
    )


def setups_of(pairs: Iterable[tuple[Loaded, str]]) -> tuple[Setup, ...]:
    """A user's own: each runbook from the primary to its first standby."""
    found = []
    for loaded, runbook in pairs:
        primary = loaded.topology.primary
        found.append(setup_of(loaded, runbook, primary, loaded.topology.standbys(primary)[0]))
    return tuple(found)
