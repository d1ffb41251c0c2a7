"""The application of the lab: one worker, an HTTP server over its own region's database.

    POST /write   body: an id      200 and the id, only when the commit succeeded without a notice
                                   500 `unknown` when it may or may not have been committed (or is not replicated:
                                   a cancelled wait for the synchronous standby reports success with a WARNING)
                                   503 `refused: …` when it was certainly not committed
    GET  /healthz                  200 when the database answers SELECT
    GET  /ready                    200 when the database is writable

Health is asked as the role `monitor`, so that a fence against the application's logins does not look like a dead
database. Connections are kept open between requests: a fence has to reach those too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

import psycopg

CONNECT_SECONDS = 0.4
CONNECTIONS_MAX = 16
"""Writes of one worker that may wait for their commit at the same time; more are refused."""

WARM = 4
"""Connections that a worker opens before the first write asks for one."""

Reply = tuple[int, str]


class Database:
    """A few kept connections, and the classification of what a write came to."""

    def __init__(self, dsn: str, monitor_dsn: str, region: str) -> None:
        self.dsn, self.monitor_dsn, self.region = dsn, monitor_dsn, region
        self.idle: list[psycopg.AsyncConnection[tuple[object, ...]]] = []
        self.monitor: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self.in_use = 0
        self.asking: dict[str, asyncio.Task[bool]] = {}

    async def write(self, identifier: str) -> Reply:
        """Insert one row. See the module's table for the three answers."""
        if self.in_use >= CONNECTIONS_MAX:
            return 503, "refused: too many writes wait"
        self.in_use += 1
        try:
            return await self._write(identifier)
        finally:
            self.in_use -= 1

    async def warm(self) -> None:
        """Open the first connections, as soon as the database takes them."""
        while len(self.idle) + self.in_use < WARM:
            try:
                connection = await self._connect(self.dsn)
                await connection.execute("SELECT 1")
                self.idle.append(connection)
            except (psycopg.Error, OSError, TimeoutError):
                await asyncio.sleep(0.1)

    async def _write(self, identifier: str) -> Reply:
        try:
            connection = self.idle.pop() if self.idle else await self._connect(self.dsn)
        except (psycopg.Error, OSError, TimeoutError) as error:
            return 503, f"refused: {type(error).__name__}"
        notices: list[str] = []

        def notice(diagnostic: psycopg.errors.Diagnostic) -> None:
            notices.append(diagnostic.message_primary or "")

        connection.add_notice_handler(notice)
        try:
            await connection.execute("INSERT INTO writes (id, region) VALUES (%s, %s)", (identifier, self.region))
        except psycopg.Error as error:
            # Class 08 (connection) and 57P (shutdown), or no SQLSTATE at all: the commit may have happened.
            lost = error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
            if lost or notices:
                await self._close(connection)
                return 500, "unknown"
            connection.remove_notice_handler(notice)
            self.idle.append(connection)
            return 503, f"refused: {error.sqlstate}"
        connection.remove_notice_handler(notice)
        self.idle.append(connection)
        return (500, "unknown") if notices else (200, identifier)

    async def ask(self, question: str) -> bool:
        """A yes-or-no question to the database; those who ask the same at the same time share one answer."""
        if question not in self.asking:
            task = asyncio.create_task(self._ask(question))
            self.asking[question] = task
            task.add_done_callback(lambda _task: self.asking.pop(question, None))
        return await asyncio.shield(self.asking[question])

    async def _ask(self, question: str) -> bool:
        connection, self.monitor = self.monitor, None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = connection or await self._connect(self.monitor_dsn)
                row = await (await connection.execute(question.encode())).fetchone()
        except (psycopg.Error, OSError, TimeoutError):
            if connection is not None:
                await self._close(connection)
            return False
        if self.monitor is None:
            self.monitor = connection
        else:
            await self._close(connection)
        return bool(row and row[0])

    async def _connect(self, dsn: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await psycopg.AsyncConnection.connect(dsn, autocommit=True)

    async def _close(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        with contextlib.suppress(psycopg.Error, OSError):
            await connection.close()


ALIVE = "SELECT true"
WRITABLE = "SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'"


async def answer(database: Database, method: str, path: str, body: str) -> Reply:
    """The reply to one request."""
    if method == "POST" and path == "/write" and body:
        return await database.write(body)
    if method == "GET" and path in ("/healthz", "/ready"):
        good = await database.ask(ALIVE if path == "/healthz" else WRITABLE)
        return (200, "ok") if good else (503, "no")
    return 404, "not found"


async def serve_one(database: Database, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request on one connection."""
    try:
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5.0)).decode("latin-1").split("\r\n")
        method, path = head[0].split()[:2]
        length = next((int(line[15:]) for line in head if line.lower().startswith("content-length:")), 0)
        body = (await reader.readexactly(min(length, 4096))).decode()
        status, text = await answer(database, method, path, body)
        payload = text.encode()
        writer.write(
            f"HTTP/1.1 {status} x\r\nContent-Length: {len(payload)}\r\nX-Region: {database.region}\r\n"
            "Connection: close\r\n\r\n".encode()
            + payload
        )
        await writer.drain()
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # the client went away or spoke no HTTP: there is nobody to tell
    finally:
        writer.close()


async def main(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    database = Database(arguments.dsn, arguments.monitor_dsn, arguments.region)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_one(database, reader, writer)

    server = await asyncio.start_server(handle, arguments.address, arguments.port, backlog=512)
    warming = asyncio.create_task(database.warm())
    await stop.wait()
    warming.cancel()
    server.close()
    await asyncio.sleep(0.3)  # requests under way may finish


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("region", "address", "dsn", "monitor-dsn"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(main(parser.parse_args()))
