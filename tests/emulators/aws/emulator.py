"""ministack, an emulator of AWS, on a free loopback port, with a temporary directory of its own.

It is started by a keeper, a process of its own, which ends it and removes the directory once the test run is gone,
whatever killed that: it notices by the end of a pipe.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MINISTACK = ROOT / ".emulators" / "bin" / "ministack"
START_SECONDS = 30.0

_KEEPER = r"""
import os, shutil, signal, subprocess, sys
root, *argv = sys.argv[1:]
with open(os.path.join(root, "log"), "wb") as log:
    child = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=root
    )
sys.stdin.buffer.read()
try:
    os.killpg(child.pid, signal.SIGKILL)
except ProcessLookupError:
    pass
child.wait()
shutil.rmtree(root, ignore_errors=True)
"""


def is_installed() -> bool:
    return MINISTACK.exists()


@dataclass(frozen=True)
class Emulator:
    """One that answers."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> Mapping[str, str]:
        """What the SDK is told: where to ask, as whom, and nothing of this machine's own accounts."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    def reset(self) -> None:
        """Forget everything."""
        request = urllib.request.Request(f"{self.url}/_ministack/reset", method="POST", data=b"")
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(**more: str) -> Iterator[Emulator]:
    """One of its own. more: its environment variables, as AUTH="true", with which it enforces IAM's policies."""
    root = Path(tempfile.mkdtemp(prefix="cloudfail-ministack-"))
    emulator = Emulator(free_port())
    own = {"GATEWAY_PORT": str(emulator.port), "BIND_HOST": "127.0.0.1"}
    own |= {"TMPDIR": str(root), "STATE_DIR": str(root / "state"), "S3_DATA_DIR": str(root / "s3"), **more}
    keeper = subprocess.Popen(
        [sys.executable, "-c", _KEEPER, str(root), str(MINISTACK)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **own},
    )
    try:
        _wait(emulator, keeper, root)
        yield emulator
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(timeout=20)


def _wait(emulator: Emulator, keeper: subprocess.Popen[bytes], root: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and keeper.poll() is None:
        try:
            with opener.open(f"{emulator.url}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"ministack did not answer:\n{(root / 'log').read_text(errors='replace')[-2000:]}")
