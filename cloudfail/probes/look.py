"""One look at one target, with one deadline for all of it, and whose fault it was when it failed.

The whole worth of a probe lies in that last question. Refused, reset, silent until the deadline, the wrong status: the
target does not serve, `down`. No route from here, no file descriptors left, our own resolver broken, this process held
up past the deadline: nothing was learned about the target, `unknown`, which is never healthy and never dead.

A kernel answers `connect` in two ways, and they differ in just this. At once: it is this machine speaking (no route, no
free port, a local filter), so it is our trouble; only "refused" is the target's word, which on a near network also
comes at once. Later, through the socket's error: something on the way or the target itself answered.

Names that do not resolve are our trouble too, even where the resolver says that there is no such name: a slip in a file
or a broken resolver must not look like a lost region. Checks that must not depend on DNS name literal addresses.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from cloudfail.clock import SystemClock
from cloudfail.model.observation import Health
from cloudfail.probes.reach import because
from cloudfail.secrecy import redacted

boot = SystemClock().boot
Address = tuple[socket.AddressFamily, tuple[object, ...]]

ADDRESSES_MAX = 4
DETAIL_LENGTH_MAX = 200

OURS_AT_ONCE = frozenset(
    {
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EHOSTUNREACH,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
        errno.EAFNOSUPPORT,
        errno.EINVAL,
    }
)
"""What connect() or socket() says at once when this machine cannot even send the first packet."""

OURS_ALWAYS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True)
class Ask:
    """What to look at, and what to expect there. `target` is literal. `loopback`: whether that may be this machine."""

    kind: str
    target: str
    timeout_seconds: float
    expect_status: tuple[int, ...] = ()
    expect_body: str | None = None
    loopback: bool = True


@dataclass(frozen=True)
class Answer:
    """What one look gave. `detail` is one sentence for people; `phases` maps resolve, connect, tls … to seconds."""

    health: Health
    detail: str
    took_seconds: float
    phases: dict[str, float]


class DidNotServe(Exception):
    """The target's own failure."""


class CouldNotLook(Exception):
    """The observer's own trouble; it says nothing of the target."""


@dataclass
class Phases:
    """Which part of a look is under way, and how long each took."""

    name: str = ""
    since: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)

    def enter(self, name: str) -> None:
        now = boot()
        if self.name:
            self.seconds[self.name] = round(now - self.since, 6)
        self.name, self.since = name, now


async def answer(ask: Ask, look: Callable[[Ask, Phases], Awaitable[str]]) -> Answer:
    """Run `look` within the deadline. Always returns; later than the deadline only by what we were held up."""
    phases, began = Phases(), boot()
    try:
        async with asyncio.timeout(ask.timeout_seconds) as deadline:
            detail = await look(ask, phases)
        health = Health.HEALTHY
    except CouldNotLook as trouble:
        health, detail = Health.UNKNOWN, f"could not look: {trouble}"
    except DidNotServe as failure:
        health, detail = Health.DOWN, str(failure)
    except OSError as error:  # TimeoutError is one
        if isinstance(error, TimeoutError) and deadline.expired():
            health, detail = _timed_out(ask, phases, boot() - began)
        elif error.errno in OURS_ALWAYS:
            health, detail = Health.UNKNOWN, f"could not look: {words(error)}"
        else:
            health, detail = Health.DOWN, words(error)
    except Exception as error:  # noqa: BLE001  a mistake of ours, whatever it is, says nothing of the region
        health, detail = Health.UNKNOWN, f"could not look: {type(error).__name__}: {error}"
    phases.enter("")
    return Answer(health, plain(detail), round(boot() - began, 6), phases.seconds)


def _timed_out(ask: Ask, phases: Phases, took: float) -> tuple[Health, str]:
    """The deadline passed. If it passed long before we noticed, then it was this process that slept (stopped, starved
    or suspended), and the answer may have been waiting all the while."""
    held_up = took - ask.timeout_seconds
    if held_up > max(0.25, ask.timeout_seconds / 2):
        return Health.UNKNOWN, f"could not look: this observer was held up for {held_up:.1f} s"
    if phases.name == "resolve":
        return Health.UNKNOWN, f"could not look: no answer from our resolver within {ask.timeout_seconds:g} s"
    return Health.DOWN, f"no answer within {ask.timeout_seconds:g} s ({phases.name})"


