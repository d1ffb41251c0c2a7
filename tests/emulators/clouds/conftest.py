"""All three clouds at once, each as its own tests have it, and the application that stands on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulators.aws.conftest import front, ministack, moto, moto_process
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front as AwsFront
from tests.emulators.azure.conftest import azure
from tests.emulators.azure.front import Front as AzureFront
from tests.emulators.clouds import site as shop_over_clouds
from tests.emulators.clouds.site import Clouds, Google, Site
from tests.emulators.gcp.conftest import gcs, gcs_port, google
from tests.emulators.gcp.front import Front as GoogleFront
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = [
    "azure", "front", "gcs", "gcs_port", "google", "ministack", "moto", "moto_process", "pair", "postgres_root",
    "template",
]  # fmt: skip


def listener(port: int) -> int:
    """The process that listens on that port of loopback."""
    wanted = f"{port:04X}"
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{wanted}") and line.split()[3] == "0A"
    }
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            for one in _links(process / "fd"):
                if one in {f"socket:[{inode}]" for inode in inodes}:
                    return int(process.name)
    raise AssertionError(f"nobody listens on port {port}")


def _links(directory: Path) -> list[str]:
    try:
        return [str(one.readlink()) for one in directory.iterdir()]
    except OSError:
        return []


@pytest.fixture
def site(
    tmp_path: Path,
    front: AwsFront,
    ministack: Emulator,
    azure: AzureFront,
    google: GoogleFront,
    gcs: str,
    gcs_port: int,
    pair: Callable[..., servers.Pair],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    clouds = Clouds(front, ministack, azure, Google(google, listener(gcs_port), gcs))
    with shop_over_clouds.site(tmp_path, clouds, pair(), monkeypatch.setenv) as made:
        made.customers.must_be_served()
        said = made.cloudfail("check")
        assert said.code == 0, said.text
        yield made
