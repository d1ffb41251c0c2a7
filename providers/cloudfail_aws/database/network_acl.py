"""A fence by network ACL: deny entries before all others, on the subnets of the old writer.

An ACL keeps no state, so it cuts connections that were made before too; a security group does not (VPC user guide,
"Connection tracking"). It needs EC2's control plane in the old region. From outside it looks like silence, and silence
is no refusal: that the entries stand is evidence, and no proof (cloudfail_postgres/write_proof.py).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import CloudfailError, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.database.marks import epoch_in, mark, refuse_older
from cloudfail_aws.database.options import NetworkAcls

NAME = "network-acl"
_EVERYBODY = (("CidrBlock", "0.0.0.0/0"), ("Ipv6CidrBlock", "::/0"))


class NetworkAclFence:
    """Of one database: region -> the ACLs of that member's subnets."""

    name = NAME
    cuts = True

    def __init__(self, asking: Asking, members: Mapping[str, NetworkAcls], *, seconds: float) -> None:
        self._asking = asking
        self._members = members
        self._seconds = seconds

    def has(self, region: str) -> bool:
        """Whether it is said which ACLs guard the member."""
        return region in self._members

    def prevents(self, region: str) -> bool:
        """The operator's word that nobody reaches the member past them."""
        return self.has(region) and self._members[region].prevents

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether every ACL denies everybody, before any other entry."""
        try:
            acls = self._read(region)
        except CloudfailError as error:
            return Unknown(f"{NAME} in {region}: {error}", time.time())
        wanted = self._members[region]
        return Known(all(not _missing(acl, wanted) for acl in acls), time.time())

    def epoch(self, region: str) -> int | None:
        """The newest mark on them. Raises as a read."""
        found = [epoch_in(acl.get("Tags") or ()) for acl in self._read(region)]
        return max((epoch for epoch in found if epoch is not None), default=None)

    def apply(self, region: str, call: Call) -> None:
        """Write what is missing, the mark first. An entry of somebody else's under our number is left alone."""
        wanted, timed = self._members[region], TimeLeft(call)
        for acl in self._read(region):
            refuse_older(epoch_in(acl.get("Tags") or ()), call, str(acl.get("NetworkAclId")))
            missing = _missing(acl, wanted)
            taken = {entry.get("RuleNumber") for entry in _ingress(acl)}
            clash = [number for number, _, _ in missing if number in taken]
            if clash:
                raise Permanent(
                    f"Entry {clash[0]} of {acl.get('NetworkAclId')} is somebody else's.",
                    "Nothing was written to it.",
                    "Free the number, or give `network: {rule: …}` another one that comes before all others.",
                )
            if missing:
                self._mark(region, acl, timed.rest())
            for number, key, block in missing:
                self._asking.change(
                    "ec2", region, "create_network_acl_entry", call=timed.rest(),
                    NetworkAclId=acl["NetworkAclId"], RuleNumber=number, Protocol="6", RuleAction="deny", Egress=False,
                    PortRange={"From": wanted.port, "To": wanted.port}, **{key: block},
                )  # fmt: skip
        call.log(f"{region}: {', '.join(wanted.acls)} deny port {wanted.port} to everybody")

    def lift(self, region: str, call: Call) -> None:
        """Take our entries away again, and no others."""
        wanted, timed = self._members[region], TimeLeft(call)
        for acl in self._read(region):
            refuse_older(epoch_in(acl.get("Tags") or ()), call, str(acl.get("NetworkAclId")))
            ours = [number for number, key, block in _entries(wanted) if _stands(acl, wanted, number, key, block)]
            if ours:
                self._mark(region, acl, timed.rest())
            for number in ours:
                self._asking.change(
                    "ec2", region, "delete_network_acl_entry", call=timed.rest(),
                    NetworkAclId=acl["NetworkAclId"], RuleNumber=number, Egress=False,
                )  # fmt: skip

    def _mark(self, region: str, acl: Mapping[str, Any], call: Call) -> None:
        self._asking.change("ec2", region, "create_tags", call=call, Resources=[acl["NetworkAclId"]], Tags=[mark(call)])

    def _read(self, region: str) -> list[Mapping[str, Any]]:
        wanted = self._members[region]
        reply = self._asking.read(
            "ec2", region, "describe_network_acls", within=self._seconds, NetworkAclIds=list(wanted.acls)
        )
        found = {acl.get("NetworkAclId"): acl for acl in reply.get("NetworkAcls") or []}
        absent = [name for name in wanted.acls if name not in found]
        if absent:
            raise Permanent(f"EC2 in {region} lists no network ACL {', '.join(absent)}.")
        return [found[name] for name in wanted.acls]


def _entries(wanted: NetworkAcls) -> list[tuple[int, str, str]]:
    return [(wanted.rule + offset, key, block) for offset, (key, block) in enumerate(_EVERYBODY)]


def _missing(acl: Mapping[str, Any], wanted: NetworkAcls) -> list[tuple[int, str, str]]:
    return [
        (number, key, block) for number, key, block in _entries(wanted) if not _stands(acl, wanted, number, key, block)
    ]


def _stands(acl: Mapping[str, Any], wanted: NetworkAcls, number: int, key: str, block: str) -> bool:
    """Whether our entry is there, and no entry before it that may let the port in. The first that matches decides."""
    entries = _ingress(acl)
    ours = any(
        entry.get("RuleNumber") == number
        and entry.get("RuleAction") == "deny"
        and entry.get(key) == block
        and str(entry.get("Protocol")) in ("6", "-1")
        and _holds(entry, wanted.port)
        for entry in entries
    )
    before = [entry for entry in entries if int(entry.get("RuleNumber", 0)) < wanted.rule]
    return ours and not any(entry.get("RuleAction") == "allow" for entry in before)


def _holds(entry: Mapping[str, Any], port: int) -> bool:
    span = entry.get("PortRange")
    return span is None or int(span.get("From", 0)) <= port <= int(span.get("To", 65535))


def _ingress(acl: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in acl.get("Entries") or [] if not entry.get("Egress")]
