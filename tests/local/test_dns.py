"""The DNS port against a real BIND."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.message
import dns.query
import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import PortName, Resource
from cloudfail_local.dns import Rfc2136
from tests.local.servers import call, free_port, known, place, until

NAMED = shutil.which("named") or "/usr/sbin/named"
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not Path(NAMED).exists(), reason="no BIND here")]
NAMES = 100
SECRET = base64.b64encode(bytes(range(32))).decode()

Name = Callable[..., Rfc2136]


@pytest.fixture(scope="module")
def zone() -> Iterator[tuple[Path, int]]:
    with place() as root:
        root.chmod(0o777)
        port = free_port()
        (root / "secret").write_text(SECRET + "\n")
        (root / "named.conf").write_text(
            f"""
options {{ directory "{root}"; pid-file none; session-keyfile none; recursion no; notify no; dnssec-validation no;
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; }};
controls {{ }};
key cloudfail {{ algorithm hmac-sha256; secret "{SECRET}"; }};
key other {{ algorithm hmac-sha256; secret "{SECRET}"; }};
zone "shop.lab" {{ type primary; file "{root}/zone"; update-policy {{ grant cloudfail zonesub ANY; }}; }};
"""
        )
        names = "".join(f"w{number} IN A 198.18.10.1\n" for number in range(NAMES))
        (root / "zone").write_text(f"$TTL 1\n@ IN SOA ns root 1 60 60 600 1\n@ IN NS ns\nns IN A 127.0.0.1\n{names}")
        daemon = subprocess.Popen([NAMED, "-f", "-c", root / "named.conf"], stderr=subprocess.DEVNULL)
        until(lambda: _serves(port), what="BIND serves the zone")
        yield root, port
        daemon.kill()
        daemon.wait()


def _serves(port: int) -> bool:
    try:
        reply = dns.query.tcp(dns.message.make_query("shop.lab", "SOA"), "127.0.0.1", 1, port)
    except OSError:
        return False
    return bool(reply.answer)


_next = iter(range(NAMES))


@pytest.fixture
def name(zone: tuple[Path, int]) -> Name:
    """A maker of ports for one name that no other test uses."""
    root, port = zone
    host = f"w{next(_next)}"

    def make(**changes: Any) -> Rfc2136:
        options = {
            "server": f"127.0.0.1:{port}",
            "zone": "shop.lab",
            "name": f"{host}.shop.lab",
            "ttl": "1s",
            "key": {"name": "cloudfail", "secret": f"file:{root}/secret"},
            "resolvers": [f"127.0.0.1:{port}"],
            **changes,
        }
        members = {"east": "198.18.10.1", "west": "198.18.20.1"}
        return Rfc2136(Resource("www", PortName.DNS, "rfc2136", "local", None, members, options))

    return make


def test_a_shift_is_seen_at_the_server_and_at_the_resolvers(name: Name) -> None:
    www = name()
    before = known(www.read())
    assert (before.answers, before.weights, before.epoch) == (("198.18.10.1",), {"east": 100, "west": 0}, None)
    www.shift({"east": 0, "west": 50}, expect=before, call=call(3))
    after = known(www.read())
    assert (after.answers, after.weights, after.epoch) == (("198.18.20.1",), {"east": 0, "west": 50}, 3)
    assert set(known(www.resolve()).values()) == {("198.18.20.1",)}
    www.shift({"east": 1, "west": 1}, expect=after, call=call(3))
    assert known(www.read()).answers == ("198.18.10.1", "198.18.20.1")


def test_the_server_itself_refuses_a_change_of_what_is_not_as_it_was_seen(name: Name) -> None:
    www, other = name(), name()
    before = known(www.read())
    other.shift({"west": 1}, expect=known(other.read()), call=call(4))
    with pytest.raises(Conflict):
        www.shift({"east": 1, "west": 1}, expect=before, call=call(5))
    assert known(www.read()).answers == ("198.18.20.1",)


def test_an_older_epoch_is_refused_even_where_the_answers_look_the_same(name: Name) -> None:
    www = name()
    first = known(www.read())
    www.shift({"west": 1}, expect=first, call=call(7))
    second = known(www.read())
    www.shift({"east": 1}, expect=second, call=call(8))
    # The answers are again what the old call saw; the mark beside them is not.
    assert known(www.read()).answers == first.answers
    with pytest.raises(Conflict):
        www.shift({"west": 1}, expect=first, call=call(6))
    with pytest.raises(Conflict):
        www.shift({"west": 1}, expect=known(www.read()), call=call(6))


def test_the_same_shift_again_changes_nothing(name: Name) -> None:
    www = name()
    before = known(www.read())
    www.shift({"west": 1}, expect=before, call=call(2))
    after = known(www.read())
    www.shift({"west": 1}, expect=before, call=call(2))
    assert known(www.read()) == after


def test_no_weight_at_all_is_refused_before_anything_is_sent(name: Name) -> None:
    www = name()
    with pytest.raises(Permanent, match="without an answer"):
        www.shift({"east": 0}, expect=known(www.read()), call=call(check=lambda: pytest.fail("sent")))


def test_a_name_without_answers_is_unknown_and_so_is_a_silent_server(name: Name) -> None:
    assert isinstance(name(name="none.shop.lab").read(), Unknown)
    assert isinstance(name(name="none.shop.lab").resolve(), Unknown)
    assert isinstance(name(server=f"127.0.0.1:{free_port()}").read(), Unknown)
    assert isinstance(name(resolvers=[]).resolve(), Unknown)


def test_every_resolver_must_answer(name: Name, zone: tuple[Path, int]) -> None:
    www = name(resolvers=[f"127.0.0.1:{zone[1]}", f"127.0.0.1:{free_port()}"], answer_within="300ms")
    assert isinstance(www.resolve(), Unknown)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": {"name": "nobody", "secret": "file:{root}/secret"}}, "BADKEY"),
        ({"key": {"name": "cloudfail", "secret": "file:{root}/wrong"}}, "BADSIG"),
        ({"key": {"name": "other", "secret": "file:{root}/secret"}}, "REFUSED"),
    ],
)
def test_what_the_server_refuses_is_permanent(
    name: Name, zone: tuple[Path, int], changes: dict[str, Any], said: str
) -> None:
    root, _ = zone
    (root / "wrong").write_text(base64.b64encode(bytes(32)).decode())
    key = {field: value.replace("{root}", str(root)) for field, value in changes["key"].items()}
    www = name(key=key)
    with pytest.raises(Permanent, match=said):
        www.shift({"west": 1}, expect=known(www.read()), call=call())


def test_a_clock_that_is_off_is_said_to_be_so(name: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    www = name()
    before = known(www.read())
    monkeypatch.setattr(dns.message, "time", SimpleNamespace(time=lambda: time.time() - 600))
    with pytest.raises(Permanent, match="BADTIME"):
        www.shift({"west": 1}, expect=before, call=call())


def test_a_server_that_says_nothing_after_the_update_leaves_the_outcome_unknown(name: Name) -> None:
    seen = known(name().read())
    with socket.create_server(("127.0.0.1", 0)) as mute:
        threading.Thread(target=mute.accept, daemon=True).start()
        www = name(server=f"127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(OutcomeUnknown):
            www.shift({"west": 1}, expect=seen, call=call(seconds=0.3))
    with pytest.raises(Transient):
        name(server=f"127.0.0.1:{free_port()}").shift({"west": 1}, expect=seen, call=call())


def test_a_server_that_says_yes_and_does_nothing_is_seen_by_the_next_read(
    name: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    www = name()
    before = known(www.read())
    real = dns.query.tcp

    def deaf(message: Any, *arguments: Any, **keywords: Any) -> Any:
        if message.opcode() == 5:
            return dns.message.make_response(dns.message.make_query(".", "A"))
        return real(message, *arguments, **keywords)

    monkeypatch.setattr(dns.query, "tcp", deaf)
    www.shift({"west": 1}, expect=before, call=call())
    assert known(www.read()) == before
