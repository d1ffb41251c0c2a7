"""Every module and example: formatted, valid against both ends of the providers' versions, and its own tests pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.terraform.roots import EXAMPLES, MODULES, TERRAFORM, Workplace
from tests.terraform.schemas import extract


@pytest.fixture(scope="module")
def copied(workplace: Workplace) -> Path:
    return workplace.copy()


def test_there_is_a_module_and_an_example_for_each_cloud() -> None:
    assert [module.name for module in MODULES] == ["aws-runner", "azure-runner", "gcp-runner"]
    assert {example.parents[1].name for example in EXAMPLES} == {module.name for module in MODULES}


def test_every_file_is_formatted(terraform_binary: str) -> None:
    said = subprocess.run(
        [terraform_binary, "fmt", "-check", "-recursive", "-no-color"],
        cwd=TERRAFORM,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.returncode, said.stdout) == (0, "")


@pytest.mark.parametrize("root", [*MODULES, *EXAMPLES], ids=str)
def test_it_is_valid(workplace: Workplace, copied: Path, root: Path) -> None:
    workplace.init(copied / root)
    said = workplace.terraform(copied / root, "validate")
    assert (said.status, "Success!" in said.text, "Warning" in said.text) == (0, True, False), said.text


@pytest.mark.parametrize("root", MODULES, ids=str)
def test_its_own_tests_pass(workplace: Workplace, copied: Path, root: Path) -> None:
    workplace.init(copied / root)
    said = workplace.terraform(copied / root, "test")
    assert said.status == 0, said.text
    runs = sum(
        file.read_text(encoding="utf-8").count('\nrun "') for file in (TERRAFORM / root).glob("tests/*.tftest.hcl")
    )
    assert runs > 0
    assert f"{runs} passed, 0 failed" in said.text


def test_what_a_module_uses_is_in_the_schemas() -> None:
    """A type that is not there would be refused by validate, in words that help nobody who adds one."""
    for (provider, end), _ in extract.PINS.items():
        held = extract.held(provider, end)
        wanted = {one for one in extract.used() if one[1].startswith(f"{provider}_")}
        assert held == wanted, f"{provider}-{end}.json: run python -m tests.terraform.schemas.extract"


def test_the_notice_names_what_the_schemas_were_made_from() -> None:
    notice = (Path(extract.__file__).parent / "NOTICE").read_text(encoding="utf-8")
    for (provider, end), pin in extract.PINS.items():
        document = extract.kept(provider, end)
        assert f"{pin} (" in notice
        assert f"{document['provider_version']})" in notice
        assert document["made_from"] == f"cdktn_provider_{provider}-{pin}-py3-none-any.whl"


def test_the_modules_allow_the_versions_that_were_tried_and_no_next_major() -> None:
    for module in MODULES:
        text = (TERRAFORM / module / "versions.tf").read_text(encoding="utf-8")
        provider = {"aws": "aws", "gcp": "google", "azure": "azurerm"}[module.name.partition("-")[0]]
        floor = extract.kept(provider, "floor")["provider_version"].rpartition(".")[0]
        above = int(extract.kept(provider, "ceiling")["provider_version"].partition(".")[0]) + 1
        assert f'version = ">= {floor}, < {above}.0"' in text
