"""A shop in two regions as its customers meet it: a name, a listener behind each answer, and orders that are written.

Each region's address is one of loopback's, so that a customer connects to what the name server says. An order is
written to whichever database takes writes, the region's own first, as libpq finds it. Who got no acknowledgement, or
one with a warning (a commit that was not replicated), counts the order as not taken.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.query
import psycopg
from psycopg.conninfo import make_conninfo

from tests.local import servers

PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.1
_BIND_TRIES = 20


class Shop:
    """`lost`: regions whose listeners take requests and hang up. `addresses`: where each region listens, all of them at
    `port`. `lacks`: by region, the paths that it does not have (a stand-in serves less than the whole site)."""

    def __init__(self, addresses: Mapping[str, str], databases: Mapping[str, servers.Server]) -> None:
        self.lost: set[str] = set()
        self.lacks: dict[str, set[str]] = {}
        self.addresses = dict(addresses)
        self._writers = {region: _writer(region, databases) for region in addresses}
        self._listeners = self._bound()
        self.port = int(self._listeners[0].server_address[1])
        for one in self._listeners:
            threading.Thread(target=one.serve_forever, daemon=True).start()

    def is_well(self, address: str) -> bool:
        """What a health checker of Google's finds."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return _asked(address, self.port, "GET", "/healthz") == http.HTTPStatus.OK
        return False

    def close(self) -> None:
        for one in self._listeners:
            one.shutdown()
            one.server_close()

    def order(self, region: str, note: str) -> bool:
        """Whether it was written, and will stay so far as the database says."""
        warnings: list[str] = []
        try:
            with psycopg.connect(self._writers[region], autocommit=True) as connection:
                connection.add_notice_handler(lambda notice: warnings.append(str(notice.severity)))
                connection.execute("INSERT INTO orders (note) VALUES (%s)", (note,))
        except psycopg.Error:
            return False
        return "WARNING" not in warnings

    def _bound(self) -> list[http.server.ThreadingHTTPServer]:
        """All addresses at one port."""
        for _ in range(_BIND_TRIES):
            port, made = servers.free_port(), list[http.server.ThreadingHTTPServer]()
            try:
                for region, address in self.addresses.items():
                    made.append(http.server.ThreadingHTTPServer((address, port), self._handler(region)))
            except OSError:
                for one in made:
                    one.server_close()
                continue
            return made
        raise OSError(f"no port was free at {', '.join(self.addresses.values())}")

    def _handler(self, region: str) -> type[http.server.BaseHTTPRequestHandler]:
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lacking = self.path in shop.lacks.get(region, ())
                self._say(http.HTTPStatus.NOT_FOUND if lacking else http.HTTPStatus.OK)

            def do_POST(self) -> None:
                taken = region not in shop.lost and shop.order(region, self.path.strip("/"))
                self._say(http.HTTPStatus.OK if taken else http.HTTPStatus.SERVICE_UNAVAILABLE)

            def _say(self, status: http.HTTPStatus) -> None:
                if region in shop.lost:
                    self.close_connection = True
                    return
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@dataclass(frozen=True)
class Order:
    """One that was acknowledged. at: time.monotonic() when it was sent. address: who took it."""

    note: str
    at: float
    address: str


class Customers:
    """Somebody who orders all the time, asking a name server anew each time, until `stop`. Of several name servers each
    is asked first in turn, and the next one where it is silent, as resolvers do."""

    def __init__(self, shop: Shop, resolver: str | Sequence[str], name: str) -> None:
        self.orders: list[Order] = []
        self._shop, self._name = shop, name
        self._resolvers = [resolver] if isinstance(resolver, str) else list(resolver)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def since(self, moment: float) -> list[Order]:
        return [one for one in list(self.orders) if one.at >= moment]

    def must_be_served(self, seconds: float = 30.0) -> None:
        """Wait until an order that is sent from now on is taken."""
        now = time.monotonic()
        servers.until(lambda: self.since(now), seconds, "an order is taken")

    def stop(self) -> list[Order]:
        """All that was acknowledged."""
        self._stop.set()
        self._thread.join(10.0)
        return list(self.orders)

    def _go(self) -> None:
        number = 0
        while not self._stop.wait(PAUSE_SECONDS):
            number += 1
            note, at = f"order-{number}", time.monotonic()
            with contextlib.suppress(OSError, http.client.HTTPException, dns.exception.DNSException):
                answers = self._answers(number)
                address = answers[number % len(answers)]
                if _asked(address, self._shop.port, "POST", f"/{note}") == http.HTTPStatus.OK:
                    self.orders.append(Order(note, at, address))

    def _answers(self, number: int) -> list[str]:
        first = number % len(self._resolvers)
        for one in (*self._resolvers[first:], *self._resolvers[:first]):
            with contextlib.suppress(OSError, dns.exception.DNSException):
                return resolved(one, self._name)
        raise OSError(f"no name server answers for {self._name}")


def resolved(resolver: str, name: str) -> list[str]:
    """What a user's resolver gives. Raises OSError where it is no answer."""
    host, _, port = resolver.partition(":")
    answer = dns.query.udp(dns.message.make_query(name, "A"), host, timeout=PATIENCE_SECONDS, port=int(port))
    found = sorted(item.to_text() for rrset in answer.answer for item in rrset)
    if not found:
        raise OSError(f"{name} has no answer")
    return found


def _asked(address: str, port: int, method: str, path: str) -> int:
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path)
        return connection.getresponse().status


def _writer(region: str, databases: Mapping[str, servers.Server]) -> str:
    """Any of them that takes writes, the region's own first."""
    order = sorted(databases, key=lambda one: one != region)
    return make_conninfo(
        databases[region].dsn("shop"),
        host=",".join("127.0.0.1" for _ in order),
        port=",".join(str(databases[one].port) for one in order),
        target_session_attrs="read-write",
        connect_timeout=2,
    )
