"""cloudfail itself, from the installation that runs: a checkout or a wheel. What a function never runs is left out."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from cloudfail.errors import Refused
from cloudfail.packaging.archive import Files, kept

PACKAGES = (
    "cloudfail",
    "cloudfail_aws",
    "cloudfail_azure",
    "cloudfail_consumers",
    "cloudfail_databases",
    "cloudfail_gcp",
    "cloudfail_local",
    "cloudfail_names",
    "cloudfail_paths",
    "cloudfail_postgres",
)
# The command line and what only it needs. No module of the rest imports these (tests/unit/test_packaging.py).
LEFT_OUT = (
    "cloudfail/__main__.py",
    "cloudfail/entrypoints/cli/",
    "cloudfail/importing/",
    "cloudfail/lab/",
    "cloudfail/packaging/",
    "cloudfail/report/simulation.py",
    "cloudfail/report/simulation_picture.py",
    "cloudfail/runbooks/",
    "cloudfail/testing/",
)
LIBRARIES_LEFT_OUT = ("typer",)
_METADATA = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_AGAIN = "Install it again: pip install --force-reinstall cloudfail"
_EXTRA = re.compile(r"""(?:\band\s+)?\bextra\s*==\s*['"]([^'"]+)['"]""")


def requirements(extras: Iterable[str]) -> list[str]:
    """What cloudfail needs, with those extras, as its own metadata has it. Raises Refused for an extra that this
    installation does not know: an archive without its libraries would fail where nobody looks."""
    own, asked, found = _own(), set(extras), []
    unknown = asked - set(own.metadata.get_all("Provides-Extra") or ())
    if unknown:
        raise Refused(
            f"This installation of cloudfail knows no extra {', '.join(sorted(unknown))}.",
            "Nothing was written.",
            _AGAIN,
        )
    for line in own.requires or ():
        requirement, _, marker = line.partition(";")
        named = _EXTRA.search(marker)
        if named is not None and named[1] not in asked:
            continue
        if re.match(r"[A-Za-z0-9._-]+", requirement.strip())[0].lower() in LIBRARIES_LEFT_OUT:  # type: ignore[index]
            continue
        rest = _EXTRA.sub("", marker).strip()
        found.append(f"{requirement.strip()}; {rest}" if rest else requirement.strip())
    return sorted(set(found))


def files() -> Files:
    """The code, and the metadata by which its providers and stores are found."""
    found: Files = {}
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise Refused(f"This installation of cloudfail has no {package}.", "Nothing was written.", _AGAIN)
        root = Path(spec.origin).resolve().parent
        for path in sorted(root.rglob("*")):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            if path.is_file() and kept(name) and not name.startswith(LEFT_OUT):
                found[name] = path.read_bytes()
    own = _own()
    for name in _METADATA:
        text = own.read_text(name)
        if text is not None:
            found[f"cloudfail-{own.version}.dist-info/{name}"] = text.encode()
    return found


def _own() -> Distribution:
    try:
        return distribution("cloudfail")
    except PackageNotFoundError as error:
        raise Refused(
            "This cloudfail is not installed, so that it does not know what it needs.", "Nothing was written.", _AGAIN
        ) from error
