"""What stands in a cloud, as a provider found it: values from which a draft of cloudfail.yaml is written.

A provider says what it saw and why it took two things for members of one resource. What it cannot tell it asks, and
what it could not read it names: neither is left out in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.model.topology import PortName


@dataclass(frozen=True)
class Wanted:
    """Where to look. regions: at least one, in the order in which the draft shall name them. tag: (key, value) that
    things must carry; None for all. role: as whom; "" is the process's own identity. account: whose things, for a
    provider whose credentials do not say that; "" for what they say."""

    regions: tuple[str, ...]
    tag: tuple[str, str] | None = None
    role: str = ""
    account: str = ""


@dataclass(frozen=True)
class Found:
    """One resource. name: a proposal. id, options, members: as cloudfail.yaml takes them. why: by what its members were
    taken for members of one thing. remarks: what to know of it. blanks: region -> lines of YAML that a person still has
    to write there, each with what it is behind a `#`."""

    port: PortName
    kind: str
    name: str
    members: Mapping[str, Any]
    why: str
    id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    blanks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Discovered:
    """All of it. accounts: region -> the account that answers there; without an entry where it is not known. primary:
    where the application is at home, by what `primary_why` says; "" where nothing says so. asks: what only a person can
    tell. unread: what could not be listed, and why."""

    found: tuple[Found, ...]
    asks: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    accounts: Mapping[str, str] = field(default_factory=dict)
    primary: str = ""
    primary_why: str = ""