async def resolve(host: str, port: int, phases: Phases) -> list[Address]:
    """The addresses to try. A literal address asks nobody."""
    phases.enter("resolve")
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [(socket.AF_INET if literal.version == 4 else socket.AF_INET6, (host, port))]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise CouldNotLook(f"our resolver does not give {host} ({error})") from None
    except OSError as error:
        raise CouldNotLook(words(error)) from None
    if not found:
        raise CouldNotLook(f"our resolver gives no address for {host}")
    return [(family, address) for family, _, _, _, address in found[:ADDRESSES_MAX]]


async def connect(
    host: str, port: int, phases: Phases, timeout_seconds: float, *, loopback: bool = True
) -> socket.socket:
    """A connected socket, or DidNotServe, or CouldNotLook."""
    until = boot() + timeout_seconds
    addresses = await resolve(host, port, phases)
    phases.enter("connect")
    return await connect_first(addresses, until, loopback=loopback)


async def connect_first(addresses: list[Address], until: float, *, loopback: bool = True) -> socket.socket:
    """The first of several addresses that accepts; each gets its share of the time that is left. It is our own trouble
    only if it was so at every one of them. One that no probe asks (reach.py) is skipped without a packet."""
    failures: list[DidNotServe | CouldNotLook] = []
    for index, (family, address) in enumerate(addresses):
        others = len(addresses) - index
        try:
            if others == 1:
                return await _connect(family, address, loopback=loopback)
            async with asyncio.timeout(max(0.0, until - boot()) / others):
                return await _connect(family, address, loopback=loopback)
        except (DidNotServe, CouldNotLook) as failure:
            failures.append(failure)
        except TimeoutError:
            failures.append(DidNotServe(f"no answer from {address[0]}"))
    raise next((failure for failure in failures if isinstance(failure, DidNotServe)), failures[0])


async def _connect(family: socket.AddressFamily, address: tuple[object, ...], *, loopback: bool) -> socket.socket:
    forbidden = because(address[0], loopback=loopback)
    if forbidden:
        raise CouldNotLook(forbidden)
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise CouldNotLook(words(error)) from None
    connected = False
    try:
        sock.setblocking(False)
        code, at_once = sock.connect_ex(address), True
        if code in (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR):
            await ready(sock.fileno(), write=True)
            code, at_once = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), False
        if code == 0:
            connected = True
            return sock
        said = words(OSError(code, os.strerror(code)))
        if ours(code, at_once=at_once):
            raise CouldNotLook(said)
        raise DidNotServe(said)
    finally:
        if not connected:
            sock.close()


def ours(code: int, *, at_once: bool) -> bool:
    """Whether a failed connect was this machine's own trouble."""
    return code in OURS_ALWAYS or (at_once and code in OURS_AT_ONCE)


async def ready(descriptor: int, *, write: bool) -> None:
    """Return when the descriptor can be written (or read)."""
    loop = asyncio.get_running_loop()
    happened: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not happened.done():
            happened.set_result(None)

    if write:
        loop.add_writer(descriptor, wake)
    else:
        loop.add_reader(descriptor, wake)
    try:
        await happened
    finally:
        if write:
            loop.remove_writer(descriptor)
        else:
            loop.remove_reader(descriptor)


def words(error: OSError) -> str:
    """The system's own words, in lower case: "connection refused"."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def plain(text: str) -> str:
    """One printable line of bounded length, without secrets: details quote what a target sent, and end on an operator's
    terminal and in the log."""
    line = redacted("".join(character if character.isprintable() else "·" for character in text))
    return line if len(line) <= DETAIL_LENGTH_MAX else line[: DETAIL_LENGTH_MAX - 1] + "…"
