"""The shortest script that fails a database over, as people write it: what `outage.py` measures cloudfail against.

    GET /ready of the primary region through its HAProxy, every 0.5 s, until three in a row failed; then on the standby
    `pg_promote(false)` over a connection that was opened before, poll until it is out of recovery, clear
    synchronous_standby_names, and turn the edge's HAProxy over by its runtime API.

It has no quorum (one observer decides), no fence (a primary that is only cut off goes on writing), no journal (a crash
in the middle leaves a half), no loss gate and no check that a write succeeds. It is a floor for the time that a
failover takes, and no advice.
"""

from __future__ import annotations

import argparse
import json
import socket
import time

import psycopg

EVERY_SECONDS = 0.5
TIMEOUT_SECONDS = 0.45
FAILURES = 3


def ready(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(256).split(b"\r\n")[0]
    except OSError:
        return False


def runtime(path: str, command: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        while connection.recv(65536):
            pass


def tell(event: str) -> None:
    print(json.dumps({"event": event, "at": time.monotonic()}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("host", "standby-dsn", "edge-socket"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()

    standby = psycopg.connect(arguments.standby_dsn, autocommit=True)
    failures, told = 0, False
    while failures < FAILURES:
        # On the whole half seconds of the clock, as cloudfail's observers keep their own times.
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        time.sleep(EVERY_SECONDS - now % EVERY_SECONDS)
        failures = 0 if ready(arguments.host, arguments.port) else failures + 1
        if failures == 0 and not told:
            tell("calm")
            told = True
    tell("detected")
    standby.execute("SELECT pg_promote(false)")
    while standby.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
        time.sleep(0.001)
    tell("promoted")
    if standby.execute("SHOW synchronous_standby_names").fetchone() != ("",):
        standby.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        standby.execute("SELECT pg_reload_conf()")
    runtime(arguments.edge_socket, "set server shop/west weight 100")
    runtime(arguments.edge_socket, "set server shop/west state ready")
    runtime(arguments.edge_socket, "set server shop/east state maint")
    tell("traffic")


if __name__ == "__main__":
    main()
