"""Threat: a hostile provider. A package that was installed, and that nobody allowed, is not imported, whatever it says.

Real distributions (`.dist-info` with entry points) stand in front of everything else on a child process's path.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import pathlib
pathlib.Path({mark!r}).write_text("imported")
class Provider:
    name = {name!r}
    def kinds(self): return {{}}
    def identity(self): return None
provider = Provider()
class Store:
    def place(self, url): raise AssertionError("a store of a stranger was asked")
    def open(self, url): raise AssertionError("a store of a stranger was opened")
"""
ASK = "from cloudfail import registry; print(type(registry.provider({name!r})).__module__)"
OPEN = "from cloudfail.stores import open_store; print(open_store({url!r}))"


class Site:
    """A directory of packages, as site-packages is."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def install(self, distribution: str, module: str, **entries: str) -> Path:
        """`entries`: group (`_` for `.`) → name. Returns the file that its import leaves behind."""
        mark = self.root / f"{module}.imported"
        name = next(iter(entries.values()))
        (self.root / f"{module}.py").write_text(MODULE.format(mark=str(mark), name=name))
        info = self.root / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        what = {"providers": "provider", "stores": "Store"}
        (info / "entry_points.txt").write_text(
            "".join(f"[cloudfail.{group}]\n{name} = {module}:{what[group]}\n" for group, name in entries.items())
        )
        return mark

    def python(self, code: str, *, allow: str = "") -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.root), *[one for one in sys.path if one]])
        environment = {**os.environ, "PYTHONPATH": path, "CLOUDFAIL_PROVIDERS": allow}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_provider_that_nobody_allowed_is_not_imported(site: Site) -> None:
    mark = site.install("acme-cloudfail", "acme_cloudfail", providers="acme")
    asked = site.python(ASK.format(name="acme"))
    assert asked.returncode != 0
    assert 'The provider "acme" is brought by acme-cloudfail, which is not allowed here.' in asked.stderr
    assert "export CLOUDFAIL_PROVIDERS=acme-cloudfail" in asked.stderr
    assert not mark.exists()


@pytest.mark.parametrize("allow", ["acme-cloudfail", "other, Acme_Cloudfail", "ACME.CLOUDFAIL"])
def test_one_that_was_allowed_by_its_distributions_name_is(site: Site, allow: str) -> None:
    mark = site.install("Acme.Cloudfail", "acme_cloudfail", providers="acme")
    asked = site.python(ASK.format(name="acme"), allow=allow)
    assert asked.stdout.strip() == "acme_cloudfail", asked.stderr
    assert mark.exists()


@pytest.mark.parametrize("allow", ["acme", "acme_cloudfail:provider", "*", "cloudfail", "acme-cloudfail-2"])
def test_nothing_but_the_distributions_own_name_allows_it(site: Site, allow: str) -> None:
    mark = site.install("acme-cloudfail", "acme_cloudfail", providers="acme")
    assert site.python(ASK.format(name="acme"), allow=allow).returncode != 0
    assert not mark.exists()


def test_a_stranger_that_takes_our_providers_name_does_not_get_its_place(site: Site) -> None:
    """It stands first on the path, where an entry point of that name is found first."""
    mark = site.install("local-cloudfail", "local_cloudfail", providers="local")
    asked = site.python(ASK.format(name="local"))
    assert asked.stdout.strip() == "cloudfail_local", asked.stderr
    assert not mark.exists()


def test_two_that_are_allowed_and_bring_one_name_are_both_refused(site: Site) -> None:
    mark = site.install("local-cloudfail", "local_cloudfail", providers="local")
    asked = site.python(ASK.format(name="local"), allow="local-cloudfail")
    assert asked.returncode != 0
    assert "is brought by cloudfail and local-cloudfail: which one is meant is not guessed" in asked.stderr
    assert not mark.exists()


def test_one_that_is_allowed_and_not_named_is_not_imported(site: Site) -> None:
    mark = site.install("acme-cloudfail", "acme_cloudfail", providers="acme")
    assert site.python(ASK.format(name="local"), allow="acme-cloudfail").stdout.strip() == "cloudfail_local"
    assert not mark.exists()


def test_a_store_that_nobody_allowed_is_not_imported_either(site: Site) -> None:
    mark = site.install("acme-cloudfail", "acme_cloudfail", stores="acme")
    opened = site.python(OPEN.format(url="acme://state"))
    assert opened.returncode != 0
    assert 'The store "acme" is brought by acme-cloudfail, which is not allowed here.' in opened.stderr
    assert not mark.exists()


@pytest.mark.parametrize(("scheme", "url"), [("sqlite", "sqlite::memory:"), ("memory", "memory:"), ("s3", "s3://b")])
def test_no_stranger_gets_the_log_by_the_name_of_one_of_our_stores(site: Site, scheme: str, url: str) -> None:
    mark = site.install("acme-cloudfail", "acme_cloudfail", stores=scheme)
    opened = site.python(OPEN.format(url=url))
    assert "stranger" not in opened.stderr
    assert not mark.exists()


def test_a_distribution_without_a_name_is_allowed_by_nothing(site: Site) -> None:
    mark = site.install("", "nameless", providers="acme")
    for allow in ("", ",", " , "):
        assert site.python(ASK.format(name="acme"), allow=allow).returncode != 0
    assert not mark.exists()


def test_lint_tells_of_strangers_and_help_imports_none(site: Site, tmp_path: Path) -> None:
    mark = site.install("acme-cloudfail", "acme_cloudfail", providers="local", stores="sqlite")
    (tmp_path / "cloudfail.yaml").write_text(
        "application: shop\nobjectives: {rto: 60m, rpo: 30s}\nregions: {east: {provider: local}}\nprimary: east\n"
        "state: sqlite:state.db\n"
    )
    code = f"import sys; sys.argv = ['cloudfail', 'lint', '-c', {str(tmp_path / 'cloudfail.yaml')!r}]\n"
    linted = site.python(code + "from cloudfail.entrypoints.cli import main; main()")
    assert "note: acme-cloudfail brings cloudfail.providers local, and is not allowed" in linted.stdout
    assert "note: acme-cloudfail brings cloudfail.stores sqlite" in linted.stdout
    assert not mark.exists()
