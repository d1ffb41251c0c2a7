"""Bounded client load, in a process of its own, every write recorded as one line of JSON when its outcome is known.

    edge          clients outside, through the edge's HAProxy
    dns           clients outside, who look www.shop.lab up at the caching resolver for each write; new connections
    inside-REGION clients within the region, at its own HAProxy: they see a second writer that outsiders cannot

The clients inside of a region are people in its buildings: they outlive its servers, so `kill` and `freeze` spare them.
(The process belongs to no region; only its sockets do, see network.py. Its loop runs beside the main thread, because
a process counts as its main thread's namespace.)

Nothing is retried. A client waits 250 ms for everything, name and connection included. A write that never left the
client is refused, not unknown; one that left and was not answered is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cloudfail.errors import CloudfailError, Refused
from cloudfail.lab import names, network, processes
from cloudfail.lab.score import Outcome, Write
from cloudfail.lab.spec import REGIONS

if TYPE_CHECKING:
    from cloudfail.lab.lab import Lab

RATES: Mapping[str, float] = {"edge": 100.0, "dns": 50.0, "inside-east": 20.0, "inside-west": 20.0}
RATE_MAX = 500.0
SECONDS_MAX = 900.0
IN_FLIGHT_MAX = 64
TIMEOUT_SECONDS = 0.25


@dataclass(frozen=True)
class Plan:
    """What the load process is told: writes per second of each group, for how long, where to, and where to record."""

    rates: Mapping[str, float]
    seconds: float
    record: str
    netns: bool
    edge: tuple[str, int]
    resolver: tuple[str, int]
    regions: Mapping[str, tuple[str, int]]
    timeout_seconds: float = TIMEOUT_SECONDS
    run: str = field(default_factory=lambda: os.urandom(3).hex())


class Load:
    """A running load. `stop()` lets the writes under way end and returns the path of the record."""

    def __init__(self, process: subprocess.Popen[bytes], record: Path) -> None:
        self.process, self.record = process, record

    def stop(self) -> Path:
        """End the load, at most 5 s."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5.0)
        return self.record

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(lab: Lab, *, seconds: float, rates: Mapping[str, float] | None = None, record: Path | None = None) -> Load:
    """Start the load and return once its first lines are recorded. At most 500 writes/s per group and 900 s."""
    rates = dict(RATES if rates is None else rates)
    unknown = set(rates) - set(RATES)
    if unknown or not 0 < seconds <= SECONDS_MAX or any(not 0 < rate <= RATE_MAX for rate in rates.values()):
        raise Refused(
            f"A load of {rates} writes/s for {seconds:g} s is outside of what the lab makes.",
            "No load was started.",
            f"Groups: {', '.join(RATES)}; up to {RATE_MAX:g} writes/s each, up to {SECONDS_MAX:g} s.",
        )
    record = record or lab.directory / f"writes-{time.monotonic_ns()}.jsonl"
    layout = lab.layout
    plan = Plan(
        rates=rates,
        seconds=seconds,
        record=str(record),
        netns=layout.mode == "netns",
        edge=(layout.addresses["edge"], layout.edge_port),
        resolver=(layout.resolver_address, layout.resolver_port),
        regions={region: (layout.addresses[region], layout.http_port) for region in REGIONS},
    )
    argv = [sys.executable, "-m", "cloudfail.lab.load", json.dumps(asdict(plan))]
    process = processes.start(argv, log=lab.directory / "load.log", cwd=lab.directory)
    load = Load(process, record)
    if not processes.wait_for(lambda: record.exists() and record.stat().st_size > 0, 5.0):
        load.stop()
        raise CloudfailError("The load did not start.", "No writes were made.", f"Read {lab.directory / 'load.log'}.")
    return load


# ---- the load process


class Unsent(Exception):
    """The write never left the client."""


