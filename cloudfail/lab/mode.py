"""Which mode a lab runs in, and the ports of one that has no network of its own."""

from __future__ import annotations

import random
import socket
from typing import Literal

from cloudfail.errors import Refused
from cloudfail.lab import network, wrapper
from cloudfail.lab.spec import LOOPBACK_PORTS, Layout, loopback_layout, netns_layout


def decide_mode(mode: str) -> Literal["netns", "loopback"]:
    """netns where it works, else loopback; the one that was asked for, or a refusal with the reason."""
    if mode == "loopback":
        return "loopback"
    reason = wrapper.why_not_netns()
    if reason is None and not wrapper.inside():
        reason = "the process is not inside of the wrapper (cloudfail.lab.wrapper.enter)"
    if reason is None:
        return "netns"
    if mode == "netns":
        raise Refused(
            f"A lab in netns mode is not possible here: {reason}.",
            "Nothing was started.",
            "Use `--mode loopback`, which has no cuts.",
        )
    return "loopback"


def claim_layout(mode: Literal["netns", "loopback"]) -> tuple[socket.socket | None, Layout]:
    """Where everything will listen, and what holds the place for this lab as long as it is open (loopback mode)."""
    if mode == "loopback":
        return _free_loopback_layout()
    if (network.FOLDER / "core").exists():
        raise Refused(
            "A lab runs in this wrapper already, and a wrapper holds one network.",
            "It was not touched.",
            "End it first, or start the second one in a wrapper of its own (cloudfail.lab.wrapper.enter).",
        )
    return None, netns_layout()


def _free_loopback_layout() -> tuple[socket.socket, Layout]:
    """Ports that nothing listens on, below the ephemeral range, and a name in the kernel that keeps other labs off."""
    for _ in range(50):
        base = random.randrange(20000, 32000, LOOPBACK_PORTS)
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            held.bind(f"\0cloudfail-lab-{base}")
            for address in ("127.0.0.1", "127.10.0.1", "127.20.0.1"):
                for port in range(base, base + LOOPBACK_PORTS):
                    with socket.socket() as probe:
                        probe.bind((address, port))
        except OSError:
            held.close()
            continue
        return held, loopback_layout(base)
    raise Refused(
        "No free block of ports was found.", "Nothing was started.", "End other labs with `cloudfail lab down`."
    )
