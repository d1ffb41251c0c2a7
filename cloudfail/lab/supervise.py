"""The foreground supervisor behind `cloudfail lab up`: starts a lab, says what is where, waits, cleans up."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from cloudfail.errors import CloudfailError
from cloudfail.lab import wrapper
from cloudfail.lab.lab import Lab
from cloudfail.lab.spec import LabSpec


def describe(lab: Lab) -> str:
    """What is where, for a person who wants to look around."""
    layout, directory = lab.layout, lab.directory
    lines = [
        f"lab        {layout.mode}, synchronous {lab.spec.synchronous}, in {directory}",
        *(
            f"{name:<10} http://{layout.http(name)}  PostgreSQL {layout.addresses[name]}:{layout.database_port}"
            f"  {region.wanted} worker{'s' if region.wanted != 1 else ''}"
            for name, region in lab.regions.items()
        ),
        f"edge       http://{layout.addresses['edge']}:{layout.edge_port}  HAProxy {lab.edge_socket}",
        f"dns        BIND {layout.addresses['dns']}:{layout.dns_port}",
        f"resolver   unbound {layout.resolver_address}:{layout.resolver_port}, TTL {lab.spec.ttl_seconds} s",
        f"config     {directory / 'cloudfail.yaml'}",
        f"try        cd {lab.directory} && cloudfail lab exec -- cloudfail plan east",
        "commands   cloudfail lab status | exec -- CMD | kill | freeze | wake | cut | heal | lag-kill | start | down",
        "The lab is up. Ctrl-C ends it.",
    ]
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> int:
    """Run until SIGINT, SIGTERM, SIGHUP or `cloudfail lab down`."""
    parser = argparse.ArgumentParser(prog="python -m cloudfail.lab.supervise")
    parser.add_argument("--mode", choices=("auto", "netns", "loopback"), default="auto")
    parser.add_argument("--synchronous", choices=("off", "on", "remote_apply"), default="remote_apply")
    parser.add_argument("--ttl-seconds", type=int, default=1)
    parser.add_argument("--directory", type=Path)
    asked = parser.parse_args(argv)
    wrapper.die_with_parent()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    spec = LabSpec(
        directory=asked.directory, mode=asked.mode, synchronous=asked.synchronous, ttl_seconds=asked.ttl_seconds
    )
    try:
        with Lab.start(spec) as lab:
            lab.write_config(lab.directory / "cloudfail.yaml")
            sys.stdout.write(describe(lab))
            sys.stdout.flush()
            while not (stop.is_set() or lab.ended.is_set()):
                stop.wait(0.1)
    except CloudfailError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
