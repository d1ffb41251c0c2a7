"""Archives built from wheels: twice the same bytes, only what the cloud needs, and a lock that builds them again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from cloudfail.errors import Refused
from cloudfail.packaging import Packaged, package, target_of
from tests.entrypoints.site import Site
from tests.packaging import machines, wheelhouse
from tests.unit.test_packaging import bundled

pytestmark = pytest.mark.timeout(240)
WITNESS = "dynamodb://cloudfail?region=eu-central-1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"), state=WITNESS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def built(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    return machines.build("aws", site, tmp_path_factory.mktemp("built") / "function.zip")


@pytest.fixture(scope="module")
def names(built: Packaged) -> list[str]:
    with zipfile.ZipFile(built.file) as opened:
        return opened.namelist()


def test_built_by_the_command_and_from_the_lock_it_is_the_same_bytes(
    site: Site, built: Packaged, tmp_path: Path
) -> None:
    line = ["package", "aws", "-o", str(tmp_path / "function.zip"), "--requirements", str(built.lock)]
    line += ["--python", wheelhouse.RUNNING, "--architecture", wheelhouse.architecture()]
    done = site.cli(*line, "--wheelhouse", str(machines.wheels()))
    assert done.returncode == 0, done.stderr
    assert built.digest in done.stdout and "cloudfail.entrypoints.aws_lambda.handler" in done.stdout
    for one in (built.file, built.lock, built.bill):
        assert (tmp_path / one.name).read_bytes() == one.read_bytes()
    assert len(list(tmp_path.iterdir())) == 3


THROUGH = {
    "aws": """
from cloudfail.entrypoints.aws_lambda import approve_handler
assert approve_handler({"requestContext": {"http": {"method": "PUT"}}}, None)["statusCode"] == 405
""",
    "gcp": "import main",
}
READ = """
from cloudfail.entrypoints.files import load_application
from pathlib import Path
loaded, files = load_application(Path("cloudfail.yaml"), [])
print(loaded.topology.application, files.serial, files.signer.split()[0], *loaded.runbooks)
"""


def test_a_signed_bundle_is_found_in_the_archive_through_each_door(site: Site, tmp_path: Path) -> None:
    """Google's archive, since it holds both doors, and Amazon's differs in its root alone. (For Lambda's Python 3.11
    the wheelhouse has no library that checks signatures.)"""
    (tmp_path / "made").mkdir()
    signed = bundled(tmp_path / "made")
    built, root = machines.build("gcp", site, tmp_path / "function.zip", signed=signed), tmp_path / "task"
    with zipfile.ZipFile(built.file) as opened:
        assert opened.read("cloudfail.bundle") == signed.bundle.read_bytes()
        # What a cloud's own library holds is not read here, and is most of it.
        opened.extractall(root, [name for name in opened.namelist() if not name.startswith(("boto", "google"))])
    assert not (root / "cloudfail.yaml").exists() and not (root / "runbooks").exists()
    python = machines.interpreter(Path(sys.executable), tmp_path / "python")
    for cloud, door in THROUGH.items():
        more = {"LAMBDA_TASK_ROOT": str(root)} if cloud == "aws" else {}
        done = subprocess.run(
            [python, "-c", door + "\n" + READ], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            env=machines.environment(PYTHONPATH=str(root), **more),
        )  # fmt: skip
        assert done.stdout == "shop 3 alice evacuate\n", (cloud, done.stdout + done.stderr)


def test_it_holds_what_lambda_needs_and_nothing_of_the_other_clouds_or_of_the_command_line(names: list[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {"cloudfail", "cloudfail_aws", "boto3", "pydantic", "psycopg", "cloudfail.yaml", "runbooks"} <= tops
    assert not tops & {"typer", "rich", "google", "azure", "msal", "bin", ".lock", "uv", "pytest"}
    assert not [name for name in names if re.search(r"(^|/)(RECORD|INSTALLER|__pycache__)(/|$)|\.pyc$|uv_cache", name)]
    assert names == sorted(names) and len(names) == len(set(names))


def test_the_bill_and_the_lock_name_every_library_in_the_archive(built: Packaged, names: list[str]) -> None:
    text = built.bill.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    billed = {one["name"]: one["version"] for one in json.loads(text)["components"]}
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", built.lock.read_text(), re.MULTILINE))
    inside = {
        name.partition("-")[0].replace("_", "-").replace(".", "-").lower() for name in names if ".dist-info/" in name
    }
    assert set(billed) == inside
    assert {name: number for name, number in billed.items() if name != "cloudfail"} == locked


def test_a_lock_that_lacks_what_is_needed_is_refused(site: Site, built: Packaged, tmp_path: Path) -> None:
    lacking = tmp_path / "lock.txt"
    lacking.write_text(re.sub(r"^jmespath==.*\n(    .*\n)+", "", built.lock.read_text(), flags=re.MULTILINE))
    with pytest.raises(Refused, match="no jmespath") as raised:
        _build(site, tmp_path / "function.zip", requirements=lacking)
    assert "--requirements" in raised.value.to_do
    assert [path.name for path in tmp_path.iterdir()] == ["lock.txt"]


def test_a_wheel_that_is_not_the_locks_is_refused(site: Site, built: Packaged, tmp_path: Path) -> None:
    forged = tmp_path / "lock.txt"
    forged.write_text(re.sub(r"(jmespath==.*\n.*sha256:)[0-9a-f]{64}", r"\g<1>" + "0" * 64, built.lock.read_text()))
    assert forged.read_text() != built.lock.read_text()
    with pytest.raises(Refused, match="jmespath"):
        _build(site, tmp_path / "function.zip", requirements=forged)
    assert [path.name for path in tmp_path.iterdir()] == ["lock.txt"]


def test_a_wheelhouse_for_another_python_is_refused_by_name(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"for aws, Python 3\.12") as raised:
        _build(site, tmp_path / "function.zip", python="3.12" if wheelhouse.RUNNING != "3.12" else "3.99")
    assert "--wheelhouse" in raised.value.to_do
    assert not list(tmp_path.iterdir())


def test_a_wheelhouse_that_is_none_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no directory of wheels"):
        package(target_of("aws"), tmp_path / "x.zip", site.root / "cloudfail.yaml", [], wheelhouse=tmp_path / "none")


def test_without_uv_it_is_refused_with_what_to_install(tmp_path: Path) -> None:
    """An interpreter with what cloudfail itself needs, and no programs."""
    libraries = machines.installed(["pydantic", "PyYAML", "tenacity"], tmp_path / "libraries")
    code = "from cloudfail.packaging import resolving as r, target_of; r.Resolver(target_of('aws'), None, None)"
    line = [sys.executable, "-S", "-c", code]
    bare = {"PYTHONPATH": f"{wheelhouse.ROOT}:{libraries}", "PATH": ""}
    done = subprocess.run(line, env=bare, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert "uv is not installed" in done.stderr and "pip install 'cloudfail[package]'" in done.stderr


def _build(site: Site, output: Path, *, python: str = wheelhouse.RUNNING, requirements: Path | None = None) -> Packaged:
    target = target_of("aws", python, wheelhouse.architecture())
    runbooks = [site.root / "runbooks" / "evacuate.yaml"]
    return package(
        target, output, site.root / "cloudfail.yaml", runbooks, wheelhouse=machines.wheels(), requirements=requirements
    )
