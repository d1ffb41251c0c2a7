"""Runs a command in namespaces of its own, so that nothing of a lab leaks, collides or survives.

The chain is: this process → setpriv --pdeathsig KILL → unshare --kill-child → init (pid 1 inside) → the command. Every
link is killed by the kernel when the one above it dies, whatever killed it; the death of pid 1 ends every process in
the namespace, and the last process takes the mounts and the networks with it. Init adopts and reaps orphans: a
PostgreSQL that was killed but stays as a zombie would keep its `postmaster.pid` looking alive.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

MARK = "CLOUDFAIL_LAB_INSIDE"
"""Set for everything inside of the wrapper."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def inside() -> bool:
    """Is this process inside of a wrapper already?"""
    return os.environ.get(MARK) == "netns"


def why_not_netns() -> str | None:
    """The reason why network namespaces cannot be used here, or None where they can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "network namespaces for the lab need root"
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    missing = [name for name in ("unshare", "setpriv", "nsenter", "ip", "nft") if not shutil.which(name, path=path)]
    if missing:
        return f"{', '.join(missing)} not installed (apt-get install util-linux iproute2 nftables)"
    if inside():
        return None
    probe = subprocess.run(["unshare", "-n", "-m", "-p", "-i", "-u", "-f", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else f"unshare is not allowed: {probe.stderr.decode().strip()}"


def needed(mode: str) -> bool:
    """Must a process that wants a lab in this mode run itself again inside of a wrapper first (`enter`)?"""
    return mode != "loopback" and not inside() and why_not_netns() is None


def wrapped(argv: Sequence[str], *, netns: bool = True) -> list[str]:
    """The command line that runs `argv` inside of a wrapper; without `netns`, below an init that reaps orphans only."""
    if not netns:
        return [sys.executable, "-m", "cloudfail.lab.wrapper", "--loopback", "--", *argv]
    private = ["--net", "--mount", "--pid", "--ipc", "--uts", "--propagation", "private", "--mount-proc"]
    unshare = ["unshare", *private, "--fork", "--kill-child=SIGKILL"]
    init = [sys.executable, "-m", "cloudfail.lab.wrapper", "--", *argv]
    return ["setpriv", "--pdeathsig", "KILL", *unshare, *init]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, with this very package importable by any child."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, **(extra or {})}


def enter(argv: Sequence[str], *, netns: bool = True) -> int:
    """Run `argv` inside of a new wrapper with this process's own terminal; the exit code is the command's.

    SIGINT and SIGTERM reach the command, so that it can clean up; afterwards dead labs' directories are removed.
    """
    from cloudfail.lab.leftovers import remove_dead_labs

    outer = subprocess.Popen(wrapped(argv, netns=netns), env=environment())

    def forward(number: int, _frame: FrameType | None) -> None:
        # unshare ignores SIGTERM, so it goes straight to init. A terminal sends SIGINT to all.
        with contextlib.suppress(OSError):
            if not netns:
                outer.send_signal(number)
                return
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            for pid in children:
                os.kill(int(pid), number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = outer.wait()
    finally:
        outer.kill()
        for number, handler in before.items():
            signal.signal(number, handler)
        removed = remove_dead_labs()
        deadline = time.monotonic() + 2.0
        while code < 0 and not removed and time.monotonic() < deadline:
            time.sleep(0.05)  # killed: its last processes may still be ending, and hold their lab's lock
            removed = remove_dead_labs()
    return code if code >= 0 else 128 - code


def die_with_parent() -> None:
    """Have the kernel SIGKILL this process when its parent dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _init(argv: Sequence[str]) -> int:
    """Pid 1 inside: a private list of networks, then the command; orphans are reaped until it ends."""
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/netns"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return reap_until_exit(argv, {MARK: "netns"})


def reap_until_exit(argv: Sequence[str], extra: Mapping[str, str]) -> int:
    """Run `argv`, pass SIGTERM and SIGHUP on to it, adopt and reap orphans, return its exit code."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    command = os.posix_spawnp(argv[0], list(argv), environment(extra))

    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(command, number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == command:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def main(arguments: Sequence[str]) -> int:
    """`[--loopback] -- COMMAND …`: what `wrapped` runs."""
    argv = arguments[arguments.index("--") + 1 :]
    if "--loopback" in arguments[: arguments.index("--")]:
        die_with_parent()
        return reap_until_exit(argv, {})
    return _init(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
