"""A drill's subnet, the group that guards it, and what stands on both sides of that: for tests of isolated networks."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.actions import Look, StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.testing.conformance import Calls
from cloudfail_azure import provider
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.custom.isolated_network import IsolatedNetwork
from cloudfail_azure.custom.options import IsolatedMember, IsolatedOptions
from cloudfail_azure.sessions import Sessions
from tests.emulators.azure.balancing import NORTH, WEST, SystemClock, World
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.security_groups import NETWORK, SecurityGroups

Serve = Callable[[str, Any], Any]

PACKAGE = "azure.mgmt.network"
SUBNET = f"{NETWORK}/virtualNetworks/drill/subnets/copies"
OWN_SUBNET, OPERATORS = "10.60.0.0/24", "203.0.113.7/32"
COPY, OPERATOR, PRODUCTION, PORT = "10.60.0.9", "203.0.113.7", "10.1.0.20", 5432
KEEPS = [OWN_SUBNET, OPERATORS]
NAMES = [f"cloudfail-shop-isolated-{one}" for one in ("keep-in", "keep-out", "deny-in", "deny-out")]
KEEP_IN, KEEP_OUT, DENY_IN, DENY_OUT = NAMES
PUT, DELETE, TAGS = "security_rules.create_or_update", "security_rules.delete", "network_security_groups.update_tags"
KIND = provider.kinds()[PortName.CUSTOM, "isolated-network"]


def resource(isolated: bool, member: Mapping[str, str], **options: Any) -> Resource:
    """As the loader makes it."""
    name, other = ("isolate", "rejoin") if isolated else ("rejoin", "isolate")
    said = {"keeps": KEEPS} if isolated else {}
    whole = IsolatedOptions.model_validate({"isolated": isolated, "undo": other, **said, **options}).model_dump()
    members = {NORTH: IsolatedMember.model_validate(member).model_dump()}
    return Resource(name, PortName.CUSTOM, KIND.name, "azure", None, members, whole)


class Site(World):
    """A subnet of a drill, whose group has two rules of the site's own. Both resources of a pair: `isolated` is the one
    that `port` gives. Fulfils testing.custom_suite.CustomHarness, and actions.World as far as custom.run asks it."""

    def __init__(
        self, front: Front, serve: Serve, *, style: str = "status", seconds: float = 0.0, isolated: bool = True,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(front, KIND, self._port_of)
        self.groups: SecurityGroups = serve(PACKAGE, SecurityGroups(style=style, seconds=seconds))
        self.id = self.groups.group("copies", NORTH, SUBNET)
        self.groups.set_rule(self.id, "web", 200, "Allow", "10.1.0.0/16", "5432")
        out = {"direction": "Outbound", "sourceAddressPrefix": "*", "destinationAddressPrefix": "10.1.0.0/16"}
        self.groups.set_rule(self.id, "db", 200, "Allow", "*", "5432", **out)
        self.before = self.groups.rules(self.id)
        self.isolated, self.options = isolated, options
        self.passes: Callable[[], bool] = lambda: True
        if not isolated:
            self.shut_off_by_hand()

    @property
    def member(self) -> dict[str, str]:
        return {"group": self.id, "subnet": SUBNET}

    def resources(self) -> dict[str, Resource]:
        both = [resource(True, self.member, **self.options), resource(False, self.member)]
        return {one.name: one for one in both}

    def topology(self) -> Topology:
        regions = {name: Region(name, "azure", SUBSCRIPTION) for name in (WEST, NORTH)}
        return Topology("shop", Objectives(900.0, 30.0), regions, WEST, "memory:", self.resources())

    def custom(self, name: str) -> IsolatedNetwork:
        whole, clock = self.topology(), SystemClock()
        of = whole.resources[name]
        asking = Asking(of, whole, Sessions(), Budget(clock), clock)
        members = {region: IsolatedMember.model_validate(one) for region, one in of.members.items()}
        return IsolatedNetwork(asking, IsolatedOptions.model_validate(of.options), members)

    def _port_of(self) -> IsolatedNetwork:
        return self.custom("isolate" if self.isolated else "rejoin")

    def begun(self) -> int:
        """The last of its orders: the denial of what goes out; of the way back, the keeping of what comes in."""
        last = DENY_OUT if self.isolated else KEEP_IN
        return sum(id_.endswith(f"/{last}") for _, id_ in self.groups.orders)

    def healthy(self, _check: str, _region: str) -> Known[bool] | Unknown:
        return Known(self.passes(), 0.0)

    # ---- the steps, as a run makes them

    def look(self, name: str = "isolate", check: str | None = None) -> Look:
        said = {"name": name, "where": NORTH, "check": check, "unreachable": "fail"}
        return ACTIONS["custom.run"].observe(self, self._context(said))  # type: ignore[arg-type]

    def order(self, seen: Look, name: str = "isolate", *, epoch: int = 10, seconds: float = 60.0) -> None:
        assert isinstance(seen, Todo), seen
        said = {"name": name, "where": NORTH, "check": None, "unreachable": "fail"}
        call = dataclasses.replace(Calls().make(epoch), timeout_seconds=seconds)
        ACTIONS["custom.run"].act(self, self._context(said), seen, call)  # type: ignore[arg-type]

    def run(self, name: str = "isolate", *, epoch: int = 10) -> Look:
        """Look and order until nothing is left to be ordered."""
        for _ in range(20):
            self.groups.end()
            if not isinstance(seen := self.look(name), Todo):
                return seen
            with contextlib.suppress(Transient, OutcomeUnknown):
                self.order(seen, name, epoch=epoch)
        raise AssertionError("it never came to its end")

    @staticmethod
    def _context(said: dict[str, Any]) -> StepContext:
        return StepContext(PlannedStep("it", "custom.run", None, said, (), 300.0, 0.0, 0), "r1", WEST, NORTH)

    # ---- what is so

    def shut_off_by_hand(self, *, without: str = "") -> None:
        """All four rules, or all but one."""
        for name in NAMES:
            if name != without:
                self.groups.set_rule(self.id, name, **written(name))

    def lets(self, peer: str, port: int = PORT) -> tuple[bool, bool]:
        """Whether what is new comes in from there, and goes out to there."""
        return self.groups.lets_in(self.id, peer, port), self.groups.lets_out(self.id, peer, port)

    @property
    def shut_off(self) -> bool:
        kept = self.lets(COPY) == self.lets(OPERATOR) == (True, True)
        return kept and self.lets(PRODUCTION) == (False, False)


def written(name: str) -> dict[str, Any]:
    """One of the rules, as `SecurityGroups.set_rule` takes it."""
    inbound, keeps = name.endswith("-in"), "-keep-" in name
    far, near = ("source", "destination") if inbound else ("destination", "source")
    peers = {f"{far}AddressPrefix": "", f"{far}AddressPrefixes": KEEPS} if keeps else {f"{far}AddressPrefix": "*"}
    return {
        "priority": 100 if keeps else 101, "access": "Allow" if keeps else "Deny", "source": "*", "ports": "*",
        "protocol": "*", "direction": "Inbound" if inbound else "Outbound", f"{near}AddressPrefix": "*", **peers,
    }  # fmt: skip
