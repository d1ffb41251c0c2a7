"""Threat: a probe is made to ask what trusts its caller: a metadata service, or a service on the loopback.

Held against the address that is connected to, so that a name, a number or a redirect changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfail.errors import ConfigError
from cloudfail.model.observation import Health
from cloudfail.model.topology import Check, Objectives, Region, Topology, Vantage
from cloudfail.probes.look import Answer, Ask
from cloudfail.probes.observer import observe_once, read_document
from cloudfail.probes.reach import because, may_ask_loopback
from cloudfail.probes.targets import targets
from cloudfail.watch import sample_once

METADATA = (
    "169.254.169.254",
    "169.254.170.2",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::a9fe:a9fe%lo",
    "168.63.129.16",
    "100.100.100.200",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
)
IN_DISGUISE = (
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "0xA9.0xFE.0xA9.0xFE",
)
LOOPBACK = ("127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::7f00:1", "64:ff9b::7f00:1")
LOOPBACK_IN_DISGUISE = ("localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0")
PRIVATE = ("10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "fd12:3456::1", "192.0.2.7", "2001:db8::1", "8.8.8.8")


class Counting:
    """A server on the loopback that answers, and counts who came."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self._answer = answer
        self._callers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._came = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def came(self) -> int:
        """Who came so far, by a call of our own: they are taken in order, so that all before it were counted."""
        with socket.create_connection(("127.0.0.1", self.port)) as own:
            while self._callers.get(timeout=10.0) != own.getsockname()[1]:
                self._came += 1
        return self._came

    def _serve(self) -> None:
        while True:
            try:
                connection, (_, caller) = self.server.accept()
            except OSError:
                return
            self._callers.put(caller)
            threading.Thread(target=self._reply, args=(connection,), daemon=True).start()

    def _reply(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5.0)
            connection.recv(65536)
            connection.sendall(self._answer)


@pytest.fixture
def counting() -> Iterator[Counting]:
    made = Counting()
    yield made
    made.server.close()


def look(kind: str, target: str, *, loopback: bool = False, seconds: float = 2.0) -> Answer:
    return asyncio.run(observe_once(Ask(kind, target, seconds, loopback=loopback)))


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# ---- which addresses


@pytest.mark.parametrize("loopback", [True, False])
@pytest.mark.parametrize("address", METADATA)
def test_metadata_and_link_local_addresses_are_never_asked(address: str, loopback: bool) -> None:
    assert "no probe asks it" in because(address, loopback=loopback)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_is_asked_only_where_that_was_said(address: str) -> None:
    assert "is this machine itself" in because(address, loopback=False)
    assert because(address, loopback=True) == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_are_asked_for_there_health_checks_live(address: str) -> None:
    assert because(address, loopback=False) == ""


@pytest.mark.parametrize("address", ["a-name", "", "127.0.0.1:80", "[::1]", None])
def test_what_is_no_address_is_not_asked(address: object) -> None:
    assert because(address, loopback=True)


def test_the_loopback_is_for_the_local_provider_or_who_says_so() -> None:
    assert may_ask_loopback(Region("east", "local"), {})
    assert not may_ask_loopback(Region("east", "aws"), {})
    assert may_ask_loopback(Region("east", "aws"), {"CLOUDFAIL_ALLOW_LOOPBACK": "1"})
    assert not may_ask_loopback(Region("east", "aws"), {"CLOUDFAIL_ALLOW_LOOPBACK": "0"})


# ---- probes


@pytest.mark.parametrize("kind", ["http", "tcp", "sql"])
@pytest.mark.parametrize("host", [*METADATA, *IN_DISGUISE])
def test_no_kind_of_probe_asks_metadata_however_it_is_written(kind: str, host: str) -> None:
    """Unknown, and never down: it says nothing of the region."""
    target = {"http": f"http://{bracketed(host)}/latest/", "tcp": f"{bracketed(host)}:80", "sql": f"host={host}"}
    given = look(kind, target[kind].replace("%lo", "%25lo" if kind == "http" else "%lo"), loopback=True)
    assert given.health is Health.UNKNOWN
    assert "no probe asks it" in given.detail or "does not give" in given.detail, given.detail
    assert given.took_seconds < 1.0 or "resolver" in given.detail


