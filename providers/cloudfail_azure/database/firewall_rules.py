"""Part of a fence: the rules of the server's own firewall that let somebody in are taken away.

This alone is no fence, and is never taken for one. The rules are lines of pg_hba.conf, or what stands before a MySQL
server: they are asked when a connection is made, and Azure does not say that one which was made before ends; a change
"might take as much as five minutes"; and they hold for the public address alone, not for private endpoints ("Networking
overview ... with public access", of either engine).
So what stands here is said as evidence, and the outcome comes from the writes that were tried. What it adds is that
nobody new comes in from outside while sessions are ended and logins revoked.

What is to be taken away is noted in tags of the server first, and put back from there: a rule may be noted and still be
there, never the other way round. A note that is done with is empty.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database.flexible_options import FirewallRules
from cloudfail_azure.database.flexible_servers import Server, Servers
from cloudfail_azure.marks import VALUE_MAX, refuse_older
from cloudfail_azure.paths import same
from cloudfail_azure.under_way import followed

NAME = "firewall-rules"
TAG = "cloudfail-rule-"
NONE = "none"
RULES_MAX = 25
"""A resource has 50 tags at most ("Use tags to organize your Azure resources"), and some are somebody else's."""


@dataclass(frozen=True)
class Rule:
    name: str
    start: str
    end: str

    def __str__(self) -> str:
        return f"{self.start} {self.end} {self.name}"


class FirewallRulesFence:
    """fence.Network, of one database: region -> which rules stay."""

    name = NAME
    cuts = False

    def __init__(self, servers: Servers, members: Mapping[str, FirewallRules]) -> None:
        self._servers = servers
        self._members = members

    def has(self, region: str) -> bool:
        """Whether it is said which rules stay."""
        return region in self._members

    def prevents(self, region: str) -> bool:
        """Never: a connection that was made before may go on, and so may one over a private endpoint."""
        return False

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether no rule is there but those that stay, and what was there is noted."""
        at = time.time()
        try:
            server = self._servers.describe(region)
            others = self._others(region, self._servers.seconds)
        except CloudfailError as error:
            return Unknown(f"{NAME} in {region}: {error}", at)
        if not server.public:
            return Unknown(f"{NAME} in {region}: {server.name} has no public access, so they keep nobody out", at)
        return Known(bool(_noted(server)) and not others, at)

    def apply(self, region: str, call: Call) -> None:
        """Note them, then take them away one by one: a server does one thing at a time."""
        timed = TimeLeft(call)
        server, others = self._before(region, timed)
        refuse_older(server.epoch, call, f"{server.name} in {region}")
        noted = _rules(server)
        whole = {rule.name.lower(): rule for rule in (*noted, *others)}
        if len(whole) > RULES_MAX or any(len(str(rule)) > VALUE_MAX for rule in others):
            raise Permanent(
                f"{server.name} has more than {RULES_MAX} firewall rules, or one whose name is too long for a tag.",
                "They were left as they are.",
                "Take `firewall_rules` out of the member, or make the list shorter.",
            )
        if set(whole.values()) != set(noted) or not _noted(server) or server.epoch != call.epoch:
            tags = dict.fromkeys(_noted(server), "")
            tags |= {f"{TAG}{number}": str(rule) for number, rule in enumerate(whole.values(), 1)}
            self._servers.tag(region, server, tags if whole else tags | {f"{TAG}0": NONE}, timed.rest())
        for rule in others:
            self._change(region, "DELETE", server, rule, timed)
        kept = ", ".join(self._members[region].keep) or "none"
        call.log(f"{region}: the firewall of {server.name} has no rule but {kept}")

    def lift(self, region: str, call: Call) -> None:
        """Put back what was noted, and empty the notes."""
        timed = TimeLeft(call)
        server = self._servers.describe(region)
        if not _noted(server):
            return
        refuse_older(server.epoch, call, f"{server.name} in {region}")
        there = self._listed(region, min(self._servers.seconds, timed.seconds))
        for rule in _rules(server):
            if not any(same(rule.name, other.name) for other in there):
                self._change(region, "PUT", server, rule, timed)
        self._servers.tag(region, server, dict.fromkeys(_noted(server), ""), timed.rest())

    def _before(self, region: str, timed: TimeLeft) -> tuple[Server, list[Rule]]:
        """As it is before the change: whatever came of this look, nothing was changed."""
        try:
            server = self._servers.describe(region)
            return server, self._others(region, min(self._servers.seconds, timed.seconds))
        except OutcomeUnknown as error:
            raise Transient(f"The firewall in {region} cannot be read: {error}") from error

    def _change(self, region: str, method: str, server: Server, rule: Rule, timed: TimeLeft) -> None:
        path = f"{server.id}/firewallRules/{rule.name}"
        body = {"properties": {"startIpAddress": rule.start, "endIpAddress": rule.end}} if method == "PUT" else None
        reply = self._servers.asking.change(region, method, path, self._servers.api, call=timed.rest(), body=body)
        if not followed(self._servers.asking, region, reply, f"{method} {path}", within=timed.seconds):
            raise OutcomeUnknown(f"The firewall rule {rule.name} of {server.name} is being changed.")

    def _listed(self, region: str, within: float) -> list[Rule]:
        path = f"{self._servers.id(region)}/firewallRules"
        found = []
        for one in self._servers.asking.pages(region, path, self._servers.api, within=within):
            told = one.get("properties") or {}
            if not (one.get("name") and told.get("startIpAddress") and told.get("endIpAddress")):
                raise Transient(f"Azure answers, and does not tell the firewall rules of {self._servers.name(region)}.")
            found.append(Rule(str(one["name"]), str(told["startIpAddress"]), str(told["endIpAddress"])))
        return found

    def _others(self, region: str, within: float) -> list[Rule]:
        """Those that are not to stay."""
        kept = self._members[region].keep
        return [rule for rule in self._listed(region, within) if not any(same(rule.name, one) for one in kept)]


def _noted(server: Server) -> dict[str, str]:
    return {key: value for key, value in server.tags.items() if key.lower().startswith(TAG) and value}


def _rules(server: Server) -> list[Rule]:
    found = []
    for _key, value in sorted(_noted(server).items()):
        start, _, rest = value.partition(" ")
        end, _, name = rest.partition(" ")
        if name:
            found.append(Rule(name, start, end))
    return found
