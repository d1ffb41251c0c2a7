"""The load balancer port and the compute port against a real HAProxy."""

from __future__ import annotations

import http.client
import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import PortName, Resource
from cloudfail_local import runtime
from cloudfail_local.command import CommandCompute
from cloudfail_local.haproxy import Haproxy
from tests.local.servers import call, free_port, known, place, until

HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not Path(HAPROXY).exists(), reason="no HAProxy here")]


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.server.tag.encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *words: object) -> None:
        pass


@dataclass
class Edge:
    socket: str
    port: int
    backends: dict[str, Quiet]
    root: Path

    def balancer(self, **changes: Any) -> Haproxy:
        options = {"socket": self.socket, "backend": "shop", **changes}
        return Haproxy(_resource(PortName.LOADBALANCER, "haproxy", {"east": "east", "west": "west"}, options))

    def set(self, what: str) -> None:
        runtime.ask(self.socket, f"set server shop/{what}", seconds=1)


def _resource(port: PortName, kind: str, members: dict[str, Any], options: dict[str, Any]) -> Resource:
    return Resource("edge", port, kind, "local", None, members, options)


@pytest.fixture
def edge() -> Iterator[Edge]:
    with place() as root:
        root.chmod(0o777)
        backends = {}
        for region in ("east", "west"):
            server = Quiet(("127.0.0.1", 0), Answer)
            server.tag = region  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            backends[region] = server
        port = free_port()
        (root / "haproxy.cfg").write_text(
            f"""
global
  stats socket {root}/admin mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend all
  bind 127.0.0.1:{port}
  default_backend shop
backend shop
  server east 127.0.0.1:{backends["east"].server_port} check inter 100ms fall 2 weight 100
  server west 127.0.0.1:{backends["west"].server_port} check inter 100ms fall 2 weight 0
"""
        )
        daemon = subprocess.Popen([HAPROXY, "-f", root / "haproxy.cfg", "-db"], stderr=subprocess.DEVNULL)
        made = Edge(f"unix:{root}/admin", port, backends, root)
        until(lambda: _healthy(made.balancer()) == {"east": 1, "west": 1}, what="both healthy")
        yield made
        daemon.kill()
        daemon.wait()
        for server in backends.values():
            server.shutdown()
            server.server_close()


def _healthy(balancer: Haproxy) -> Any:
    seen = balancer.read()
    return None if isinstance(seen, Unknown) else dict(seen.value.healthy)


def test_a_shift_moves_kept_alive_clients_and_the_drained_side_stays_watched(edge: Edge) -> None:
    balancer = edge.balancer()
    client = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=2)

    def ask() -> str:
        client.request("GET", "/")
        return client.getresponse().read().decode()

    assert ask() == ask() == "east"
    balancer.shift({"east": 0, "west": 100}, expect=known(balancer.read()), call=call())
    assert {ask() for _ in range(5)} == {"west"}
    seen = known(balancer.read())
    assert seen.weights == {"east": 0, "west": 100}
    assert seen.healthy == {"east": 1, "west": 1}
    balancer.shift({"east": 100, "west": 0}, expect=seen, call=call())
    assert {ask() for _ in range(5)} == {"east"}


def test_a_server_that_is_drained_and_down_is_not_taken_for_one_with_traffic(edge: Edge) -> None:
    balancer = edge.balancer()
    balancer.shift({"east": 0, "west": 100}, expect=known(balancer.read()), call=call())
    edge.backends["east"].shutdown()
    edge.backends["east"].socket.close()
    until(lambda: _healthy(balancer) == {"east": 0, "west": 1})
    assert known(balancer.read()).weights == {"east": 0, "west": 100}


def test_a_server_in_maintenance_has_no_known_health_until_it_was_checked_again(edge: Edge) -> None:
    balancer = edge.balancer()
    edge.set("west state maint")
    assert _healthy(balancer) == {"east": 1}
    edge.set("west state ready")
    until(lambda: _healthy(balancer) == {"east": 1, "west": 1})