@pytest.mark.parametrize("host", [*LOOPBACK, *LOOPBACK_IN_DISGUISE])
def test_a_name_that_leads_to_this_machine_is_not_followed_to_it(host: str, counting: Counting) -> None:
    given = look("http", f"http://{bracketed(host)}:{counting.port}/")
    assert given.health is Health.UNKNOWN
    assert counting.came == 0
    assert look("tcp", f"{bracketed(host)}:{counting.port}").health is Health.UNKNOWN
    assert counting.came == 0


def test_where_it_was_allowed_it_is_asked(counting: Counting) -> None:
    assert look("http", f"http://localhost:{counting.port}/", loopback=True).health is Health.HEALTHY
    assert counting.came == 1


@pytest.mark.parametrize(
    "target", ["", "host=/var/run/postgresql", "host=@abstract", "hostaddr=127.0.0.1 host=db.example"]
)
def test_a_socket_of_this_machine_is_this_machine(target: str) -> None:
    given = look("sql", target)
    assert given.health is Health.UNKNOWN and "this machine itself" in given.detail


def test_a_service_of_libpqs_file_is_not_asked() -> None:
    assert "names a service" in look("sql", "service=elsewhere", loopback=True).detail


class Rebinding(asyncio.SelectorEventLoop):
    """A name server that gives a harmless address to whoever looks first, and the loopback ever after."""

    asked = 0

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        self.asked += 1
        address = "192.0.2.1" if self.asked == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


def test_a_name_that_has_another_address_the_second_time_gains_nothing(counting: Counting) -> None:
    """What is held against the list is the very address that the connection is made to."""
    ask = Ask("http", f"http://rebinding.example:{counting.port}/", 0.5, loopback=False)
    with asyncio.Runner(loop_factory=Rebinding) as runner:
        for _ in range(4):
            runner.run(observe_once(ask))
    assert counting.came == 0


def test_of_several_addresses_only_those_that_may_be_asked_are(counting: Counting) -> None:
    class Several(asyncio.SelectorEventLoop):
        async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
            found = ("169.254.169.254", "127.0.0.1")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    with asyncio.Runner(loop_factory=Several) as runner:
        given = runner.run(observe_once(Ask("tcp", f"several.example:{counting.port}", 2.0, loopback=True)))
    assert given.health is Health.HEALTHY and counting.came == 1


def test_a_redirect_is_an_answer_and_is_not_followed(counting: Counting) -> None:
    for status in (301, 302, 303, 307, 308):
        location = f"Location: http://127.0.0.1:{counting.port}/latest/meta-data/\r\n"
        redirecting = Counting(f"HTTP/1.1 {status} Moved\r\n{location}Content-Length: 0\r\n\r\n".encode())
        given = look("http", f"http://127.0.0.1:{redirecting.port}/", loopback=True)
        assert given.health is Health.HEALTHY and redirecting.came == 1
        redirecting.server.close()
    assert counting.came == 0


def test_a_proxy_of_the_environment_is_not_asked(counting: Counting) -> None:
    code = (
        "import asyncio; from cloudfail.probes.look import Ask; from cloudfail.probes.observer import observe_once\n"
        "print(asyncio.run(observe_once(Ask('http', 'http://192.0.2.1/', 0.3))).health)"
    )
    proxy = f"http://127.0.0.1:{counting.port}"
    environment = {"PATH": "/usr/bin:/bin", "http_proxy": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy}
    environment["PYTHONPATH"] = ":".join(one for one in sys.path if one)
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60, check=True)
    assert ran.stdout and counting.came == 0


# ---- files


