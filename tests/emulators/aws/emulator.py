"""ministack, an emulator of AWS, on a free loopback port, with a temporary directory of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.emulators.aws.keeper import kept

ROOT = Path(__file__).resolve().parents[3]
MINISTACK = ROOT / ".emulators" / "bin" / "ministack"


def is_installed() -> bool:
    return MINISTACK.exists()


@dataclass(frozen=True)
class Emulator:
    """One that answers. `forgets` is the path at which it is told to forget everything."""

    port: int
    forgets: str = "/_ministack/reset"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> Mapping[str, str]:
        """What the SDK is told: where to ask, as whom, and nothing of this machine's own accounts."""
        return sdk_environment(self.url)

    def reset(self) -> None:
        """Forget everything."""
        request = urllib.request.Request(f"{self.url}{self.forgets}", method="POST", data=b"")
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200


def sdk_environment(url: str, key: str = "test") -> Mapping[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(**more: str) -> Iterator[Emulator]:
    """One of its own. more: its environment variables, as AUTH="true", with which it enforces IAM's policies."""
    emulator = Emulator(free_port())

    def own(root: Path) -> Mapping[str, str]:
        said = {"GATEWAY_PORT": str(emulator.port), "BIND_HOST": "127.0.0.1", "TMPDIR": str(root)}
        return said | {"STATE_DIR": str(root / "state"), "S3_DATA_DIR": str(root / "s3"), **more}

    with kept("ministack", [str(MINISTACK)], f"{emulator.url}/_ministack/health", own):
        yield emulator
