"""Writes the `cloudfail.yaml` that describes a running lab to cloudfail, as a person would for a site of their own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cloudfail.lab.names import KEY, NAME, ZONE
from cloudfail.lab.spec import REGIONS
from cloudfail.shipped import runbook_file

if TYPE_CHECKING:
    from cloudfail.lab.lab import Lab

RUNBOOKS = ("evacuate-local", "restore-local", "failback-local")


def write(lab: Lab, path: Path, core_switch: str | None = None) -> Path:
    """Write the file, with the shipped runbooks for it beside it in runbooks/, and return its path.

    `core_switch`: a region that the core switch may fence, last of the fences.

    Commands of a fence name their region themselves, so a file with this one is for evacuating that region only.
    """
    beside = path.parent / "runbooks"
    beside.mkdir(exist_ok=True)
    for name in RUNBOOKS:
        shutil.copy(runbook_file(name), beside)
    path.write_text(yaml.safe_dump(document(lab, core_switch), sort_keys=False, width=120, default_flow_style=None))
    return path


def document(lab: Lab, core_switch: str | None = None) -> dict[str, Any]:
    """The file's content. Its commands run inside of the lab's wrapper (`cloudfail lab exec -- …`)."""
    return {
        "application": "shop",
        "objectives": {"rto": "30s", "rpo": "1s"},
        "regions": {
            region: {"provider": "local", "variables": {"address": lab.layout.http(region)}} for region in REGIONS
        },
        "primary": "east",
        "state": f"sqlite:{lab.directory / 'state.db'}",
        "vantages": {
            "outside": {"command": lab.inside("clients")},
            "west": {"region": "west", "command": lab.inside("west")},
            "witness": {"command": lab.inside("witness")},
        },
        "resources": {
            "orders": _orders(lab, core_switch),
            "edge": _edge(lab),
            "www": _www(lab),
            "web": _web(lab),
            "deploys": _deploys(lab),
        },
        "checks": {
            "shop": {
                "http": "http://${address}/healthz",
                "every": _milliseconds(lab.spec.check_interval_seconds),
                "timeout": _milliseconds(lab.spec.check_interval_seconds * 0.9),
                "fall": lab.spec.check_fall,
                "rise": 2,
                "vantages": "2 of 3",
            }
        },
        "policy": {
            "scope": "site",
            "automation": "automatic",
            "hold_down": "0s",
            "cool_down": "1m",
            "runbook": RUNBOOKS[0],
        },
    }


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _control(lab: Lab, *words: str) -> list[str]:
    asking = Path(__file__).with_name("asking.py")
    return [sys.executable, "-I", "-S", str(asking), str(lab.control_socket), *words]


def _orders(lab: Lab, core_switch: str | None) -> dict[str, Any]:
    fences: list[Any] = ["synchronous", "logins"] if lab.spec.synchronous != "off" else ["logins"]
    if core_switch is not None:
        fences.append(
            {
                "name": "core-switch",
                "apply": _control(lab, "fence", core_switch),
                "lift": _control(lab, "unfence", core_switch),
                "check": _control(lab, "fenced", core_switch),
            }
        )
    return {
        "database": "postgresql",
        "members": {
            name: {
                "dsn": lab.layout.dsn(name, "cloudfail"),
                "writer": lab.layout.dsn(name, "shop"),
                "run": region.postgres.run_prefix(),
                "data": str(region.postgres.data),
                "bin": str(lab.parts.postgres_bin),
                "log": str(region.postgres.log),
            }
            for name, region in lab.regions.items()
        },
        "fences": fences,
        "rejoin": "rewind",
    }


def _edge(lab: Lab) -> dict[str, Any]:
    return {
        "loadbalancer": "haproxy",
        "socket": f"unix:{lab.edge_socket}",
        "backend": "shop",
        "members": {region: region for region in REGIONS},
    }


def _www(lab: Lab) -> dict[str, Any]:
    return {
        "dns": "rfc2136",
        "server": f"{lab.layout.addresses['dns']}:{lab.layout.dns_port}",
        "zone": ZONE,
        "name": NAME,
        "type": "A",
        "ttl": f"{lab.spec.ttl_seconds}s",
        "key": {"name": KEY, "algorithm": "hmac-sha256", "secret": f"file:{lab.directory / 'dns' / 'tsig.secret'}"},
        "resolvers": [f"{lab.layout.resolver_address}:{lab.layout.resolver_port}"],
        "members": {region: lab.layout.addresses[region] for region in REGIONS},
    }


def _web(lab: Lab) -> dict[str, Any]:
    return {
        "compute": "command",
        "members": {
            name: {
                "read": _control(lab, "workers", name),
                "scale": _control(lab, "scale", name, "$${count}"),  # $$: for the provider to fill in
                "socket": f"unix:{region.proxy_socket}",
                "backend": "workers",
            }
            for name, region in lab.regions.items()
        },
    }


def _deploys(lab: Lab) -> dict[str, Any]:
    """Flag files that deploy tools check. They lie with the deploy tools, not in the region that they deploy to."""
    return {
        "change": "flag",
        "directory": str(lab.directory / "deploys"),
        "members": {region: region for region in REGIONS},
    }
