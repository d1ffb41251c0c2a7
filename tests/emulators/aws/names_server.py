"""A name server on a loopback port that answers from a hosted zone as the emulator holds it now.

It chooses records as Route 53 says that it does (developer guide, "How Amazon Route 53 chooses records when health
checking is configured"), and finds health by asking: an HTTP health check is a GET over a socket, one of a routing
control is what `controls` says of it. Answers have a TTL of zero, so that nothing is remembered.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from cloudfail_aws.dns.names import canonical, unquoted
from tests.emulators.aws.dns_world import ZoneFile

CHECK_SECONDS = 5.0


class NamesServer:
    """`silent`: it answers nobody. `frozen`: it goes on answering as it did."""

    def __init__(self, zone: ZoneFile, controls: Callable[[str], bool]) -> None:
        self._zone = zone
        self._controls = controls
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.silent = False
        self.frozen: list[Mapping[str, Any]] | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def freeze(self) -> None:
        self.frozen = self.sets()

    def close(self) -> None:
        self._socket.close()

    def sets(self) -> list[Mapping[str, Any]]:
        if self.frozen is not None:
            return self.frozen
        found: list[Mapping[str, Any]] = []
        pages = self._zone.client.get_paginator("list_resource_record_sets")
        for page in pages.paginate(HostedZoneId=self._zone.id):
            found += page["ResourceRecordSets"]
        return found

    def _serve(self) -> None:
        while True:
            try:
                wire, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not self.silent:
                threading.Thread(target=self._answer, args=(wire, peer), daemon=True).start()

    def _answer(self, wire: bytes, peer: Any) -> None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        values = self._values(canonical(question.name.to_text()), kind, self.sets())
        if values:
            reply.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *values))
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        with contextlib.suppress(OSError):
            self._socket.sendto(reply.to_wire(), peer)

    def _values(self, name: str, kind: str, sets: list[Mapping[str, Any]]) -> list[str]:
        found = [one for one in sets if canonical(one["Name"]) == name and one["Type"] == kind]
        values: list[str] = []
        for one in self._chosen(found):
            if "AliasTarget" in one:
                values += self._values(canonical(one["AliasTarget"]["DNSName"]), kind, sets)
            else:
                values += [unquoted(r["Value"]) if kind == "TXT" else r["Value"] for r in one["ResourceRecords"]]
        return values

    def _chosen(self, sets: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        if len(sets) < 2:
            return sets
        healthy = [one for one in sets if self._healthy(one)]
        if "Failover" in sets[0]:
            by_role = sorted(healthy, key=lambda one: str(one["Failover"])) or [
                one for one in sets if one["Failover"] == "PRIMARY"
            ]
            return by_role[:1]
        if "Weight" in sets[0]:
            weighed = [one for one in healthy if one["Weight"]] or healthy or sets
            weights = [one["Weight"] for one in weighed]
            return random.choices(weighed, weights if any(weights) else None)
        if "Region" in sets[0]:
            return [random.choice(healthy or sets)]
        return healthy or sets

    def _healthy(self, one: Mapping[str, Any]) -> bool:
        if "HealthCheckId" not in one:
            return True
        check = self._zone.health_checks[one["HealthCheckId"]]
        passes = True if check.get("Disabled") else self._passes(check)
        return passes is not bool(check.get("Inverted"))

    def _passes(self, check: Mapping[str, Any]) -> bool:
        if check["Type"] == "RECOVERY_CONTROL":
            return self._controls(check["RoutingControlArn"])
        url = f"http://{check['IPAddress']}:{check['Port']}{check['ResourcePath']}"
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(url, timeout=CHECK_SECONDS) as answer:
                return bool(200 <= answer.status < 400)
        except (urllib.error.URLError, OSError):
            return False


@contextlib.contextmanager
def serving(zone: ZoneFile, controls: Callable[[str], bool] = lambda _arn: True) -> Iterator[NamesServer]:
    made = NamesServer(zone, controls)
    try:
        yield made
    finally:
        made.close()
