"""Which literal target each check has in each region: `${name}` stands for the region, the application or a variable
of the region; nothing else."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from cloudfail.config.substitution import substitute
from cloudfail.errors import ConfigError
from cloudfail.model.topology import SIGNAL, Check, Region, Topology
from cloudfail.probes import http, tcp
from cloudfail.probes.reach import because, may_ask_loopback

KINDS = ("http", "tcp", "sql")


class Target(NamedTuple):
    """One check of one region, literal."""

    region: str
    check: str
    target: str


def targets(topology: Topology) -> list[Target]:
    """Every check of every region that a vantage makes; of a stand-in, those that it serves. ConfigError names all that
    cannot be made literal, or that no probe can ask."""
    found: list[Target] = []
    mistakes: list[str] = []
    for region in topology.regions.values():
        for check in topology.checks_in(region.name).values():
            if check.kind == SIGNAL:
                continue
            try:
                found.append(Target(region.name, check.name, _literal(check, region, topology.application)))
            except ValueError as error:
                mistakes.append(f"check {check.name} in region {region.name}: {error}")
    if mistakes:
        raise ConfigError(tuple(mistakes))
    return found


def _literal(check: Check, region: Region, application: str) -> str:
    names = {"application": application, "region": region.name, **region.variables}
    try:
        target = substitute(check.target, names)
    except KeyError as error:
        raise ValueError(f"${{{error.args[0]}}} is not set; this region has {', '.join(sorted(names))}") from error
    host = ""
    if check.kind == "http":
        host = http.parse(target).host
    elif check.kind == "tcp":
        host = tcp.place(target)[0]
    elif check.kind != "sql":
        raise ValueError(f"{check.kind!r} is no kind of check; there are {', '.join(KINDS)}")
    if forbidden := _is_address(host) and because(host, loopback=may_ask_loopback(region)):
        raise ValueError(forbidden)
    return target


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
