"""The local provider: PostgreSQL, HAProxy, RFC 2136 DNS and commands, on one machine or on premises.

Importing this package imports no vendor library: psycopg and dnspython come with `Kind.build`.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from cloudfail.config.custom import facts
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_local.options import (
    ChangeCommandOptions,
    ChangeMember,
    ComputeMember,
    ComputeOptions,
    CustomCommandOptions,
    CustomMember,
    FlagOptions,
    HaproxyOptions,
    NetworkMember,
    NetworkOptions,
    PostgresMember,
    PostgresOptions,
    Rfc2136Options,
)


def _postgresql(resource: Resource, topology: Topology) -> Any:
    from cloudfail_local import postgresql

    return postgresql.build(resource, topology)


def _haproxy(resource: Resource, topology: Topology) -> Any:
    from cloudfail_local import haproxy

    return haproxy.build(resource, topology)


def _rfc2136(resource: Resource, topology: Topology) -> Any:
    from cloudfail_local import dns

    return dns.build(resource, topology)


def _compute(resource: Resource, topology: Topology) -> Any:
    from cloudfail_local import command

    return command.build(resource, topology)


def _network(resource: Resource, topology: Topology) -> Any:
    from cloudfail_local import network

    return network.build(resource, topology)


def _network_verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    """One of the two, as the file says."""
    return {str(resource.options["verb"]): _LEADS}


# The site's own commands: that they need nothing of the region that is left is the site's to see to.
_LEADS = VerbFacts("data", None, False, True, 2.0, 60.0, "watching")


def _flag(resource: Resource, topology: Topology) -> Any:
    from cloudfail_local import change

    return change.build_flag(resource, topology)


def _change_command(resource: Resource, topology: Topology) -> Any:
    from cloudfail_local import change

    return change.build_command(resource, topology)


def _custom(resource: Resource, topology: Topology) -> Any:
    from cloudfail_local import custom

    return custom.build(resource, topology)


def _custom_verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    return {"run": facts(resource.options, fencing="watching")}


_KINDS = (
    Kind(
        port=PortName.DATABASE,
        name="postgresql",
        build=_postgresql,
        options=PostgresOptions,
        member=PostgresMember,
        call_timeout_seconds=20.0,
        verbs={
            # The first fences need nothing of the old side; logins reach it over SQL, which is its data plane.
            "fence": VerbFacts("data", "member", False, True, 0.2, 10.0, "mark"),
            "failover": VerbFacts("data", "member", True, False, 0.1, 10.0, "mark"),
            "switchover": VerbFacts("data", "member", False, True, 1.0, 30.0, "mark"),
            "follow": VerbFacts("data", "member", False, False, 5.0, 120.0, "watching"),
            "canary": VerbFacts("data", "member", False, True, 0.05, 5.0, "watching"),
        },
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="haproxy",
        build=_haproxy,
        options=HaproxyOptions,
        call_timeout_seconds=3.0,
        verbs={"shift": VerbFacts("data", None, False, True, 0.02, 3.0, "watching", divides="percent")},
    ),
    Kind(
        port=PortName.DNS,
        name="rfc2136",
        build=_rfc2136,
        options=Rfc2136Options,
        call_timeout_seconds=5.0,
        verbs={"shift": VerbFacts("data", None, False, True, 0.05, 5.0, "condition", divides="evenly")},
    ),
    Kind(
        port=PortName.COMPUTE,
        name="command",
        build=_compute,
        options=ComputeOptions,
        member=ComputeMember,
        call_timeout_seconds=10.0,
        verbs={
            "scale": VerbFacts("data", "member", False, True, 2.0, 60.0, "watching"),
            "hold": VerbFacts("data", "member", False, True, 0.5, 10.0, "watching"),
        },
    ),
    Kind(
        port=PortName.NETWORK,
        name="command",
        build=_network,
        options=NetworkOptions,
        member=NetworkMember,
        call_timeout_seconds=10.0,
        verbs={"route": _LEADS, "move_address": _LEADS},
        verbs_of=_network_verbs,
    ),
    Kind(
        port=PortName.CHANGE,
        name="flag",
        build=_flag,
        options=FlagOptions,
        call_timeout_seconds=2.0,
        verbs={"freeze": VerbFacts("data", None, False, True, 0.02, 2.0, "mark")},
    ),
    Kind(
        port=PortName.CHANGE,
        name="command",
        build=_change_command,
        options=ChangeCommandOptions,
        member=ChangeMember,
        call_timeout_seconds=10.0,
        verbs={"freeze": VerbFacts("data", "member", False, True, 0.5, 10.0, "watching")},
    ),
    Kind(
        port=PortName.CUSTOM,
        name="command",
        build=_custom,
        options=CustomCommandOptions,
        member=CustomMember,
        call_timeout_seconds=10.0,
        verbs={"run": facts({}, fencing="watching")},
        verbs_of=_custom_verbs,
    ),
)


class LocalProvider:
    """What the entry point names."""

    name = "local"

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return {(kind.port, kind.name): kind for kind in _KINDS}

    def identity(self) -> Known[str] | Unknown:
        """The operating system user and host that we act as."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = f"uid {os.getuid()}"
        return Known(f"{user}@{socket.gethostname()}", time.time())


provider = LocalProvider()
