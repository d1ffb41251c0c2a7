"""FakeProvider: the kinds of any provider, served by a FakeCloud, so that real files load, lint, plan and run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from cloudfail.config import custom
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts


class _Options(BaseModel):
    """What the documentation's example writes; nothing else is accepted."""

    model_config = ConfigDict(extra="forbid")


class _DnsOptions(_Options):
    zone: str
    name: str
    ttl: str = "60s"
    switch: dict[str, str] | None = None


class _Hop(_Options):
    """A next hop or a holder, and what must answer through it."""

    hop: str
    reach: str | None = None


def _unbuilt(resource: Resource, _topology: Topology) -> Any:
    raise AssertionError(f"{resource.name} is served by a FakeWorld, not built by its kind")


def _stated(resource: Resource) -> Mapping[str, VerbFacts]:
    return {"run": custom.facts(resource.options, fencing="mark")}


_VERBS: Mapping[PortName, Mapping[str, VerbFacts]] = {
    PortName.DATABASE: {
        "fence": VerbFacts(home="member", typical_seconds=5, longest_seconds=60, fencing="mark"),
        "failover": VerbFacts(
            home="member",
            loses_data=True,
            reversible=False,
            typical_seconds=60,
            longest_seconds=240,
            fencing="condition",
        ),
        "switchover": VerbFacts(home="member", reversible=False, typical_seconds=60, fencing="condition"),
        "follow": VerbFacts(home="member", reversible=False, typical_seconds=300, fencing="condition"),
        "canary": VerbFacts(home="member", typical_seconds=1, fencing="condition"),
    },
    PortName.COMPUTE: {
        "scale": VerbFacts(home="member", typical_seconds=60, longest_seconds=240),
        "hold": VerbFacts(home="member", typical_seconds=2),
    },
    PortName.DNS: {"shift": VerbFacts(home=None, typical_seconds=30, fencing="condition", divides="percent")},
    PortName.LOADBALANCER: {"shift": VerbFacts(home=None, typical_seconds=2, divides="percent")},
    PortName.CONSUMERS: {"enable": VerbFacts(home="member", typical_seconds=5)},
    PortName.NETWORK: {
        "route": VerbFacts(plane="control", home=None, typical_seconds=5),
        "move_address": VerbFacts(plane="control", home=None, typical_seconds=5),
    },
    PortName.SIGNALS: {},
    PortName.CHANGE: {"freeze": VerbFacts(home="member", typical_seconds=1)},
    PortName.CUSTOM: {"run": custom.facts({}, fencing="mark")},
}

_KINDS: Mapping[tuple[PortName, str], type[BaseModel] | None] = {
    (PortName.DATABASE, "aurora-global"): None,
    (PortName.COMPUTE, "autoscaling"): None,
    (PortName.DNS, "route53"): _DnsOptions,
    (PortName.LOADBALANCER, "alb"): None,
    (PortName.CONSUMERS, "event-source"): None,
    (PortName.NETWORK, "route-table"): None,
    (PortName.NETWORK, "elastic-ip"): None,
    (PortName.CHANGE, "pipeline"): None,
    (PortName.SIGNALS, "alarm"): None,
    (PortName.DATABASE, "postgresql"): None,
    (PortName.COMPUTE, "command"): None,
    (PortName.DNS, "rfc2136"): None,
    (PortName.LOADBALANCER, "haproxy"): None,
    (PortName.CHANGE, "flag"): None,
    (PortName.CUSTOM, "command"): custom.CustomShape,
}


def _serves(port: PortName, name: str) -> Mapping[str, VerbFacts]:
    """Of a network's two verbs a kind has one."""
    if port is not PortName.NETWORK:
        return _VERBS[port]
    verb = "move_address" if name == "elastic-ip" else "route"
    return {verb: _VERBS[port][verb]}


class FakeProvider:
    """Fulfils `ports.Provider` under any name. Kinds and their schemas may be taken from a real provider instead:
    `FakeProvider("local", like=cloudfail_local.provider)` keeps its options, its facts and its settle times."""

    def __init__(self, name: str, *, like: Any = None, settle_seconds: float = 0.0) -> None:
        self.name = name
        self._like = like
        self._settle_seconds = settle_seconds

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        if self._like is not None:
            kinds: Mapping[tuple[PortName, str], Kind] = self._like.kinds()
            return kinds
        return {
            (port, name): Kind(
                port=port,
                name=name,
                build=_unbuilt,
                options=options or _Options,
                member=_Hop if port is PortName.NETWORK else None,
                settle_seconds=self._settle_seconds,
                verbs=_serves(port, name),
                verbs_of=_stated if port is PortName.CUSTOM else None,
            )
            for (port, name), options in _KINDS.items()
        }

    def identity(self) -> Known[str] | Unknown:
        return Known(f"fake:{self.name}", 0.0)
