"""An emulator as a process of its own, and the keeper that ends it.

The keeper, a process too, ends the emulator and removes its directory once the test run is gone, whatever killed that:
it notices by the end of a pipe.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

START_SECONDS = 120.0

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


@contextlib.contextmanager
def kept(name: str, argv: Sequence[str], asks: str, environment: Callable[[Path], Mapping[str, str]]) -> Iterator[Path]:
    """`argv`, running until the end of the block or of the test run, with a temporary directory of its own, in which
    it stands. It is up once the address `asks` is answered. `environment` is what it is told besides ours."""
    root = Path(tempfile.mkdtemp(prefix=f"cloudfail-{name}-"))
    keeper = subprocess.Popen(
        [sys.executable, "-c", _KEEPER, str(root), *argv],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **environment(root)},
    )
    try:
        _wait(name, asks, keeper, root)
        yield root
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(timeout=20)


def _wait(name: str, asks: str, keeper: subprocess.Popen[bytes], root: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and keeper.poll() is None:
        try:
            with opener.open(asks, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    said = (root / "log").read_text(errors="replace")[-2000:] if (root / "log").exists() else ""
    raise AssertionError(f"{name} did not answer:\n{said}")
