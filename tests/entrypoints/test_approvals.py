"""The approvals' own function, behind the clouds' doors: the text to sign goes out, and counts if it comes back
signed."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudfail.app import App
from cloudfail.entrypoints.approving import BODY_BYTES_MAX, answer
from cloudfail.entrypoints.aws_lambda import approve_handler
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import Agreed
from cloudfail.signing import Namespace, public_line, sign
from tests.entrypoints.site import Site
from tests.security.test_signed_approvals import KEYS

pytestmark = pytest.mark.timeout(120)
RUNBOOK = """
name: evacuate
mode: failover
steps:
  freeze: {action: change.freeze, with: {where: "${to}"}, limit: 10m}
  agree: {gate: approval, needs: [freeze], expires: 10m}
  users: {action: verify.users, with: {check: app}, needs: [agree], limit: 2m}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [users], limit: 10m}
"""
Ask = Callable[..., tuple[int, Any]]


class Waiting:
    """A site whose run, opened by alice, waits at its gate."""

    def __init__(self, root: Path) -> None:
        lines = tuple(f"{name} {public_line(KEYS[name])}" for name in ("alice", "bob"))
        self.site = Site(root, call_seconds=0, approvers=lines, runbook=RUNBOOK)
        self.app = App.open(root / "cloudfail.yaml", [root / "runbooks" / "evacuate.yaml"], "alice")
        review = self.app.review("east")
        self.run = self.app.start(review.plan.checksum, reason="east is lost")
        self.app.drive()
        assert self.phase is Phase.GATED

    @property
    def phase(self) -> Phase:
        return self.app.run(self.run).phase


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    made = Waiting(tmp_path)
    yield made
    made.site.close()


def google(site: Site) -> tuple[subprocess.Popen[bytes], Ask]:
    """functions-framework, as a process of its own."""
    (site.root / "main.py").write_text("from cloudfail.entrypoints.gcp_function import approve_http\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["-m", "functions_framework", "--target", "approve_http", "--source", "main.py", "--host", "127.0.0.1"]
    served = subprocess.Popen(
        [sys.executable, *command, "--port", str(port)], cwd=site.root, env=site.environment(), start_new_session=True
    )

    def ask(method: str, query: Mapping[str, str], body: bytes = b"") -> tuple[int, Any]:
        url = f"http://127.0.0.1:{port}/?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, method=method, data=body if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=60) as found:
                return found.status, json.loads(found.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    ends = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return served, ask
        assert time.monotonic() < ends and served.poll() is None, "functions-framework did not start"
        time.sleep(0.1)


class Context:
    aws_request_id = "0123456789"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def amazon(site: Site) -> Ask:
    """The handler with the events of a function URL (payload format 2.0)."""

    def ask(method: str, query: Mapping[str, str], body: bytes = b"") -> tuple[int, Any]:
        os.environ["CLOUDFAIL_CONFIG"] = str(site.root / "cloudfail.yaml")
        try:
            event = {
                "requestContext": {"http": {"method": method}},
                "queryStringParameters": dict(query) or None,
                "body": base64.b64encode(body).decode(),
                "isBase64Encoded": True,
            }
            said = approve_handler(event, Context())
        finally:
            del os.environ["CLOUDFAIL_CONFIG"]
        return said["statusCode"], json.loads(said["body"])

    return ask


@pytest.fixture(params=["amazon", "google"])
def ask(request: pytest.FixtureRequest, waiting: Waiting) -> Iterator[Ask]:
    if request.param == "amazon":
        yield amazon(waiting.site)
        return
    served, asking = google(waiting.site)
    yield asking
    os.killpg(served.pid, signal.SIGKILL)
    served.wait(10)


def signed(document: str, by: str, reason: str = "it is gone") -> bytes:
    signature = sign(document.encode(), Namespace.APPROVAL, KEYS[by])
    return json.dumps({"document": document, "signature": signature, "reason": reason}).encode()


def test_the_text_goes_out_and_passes_the_gate_when_it_comes_back_signed(waiting: Waiting, ask: Ask) -> None:
    status, said = ask("GET", {"loss_seconds": "30", "for": "5m"})
    assert status == 200
    assert f"run: {waiting.run}" in said["document"] and "loss: 30.000 s" in said["document"]
    assert "ssh-keygen -Y sign" in said["sign"]
    status, refused = ask("POST", {}, signed(said["document"], "mallory"))
    assert (status, refused["error"]) == (403, "BadSignature")
    status, refused = ask("POST", {}, signed(said["document"], "alice"))
    assert status == 409
    assert "nobody approves their own" in refused["happened"]
    assert waiting.phase is Phase.GATED and not waiting.app.run(waiting.run).approvals
    status, said = ask("POST", {}, signed(said["document"], "bob"))
    assert (status, said["run"], said["still_missing"]) == (200, waiting.run, "")
    waiting.app.drive()
    assert waiting.phase is Phase.DONE
    assert waiting.app.run(waiting.run).approvals == (Agreed("", "bob"),)


@pytest.mark.parametrize(
    ("method", "query", "body", "status"),
    [
        ("PUT", {}, b"", 405),
        ("GET", {"loss_seconds": "some"}, b"", 400),
        ("GET", {"loss_seconds": "-1"}, b"", 400),
        ("GET", {"for": "ever"}, b"", 400),
        ("GET", {"capacity": "80%"}, b"", 409),
        ("GET", {"run": "no such run"}, b"", 409),
        ("POST", {}, b"", 400),
        ("POST", {}, b"[]", 400),
        ("POST", {}, b'{"document": "yes"}', 400),
        ("POST", {}, b'{"document": "yes", "signature": "yes", "reason": "yes"}', 409),
        ("POST", {}, b" " * (BODY_BYTES_MAX + 1), 400),
    ],
)
def test_what_is_no_approval_approves_nothing_and_says_why(
    waiting: Waiting, method: str, query: dict[str, str], body: bytes, status: int
) -> None:
    code, said = amazon(waiting.site)(method, query, body)
    assert code == status
    assert said["happened"] and said["true_now"]
    assert waiting.phase is Phase.GATED


def test_without_keys_a_request_approves_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, call_seconds=0)
    try:
        code, said = amazon(site)("GET", {})
    finally:
        site.close()
    assert code == 409
    assert "lists nobody whose signature counts" in said["happened"]


def test_a_store_that_does_not_answer_is_no_success(waiting: Waiting) -> None:
    path = waiting.site.root / "cloudfail.yaml"
    path.write_text(path.read_text().replace(f"sqlite:{waiting.site.root}/state.db", "postgresql://127.0.0.1:1/state"))
    assert amazon(waiting.site)("GET", {})[0] == 503
    assert answer("HEAD", {}, b"")[1] == 405
