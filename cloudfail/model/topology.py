"""What an application is made of, and where: regions, resources by literal identifiers, checks and objectives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cloudfail.model.policy import Policy


class PortName(StrEnum):
    """The ports of cloudfail/ports.py that a resource may stand behind; the word is also the key in cloudfail.yaml."""

    DATABASE = "database"
    DNS = "dns"
    LOADBALANCER = "loadbalancer"
    COMPUTE = "compute"
    NETWORK = "network"
    CONSUMERS = "consumers"
    CHANGE = "change"
    CUSTOM = "custom"
    SIGNALS = "signals"


@dataclass(frozen=True)
class Roles:
    """As whom a provider is asked; "" is the process's own identity. watch: reads, at any time. execute: changes, and
    only for a run that is open. What a role is, is the provider's word: the ARN of an IAM role, the address of a
    service account."""

    watch: str = ""
    execute: str = ""


@dataclass(frozen=True)
class StandIn:
    """A region that stands in for the whole site at a fraction of its cost. serves: the checks that it must pass, which
    are what users have of it; the others are not looked at there. share_percent: of the workers that a whole region
    runs, 1 to 100; what those cannot carry is shed."""

    serves: tuple[str, ...]
    share_percent: int = 100


@dataclass(frozen=True)
class Region:
    """One place that can fail as a whole. `variables` are the names that `${name}` may stand for in its checks. roles:
    for the resources there that have none of their own. stand_in: None for a region that serves all that there is."""

    name: str
    provider: str
    account: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    roles: Roles = Roles()
    stand_in: StandIn | None = None

    @property
    def share_percent(self) -> int:
        """Of the workers that a whole region runs."""
        return 100 if self.stand_in is None else self.stand_in.share_percent


@dataclass(frozen=True)
class Resource:
    """One thing that a step acts on. `kind` names the provider's adapter for `port`; `members` holds the literal
    identifier (a string) or options (a mapping) of each region; `options` is what the kind's own schema accepted.
    `roles`: None for those of the region that is asked."""

    name: str
    port: PortName
    kind: str
    provider: str
    id: str | None
    members: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    roles: Roles | None = None


SIGNAL = "signal"
"""The kind of a check that no vantage makes: what a provider says of the region, by a resource of the port signals."""


@dataclass(frozen=True)
class Check:
    """What says whether a region serves. `kind` is http, tcp or sql, and `target` still holds its `${name}`s; or it is
    SIGNAL, and `target` is the name of a resource.

    fall/rise: consecutive bad/good answers before one vantage changes its mind. vantages_needed of vantages_total must
    agree (0 of 0: as many as are configured, more than half).
    """

    name: str
    kind: str
    target: str
    every_seconds: float = 10.0
    timeout_seconds: float = 5.0
    fall: int = 3
    rise: int = 2
    vantages_needed: int = 0
    vantages_total: int = 0
    expect_status: tuple[int, ...] = ()
    expect_body: str | None = None


@dataclass(frozen=True)
class Vantage:
    """A place that looks. `command` is an argv prefix (`ssh witness`, `ip netns exec west`) that runs the observer
    there; empty means on this machine. `region` names the region that it stands in, if it is one of the topology's."""

    name: str
    command: tuple[str, ...] = ()
    region: str | None = None


@dataclass(frozen=True)
class Objectives:
    """What was promised: rto_seconds until users are served again, rpo_seconds of acknowledged writes that may go."""

    rto_seconds: float
    rpo_seconds: float


@dataclass(frozen=True)
class Audit:
    """Where the log's head is anchored (URLs), where the key is (env:NAME, file:PATH), and who may sign (a file). Paths
    are from the topology's file."""

    anchors: tuple[str, ...]
    key: str
    signers: str


@dataclass(frozen=True)
class Topology:
    """An application, as cloudfail.yaml states it."""

    application: str
    objectives: Objectives
    regions: Mapping[str, Region]
    primary: str
    state: str
    resources: Mapping[str, Resource]
    checks: Mapping[str, Check] = field(default_factory=dict)
    vantages: Mapping[str, Vantage] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    audit: Audit | None = None

    def roles_of(self, resource: Resource, region: str) -> Roles:
        """As whom `resource` is asked in `region`. A region that is none of the topology's (where a global service's
        control plane stands, say) is asked as the regions of the same provider are, which then all say the same."""
        if resource.roles is not None:
            return resource.roles
        if region in self.regions:
            return self.regions[region].roles
        return next((one.roles for one in self.regions.values() if one.provider == resource.provider), Roles())

    @property
    def probed(self) -> Mapping[str, Check]:
        """The checks that vantages make."""
        return {name: check for name, check in self.checks.items() if check.kind != SIGNAL}

    @property
    def signalled(self) -> Mapping[str, Check]:
        """The checks that are a provider's word."""
        return {name: check for name, check in self.checks.items() if check.kind == SIGNAL}

    def checks_in(self, region: str) -> Mapping[str, Check]:
        """The checks that say whether that region serves: all of them, or those that a stand-in is there for."""
        stand_in = self.regions[region].stand_in
        return {name: check for name, check in self.checks.items() if stand_in is None or name in stand_in.serves}

    def standbys(self, of: str) -> tuple[str, ...]:
        """The regions that may take over from `of`, in the order of the file."""
        return tuple(name for name in self.regions if name != of)
