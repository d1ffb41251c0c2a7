"""Part of a fence: the networks that may reach the instance's public address are taken off its list.

This alone is no fence, and is never taken for one. The list holds for the public address; a client that comes over
private services access from an address of RFC 1918 is let in whatever it says ("Authorize with authorized networks"),
and no firewall rule of the client's VPC stands in the network where the instance is. Google does not say that a
connection which was made before ends. So what stands here is said as evidence, and the outcome comes from the writes
that were tried. What it adds is that nobody new comes in from outside while sessions are ended and logins revoked.

What is taken off is written into labels of the instance in the same patch, and put back from there: neither is ever
there without the other. A label holds no dots and slashes: 192.0.2.0/24 is `192_0_2_0-24`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
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
NETWORKS_MAX = 40
"""An instance has 64 labels at most ("Label Cloud SQL instances"), and some of them are somebody else's."""
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
        if len(others) > NETWORKS_MAX or any(one.get("expirationTime") for one in others):
            raise Permanent(
                f"{instance.name} has {len(others)} authorized networks, or one that expires: labels cannot hold that.",
                "They were left as they are.",
                "Take `authorized_networks` out of the member, or make the list shorter.",
            )
        values = [str(one.get("value", "")) for one in others]
        before = {**_noted(instance), **{f"{LABEL}{number}": _label(value) for number, value in enumerate(values, 1)}}
        kept = [one for one in _entries(instance) if one not in others]
        self._instances.patch(
            region,
            instance,
            {"ipConfiguration": {"authorizedNetworks": kept}, "userLabels": before or {f"{LABEL}0": "none"}},
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
        back = [{"value": value, "kind": "sql#aclEntry"} for value in map(_network, noted.values()) if value]
        there = _entries(instance)
        known = {str(one.get("value")) for one in there}
        self._instances.patch(
            region,
            instance,
            {
                "ipConfiguration": {"authorizedNetworks": there + [one for one in back if one["value"] not in known]},
                "userLabels": dict.fromkeys(noted),
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
    return {key: value for key, value in instance.labels.items() if key.startswith(LABEL) and value}


def _label(network: str) -> str:
    address, _, bits = network.partition("/")
    return f"{address.replace('.', '_')}-{bits or 32}"


def _network(label: str) -> str:
    """ "" for what is none."""
    found = _NOTED.fullmatch(label)
    return f"{found[1]}.{found[2]}.{found[3]}.{found[4]}/{found[5]}" if found else ""
