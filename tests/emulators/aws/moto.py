"""moto's server, another emulator of AWS: for what ministack answers wrongly (EC2, load balancers, RDS instances).

It stands in a virtual environment of its own, `.emulators/moto`, since ministack pins another botocore. Where moto
itself is wrong in a way that tests would notice, `moto_launcher` says so and mends it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.emulators.aws import emulator
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.keeper import kept

PYTHON = emulator.ROOT / ".emulators" / "moto" / "bin" / "python"
LAUNCHER = Path(__file__).with_name("moto_launcher.py")
# moto has one account, whatever the key; ministack takes a key of 12 digits for the account: with this key they agree.
ACCOUNT = "123456789012"


def is_installed() -> bool:
    return PYTHON.exists() and any(PYTHON.parents[1].glob(".installed-*"))


@contextlib.contextmanager
def running() -> Iterator[Emulator]:
    one = Emulator(emulator.free_port(), "/moto-api/reset")
    # Isolated: this directory has a moto.py too.
    argv = [str(PYTHON), "-I", str(LAUNCHER), "-H", "127.0.0.1", "-p", str(one.port)]
    with kept("moto", argv, f"{one.url}/moto-api/data.json", lambda root: {"TMPDIR": str(root)}):
        yield one
