"""A name server on loopback, over UDP and TCP, that answers from a zone in the emulator's Route 53.

It is the data plane of DNS in the tests: what a resolver would hear. It reads the zone from the emulator itself, never
through the front, since Route 53's name servers go on answering when its control plane is gone. `freeze` lets it fall
behind: the API says INSYNC, and the answers are as they were.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.emulators.aws.route53_answers import Answers, Found, RecordSet

CACHE_SECONDS = 0.2
PAGES_MAX = 200
CONNECTIONS_MAX = 64
UDP_MAX = 1232
TCP_SECONDS = 10.0
_BIND_TRIES = 20


def zone_records(route53: Any, zone: str) -> list[RecordSet]:
    """All record sets of the hosted zone, by boto3's client."""
    found: list[RecordSet] = []
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
    for number, page in enumerate(pages):
        assert number < PAGES_MAX, f"zone {zone} has more than {PAGES_MAX} pages"
        found += page["ResourceRecordSets"]
    return found


class ZoneServer:
    """Answers at 127.0.0.1:`port` until it is closed. `asked` counts the queries."""

    def __init__(self, read: Callable[[], Sequence[RecordSet]], answers: Answers | None = None) -> None:
        self._read = read
        self._answers = answers or Answers()
        self._lock = threading.Lock()
        self._records: Sequence[RecordSet] = ()
        self._read_at: float | None = None
        self._frozen = False
        self._silent = False
        self.asked = 0
        self._room = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._udp, self._tcp = _bound()
        self.port = int(self._udp.getsockname()[1])
        for run in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=run, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def freeze(self) -> None:
        """From here on it answers from the zone as it is now, whatever becomes of that."""
        with self._lock:
            self._refresh()
            self._frozen = True

    def follow(self) -> None:
        with self._lock:
            self._frozen = False
            self._read_at = None

    def silence(self, silent: bool = True) -> None:
        """Queries are taken and not answered."""
        self._silent = silent

    def close(self) -> None:
        for one in (self._udp, self._tcp):
            # The thread that waits is woken by the shutdown, not by the close.
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def find(self, name: str, kind: str) -> Found:
        with self._lock:
            self._refresh()
            return self._answers.find(self._records, name, kind)

    def _refresh(self) -> None:
        now = time.monotonic()
        if self._frozen or (self._read_at is not None and now - self._read_at < CACHE_SECONDS):
            return
        # An emulator that does not answer leaves the zone as it was.
        try:
            self._records = self._read()
        except Exception:
            if self._read_at is None:
                raise
        self._read_at = now

    def _serve_udp(self) -> None:
        while True:
            try:
                wire, peer = self._udp.recvfrom(65535)
            except OSError:
                return
            if not wire:
                return
            answer = self._answer(wire, UDP_MAX)
            if answer is not None:
                with contextlib.suppress(OSError):
                    self._udp.sendto(answer, peer)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            if self._room.acquire(blocking=False):
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()
            else:
                connection.close()

    def _converse(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(TCP_SECONDS)
            with contextlib.suppress(OSError, struct.error), connection, connection.makefile("rb") as reader:
                while head := reader.read(2):
                    answer = self._answer(reader.read(struct.unpack("!H", head)[0]), 65535)
                    if answer is not None:
                        connection.sendall(struct.pack("!H", len(answer)) + answer)
        finally:
            self._room.release()

    def _answer(self, wire: bytes, size_max: int) -> bytes | None:
        self.asked += 1
        if self._silent:
            return None
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        try:
            self._fill(answer)
        except Exception:
            answer.answer.clear()
            answer.set_rcode(dns.rcode.SERVFAIL)
        try:
            return answer.to_wire(max_size=size_max)
        except dns.exception.TooBig:
            # Ask again by TCP.
            short = dns.message.make_response(query)
            short.flags |= dns.flags.AA | dns.flags.TC
            return short.to_wire()

    def _fill(self, answer: dns.message.Message) -> None:
        question = answer.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        found = self.find(name, kind)
        if found.values:
            answer.answer.append(_rrset(name, found.ttl_seconds, found.kind, found.values))
            return
        with self._lock:
            soa = next(one for one in self._records if one["Type"] == "SOA")
        if not found.exists:
            inside = f".{name}".lower().endswith(f".{soa['Name']}".lower())
            answer.set_rcode(dns.rcode.NXDOMAIN if inside else dns.rcode.REFUSED)
        values = [one["Value"] for one in soa["ResourceRecords"]]
        answer.authority.append(_rrset(soa["Name"], soa["TTL"], "SOA", values))


def _rrset(name: str, ttl: int, kind: str, values: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, ttl, dns.rdataclass.IN, kind, *values)


def _bound() -> tuple[socket.socket, socket.socket]:
    """Both kinds of socket at one port."""
    for _ in range(_BIND_TRIES):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(("127.0.0.1", udp.getsockname()[1]))
        except OSError:
            udp.close()
    raise OSError(f"no port was free for both UDP and TCP in {_BIND_TRIES} tries")


@contextlib.contextmanager
def zone_server(read: Callable[[], Sequence[RecordSet]], answers: Answers | None = None) -> Iterator[ZoneServer]:
    made = ZoneServer(read, answers)
    try:
        yield made
    finally:
        made.close()
