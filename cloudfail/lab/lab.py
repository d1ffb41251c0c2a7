"""The lab: two regions, DNS, an edge, clients and a core router, started in two to three seconds and gone without a
trace.

    with Lab.start(LabSpec()) as lab:
        lab.kill("east")

Three guards see that nothing is left, whatever ends the supervisor: `close()`, a watcher process that waits for the
supervisor's end of a pipe to close, and in netns mode the wrapper, whose pid namespace dies as a whole.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from cloudfail.errors import CloudfailError, Refused
from cloudfail.lab import faults, leftovers, names, network, processes, proxies, wrapper
from cloudfail.lab.control import ControlServer
from cloudfail.lab.mode import claim_layout, decide_mode
from cloudfail.lab.parts import Parts, find_parts, reachable
from cloudfail.lab.postgres import Postgres
from cloudfail.lab.region import Region
from cloudfail.lab.spec import NODES, REGIONS, LabSpec, Layout
from cloudfail.lab.verbs import verbs

READY_SECONDS = 30.0


class Lab:
    """A running lab. Made by `Lab.start`; methods may be called from several threads."""

    def __init__(self, spec: LabSpec, layout: Layout, parts: Parts, claim: leftovers.Claim) -> None:
        self.spec, self.layout, self.parts = spec, layout, parts
        self.claim = claim
        self.directory = claim.directory
        self.dropped: set[network.Pair] = set()
        self.ended = threading.Event()
        self._lock = threading.RLock()
        self._closed = False
        self._control: ControlServer | None = None
        self._ports: socket.socket | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self.regions = {name: self._region(name) for name in REGIONS}

    # ---- start and end

    @classmethod
    def start(cls, spec: LabSpec) -> Lab:
        """Start everything and return when writes can be acknowledged. In netns mode the caller is inside a wrapper."""
        mode = decide_mode(spec.mode)
        parts = find_parts()
        leftovers.remove_dead_labs()
        held, layout = claim_layout(mode)
        claim = leftovers.claim(spec.directory)
        if len(str(claim.directory)) > 80:
            claim.release()
            raise Refused(
                f"{claim.directory} is too long: a unix socket below it would exceed the kernel's 107 bytes.",
                "Nothing was started.",
                "Name a shorter directory, or none.",
            )
        lab = cls(spec, layout, reachable(parts, claim.directory), claim)
        lab._ports = held
        try:
            lab._up()
        except BaseException:
            lab.close()
            raise
        return lab

    def _up(self) -> None:
        watch = [sys.executable, "-m", "cloudfail.lab.leftovers", str(self.directory)]
        watch.append("temporary" if self.claim.temporary else "kept")
        self._watcher = subprocess.Popen(
            watch, stdin=subprocess.PIPE, env=wrapper.environment(), cwd="/", start_new_session=True
        )
        for name in ("dns", "edge", "deploys"):
            (self.directory / name).mkdir(mode=0o755)
        for region in self.regions.values():
            region.prepare()
        with ThreadPoolExecutor(2) as pool:
            initialised = pool.submit(self.regions["east"].postgres.initialise)
            if self.layout.mode == "netns":
                network.up(self.layout)
            databases = pool.submit(self._start_databases, initialised.result)
            self._start_servers()
            databases.result()
        self._control = ControlServer(self.directory / "control.sock", verbs(self))
        self._wait_until_ready()

    def _start_databases(self, initialised: Callable[[], None]) -> None:
        initialised()
        east, west = (self.regions[name].postgres for name in REGIONS)
        west.copy_from(east)
        east.start()
        east.create_shop()
        west.start()
        if self.spec.synchronous != "off":
            east.name_synchronous_standby()

    def _start_servers(self) -> None:
        dns, edge = self.directory / "dns", self.directory / "edge"
        address = self.layout.addresses["east"]
        named = names.write_bind(self.layout, dns, address, self.spec.ttl_seconds)
        unbound = names.write_unbound(self.layout, dns)
        processes.start(
            [*self._enter("dns"), str(self.parts.named), "-g", "-c", str(named)], log=dns / "named.log", cwd=dns
        )
        processes.start(
            [*self._enter("dns"), str(self.parts.unbound), "-d", "-c", str(unbound)], log=dns / "unbound.log", cwd=dns
        )
        for region in self.regions.values():
            region.start_proxy()
            region.start_workers()
        (edge / "haproxy.cfg").write_text(proxies.edge_config(self.layout, edge))
        processes.start(
            [*self._enter("edge"), str(self.parts.haproxy), "-db", "-f", str(edge / "haproxy.cfg")],
            log=edge / "haproxy.log",
            cwd=edge,
        )

    def _wait_until_ready(self) -> None:
        edge = self.directory / "edge" / "haproxy.sock"
        east = self.regions["east"].postgres
        checks: dict[str, Callable[[], bool]] = {
            "the edge's HAProxy": edge.exists,
            "replication": east.streaming,
            "DNS": lambda: self.resolve() == self.layout.addresses["east"],
            "workers": lambda: all(region.healthy() >= min(1, region.wanted) for region in self.regions.values()),
            "both regions at the edge": lambda: len(proxies.healthy(edge, "shop")) == 2,
            "health": lambda: all(region.probe_http() == "200" for region in self.regions.values() if region.wanted),
        }
        if self.spec.synchronous != "off":
            checks["the synchronous standby"] = lambda: bool(
                east.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
            )
        deadline = time.monotonic() + READY_SECONDS
        for what, check in checks.items():
            if not processes.wait_for(check, max(0.1, deadline - time.monotonic()), 0.02):
                logs = sorted(str(path) for path in self.directory.rglob("*.log") if path.stat().st_size)
                raise CloudfailError(
                    f"The lab did not come up: {what} was not ready within {READY_SECONDS:g} s.",
                    "Everything that was started is stopped again.",
                    f"Give it a directory that stays (`--directory DIR`) and read its logs ({', '.join(logs)}).",
                )
            if what == "the edge's HAProxy":
                proxies.runtime(edge, "set server shop/west weight 0")

    def close(self) -> None:
        """Kill every process of the lab, remove its network, and its directory if it was temporary."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.ended.set()
            if self._control is not None:
                self._control.close()
            if self.layout.mode == "netns":
                processes.kill_all(lambda: [pid for node in NODES for pid in _namespace_pids(node)])
                network.down()
            leftovers.kill_under(self.directory)
            if self._watcher is not None:
                self._watcher.kill()
                self._watcher.wait()
            if self._ports is not None:
                self._ports.close()
            self.claim.release()

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- what is where

    @property
    def control_socket(self) -> Path:
        return self.directory / "control.sock"

    @property
    def edge_socket(self) -> Path:
        return self.directory / "edge" / "haproxy.sock"

    def region(self, name: str) -> Region:
        """The region of that name."""
        if name not in self.regions:
            raise Refused(f"The lab has no region {name}.", "Nothing was done.", f"Its regions: {', '.join(REGIONS)}.")
        return self.regions[name]

    def inside(self, node: str) -> list[str]:
        """The argv prefix that runs a command on a node (for a process that is inside of the wrapper itself)."""
        if node not in (*NODES, "core"):
            raise Refused(f"The lab has no node {node}.", "Nothing was done.", f"Its nodes: {', '.join(NODES)}.")
        return self._enter(node) or ["env"]

    def resolve(self) -> str | None:
        """The address of www.shop.lab as the caching resolver gives it to clients now."""

        def ask() -> str | None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.3)
                asked = names.question(names.NAME)
                try:
                    sock.sendto(asked, (self.layout.resolver_address, self.layout.resolver_port))
                    return names.first_address(asked, sock.recv(1024))
                except OSError:
                    return None

        return network.within("clients", ask) if self.layout.mode == "netns" else ask()

    def database_ids(self, region: str) -> set[str]:
        """Every id in the region's `writes`, read over its unix socket."""
        return self.region(region).postgres.ids()

    def write_config(self, path: Path, core_switch: str | None = None) -> Path:
        """Write a `cloudfail.yaml` for this lab; see `configuration.write`."""
        from cloudfail.lab.configuration import write

        return write(self, path, core_switch)

    # ---- capacity

    def workers(self, region: str) -> dict[str, int]:
        """Workers wanted and running in the region, as the lab knows (a dead region has none running)."""
        return self.region(region).count()

    def scale(self, region: str, count: int) -> dict[str, int]:
        """Change the region's wanted workers; a region that is dead, frozen or cut off cannot be asked to."""
        with self._lock:
            self.insist_that_it_answers(region)
            self.region(region).scale(count)
            return self.workers(region)

    def insist_that_it_answers(self, name: str) -> None:
        """A region's own control plane goes with the region."""
        region = self.region(name)
        whole_cut = self.layout.mode == "netns" and network.pairs(name, "both", "control") & self.dropped
        if region.state != "up" or whole_cut:
            raise CloudfailError(
                f"{name} does not answer ({region.state if region.state != 'up' else 'cut off'}).",
                "Its workers were not counted and not changed.",
                "Look again when it is back.",
            )

    # ---- faults

    def kill(self, region: str) -> faults.Proof:
        """See `faults.kill`."""
        with self._lock:
            return faults.kill(self, region)

    def freeze(self, region: str) -> faults.Proof:
        """See `faults.freeze`."""
        with self._lock:
            return faults.freeze(self, region)

    def wake(self, region: str) -> faults.Proof:
        """See `faults.wake`."""
        with self._lock:
            return faults.wake(self, region)

    def cut(self, region: str, direction: str = "both", source: str | None = None) -> faults.Proof:
        """See `faults.cut`."""
        with self._lock:
            return faults.cut(self, region, direction, source)

    def heal(self) -> faults.Proof:
        """See `faults.heal`."""
        with self._lock:
            return faults.heal(self)

    def lag_then_kill(self, region: str, seconds: float = 1.0) -> faults.Proof:
        """See `faults.lag_then_kill`."""
        with self._lock:
            return faults.lag_then_kill(self, region, seconds)

    def start_region(self, region: str, database: bool = False) -> faults.Proof:
        """See `faults.start_region`."""
        with self._lock:
            return faults.start_region(self, region, database)

    # ---- the core switch, a fence that an operator has

    def fence(self, region: str, fenced: bool = True) -> dict[str, Any]:
        """Put the region on the core router's fence list, or take it off (netns mode)."""
        with self._lock:
            self.region(region)
            if self.layout.mode != "netns":
                raise Refused(
                    "A lab in loopback mode has no core switch.", "Nothing was fenced.", "Use the other fences."
                )
            network.fence(region, fenced)
            return self.fenced(region)

    def fenced(self, region: str) -> dict[str, Any]:
        """Is the region on the core router's fence list?"""
        self.region(region)
        return {"region": region, "fenced": self.layout.mode == "netns" and network.is_fenced(region)}

    def fenced_pairs(self) -> set[network.Pair]:
        """Pairs that the fence list drops."""
        kept = {"control", "dns", *REGIONS}
        fenced = {name for name in REGIONS if network.is_fenced(name)}
        return {
            (a, b) for a in NODES for b in NODES if (a in fenced and b not in kept) or (b in fenced and a not in kept)
        }

    def _enter(self, node: str) -> list[str]:
        return network.prefix(node) if self.layout.mode == "netns" else []

    def _region(self, name: str) -> Region:
        directory = self.directory / name
        postgres = Postgres(name, directory, self.layout, self.parts, self.spec.synchronous, self._enter(name))
        return Region(name, directory, self.layout, self.parts, postgres, self.spec.workers.get(name, 1))


def _namespace_pids(node: str) -> list[int]:
    try:
        return network.pids(node)
    except OSError:
        return []
