"""SQL: a fresh connection to PostgreSQL answers SELECT 1.

It drives libpq by hand, through psycopg's thin layer over it, because psycopg's own connection, when it is cancelled at
a deadline, first asks the server to cancel the query, and waits for that: on a frozen server the deadline would slip by
seconds. Here the deadline closes the socket and that is all.

libpq says why a connection failed in words only; after a failed one we knock once by TCP to learn whose fault it was.
And a server that took our password and then refused us is alive: a password that was changed must not look like a lost
region.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from cloudfail.probes.look import Ask, CouldNotLook, DidNotServe, Phases, connect, ready, resolve
from cloudfail.probes.reach import because

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

DEFAULT_PORT = 5432


def driver() -> Any:
    """psycopg, imported when the first SQL check needs it. CouldNotLook says what to install."""
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError:
        raise CouldNotLook("SQL checks need psycopg; type: pip install 'cloudfail[local]'") from None
    return psycopg


async def look(ask: Ask, phases: Phases) -> str:
    psycopg = driver()
    try:
        options = dict(psycopg.conninfo.conninfo_to_dict(ask.target))
    except psycopg.Error as error:
        raise CouldNotLook(f"the connection string cannot be read: {str(error).strip()}") from None
    host, port = str(options.get("host") or ""), int(options.get("port") or DEFAULT_PORT)
    if "," in host or "," in str(options.get("hostaddr", "")):
        raise CouldNotLook("a connection string with several hosts does not say which region it looks at")
    if options.get("service"):
        raise CouldNotLook("a connection string that names a service does not say which region it looks at")
    local = not host or host.startswith(("/", "@"))  # a socket of this machine's
    if not local and not options.get("hostaddr"):
        options["hostaddr"] = (await resolve(host, port, phases))[0][1][0]  # libpq's own resolving would block
    # libpq connects to exactly this address, so that what is asked here is what is connected to.
    forbidden = because(options.get("hostaddr") or "127.0.0.1", loopback=ask.loopback)
    if forbidden:
        raise CouldNotLook(forbidden)
    options.setdefault("application_name", "cloudfail-probe")
    options.setdefault("gssencmode", "disable")

    phases.enter("connect")
    pq = psycopg.pq
    connection: PGconn = pq.PGconn.connect_start(psycopg.conninfo.make_conninfo(**options).encode())
    try:
        if not await _connected(connection, pq):
            said, address = _said(connection), str(options.get("hostaddr") or "")
            if _is_address(address):
                await _whose_fault(address, port, ask.timeout_seconds)
            if connection.used_password:
                raise CouldNotLook(f"the server answers, and refuses this login: {said}")
            raise DidNotServe(said)
        phases.enter("query")
        await _select_one(connection, pq)
    except psycopg.Error as error:
        raise DidNotServe(_one_line(str(error))) from None
    finally:
        connection.finish()
    return "SELECT 1"


async def _connected(connection: PGconn, pq: Any) -> bool:
    while connection.status != pq.ConnStatus.BAD:
        status = connection.connect_poll()
        if status == pq.PollingStatus.OK:
            return True
        if status == pq.PollingStatus.FAILED:
            return False
        await ready(connection.socket, write=status == pq.PollingStatus.WRITING)
    return False


async def _select_one(connection: PGconn, pq: Any) -> None:
    connection.nonblocking = 1
    connection.send_query(b"SELECT 1")
    while connection.flush():
        await ready(connection.socket, write=True)
    status = None
    while True:
        while connection.is_busy():
            await ready(connection.socket, write=False)
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            break
        status = result.status
    if status != pq.ExecStatus.TUPLES_OK:
        raise DidNotServe(_said(connection))


async def _whose_fault(address: str, port: int, timeout_seconds: float) -> None:
    """Raise CouldNotLook if this machine cannot reach that address at all; otherwise it was the target's failure."""
    try:
        sock = await connect(address, port, Phases(), timeout_seconds)
    except DidNotServe:
        return
    sock.close()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _said(connection: PGconn) -> str:
    return _one_line(connection.error_message.decode(errors="replace"))


def _one_line(words: str) -> str:
    """libpq's words, on one line."""
    return " ".join(words.split()) or "the connection ended without a word"
