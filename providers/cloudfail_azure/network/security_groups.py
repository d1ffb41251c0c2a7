"""A network security group as Azure tells it: its rules, which of them decides, and the mark in its tags.

Rules are asked from the smallest priority on, and the first that fits decides; behind those of a group stand Azure's
own, of which one lets in all that comes from the virtual network. A rule is asked when a connection is made. One that
was made before has a flow record, by which it goes on ("Network security groups": "Communication is allowed or denied
based on the connection state of the flow record"); `flushConnection`, which would ask again, is not relied on.

The mark is a tag of the group, one for each application, as on a route table. A PATCH of tags replaces their map, so
all others are written back as they were read. Rules are written and deleted one by one; a group takes one operation at
a time ("RetryableError").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.network.tables import VERSION, plain, tag_of
from cloudfail_azure.paths import must_stand, name_of
from cloudfail_azure.under_way import followed

ANY = "*"
DESCRIPTION_MAX = 140
SUCCEEDED = "Succeeded"
_UNDER_WAY = frozenset({"creating", "updating", "deleting"})
EVERY_PORT = (0, 65535)
_PROTOCOLS = frozenset({ANY, "tcp"})


@dataclass(frozen=True)
class Rule:
    """peers: the far side (whence it comes in, whither it goes out): ranges in their plain form, service tags, or ANY;
    ports: from and to. wide: for every address in the subnet, from whichever port. state: `provisioningState`.
    protocol: in lower case."""

    name: str
    priority: int
    allows: bool
    peers: frozenset[str]
    ports: tuple[tuple[int, int], ...]
    wide: bool = True
    state: str = SUCCEEDED
    protocol: str = "tcp"
    inbound: bool = True

    @property
    def moving(self) -> bool:
        return self.state.lower() in _UNDER_WAY

    def meets(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.ports)

    def body(self, description: str) -> dict[str, Any]:
        far, near = ("source", "destination") if self.inbound else ("destination", "source")
        ranges = [str(first) if first == last else f"{first}-{last}" for first, last in self.ports]
        peers = sorted(self.peers)
        return {
            "properties": {
                "description": description[:DESCRIPTION_MAX],
                "protocol": self.protocol.capitalize(),
                "sourcePortRange": ANY,
                **({"destinationPortRange": ANY} if self.ports == (EVERY_PORT,) else {"destinationPortRanges": ranges}),
                f"{near}AddressPrefix": ANY,
                **({f"{far}AddressPrefix": ANY} if peers == [ANY] else {f"{far}AddressPrefixes": peers}),
                "access": "Allow" if self.allows else "Deny",
                "priority": self.priority,
                "direction": "Inbound" if self.inbound else "Outbound",
            }
        }


@dataclass(frozen=True)
class Group:
    """every: all rules, of both directions, by priority. subnets, interfaces: what it guards, by their ids.
    state: its own `provisioningState`, beside that of each rule."""

    id: str
    every: tuple[Rule, ...]
    subnets: tuple[str, ...]
    interfaces: tuple[str, ...]
    tags: Mapping[str, str]
    etag: str
    state: str = SUCCEEDED

    @property
    def moving(self) -> bool:
        return self.state.lower() in _UNDER_WAY

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Of TCP that comes in."""
        return tuple(one for one in self.every if one.inbound and one.protocol in _PROTOCOLS)

    def taken(self, *, inbound: bool) -> Mapping[int, str]:
        """Every priority of that direction, and whose it is."""
        return {one.priority: one.name for one in self.every if one.inbound is inbound}

    def rule(self, name: str) -> Rule | None:
        return next((one for one in self.every if one.name.lower() == name.lower()), None)

    def epoch(self, application: str) -> int | None:
        wanted = tag_of(application).lower()
        said = next((str(value) for key, value in self.tags.items() if key.lower() == wanted), "")
        return int(said) if said.isascii() and said.isdigit() else None


