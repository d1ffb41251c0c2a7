"""What outside resolvers answer for a name: the data plane's word, and the only one that completes a step.

A name that is an alias answers with addresses that its target has now, and that nobody wrote down. So the targets are
asked for at the same resolver, and an answer is given by its target's name where its addresses are the target's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from cloudfail.model.observation import Known, Unknown
from cloudfail_names.names import RecordType, value_of

AT_ONCE = 16
PORT = 53
RESOLV_CONF = "/etc/resolv.conf"


class NoAnswer(Exception):
    """One resolver said nothing that can be used."""


def of_this_machine(path: str = RESOLV_CONF) -> tuple[str, ...]:
    """The resolvers that this machine is set to ask."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    return tuple(parts[1].partition("%")[0] for parts in words if len(parts) > 1 and parts[0] == "nameserver")


class Resolvers:
    """Asked together, each within `within` seconds. Without any, those of this machine."""

    def __init__(self, addresses: Sequence[str], within: float, *, resolv_conf: str = RESOLV_CONF) -> None:
        self._addresses = tuple(addresses)
        self._within = within
        self._resolv_conf = resolv_conf

    def answers(
        self, name: str, kind: RecordType, targets: Sequence[str] = ()
    ) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        """resolver -> answers. `targets`: names whose addresses stand for them. Unknown if any resolver gave none."""
        return self.of_many({name: kind}, targets)

    def of_many(
        self, names: Mapping[str, RecordType], targets: Sequence[str] = ()
    ) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        """The same for several names: all that each resolver answers for them."""
        at = time.time()
        heard = self.each(names, targets)
        if isinstance(heard, Unknown):
            return heard
        return Known(
            {
                who: tuple(sorted({one for found in said.values() for one in found}))
                for who, said in heard.value.items()
            },
            at,
        )

    def each(
        self, names: Mapping[str, RecordType], targets: Sequence[str] = ()
    ) -> Known[Mapping[str, Mapping[str, tuple[str, ...]]]] | Unknown:
        """resolver -> name -> answers."""
        at = time.time()
        addresses = self._addresses or of_this_machine(self._resolv_conf)
        if not addresses:
            return Unknown("no outside resolver is configured, and this machine knows none; write resolvers: […]", at)
        until = time.monotonic() + self._within
        asked = [(who, name, kind) for who in addresses for name, kind in names.items()]
        with ThreadPoolExecutor(min(AT_ONCE, len(asked)), thread_name_prefix="cloudfail-dns") as threads:
            waiting = [threads.submit(_heard, who, name, kind, targets, until) for who, name, kind in asked]
            heard: dict[str, dict[str, tuple[str, ...]]] = {}
            problem = ""
            for (who, name, _), future in zip(asked, waiting, strict=True):
                try:
                    heard.setdefault(who, {})[name] = future.result()
                except NoAnswer as error:
                    problem = problem or str(error)
        return Unknown(problem, at) if problem else Known(heard, at)


def _heard(who: str, name: str, kind: RecordType, targets: Sequence[str], until: float) -> tuple[str, ...]:
    answers = ask(who, name, kind, until)
    if not targets:
        return answers
    known: dict[str, str] = {}
    for target in targets:
        try:
            known |= dict.fromkeys(ask(who, target, kind, until), target)
        except NoAnswer:
            continue  # the target of a region that is lost may have no address left
    return tuple(sorted({known.get(answer, answer) for answer in answers}))


def ask(who: str, name: str, kind: RecordType, until: float) -> tuple[str, ...]:
    """What one resolver answers for one name, by `until` (monotonic). Raises NoAnswer."""
    host, port = _endpoint(who)
    left = until - time.monotonic()
    if left <= 0:
        raise NoAnswer(f"the resolver {who} was not asked for {name} in time")
    message = dns.message.make_query(name, kind)
    try:
        reply, _ = dns.query.udp_with_fallback(message, host, left, port)
    except (OSError, dns.exception.DNSException) as error:
        raise NoAnswer(f"the resolver {who} gave no answer for {name}: {error or type(error).__name__}") from error
    found = [
        value_of(rdata.to_text(), kind)
        for rrset in reply.answer
        if rrset.rdtype == dns.rdatatype.from_text(kind) and rrset.rdclass == dns.rdataclass.IN
        for rdata in rrset
    ]
    if reply.rcode() != dns.rcode.NOERROR or not found:
        raise NoAnswer(f"the resolver {who} answered {dns.rcode.to_text(reply.rcode())} and no {kind} for {name}")
    return tuple(sorted(found))


def _endpoint(address: str) -> tuple[str, int]:
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        return host, int(port.removeprefix(":") or PORT)
    host, _, port = address.partition(":")
    # More than one colon and no bracket: an IPv6 address of this machine's own list.
    return (address, PORT) if ":" in port else (host, int(port or PORT))
