"""A fence by VPC firewall rules: of a server of one's own on Compute Engine, whose port they close to everybody.

The rules are made beforehand, disabled, and reviewed like all else: the fence enables them, and taking it back disables
them again. Each is held against what it must be before it is relied on: it denies the port, to all addresses, with the
priority 0. Of equal priorities the rule that denies comes first, so that no other VPC firewall rule lets the port in
(Compute Engine v1, `Firewall.priority`). To which instances it applies is the rule's own to say, and is not checked; a
hierarchical policy of the organisation comes before all of them, and is not seen.

It cuts nothing that is open. VPC firewall rules are stateful ("VPC firewall rules", specifications): what was let in is
tracked, and its traffic allowed as long as a packet is sent every ten minutes. So it is for the server that does not
answer, and for the connections that would come. From outside it looks like silence, and silence is no refusal: that the
rules stand is evidence, and no proof. It fulfils cloudfail_databases.fence.Network.

The control plane of firewall rules is global, and needs nothing of the region that is lost. A patch has no condition;
the epoch stands in the rule's description, in the same request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from cloudfail.config.fields import Shape
from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call, Grant
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.network.marks import epoch_in, marked
from cloudfail_gcp.paths import name_of, pattern, project_of, written
from cloudfail_gcp.under_way import anew, taken

NAME = "firewall"
FENCE = ("fence",)
EVERYBODY = frozenset({"0.0.0.0/0", "::/0"})
_NETWORK = "The network is the rule's own to say."
_TCP = frozenset({"tcp", "6", "all"})

if TYPE_CHECKING:
    RulePath = str
else:
    RulePath = written(
        pattern("global", "firewalls"), "path of a VPC firewall rule", "projects/PROJECT/global/firewalls/NAME"
    )


class FirewallRules(Shape):
    """The rules that close a member's port while it is fenced: one, or one for IPv4 and one for IPv6. `prevents: true`
    is the operator's word that nobody reaches the member past them, and that no connection outlives them."""

    rules: Annotated[tuple[RulePath, ...], Field(min_length=1, max_length=8, strict=False)]
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    prevents: bool = False


class FirewallFence:
    """Of one database: region -> the rules of that member."""

    name = NAME
    cuts = False

    def __init__(self, asking: Asking, members: Mapping[str, FirewallRules], *, seconds: float) -> None:
        self._asking = asking
        self._members = members
        self._seconds = seconds

    def has(self, region: str) -> bool:
        """Whether it is said which rules close the member's port."""
        return region in self._members

    def prevents(self, region: str) -> bool:
        """The operator's word that nobody reaches the member past them."""
        return self.has(region) and self._members[region].prevents

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether all of them are enforced, and are what they must be."""
        try:
            rules = self._read(region)
        except CloudfailError as error:
            return Unknown(f"{NAME} in {region}: {error}", time.time())
        return Known(not any(rule.get("disabled") for rule in rules.values()), time.time())

    def apply(self, region: str, call: Call) -> None:
        """Enable those that are not."""
        self._set(region, call, disabled=False)
        wanted = self._members[region]
        call.log(f"{region}: {', '.join(map(name_of, wanted.rules))} deny port {wanted.port} to everybody who is new")

    def lift(self, region: str, call: Call) -> None:
        """Disable those that are enforced."""
        self._set(region, call, disabled=True)

    def _set(self, region: str, call: Call, *, disabled: bool) -> None:
        timed = TimeLeft(call)
        try:
            rules = self._read(region)
        except Permanent:
            raise
        except CloudfailError as error:
            # Nothing was changed yet, so whatever came of the look is no doubt about an effect.
            raise Transient(f"The firewall rules of {region} cannot be read: {error}") from error
        application = self._asking.topology.application
        for path, rule in rules.items():
            epoch = epoch_in(str(rule.get("description") or ""), application)
            if epoch is not None and epoch > call.epoch:
                raise Conflict(f"{path} was changed under epoch {epoch}, and this is {call.epoch}.")
        for path, rule in rules.items():
            if bool(rule.get("disabled")) == disabled:
                continue
            description = marked(str(rule.get("description") or ""), application, call.epoch, call.run)
            reply = self._asking.change(
                "compute",
                "global",
                "PATCH",
                path,
                call=anew(timed.rest()),
                body={"disabled": disabled, "description": description},
                request_id="requestId",
            )
            taken(reply, f"PATCH {path}")

    def _read(self, region: str) -> dict[str, Mapping[str, Any]]:
        """By path. Raises as `Asking.read`, and Permanent where one of them would not close the port."""
        wanted, until = self._members[region], self._asking.deadline(self._seconds)
        rules: dict[str, Mapping[str, Any]] = {}
        for path in wanted.rules:
            left = max(0.01, self._asking.left_until(until))
            rule = self._asking.read("compute", "global", path, within=left)
            if not rule.get("name"):
                raise Transient(f"Compute Engine answers, and tells nothing of {path}.")
            if wrong := _wrong(rule, wanted.port):
                raise Permanent(
                    f"{path} is no fence: it {wrong}.",
                    "It was not changed.",
                    f"Make it so: gcloud compute firewall-rules create {name_of(path)} --disabled --priority 0 "
                    f"--action deny --rules tcp:{wanted.port} --source-ranges 0.0.0.0/0 --target-tags …",
                )
            rules[path] = rule
        return rules


def _wrong(rule: Mapping[str, Any], port: int) -> str:
    """Why it would let somebody in; "" where it would not."""
    if rule.get("direction", "INGRESS") != "INGRESS":
        return "is about what leaves"
    if not any(_closes(one, port) for one in rule.get("denied") or ()):
        return f"does not deny tcp:{port}"
    if int(rule.get("priority", 1000)) != 0:
        return f"has the priority {rule.get('priority', 1000)}, and others come before it"
    narrowed = [key for key in ("sourceTags", "sourceServiceAccounts", "destinationRanges") if rule.get(key)]
    if narrowed or not EVERYBODY & set(rule.get("sourceRanges") or ()):
        return "is not about everybody"
    return ""


def _closes(denied: Mapping[str, Any], port: int) -> bool:
    if str(denied.get("IPProtocol", "")).lower() not in _TCP:
        return False
    spans = [str(span).partition("-") for span in denied.get("ports") or ()]
    return not spans or any(int(first) <= port <= int(last or first) for first, _, last in spans)


def grants(members: Mapping[str, FirewallRules]) -> list[tuple[bool, Grant]]:
    """What the fence asks for (Compute Engine v1's reference, firewalls get and patch): (whether it changes something,
    what is granted)."""
    rules = tuple(dict.fromkeys(path for member in members.values() for path in member.rules))
    projects = tuple(dict.fromkeys(project_of(rule) for rule in rules))
    return [
        (False, Grant("global", ("compute.firewalls.get",), rules)),
        (True, Grant("global", ("compute.firewalls.update",), rules, FENCE)),
        (True, Grant("global", ("compute.networks.updatePolicy",), projects, FENCE, why=_NETWORK)),
    ]
