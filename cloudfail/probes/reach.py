"""Which addresses no probe connects to, whatever a file or a name server says.

A probe runs where credentials are: on the machine of whoever moves the application, and on the vantages. There the
clouds' metadata services hand out keys to whoever asks from inside, and services on the loopback trust their caller.
So link-local and metadata addresses are never asked. The loopback is asked in a region of the local provider (the lab,
one machine), or where CLOUDFAIL_ALLOW_LOOPBACK=1 says so. Private networks are asked: there health checks live.

It is the address that is held against this, in the moment before the connection is made, and not the name: a name can
have another address each time that it is looked up.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

from cloudfail.model.topology import Region

ALLOW_LOOPBACK = "CLOUDFAIL_ALLOW_LOOPBACK"
LOCAL_PROVIDER = "local"

METADATA = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # AWS, Google Cloud, Azure, Oracle, and what hands out roles to containers
        "fe80::/10",
        "fd00:ec2::/32",  # AWS: instance metadata, pod identities
        "fd20:ce::/32",  # Google Cloud
        "168.63.129.16/32",  # Azure's own agent
        "100.100.100.200/32",  # Alibaba Cloud
        "192.0.0.192/32",  # Oracle Cloud, the older service
    )
)
NAT64 = IPv6Network("64:ff9b::/96")


def because(address: object, *, loopback: bool) -> str:
    """Why no probe connects to that address, "" where it may. `loopback`: whether this machine itself may be asked."""
    try:
        found = ipaddress.ip_address(str(address))
    except ValueError:
        return f"{str(address)[:60]!r} is no address"
    for one in _meant(found):
        if any(one.version == network.version and one in network for network in METADATA):
            return f"{found} is an address of a cloud's metadata, or link-local: no probe asks it"
        if not loopback and (one.is_loopback or int(one) < (2**24 if one.version == 4 else 1)):
            return f"{found} is this machine itself; where that is meant, set {ALLOW_LOOPBACK}=1"
    return ""


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and the IPv4 address that it stands for, where it is one of IPv6 that does."""
    if isinstance(address, IPv4Address):
        return [address]
    plain = IPv6Address(int(address))  # without its zone
    inner = [plain.ipv4_mapped, plain.sixtofour, *(plain.teredo or ())]
    if plain in NAT64 or 1 < int(plain) < 2**32:
        inner.append(IPv4Address(int(plain) & (2**32 - 1)))
    return [plain, *(one for one in inner if one is not None)]


def may_ask_loopback(region: Region, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether checks of that region may mean this machine itself."""
    return region.provider == LOCAL_PROVIDER or environment.get(ALLOW_LOOPBACK) == "1"