def topology(kind: str, target: str, provider: str = "aws", **variables: str) -> Topology:
    return Topology(
        "shop",
        Objectives(60, 5),
        {"east": Region("east", provider, variables=variables)},
        "east",
        "",
        {},
        {"web": Check("web", kind, target, every_seconds=0.1, timeout_seconds=1.0, fall=1, rise=1)},
        {"here": Vantage("here")},
    )


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "gopher://10.0.0.1:70/_", "ftp://10.0.0.1/", "dict://10.0.0.1:11211/stat", "//10.0.0.1/",
     "http:/etc/passwd", "javascript:1", "http://", "unix:/run/docker.sock"],
)  # fmt: skip
def test_only_http_and_https_are_asked_by_a_check_of_http(target: str) -> None:
    with pytest.raises(ConfigError):
        targets(topology("http", target))


def test_a_url_with_a_login_in_it_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as raised:
        targets(topology("http", "http://admin:hunter2secret@10.0.0.1/"))
    assert "hunter2secret" not in str(raised.value)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "127.0.0.1", "[::1]"])
def test_a_literal_address_is_told_before_anybody_looks(host: str) -> None:
    for kind, target in (("http", f"http://{host}/"), ("tcp", f"{host}:80")):
        with pytest.raises(ConfigError, match="check web in region east"):
            targets(topology(kind, target))
        with pytest.raises(ConfigError):
            targets(topology(kind, target.replace(host, "${address}"), address=host))
    assert ("127" in host or "::1" in host) == bool(_loads(host))


def _loads(host: str) -> bool:
    try:
        return bool(targets(topology("http", f"http://{host}/", provider="local")))
    except ConfigError:
        return False


def test_an_observer_that_is_told_nothing_does_not_ask_the_loopback() -> None:
    probe = {"region": "e", "check": "c", "kind": "tcp", "target": "127.0.0.1:1", "every": 1, "timeout": 1}
    for said, expected in (
        ({}, False),
        ({"loopback": "yes"}, False),
        ({"loopback": 1}, False),
        ({"loopback": True}, True),
    ):
        (read,) = read_document(json.dumps([{**probe, **said}]).encode())
        assert read.ask.loopback is bool(expected)


@pytest.mark.parametrize(("provider", "came"), [("aws", 0), ("local", 1)])
def test_the_observers_are_told_what_they_may_ask(provider: str, came: int, counting: Counting) -> None:
    """Real ones, as `cloudfail check` starts them, and a name whose address they alone see."""
    (seen,) = sample_once(topology("tcp", f"localhost:{counting.port}", provider), 1, deadline_seconds=30.0)
    assert seen.health is (Health.HEALTHY if came else Health.UNKNOWN), seen.detail
    assert counting.came == came


# ---- for real


ATTACK = """
import asyncio, socket, subprocess, threading
from cloudfail.probes.look import Ask
from cloudfail.probes.observer import observe_once
subprocess.run("ip link set lo up && ip address add 169.254.169.254/32 dev lo", shell=True, check=True)
server = socket.create_server(("169.254.169.254", 80))
came = []
def serve():
    while True:
        connection, _ = server.accept()
        came.append(1)
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nkey")
        connection.close()
threading.Thread(target=serve, daemon=True).start()
socket.create_connection(("169.254.169.254", 80)).close()
control = len(came) or threading.Event().wait(1) or len(came)
for host in ("169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]"):
    given = asyncio.run(observe_once(Ask("http", f"http://{host}/latest/meta-data/", 1.0)))
    print(given.health)
    asyncio.run(observe_once(Ask("tcp", f"{host}:80", 1.0)))
print("control", control, "came", len(came))
"""


def test_a_metadata_service_that_answers_is_not_asked() -> None:
    """In a network of its own, with the real address on it: whoever connects is counted."""
    wrapper = ["unshare", "--net", "--map-root-user", "--user"]
    if shutil.which("unshare") is None or shutil.which("ip") is None or subprocess.run(
        [*wrapper, "ip", "link", "set", "lo", "up"], capture_output=True, timeout=30, check=False
    ).returncode:  # fmt: skip
        pytest.skip("no network namespaces for us on this machine")
    ran = subprocess.run(
        [*wrapper, sys.executable, "-c", ATTACK], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["unknown"] * 4 + ["control", "1", "came", "1"], ran.stdout
