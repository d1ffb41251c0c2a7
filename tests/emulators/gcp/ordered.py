"""A verb of a kind as a run uses it: look, order, look. One for each verb that Google Cloud's ports have, on the front.

`VERBS` says how the world is made in which each is ordered. Together with `test_every_verb.py` it is the matrix of
kinds, verbs and faults: a new kind gets its row here, or a test there fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName
from cloudfail.ports import Call
from tests.emulators.gcp import dns_world
from tests.emulators.gcp.dns_world import CENTRAL, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import dns

Serve = Callable[[str, Any], Any]
TO_TARGET = {CENTRAL: 0, WEST: 100}


@dataclass
class Ordered:
    """read: what the port says. order(expect, call): the verb. wanted: whether what was read is as ordered. truth: the
    same, of the state machine itself. effects: the operations whose requests are the effect, and not a mark beside it.
    follow: what Google does by itself after it, and the state machine leaves out. says_nothing: what a port may answer,
    beside Unknown, where it could not look."""

    front: Front
    read: Callable[[], Known[Any] | Unknown]
    order: Callable[[Any, Call], None]
    wanted: Callable[[Any], bool]
    truth: Callable[[], bool]
    effects: tuple[str, ...]
    follow: Callable[[], None] = lambda: None
    says_nothing: Callable[[Any], bool] = lambda _state: False

    def sent(self) -> int:
        """How many requests for the effect reached the front since `Front.forget`."""
        return sum(one.operation in self.effects for one in self.front.seen(mutating=True))


Make = Callable[[Front, Serve], Ordered]


def _name(there: Mapping[str, Any], members: Mapping[str, Any], routing: str) -> Make:
    def make(front: Front, serve: Serve) -> Ordered:
        zone: dns.CloudDns = serve("dns.v1", dns.CloudDns())
        zone.zone(dns_world.DOMAIN)
        zone.put(there)
        told = {"routing": routing, "resolvers": ["127.0.0.1:9"], "answer_within": "4s"}
        port = dns_world.port_of(told, members)

        def truth() -> bool:
            held = repr(zone.sets[f"{dns_world.NAME}.", "A"])
            return dns_world.ADDRESS[WEST] in held and dns_world.ADDRESS[CENTRAL] not in held

        return Ordered(
            front,
            port.read,
            lambda seen, call: port.shift(TO_TARGET, expect=seen, call=call),
            lambda state: bool(state.weights[WEST] and not state.weights[CENTRAL]),
            truth,
            ("changes.create",),
        )

    return make


@dataclass(frozen=True)
class Row:
    """requests: how many the verb sends that change something, marks included, where all goes well."""

    make: Make
    requests: int = 1


Key = tuple[PortName, str, str, str]

VERBS: Mapping[Key, Row] = {
    (PortName.DNS, "cloud-dns", "shift", "simple"): Row(
        _name(dns_world.simple(dns_world.ADDRESS[CENTRAL]), dns_world.ADDRESS, "simple")
    ),
    (PortName.DNS, "cloud-dns", "shift", "wrr"): Row(
        _name(dns_world.weighted({CENTRAL: 60, WEST: 40}, checked=True), dns_world.CHECKED, "wrr")
    ),
    (PortName.DNS, "cloud-dns", "shift", "geo"): Row(
        _name(dns_world.near(CENTRAL, WEST, checked=True), dns_world.CHECKED, "geo")
    ),
    (PortName.DNS, "cloud-dns", "shift", "primary-backup"): Row(
        _name(dns_world.primary_backup(), dns_world.CHECKED, "primary-backup")
    ),
}
"""Port, kind, verb, and the shape in which it is tried."""