def described(asking: Asking, region: str, id_: str, *, within: float) -> Group:
    """Raises Transient where the answer says nothing of its rules; Permanent where it stands in another region."""
    told = asking.read(region, id_, VERSION, within=within)
    properties = told.get("properties") or {}
    if "securityRules" not in properties or "location" not in told:
        raise Transient(f"Azure answers, and does not tell the rules of {id_}.")
    must_stand(f"The network security group {id_}", region, str(told["location"]), asking.resource.name)
    rules = [_rule(one) for one in properties["securityRules"] or ()]
    return Group(
        id_,
        tuple(sorted(rules, key=lambda one: one.priority)),
        tuple(str(one.get("id", "")) for one in properties.get("subnets") or ()),
        tuple(str(one.get("id", "")) for one in properties.get("networkInterfaces") or ()),
        {str(key): str(value) for key, value in (told.get("tags") or {}).items()},
        str(told.get("etag") or ""),
        str(properties.get("provisioningState") or SUCCEEDED),
    )


def mark(asking: Asking, region: str, group: Group, call: Call) -> None:
    """Before what it stands for. Raises what the request does."""
    own = tag_of(asking.topology.application)
    others = {key: value for key, value in group.tags.items() if key.lower() != own.lower()}
    body = {"tags": {**others, own: str(call.epoch)}}
    asking.change(region, "PATCH", group.id, VERSION, call=call, body=body, if_match=group.etag)


def put(asking: Asking, region: str, group: Group, rule: Rule, description: str, call: Call) -> None:
    """Write one rule, and see its operation end. Raises OutcomeUnknown where that is not seen in the call's time."""
    _order(asking, region, "PUT", group, rule.name, call, rule.body(description))


def delete(asking: Asking, region: str, group: Group, name: str, call: Call) -> None:
    """As `put`."""
    _order(asking, region, "DELETE", group, name, call, None)


def _order(
    asking: Asking, region: str, method: str, group: Group, name: str, call: Call, body: Mapping[str, Any] | None
) -> None:
    timed, id_ = TimeLeft(call), f"{group.id}/securityRules/{name}"
    reply = asking.change(region, method, id_, VERSION, call=timed.rest(), body=body)
    if not followed(asking, region, reply, f"{method} {id_}", within=timed.seconds):
        raise OutcomeUnknown(f"The rule {name} of {name_of(group.id)} is being changed.")


def _rule(told: Mapping[str, Any]) -> Rule:
    properties = told.get("properties") or {}
    inbound = str(properties.get("direction", "")).lower() == "inbound"
    far, near = ("source", "destination") if inbound else ("destination", "source")
    groups = properties.get(f"{far}ApplicationSecurityGroups") or ()
    return Rule(
        str(told.get("name", "")),
        int(properties.get("priority", 0)),
        str(properties.get("access", "")).lower() == "allow",
        frozenset(
            [plain(one) for one in _listed(properties, f"{far}AddressPrefix", f"{far}AddressPrefixes")]
            + [str(one.get("id", "")) for one in groups]
        ),
        tuple(sorted(_span(one) for one in _listed(properties, "destinationPortRange", "destinationPortRanges"))),
        _listed(properties, f"{near}AddressPrefix", f"{near}AddressPrefixes") == [ANY]
        and _listed(properties, "sourcePortRange", "sourcePortRanges") == [ANY],
        str(properties.get("provisioningState") or SUCCEEDED),
        str(properties.get("protocol", "")).lower(),
        inbound,
    )


def _listed(properties: Mapping[str, Any], one: str, many: str) -> list[str]:
    """Azure tells one under one name and several under another, and the other as empty."""
    return [str(told) for told in (properties.get(one), *(properties.get(many) or ())) if told]


def _span(told: str) -> tuple[int, int]:
    first, _, last = told.partition("-")
    return EVERY_PORT if told == ANY else (int(first), int(last or first))
