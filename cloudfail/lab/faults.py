"""Faults by command. Each is proven to have hit, or raises `FaultNotProven`: a fault that missed looks like a
perfect evacuation.

A fault that the lab's mode cannot make is refused with the reason.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cloudfail.errors import CloudfailError, Refused
from cloudfail.lab import network, processes, remains
from cloudfail.lab.spec import NODES, other_region

if TYPE_CHECKING:
    from cloudfail.lab.lab import Lab

Proof = dict[str, Any]


class FaultNotProven(CloudfailError):
    """The fault was ordered, and what was seen afterwards is not what it must look like."""


def kill(lab: Lab, name: str) -> Proof:
    """SIGKILL everything in the region, until nothing is left. Proof: how many were killed, and both ports refuse."""
    region = lab.region(name)
    if region.state == "killed" and not processes.living(region.pids()):
        raise _not_up(name, region.state, "die again")
    began = time.monotonic()
    killed = processes.kill_all(region.pids)
    ended = time.monotonic()
    region.state = "killed"
    remains.forget(region.postgres.data)
    ports = (lab.layout.http_port, lab.layout.database_port)
    seen = {str(port): region.probe_port(port) for port in ports}
    left = processes.living(region.pids())
    if not killed or left or set(seen.values()) != {"refused"}:
        raise FaultNotProven(
            f"The kill of {name} is not proven: {len(killed)} processes killed, {len(left)} left, ports {seen}.",
            "The region may be half alive, or was dead before.",
            f"Look with `cloudfail lab status`; bring it back with `cloudfail lab start {name}`.",
        )
    return {
        "fault": "kill", "region": name, "began_monotonic": began, "seconds": round(ended - began, 4),
        "killed": len(killed), "ports": seen,
    }  # fmt: skip


def freeze(lab: Lab, name: str) -> Proof:
    """SIGSTOP everything in the region. Proof: every process in state T, and HTTP times out (TCP still connects)."""
    region = lab.region(name)
    if region.state != "up":
        raise _not_up(name, region.state, "freeze")
    began = time.monotonic()
    stopped = processes.stop_all(region.pids)
    ended = time.monotonic()
    region.state = "frozen"
    running = [pid for pid in processes.living(region.pids()) if pid not in stopped]
    http = region.probe_http()
    if not stopped or running or http != "timeout":
        raise FaultNotProven(
            f"The freeze of {name} is not proven: {len(stopped)} stopped, {len(running)} running, HTTP {http}.",
            "Part of the region may still run.",
            f"Undo it with `cloudfail lab wake {name}`.",
        )
    return {
        "fault": "freeze", "region": name, "began_monotonic": began, "seconds": round(ended - began, 4),
        "stopped": len(stopped), "http": http,
    }  # fmt: skip


def wake(lab: Lab, name: str) -> Proof:
    """SIGCONT everything in the region. Proof: nothing is in state T any more, and HTTP answers."""
    region = lab.region(name)
    if region.state != "frozen":
        raise _not_up(name, region.state, "wake")
    began = time.monotonic()
    woken = processes.continue_all(region.pids)
    ended = time.monotonic()
    region.state = "up"
    answers = processes.wait_for(lambda: region.probe_http() not in ("timeout", "refused"), 5.0)
    asleep = [pid for pid in region.pids() if processes.state(pid) in ("T", "t")]
    if not woken or asleep or not answers:
        raise FaultNotProven(
            f"The waking of {name} is not proven: {len(woken)} woken, {len(asleep)} asleep, HTTP answers: {answers}.",
            "Part of the region may still be stopped.",
            f"Wake it again with `cloudfail lab wake {name}`, or kill it with `cloudfail lab kill {name}`.",
        )
    return {
        "fault": "wake", "region": name, "began_monotonic": began, "seconds": round(ended - began, 4),
        "woken": len(woken), "http": region.probe_http(),
    }  # fmt: skip


def cut(lab: Lab, name: str, direction: str = "both", source: str | None = None) -> Proof:
    """Drop packets between the region and the others (or one of them) at the core router, one way or both.

    Proof: a datagram over every pair of nodes; exactly those that the cut names do not arrive.
    """
    lab.region(name)
    _needs_router(lab, "cut")
    if direction not in ("in", "out", "both") or (source is not None and (source not in NODES or source == name)):
        raise Refused(
            f"A cut of {name} in direction {direction} from {source} is not one that the router knows.",
            "Nothing was cut.",
            f"Directions: in, out, both; from: {', '.join(node for node in NODES if node != name)}.",
        )
    began = time.monotonic()
    lab.dropped |= network.pairs(name, direction, source)
    network.drop(lab.dropped)
    ended = time.monotonic()
    return {
        "fault": "cut", "region": name, "direction": direction, "from": source, "began_monotonic": began,
        "seconds": round(ended - began, 4), "dropped": _proven_pairs(lab, f"The cut of {name}"),
    }  # fmt: skip


def heal(lab: Lab) -> Proof:
    """End every cut. Proof: a datagram over every pair arrives (those that a fence drops excepted)."""
    _needs_router(lab, "heal")
    began = time.monotonic()
    lab.dropped.clear()
    network.drop(())
    ended = time.monotonic()
    return {
        "fault": "heal", "began_monotonic": began, "seconds": round(ended - began, 4),
        "dropped": _proven_pairs(lab, "The healing"),
    }  # fmt: skip


def lag_then_kill(lab: Lab, name: str, seconds: float = 1.0) -> Proof:
    """Cut the link between the regions, let the primary go on alone for `seconds` (0.1 to 30), then kill it.

    An asynchronous primary loses what it acknowledged meanwhile; a synchronous one acknowledges nothing. It needs load:
    without writes there is no lag, and nothing would be proven. Proof: the link was cut and nothing else; just
    before the kill the primary's log was ahead of what the standby had by `lag_bytes` > 0, with writes that only it had
    (`writes_ahead`) or that waited for the standby (`writes_waiting`); and the kill's own proof.
    """
    region, other = lab.region(name), lab.region(other_region(name))
    _needs_router(lab, "lag-kill")
    if not 0.1 <= seconds <= 30:
        raise Refused(f"A lag of {seconds:g} s is outside of 0.1 to 30 s.", "Nothing was cut.", "Name one within.")
    if region.postgres.positions()["standby"]:
        raise Refused(
            f"{name} is a standby, so it has no writes to lose.",
            "Nothing was cut.",
            f"Use `cloudfail lab lag-kill {other.name}`.",
        )
    link = network.pairs(name, "both", other.name) - lab.dropped
    lab.dropped |= link
    network.drop(lab.dropped)
    try:
        dropped = _proven_pairs(lab, f"The cut between {name} and {other.name}")
        time.sleep(seconds)
        ahead, behind = region.postgres.positions(), other.postgres.positions()
        lag_bytes = ahead["position_bytes"] - behind["position_bytes"]
        writes_ahead, waiting = ahead["writes"] - behind["writes"], ahead["waiting"]
        if lag_bytes <= 0 or writes_ahead + waiting <= 0:
            raise FaultNotProven(
                f"{name} was not ahead of {other.name} after {seconds:g} s without a link: nothing was written.",
                f"{name} was not killed, and the link is whole again.",
                "Run it under load: `cloudfail lab load`.",
            )
        proof = kill(lab, name)
    finally:
        lab.dropped -= link
        network.drop(lab.dropped)
    return proof | {
        "fault": "lag-kill", "lag_seconds": seconds, "lag_bytes": lag_bytes, "dropped": dropped,
        "writes_ahead": writes_ahead, "writes_waiting": waiting,
    }  # fmt: skip


def start_region(lab: Lab, name: str, database: bool = False) -> Proof:
    """Start HAProxy and the workers of a killed region, and PostgreSQL only when asked: an old primary that is started
    as it lies is a second writer. Proof: HAProxy answers HTTP."""
    region = lab.region(name)
    if region.state != "killed":
        raise _not_up(name, region.state, "start")
    if database:
        region.postgres.start()
    region.start_proxy()
    region.state = "up"
    region.start_workers()
    if not processes.wait_for(lambda: region.probe_http() not in ("timeout", "refused"), 5.0):
        raise FaultNotProven(
            f"{name} was started and its HAProxy does not answer.",
            "Part of the region may run.",
            f"Read {region.directory / 'haproxy.log'}.",
        )
    return {"fault": "start", "region": name, "database": database, "http": region.probe_http()}


def _proven_pairs(lab: Lab, what: str) -> list[list[str]]:
    """The pairs that drop, as probed, if they are those that should."""
    expected = lab.dropped | lab.fenced_pairs()
    seen = network.dropped_pairs(lab.layout)
    if seen != expected:  # once more: a loaded machine may deliver late
        seen = network.dropped_pairs(lab.layout, 1.0)
    if seen != expected:
        raise FaultNotProven(
            f"{what} is not proven: dropped but should pass {sorted(seen - expected)}, passed but should drop "
            f"{sorted(expected - seen)}.",
            "The router's list is as ordered, the network is not.",
            "End every cut with `cloudfail lab heal`.",
        )
    return sorted([a, b] for a, b in seen)


def _needs_router(lab: Lab, verb: str) -> None:
    if lab.layout.mode != "netns":
        raise Refused(
            f"A lab in loopback mode cannot {verb}: all of its traffic stays on one host's loopback, where "
            "packets have no link that could be cut and no source that could be told apart.",
            "Nothing was changed.",
            "Start the lab as root in netns mode: `cloudfail lab up --mode netns`.",
        )


def _not_up(name: str, state: str, verb: str) -> Refused:
    way = {
        "killed": f"cloudfail lab start {name}",
        "frozen": f"cloudfail lab wake {name}",
        "up": "cloudfail lab status",
    }
    return Refused(
        f"{name} is {state}, so it cannot be asked to {verb}.", "Nothing was changed.", f"Try `{way[state]}`."
    )
