"""The lab's network: namespaces joined by a core router, and the router's two lists of what it drops.

`cut` is a fault: pairs (from interface, to interface) whose packets are dropped, so one direction can be cut alone.
`fenced` is a switch that an operator would have: a region on it may talk to the control network, to DNS and to the
other region (so that replication can finish), and to nobody else. It cannot stop clients that sit inside the region.

A socket belongs to the namespace of the thread that made it, for good. So one process can hold sockets in all of them,
and a probe costs no process.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from cloudfail.errors import CloudfailError
from cloudfail.lab.spec import NODES, REGIONS, Layout

Answer = TypeVar("Answer")
Pair = tuple[str, str]
"""(from node, to node), as the core router sees a packet pass."""

CLONE_NEWNET = 0x40000000
FOLDER = Path("/run/netns")

RULES = """
table inet lab {
  set cut { type ifname . ifname; }
  set fenced { type ifname; }
  chain forward {
    type filter hook forward priority 0;
    iifname . oifname @cut counter drop
    iifname @fenced oifname != { "control", "dns", "east", "west" } counter drop
    oifname @fenced iifname != { "control", "dns", "east", "west" } counter drop
  }
}
"""


def prefix(node: str) -> list[str]:
    """The argv prefix that runs a command in the node's namespace."""
    return ["nsenter", f"--net={FOLDER / node}", "--"]


def _run(argv: list[str], stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise CloudfailError(
            f"`{' '.join(argv)}` failed: {done.stderr.strip()}.",
            "The lab's network is not as it should be.",
            "End the lab with `cloudfail lab down` and start a new one.",
        )
    return done.stdout


def up(layout: Layout) -> None:
    """Make the namespaces, the links and the router. One `ip -batch` for all, and one for each node."""
    batch = [f"netns add {node}" for node in ("core", *NODES)]
    batch += [f"link add name {node} netns core type veth peer name eth0 netns {node}" for node in NODES]
    _run(["ip", "-batch", "-"], "\n".join(batch))
    gateway = {node: layout.addresses[node].rsplit(".", 1)[0] + ".254" for node in NODES}
    core = ["link set lo up"]
    for node in NODES:
        core += [f"addr add {gateway[node]}/24 dev {node}", f"link set {node} up"]
        own = [f"addr add {layout.addresses[node]}/24 dev eth0", "link set eth0 up", "link set lo up"]
        if node == "dns":
            own.append(f"addr add {layout.resolver_address}/24 dev eth0")
        own.append(f"route add default via {gateway[node]}")
        _run(["ip", "-n", node, "-batch", "-"], "\n".join(own))
    _run(["ip", "-n", "core", "-batch", "-"], "\n".join(core))
    within("core", lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
    _run([*prefix("core"), "nft", "-f", "-"], RULES)


def down() -> None:
    """Remove the namespaces; whatever still runs in one keeps it until it ends."""
    for node in ("core", *NODES):
        subprocess.run(["ip", "netns", "del", node], capture_output=True, check=False)


def enter_namespace(node: str) -> None:
    """Move the calling thread into the node's namespace for good."""
    with open(FOLDER / node, "rb") as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {node}")


def within(node: str, work: Callable[[], Answer]) -> Answer:
    """Do `work` in a thread that lives in the node's namespace, and hand back its answer or its exception."""
    answers: list[Answer] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            enter_namespace(node)
            answers.append(work())
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            errors.append(error)

    thread = threading.Thread(target=body, name=f"within-{node}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return answers[0]


def pids(node: str) -> list[int]:
    """Every process of the node: those whose network namespace is the node's."""
    wanted = os.stat(FOLDER / node)
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                seen = os.stat(f"/proc/{name}/ns/net")
            except OSError:
                continue
            if (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.append(int(name))
    return found


def pairs(region: str, direction: str, source: str | None) -> set[Pair]:
    """The pairs that a cut of `region` drops. `in`: packets towards the region; `out`: packets that leave it."""
    others = [source] if source else [node for node in NODES if node != region]
    inward = {(node, region) for node in others}
    outward = {(region, node) for node in others}
    return {"in": inward, "out": outward, "both": inward | outward}[direction]


def drop(dropped: Iterable[Pair]) -> None:
    """Make these pairs, and no others, the router's `cut` list, in one transaction."""
    elements = ", ".join(f'"{a}" . "{b}"' for a, b in sorted(dropped))
    add = f"\nadd element inet lab cut {{ {elements} }}" if elements else ""
    _run([*prefix("core"), "nft", "-f", "-"], "flush set inet lab cut" + add)


def fence(region: str, fenced: bool) -> None:
    """Put the region on the router's `fenced` list, or take it off. Doing either twice changes nothing."""
    other = next(name for name in REGIONS if name != region)
    keep = [name for name in (other,) if is_fenced(name)] + ([region] if fenced else [])
    elements = ", ".join(f'"{name}"' for name in keep)
    add = f"\nadd element inet lab fenced {{ {elements} }}" if keep else ""
    _run([*prefix("core"), "nft", "-f", "-"], "flush set inet lab fenced" + add)


def is_fenced(region: str) -> bool:
    """Is the region on the router's `fenced` list?"""
    return f'"{region}"' in _run([*prefix("core"), "nft", "list", "set", "inet", "lab", "fenced"])


def dropped_pairs(layout: Layout, seconds: float = 0.25) -> set[Pair]:
    """Send a datagram between every region and every other node, both ways; the pairs whose datagram did not arrive.

    A loaded machine may deliver late but not lose: two datagrams are sent, and a pair counts as dropped when neither
    came within `seconds`.
    """
    wanted = {(a, b) for a in NODES for b in NODES if a != b and (a in REGIONS or b in REGIONS)}
    sockets: dict[str, socket.socket] = {}
    try:
        for node in NODES:
            sockets[node] = within(node, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sockets[node].bind((layout.addresses[node], 0))
            sockets[node].setblocking(False)
        ports = {node: sock.getsockname()[1] for node, sock in sockets.items()}
        missing = set(wanted)
        deadline = time.monotonic() + seconds
        for attempt in range(2):
            for a, b in missing:
                sockets[a].sendto(f"{a} {b}".encode(), (layout.addresses[b], ports[b]))
            until = deadline - (seconds / 2 if attempt == 0 else 0)
            while missing and time.monotonic() < until:
                for sock in sockets.values():
                    missing -= _arrived(sock)
                time.sleep(0.002)
        return missing
    finally:
        for sock in sockets.values():
            sock.close()


def _arrived(sock: socket.socket) -> set[Pair]:
    found: set[Pair] = set()
    while True:
        try:
            sent_from, _, sent_to = sock.recv(64).decode().partition(" ")
        except BlockingIOError:
            return found
        found.add((sent_from, sent_to))
