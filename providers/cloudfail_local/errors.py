"""What sockets, DNS servers, HAProxy and commands answer, as the four classes that decide about a retry. (What
PostgreSQL answers: cloudfail_postgres/errors.py.)

A test stands behind every row. The question of each row is only: did the call take effect, and would the same call
later? A reply that says "refused" took no effect. Silence after the request was sent is OutcomeUnknown. Sources:
RFC 2136 §2.2 and RFC 8945 §3 (rcodes), HAProxy management guide §9.3.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import TypeAlias

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_local.argv import Finished, NotStarted, TimedOut

Classified: TypeAlias = Transient | Permanent | Conflict | OutcomeUnknown
_Class: TypeAlias = type[Transient] | type[Permanent] | type[Conflict] | type[OutcomeUnknown]

# Errors of a socket before the request was sent: it took no effect.
_PERMANENT_ERRNO = frozenset({errno.EACCES, errno.EPERM, errno.EAFNOSUPPORT, errno.EINVAL})


def from_os_error(error: OSError, *, sent: bool, peer: str) -> Classified:
    """The class of a socket's error. `sent`: whether the request may have reached `peer` already."""
    what = f"{peer}: {error.strerror or error or type(error).__name__}."
    if sent:
        return OutcomeUnknown(what)
    if error.errno in _PERMANENT_ERRNO:
        return Permanent(what)
    return Transient(what)


# Replies to an update. BADSIG, BADKEY, BADTIME and BADTRUNC come as rcode or inside NOTAUTH's TSIG (RFC 8945 §5.2).
RCODE: Mapping[str, _Class] = {
    "FORMERR": Permanent,
    "SERVFAIL": Transient,
    "NXDOMAIN": Conflict,  # prerequisite: the name is not in use
    "NOTIMP": Permanent,
    "REFUSED": Permanent,
    "YXDOMAIN": Conflict,  # prerequisite: the name is in use
    "YXRRSET": Conflict,  # prerequisite: the set exists
    "NXRRSET": Conflict,  # prerequisite: the set is not exactly so
    "NOTAUTH": Permanent,
    "NOTZONE": Permanent,
    "BADSIG": Permanent,
    "BADKEY": Permanent,
    "BADTIME": Permanent,  # clocks differ by more than the fudge, 300 s: someone must set a clock
    "BADTRUNC": Permanent,
}


def from_rcode(rcode: str, peer: str) -> Classified:
    """The class of a DNS server's refusal of an update."""
    to_do = {
        "BADTIME": " The clocks of this machine and of the server differ by more than five minutes: set them.",
        "BADKEY": " The server does not know this key name: check key.name.",
        "BADSIG": " The key's secret is not the server's: check key.secret.",
        "REFUSED": " The server's update-policy does not let this key change this name.",
        "NOTAUTH": " The server is not the primary of this zone, or does not know the key.",
    }.get(rcode, "")
    return RCODE.get(rcode, OutcomeUnknown)(f"{peer} answered {rcode}.{to_do}")


# HAProxy answers an empty line when it obeyed, and a sentence when it did not. All sentences mean that nothing changed.
HAPROXY: Mapping[str, _Class] = {
    "no such server": Permanent,
    "no such backend": Permanent,
    "can't find backend": Permanent,
    "permission denied": Permanent,
    "unknown command": Permanent,
    "require 'backend/server'": Permanent,
    "backend is using a static lb algorithm": Permanent,
    "invalid": Permanent,
    "relative weight can only": Permanent,
    "absolute weight can only": Permanent,
    "empty weight string": Permanent,
    "expects": Permanent,
    "malformed": Permanent,
    "is not allowed": Permanent,
    "has been disabled": Conflict,  # "Proxy is disabled": the configuration was reloaded under us
    "is disabled": Conflict,
}


def from_haproxy(reply: str, peer: str) -> Classified | None:
    """The class of a reply to `set server`; None where it obeyed. A sentence that is not known is Permanent: HAProxy
    says something only where it did not do as told."""
    said = reply.strip()
    if not said:
        return None
    lower = said.lower()
    kind = next((kind for start, kind in HAPROXY.items() if start in lower), Permanent)
    return kind(f"HAProxy at {peer} answered: {said[:200]}")


def from_command(result: Finished | TimedOut | NotStarted, what: str) -> Classified | None:
    """The class of how a command that changes something ended; None for exit 0.

    75 is EX_TEMPFAIL of sysexits.h; 126 and 127 mean that a shell or a prefix found no such command, 255 that ssh did
    not get through (it says so before the command starts, or loses it midway: the outcome is unknown).
    """
    if isinstance(result, TimedOut):
        return OutcomeUnknown(f"{what}: {result}.")
    if isinstance(result, NotStarted):
        return Permanent(f"{what}: {result}.")
    if result.code == 0:
        return None
    said = f"{what} ended with {result.code}: {result.said}"
    if result.code == 75:
        return Transient(said)
    if result.code in (126, 127):
        return Permanent(said)
    if result.code == 255 or result.code < 0:
        return OutcomeUnknown(said)
    return Permanent(said)
