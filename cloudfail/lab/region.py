"""One region: HAProxy, the application's workers and PostgreSQL, started, counted, killed and frozen together."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cloudfail.errors import Refused
from cloudfail.lab import leftovers, network, processes, proxies
from cloudfail.lab.parts import Parts
from cloudfail.lab.postgres import Postgres
from cloudfail.lab.spec import SLOTS, Layout

State = Literal["up", "killed", "frozen"]


@dataclass
class Region:
    """A region as the lab's supervisor knows it. `wanted`: workers that should run, kept while the region is dead."""

    name: str
    directory: Path
    layout: Layout
    parts: Parts
    postgres: Postgres
    wanted: int
    state: State = "up"
    proxy: subprocess.Popen[bytes] | None = None
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return self.layout.addresses[self.name]

    @property
    def proxy_socket(self) -> Path:
        return self.directory / "haproxy.sock"

    def prepare(self) -> None:
        """Directories and files; PostgreSQL's user owns the directory, HAProxy and workers only stand in `work`."""
        for path in (self.directory, self.directory / "run", self.directory / "work"):
            path.mkdir(mode=0o755, exist_ok=True)
        if self.parts.postgres_user:
            for path in (self.directory, self.directory / "run"):
                shutil.chown(path, self.parts.postgres_user)
        (self.directory / "haproxy.cfg").write_text(proxies.region_config(self.layout, self.name, self.directory))

    def pids(self) -> list[int]:
        """Every process of the region: in its namespace, or in loopback mode in its directory."""
        if self.layout.mode == "netns":
            return network.pids(self.name)
        return leftovers.pids_under(self.directory)

    def start_proxy(self) -> None:
        """Start the region's HAProxy."""
        argv = [*self._enter(), str(self.parts.haproxy), "-db", "-f", str(self.directory / "haproxy.cfg")]
        self.proxy = processes.start(argv, log=self.directory / "haproxy.log", cwd=self.directory / "work")

    def start_workers(self) -> None:
        """Bring the running workers to the wanted count."""
        self.workers = {slot: worker for slot, worker in self.workers.items() if self._runs(worker)}
        for slot in range(SLOTS):
            if len(self.workers) < self.wanted and slot not in self.workers:
                self._start_worker(slot)
        for slot in sorted(self.workers, reverse=True):
            if len(self.workers) > self.wanted:
                self._stop_worker(slot)

    def scale(self, count: int) -> None:
        """Change the wanted count and start or stop workers; whether they are healthy, HAProxy says later."""
        if not 0 <= count <= SLOTS:
            raise Refused(
                f"{self.name} has {SLOTS} worker slots, so it cannot have {count} workers.",
                f"It still has {self.wanted}.",
                f"Ask for 0 to {SLOTS}.",
            )
        self.wanted = count
        self.start_workers()

    def count(self) -> dict[str, int]:
        """Workers that should run and those that do (a frozen one does not)."""
        running = [worker for worker in self.workers.values() if self._runs(worker)]
        return {
            "wanted": self.wanted,
            "running": sum(1 for worker in running if processes.state(worker.pid) not in ("T", "t")),
        }

    def healthy(self) -> int:
        """Workers whose check passes, as the region's own HAProxy counts."""
        return len(proxies.healthy(self.proxy_socket, "workers"))

    def probe_port(self, port: int, seconds: float = 0.3) -> str:
        """`open`, `refused` or `timeout`, asked from the region itself, so that no cut stands between."""

        def ask() -> str:
            with socket.socket() as sock:
                sock.settimeout(seconds)
                try:
                    sock.connect((self.address, port))
                except ConnectionRefusedError:
                    return "refused"
                except OSError:
                    return "timeout"
                return "open"

        return network.within(self.name, ask) if self.layout.mode == "netns" else ask()

    def probe_http(self, seconds: float = 0.4) -> str:
        """The status of GET /healthz at the region's HAProxy, or `refused` or `timeout`, asked from the region."""

        def ask() -> str:
            with socket.socket() as sock:
                sock.settimeout(seconds)
                try:
                    sock.connect((self.address, self.layout.http_port))
                    sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                    return sock.recv(64).decode("latin-1").split(" ")[1]
                except ConnectionRefusedError:
                    return "refused"
                except (OSError, IndexError):
                    return "timeout"

        return network.within(self.name, ask) if self.layout.mode == "netns" else ask()

    def _enter(self) -> list[str]:
        return network.prefix(self.name) if self.layout.mode == "netns" else []

    def _runs(self, worker: subprocess.Popen[bytes]) -> bool:
        return worker.poll() is None

    def _start_worker(self, slot: int) -> None:
        import sys

        argv = [
            *self._enter(), sys.executable, "-m", "cloudfail.lab.application", "--region", self.name,
            "--address", self.address, "--port", str(self.layout.worker_ports[slot]),
            "--dsn", f"{self.layout.dsn(self.name, 'shop')} connect_timeout=2",
            "--monitor-dsn", f"{self.layout.dsn(self.name, 'monitor')} connect_timeout=2",
        ]  # fmt: skip
        log = self.directory / f"worker-{slot + 1}.log"
        self.workers[slot] = processes.start(argv, log=log, cwd=self.directory / "work")
        self._slot(slot, "ready")

    def _stop_worker(self, slot: int) -> None:
        """Take the slot out of HAProxy first, so that no request is refused, then SIGTERM; a second later SIGKILL."""
        self._slot(slot, "maint")
        worker = self.workers.pop(slot)
        worker.terminate()
        try:
            worker.wait(1.0)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait(1.0)

    def _slot(self, slot: int, state: str) -> None:
        with contextlib.suppress(OSError):
            proxies.runtime(self.proxy_socket, f"set server workers/w{slot + 1} state {state}")