def test_the_gaining_side_is_set_before_the_losing_side_is_drained(edge: Edge) -> None:
    balancer = edge.balancer()
    seen: list[dict[str, int]] = []

    def watch() -> None:
        seen.append(dict(known(balancer.read()).weights))

    balancer.shift({"east": 0, "west": 100}, expect=known(balancer.read()), call=call(check=watch))
    assert len(seen) == 3
    assert all(any(weights.values()) for weights in seen)


def test_a_world_that_changed_is_a_conflict_and_the_same_shift_again_is_nothing(edge: Edge) -> None:
    balancer = edge.balancer()
    before = known(balancer.read())
    balancer.shift({"east": 0, "west": 100}, expect=before, call=call())
    calls: list[int] = []
    balancer.shift({"east": 0, "west": 100}, expect=before, call=call(check=lambda: calls.append(1)))
    assert calls == []
    with pytest.raises(Conflict):
        balancer.shift({"east": 100, "west": 0}, expect=before, call=call())


def test_a_balancer_that_obeys_without_effect_is_not_believed(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    balancer = edge.balancer()
    before = known(balancer.read())
    real = runtime.ask

    def deaf(address: str, command: str, *, seconds: float) -> str:
        return "\n" if command.startswith("set ") else real(address, command, seconds=seconds)

    monkeypatch.setattr(runtime, "ask", deaf)
    with pytest.raises(OutcomeUnknown):
        balancer.shift({"east": 0, "west": 100}, expect=before, call=call())
    assert known(balancer.read()).weights == before.weights


def test_empty_and_impossible_weights_are_refused_before_anything_is_sent(edge: Edge) -> None:
    balancer = edge.balancer()
    before = known(balancer.read())
    for weights in ({"east": 0, "west": 0}, {"east": 999}, {"north": 1}):
        with pytest.raises(Permanent):
            balancer.shift(weights, expect=before, call=call(check=lambda: pytest.fail("sent")))
    with pytest.raises(Transient):
        edge.balancer(backend="none").shift({"east": 1}, expect=before, call=call())


def test_a_balancer_that_does_not_answer_is_unknown(tmp_path: Path) -> None:
    options = {"socket": f"unix:{tmp_path}/none", "backend": "shop"}
    balancer = Haproxy(_resource(PortName.LOADBALANCER, "haproxy", {"east": "east"}, options))
    assert isinstance(balancer.read(), Unknown)


def test_compute_counts_as_healthy_what_the_load_balancer_does(edge: Edge) -> None:
    state = edge.root / "wanted"
    state.write_text("2")
    script = edge.root / "workers.py"
    script.write_text(
        "import json, pathlib, sys\n"
        f"state = pathlib.Path({str(state)!r})\n"
        "if sys.argv[1] == 'scale': state.write_text(sys.argv[2])\n"
        "else: print(json.dumps({'wanted': int(state.read_text()), 'running': int(state.read_text())}))\n"
    )
    member = {
        "read": [sys.executable, str(script), "read"],
        "scale": [sys.executable, str(script), "scale", "${count}"],
        "socket": edge.socket,
        "backend": "shop",
    }
    compute = CommandCompute(_resource(PortName.COMPUTE, "command", {"east": member}, {}))
    # west is drained by its weight: healthy, and not counted.
    before = known(compute.read("east"))
    assert (before.wanted, before.running, before.healthy) == (2, 2, 1)
    compute.scale("east", 5, expect=before, call=call())
    after = known(compute.read("east"))
    # The command said that five run; the balancer says that one is healthy, and that is what counts.
    assert (after.wanted, after.running, after.healthy) == (5, 5, 1)
    compute.scale("east", 5, expect=before, call=call(check=lambda: pytest.fail("sent")))
    with pytest.raises(Conflict):
        compute.scale("east", 6, expect=before, call=call())
    with pytest.raises(Permanent, match="hold"):
        compute.hold("east", True, expect=after, call=call())
    broken = {**member, "read": ["false"]}
    assert isinstance(
        CommandCompute(_resource(PortName.COMPUTE, "command", {"east": broken}, {})).read("east"), Unknown
    )
    babbling = {**member, "read": ["echo", json.dumps([1])]}
    assert isinstance(
        CommandCompute(_resource(PortName.COMPUTE, "command", {"east": babbling}, {})).read("east"), Unknown
    )
