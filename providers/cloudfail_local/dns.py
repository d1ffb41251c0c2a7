"""dns: rfc2136. One name whose answers choose the region, changed by signed updates to its primary server.

An update carries prerequisites: the set that was seen, value for value, and the TXT beside it that holds the epoch. The
server checks them and changes both in one transaction (RFC 2136 §3.7), so `expect` is enforced by the server itself
(fenced by condition), an older epoch is refused, and no moment has an empty set (invariant I5).
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.resolver
import dns.tsig
import dns.tsigkeyring
import dns.update

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DnsState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_local.errors import from_os_error, from_rcode
from cloudfail_local.options import Rfc2136Options
from cloudfail_postgres.secret import secret_value

_TEXT = re.compile(r"^cloudfail epoch=(\d+) weights=(\S*) run=(\S*)$")
_ALGORITHMS = {
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}
# dnspython raises the server's TSIG error by class; these are the rcodes that they stand for (RFC 8945 §3).
_PEER_ERRORS = (
    (dns.tsig.PeerBadTime, "BADTIME"),
    (dns.tsig.PeerBadKey, "BADKEY"),
    (dns.tsig.PeerBadSignature, "BADSIG"),
    (dns.tsig.PeerBadTruncation, "BADTRUNC"),
)


@dataclass(frozen=True)
class Seen:
    """What the primary server holds: the answers in order, their TTL, and the text beside them ("" for none)."""

    answers: tuple[str, ...]
    ttl: float
    text: str

    @property
    def version(self) -> str:
        return f"{','.join(self.answers)}|{self.text}"


def _endpoint(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Rfc2136:
    """One name in one zone."""

    def __init__(self, resource: Resource) -> None:
        options = Rfc2136Options.model_validate(dict(resource.options))
        self._options = options
        self._members = {
            region: str(ipaddress.ip_address(str(address))) for region, address in resource.members.items()
        }
        self._zone = dns.name.from_text(options.zone)
        self._name = dns.name.from_text(options.name)
        if not self._name.is_subdomain(self._zone):
            raise Permanent(f"{options.name} is not in the zone {options.zone}.")
        self._mark = dns.name.from_text(f"_cloudfail.{options.name}")
        self._type = dns.rdatatype.from_text(options.type)

    # Reading.

    def read(self) -> Known[DnsState] | Unknown:
        at = time.time()
        try:
            seen = self._look()
        except CloudfailError as error:
            return Unknown(str(error), at)
        if not seen.answers:
            return Unknown(f"{self._options.server} answers nothing for {self._options.name}", at)
        match = _TEXT.match(seen.text)
        return Known(
            DnsState(
                weights=self._weights(seen, match[2] if match else ""),
                answers=seen.answers,
                ttl_seconds=seen.ttl,
                version=seen.version,
                epoch=int(match[1]) if match else None,
            ),
            at,
        )

    def _weights(self, seen: Seen, noted: str) -> dict[str, int]:
        """The weights that we noted beside the answers, as long as the answers are still the ones that they mean."""
        weights = {}
        for pair in noted.split(",") if noted else ():
            region, _, weight = pair.rpartition(":")
            if region in self._members and weight.isdigit():
                weights[region] = int(weight)
        if set(weights) == set(self._members) and self.answers(weights) == seen.answers:
            return weights
        return {region: 100 if address in seen.answers else 0 for region, address in self._members.items()}

    def _look(self) -> Seen:
        answers, ttl = self._query(self._name, self._type)
        texts, _ = self._query(self._mark, dns.rdatatype.TXT)
        return Seen(tuple(sorted(answers)), ttl, texts[0] if texts else "")

    def _query(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> tuple[list[str], float]:
        """The set of one name at the primary server; it must answer with authority."""
        message = dns.message.make_query(name, kind)
        message.flags &= ~dns.flags.RD
        reply = self._exchange(message, sent_matters=False, seconds=float(self._options.answer_within))
        if reply.rcode() == dns.rcode.NXDOMAIN:
            return [], 0.0
        if reply.rcode() != dns.rcode.NOERROR:
            raise from_rcode(dns.rcode.to_text(reply.rcode()), self._options.server)
        if not reply.flags & dns.flags.AA:
            raise Permanent(f"{self._options.server} is not authoritative for {name}.")
        rrset = reply.get_rrset(reply.answer, name, dns.rdataclass.IN, kind)
        if rrset is None:
            return [], 0.0
        return [_value(rdata) for rdata in rrset], float(rrset.ttl)

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        at = time.time()
        if not self._options.resolvers:
            return Unknown("no outside resolver is configured", at)
        heard: dict[str, tuple[str, ...]] = {}
        for resolver in self._options.resolvers:
            host, port = _endpoint(resolver)
            message = dns.message.make_query(self._name, self._type)
            try:
                reply = dns.query.udp(message, host, float(self._options.answer_within), port)
            except (OSError, dns.exception.DNSException) as error:
                return Unknown(f"the resolver {resolver} gave no answer: {error}", at)
            rrset = reply.get_rrset(reply.answer, self._name, dns.rdataclass.IN, self._type)
            if reply.rcode() != dns.rcode.NOERROR or rrset is None:
                return Unknown(
                    f"the resolver {resolver} answered {dns.rcode.to_text(reply.rcode())} and no address", at
                )
            heard[resolver] = tuple(sorted(_value(rdata) for rdata in rrset))
        return Known(heard, at)

    # Changing.

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return tuple(sorted(self._members[region] for region, weight in weights.items() if weight > 0))

    def shift(self, weights: Mapping[str, int], *, expect: DnsState, call: Call) -> None:
        unknown = [region for region in weights if region not in self._members]
        if unknown:
            raise Permanent(f"{self._options.name} has no address for {unknown[0]}.")
        wanted = self.answers(weights)
        if not wanted:
            raise Permanent(
                "Every weight is zero: this would leave the name without an answer.", "Nothing was changed."
            )
        if expect.epoch is not None and expect.epoch > call.epoch:
            raise Conflict(f"Epoch {expect.epoch} set {self._options.name} after this run's, {call.epoch}.")
        noted = ",".join(f"{region}:{weights.get(region, 0)}" for region in self._members)
        text = f"cloudfail epoch={call.epoch} weights={noted} run={call.run.replace(' ', '_')}"
        seen_text = expect.version.partition("|")[2]
        if expect.answers == wanted and seen_text == text:
            return
        update = self._update(expect.answers, seen_text, wanted, text)
        call.check()
        reply = self._exchange(update, sent_matters=True, seconds=call.timeout_seconds)
        rcode = dns.rcode.to_text(reply.rcode())
        if rcode == "NOERROR":
            return
        problem = from_rcode(rcode, self._options.server)
        if isinstance(problem, Conflict):
            # An earlier try of this very call may be what changed it.
            now = self._look()
            if now.answers == wanted and now.text == text:
                return
        raise problem

    def _update(
        self, seen: tuple[str, ...], seen_text: str, wanted: tuple[str, ...], text: str
    ) -> dns.update.UpdateMessage:
        options = self._options
        secret = secret_value(options.key.secret)
        keyring = dns.tsigkeyring.from_text({options.key.name: secret})
        update = dns.update.UpdateMessage(
            self._zone,
            keyring=keyring,
            keyname=dns.name.from_text(options.key.name),
            keyalgorithm=_ALGORITHMS[options.key.algorithm],
        )
        if seen:
            update.present(self._name, *[self._rdata(address) for address in seen])
        else:
            update.absent(self._name, options.type)
        if seen_text:
            update.present(self._mark, _txt(seen_text))
        else:
            update.absent(self._mark, "TXT")
        ttl = int(options.ttl)
        update.replace(self._name, ttl, *[self._rdata(address) for address in wanted])
        update.replace(self._mark, ttl, _txt(text))
        return update

    def _rdata(self, address: str) -> dns.rdata.Rdata:
        return dns.rdata.from_text(dns.rdataclass.IN, self._type, address)

    def _exchange(self, message: dns.message.Message, *, sent_matters: bool, seconds: float) -> dns.message.Message:
        """One exchange over TCP: a connection that is not made proves that nothing was sent."""
        peer = f"DNS server {self._options.server}"
        deadline = time.monotonic() + seconds
        try:
            connection = socket.create_connection(_endpoint(self._options.server), timeout=seconds)
        except OSError as error:
            raise from_os_error(error, sent=False, peer=peer) from error
        with connection:
            connection.setblocking(False)
            try:
                left = max(0.01, deadline - time.monotonic())
                return dns.query.tcp(message, self._options.server, timeout=left, sock=connection)
            except tuple(kind for kind, _ in _PEER_ERRORS) as error:
                rcode = next(rcode for kind, rcode in _PEER_ERRORS if isinstance(error, kind))
                raise from_rcode(rcode, self._options.server) from error
            except dns.exception.Timeout as error:
                raise from_os_error(OSError("no answer in time"), sent=sent_matters, peer=peer) from error
            except (OSError, EOFError) as error:
                known = error if isinstance(error, OSError) else OSError("closed without an answer")
                raise from_os_error(known, sent=sent_matters, peer=peer) from error
            except dns.exception.DNSException as error:
                if sent_matters:
                    raise OutcomeUnknown(f"{peer} gave a reply that cannot be read: {error!r}.") from error
                raise Permanent(f"{peer} gave a reply that cannot be read: {error!r}.") from error


def _value(rdata: dns.rdata.Rdata) -> str:
    if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT):
        return b"".join(rdata.strings).decode("utf-8", "replace")
    return rdata.to_text()


def _txt(text: str) -> dns.rdata.Rdata:
    """A TXT of one value, cut into strings of at most 255 bytes (RFC 1035 §3.3)."""
    raw = text.encode()
    pieces = tuple(raw[start : start + 255] for start in range(0, len(raw), 255))
    return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, pieces)


def build(resource: Resource, topology: Topology) -> Rfc2136:
    """Kind.build."""
    del topology
    return Rfc2136(resource)