class Clients:
    """All groups' clients, in one event loop."""

    def __init__(self, plan: Plan, record: IO[str]) -> None:
        self.plan, self.record = plan, record
        self.stopping = threading.Event()
        self.made = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Every group at its rate until the time is over or the process is told to stop."""
        deadline = time.monotonic() + min(self.plan.seconds, SECONDS_MAX)
        await asyncio.gather(*(self._group(group, rate, deadline) for group, rate in self.plan.rates.items()))
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=2 * self.plan.timeout_seconds)

    async def _group(self, group: str, rate: float, deadline: float) -> None:
        """An open loop: a slow answer does not slow the next write, up to IN_FLIGHT_MAX under way."""
        slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        due = time.monotonic()
        while (now := time.monotonic()) < deadline and not self.stopping.is_set():
            if now < due:
                await asyncio.sleep(min(due - now, 0.05))
                continue
            await slots.acquire()
            self.made += 1
            task = asyncio.create_task(self._write(group, f"{group}-{self.plan.run}-{self.made}"))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            task.add_done_callback(lambda _done: slots.release())
            due = max(due + 1.0 / rate, now - 0.1)

    async def _write(self, group: str, identifier: str) -> None:
        sent = time.monotonic()
        outcome: Outcome = "unknown"
        region, reason = None, ""
        left = [False]
        try:
            async with asyncio.timeout(self.plan.timeout_seconds):
                outcome, region, reason = await self._attempt(group, identifier, left)
        except Unsent as error:
            outcome, reason = "refused", str(error)
        except (OSError, TimeoutError) as error:
            outcome, reason = ("unknown" if left[0] else "refused"), type(error).__name__
        self.record.write(Write(identifier, group, sent, time.monotonic(), outcome, region, reason).line())
        self.record.flush()

    async def _attempt(self, group: str, identifier: str, left: list[bool]) -> tuple[Outcome, str | None, str]:
        """One write. `left[0]` turns true just before its first byte may leave."""
        loop = asyncio.get_running_loop()
        node = group.removeprefix("inside-") if group.startswith("inside-") else "clients"
        if group == "edge":
            target = self.plan.edge
        elif group == "dns":
            target = (await self._look_up(node), self.plan.regions["east"][1])
        else:
            target = self.plan.regions[node]
        with self._socket(node, socket.SOCK_STREAM) as sock:
            await loop.sock_connect(sock, tuple(target))
            left[0] = True
            head = (
                f"POST /write HTTP/1.1\r\nHost: www.shop.lab\r\nConnection: close\r\nContent-Length: {len(identifier)}"
            )
            await loop.sock_sendall(sock, f"{head}\r\n\r\n{identifier}".encode())
            answer = b""
            while (chunk := await loop.sock_recv(sock, 4096)) and len(answer) < 65536:
                answer += chunk
        return judge(answer.decode("latin-1"), identifier)

    async def _look_up(self, node: str) -> str:
        loop = asyncio.get_running_loop()
        asked = names.question(names.NAME)
        with self._socket(node, socket.SOCK_DGRAM) as sock:
            await loop.sock_connect(sock, tuple(self.plan.resolver))
            await loop.sock_sendall(sock, asked)
            address = names.first_address(asked, await loop.sock_recv(sock, 1024))
        if address is None:
            raise Unsent("no address")
        return address

    def _socket(self, node: str, kind: socket.SocketKind) -> socket.socket:
        if self.plan.netns:
            network.enter_namespace(node)
        sock = socket.socket(socket.AF_INET, kind)
        sock.setblocking(False)
        return sock


def judge(answer: str, identifier: str) -> tuple[Outcome, str | None, str]:
    """What an HTTP answer says about the write: only 200 with its own id is an acknowledgement.

    503 comes from the application when it refused, or from an HAProxy that found no server to send the request to.
    Everything else (500, 502, 504, half an answer, none) leaves open whether the row was committed.
    """
    head, blank, body = answer.partition("\r\n\r\n")
    lines = head.split("\r\n")
    status = lines[0].split(" ")[1] if lines[0].count(" ") >= 1 else ""
    if status == "200" and blank and body == identifier:
        region = next((line[9:].strip() for line in lines if line.lower().startswith("x-region:")), None)
        return "acknowledged", region, ""
    if status == "503" and blank:
        return "refused", None, body.strip()[:80] if body.startswith("refused") else "503"
    return "unknown", None, status or "no answer"


def main(plan: Plan) -> None:
    """Run the plan in a second thread; the main one stays in the namespace in which the process was started."""
    with open(plan.record, "a", encoding="utf-8", buffering=1) as record:
        clients = Clients(plan, record)
        signal.signal(signal.SIGTERM, lambda _number, _frame: clients.stopping.set())
        thread = threading.Thread(target=lambda: asyncio.run(clients.run()), name="clients")
        thread.start()
        with contextlib.suppress(KeyboardInterrupt):
            thread.join()


if __name__ == "__main__":
    main(Plan(**json.loads(sys.argv[1])))
