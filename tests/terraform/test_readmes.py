"""What the modules' pages say is what the modules have."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.terraform.roots import EXAMPLES, MODULES, TERRAFORM


def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("terraform_tables", TERRAFORM / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass asks for its module
    spec.loader.exec_module(module)
    return module


def text_of(module: Path) -> str:
    return "".join(file.read_text(encoding="utf-8") for file in sorted((TERRAFORM / module).glob("*.tf")))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_the_tables_are_as_the_module_has_them(module: Path) -> None:
    page = (TERRAFORM / module / "README.md").read_text(encoding="utf-8")
    assert tables().written(TERRAFORM / module, page) == page, "run: python terraform/tables.py"
    names = re.findall(r'^(?:variable|output) "(\w+)"', text_of(module), re.M)
    assert [name for name in names if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_input_says_its_type_and_what_it_is_for_and_is_used(module: Path) -> None:
    found = list(tables().blocks(TERRAFORM / module, "variable"))
    assert [one.name for one in found if not one.description or not one.type] == []
    assert [one.name for one in tables().blocks(TERRAFORM / module, "output") if not one.description] == []
    used = re.sub(r'^variable "\w+" \{.*?^\}$', "", text_of(module), flags=re.M | re.S)
    assert [one.name for one in found if f"var.{one.name}" not in used] == ["watched_regions"]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_the_files_that_people_look_for_and_configures_no_provider(module: Path) -> None:
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"):
        assert (TERRAFORM / module / name).is_file(), name
    assert not re.search(r"^provider ", text_of(module), re.M)


@pytest.mark.parametrize("root", [*MODULES, *EXAMPLES], ids=str)
def test_versions_are_bounded_on_both_sides(root: Path) -> None:
    bounds = re.findall(r'version\s+= "([<>=~][^"]+)"', text_of(root))
    assert len(bounds) == 2
    assert [one for one in bounds if not re.fullmatch(r">= [\d.]+, < \d+\.0", one)] == []
