"""Part of a fence: the networks that may reach the instance's public address are taken off its list.

This alone is no fence, and is never taken for one. The list holds for the public address; a client that comes over
private services access from an address of RFC 1918 is let in whatever it says ("Authorize with authorized networks"),
and no firewall rule of the client's VPC stands in the network where the instance is. Google does not say that a
connection which was made before ends. So what stands here is said as evidence, and the outcome comes from the writes
that were tried. What it adds is that nobody new comes in from outside while sessions are ended and logins revoked.

What is taken off is written into labels of the instance in the same patch, and put back from there: neither is ever
there without the other. A label holds no dots and slashes: 192.0.2.0/24 is `192_0_2_0-24`. One that is done with
stays, and is empty: the API's description has no word on how a patch takes one away.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from cloudfail.errors import CloudfailError, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.database.instances import Instance, Instances
from cloudfail_gcp.database.marks import refuse_older
from cloudfail_gcp.database.options import AuthorizedNetworks

NAME = "authorized-networks"
LABEL = "cloudfail-network-"
NAMED = "cloudfail-named-"
NETWORKS_MAX = 25
"""An instance has 64 labels at most ("Label Cloud SQL instances"), and some of them are somebody else's."""
_LABEL_CAN_HOLD = re.compile(r"[a-z0-9_-]{1,63}")
_NETWORK = re.compile(r"\d+\.\d+\.\d+\.\d+(?:/\d+)?")
_NOTED = re.compile(r"(\d+)_(\d+)_(\d+)_(\d+)-(\d+)")


class AuthorizedNetworksFence:
    """fence.Network, of one database: region -> which networks stay."""

    name = NAME
    cuts = False

    def __init__(self, instances: Instances, members: Mapping[str, AuthorizedNetworks]) -> None:
        self._instances = instances
        self._members = members

    def has(self, region: str) -> bool:
        """Whether it is said which networks stay."""
        return region in self._members

    def prevents(self, region: str) -> bool:
        """Never: a connection that was made before may go on, and so may one over a private address."""
        return False

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether no network is on the list but those that stay, and what was there is noted."""
        at = time.time()
        try:
            instance = self._instances.describe(region)
        except CloudfailError as error:
            return Unknown(f"{NAME} in {region}: {error}", at)
        if not instance.addresses.get("ipv4Enabled"):
            return Unknown(f"{NAME} in {region}: {instance.name} has no public address, so they keep nobody out", at)
        return Known(bool(_noted(instance)) and not self._others(region, instance), at)

    def apply(self, region: str, call: Call) -> None:
        """Note them, and take them off, in one patch."""
        timed = TimeLeft(call)
        instance = self._instances.describe(region)
        refuse_older(instance.epoch, call, f"{instance.name} in {region}")
        others = self._others(region, instance)
        if not others and _noted(instance):
            return
        if len(others) > NETWORKS_MAX or not all(map(_can_be_noted, others)):
            raise Permanent(
                f"{instance.name} has more than {NETWORKS_MAX} authorized networks, or one that is no IPv4 network, or "
                "that expires: labels cannot hold that.",
                "They were left as they are.",
                "Take `authorized_networks` out of the member, or make the list shorter.",
            )
        noted = _noted(instance) | _labels(others, after=len(_noted(instance)))
        kept = [one for one in _entries(instance) if one not in others]
        self._instances.patch(
            region,
            instance,
            {"ipConfiguration": {"authorizedNetworks": kept}, "userLabels": noted or {f"{LABEL}0": "none"}},
            timed.rest(),
        )
        call.log(f"{region}: {instance.name} lets in no network but {', '.join(self._kept(region)) or 'none'}")

    def lift(self, region: str, call: Call) -> None:
        """Put back what was noted."""
        timed = TimeLeft(call)
        instance = self._instances.describe(region)
        noted = _noted(instance)
        if not noted:
            return
        back = _from_labels(noted)
        there = _entries(instance)
        known = {str(one.get("value")) for one in there}
        self._instances.patch(
            region,
            instance,
            {
                "ipConfiguration": {"authorizedNetworks": there + [one for one in back if one["value"] not in known]},
                "userLabels": dict.fromkeys(noted, ""),
            },
            timed.rest(),
        )

    def _kept(self, region: str) -> tuple[str, ...]:
        return self._members[region].keep

    def _others(self, region: str, instance: Instance) -> list[dict[str, Any]]:
        """Those on the list that are not to stay there."""
        return [one for one in _entries(instance) if one.get("value") not in self._kept(region)]


def _entries(instance: Instance) -> list[dict[str, Any]]:
    return [dict(one) for one in instance.addresses.get("authorizedNetworks") or ()]


def _noted(instance: Instance) -> dict[str, str]:
    return {key: value for key, value in instance.labels.items() if key.startswith((LABEL, NAMED)) and value}


def _can_be_noted(entry: Mapping[str, Any]) -> bool:
    return _NETWORK.fullmatch(str(entry.get("value", ""))) is not None and not entry.get("expirationTime")


def _labels(entries: Sequence[Mapping[str, Any]], *, after: int) -> dict[str, str]:
    """A name goes along where a label can hold it; it is a word for people."""
    found: dict[str, str] = {}
    for number, entry in enumerate(entries, after + 1):
        address, _, bits = str(entry.get("value", "")).partition("/")
        found[f"{LABEL}{number}"] = f"{address.replace('.', '_')}-{bits or 32}"
        if _LABEL_CAN_HOLD.fullmatch(name := str(entry.get("name", ""))):
            found[f"{NAMED}{number}"] = name
    return found


def _from_labels(noted: Mapping[str, str]) -> list[dict[str, str]]:
    found = []
    for key in sorted(noted):
        if key.startswith(LABEL) and (network := _NOTED.fullmatch(noted[key])):
            entry = {"kind": "sql#aclEntry", "value": "{}.{}.{}.{}/{}".format(*network.groups())}
            name = noted.get(NAMED + key.removeprefix(LABEL))
            found.append(entry | ({"name": name} if name else {}))
    return found
