"""Every threat in docs/threat-model.md names its tests, each of them exists, and no test of a threat is left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.kit import ROOT

HERE = Path(__file__).parent
PAGE = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.split("## The threats")[1].split("##")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| threat")
]
NAMED = re.compile(r"\[(test_\w+\.py)\]\(\.\./tests/security/(test_\w+\.py)\)|`(test_\w+)`")
ASKED_FOR = (
    "forged", "replayed", "approval", "runbook", "provider", "injection", "metadata", "secret", "log", "event",
)  # fmt: skip


def functions_of(file: str) -> set[str]:
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def named_in(cell: str) -> list[tuple[str, str]]:
    """(file, test) pairs; a file alone names all of its tests."""
    found: list[tuple[str, str]] = []
    file = ""
    for label, target, test in NAMED.findall(cell):
        if label:
            assert label == target
            file = target
            found.append((file, ""))
        else:
            assert file, f"{test} stands before its file"
            found.append((file, test))
    return found


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_a_threat_has_what_stops_it_and_a_test_that_exists(row: list[str]) -> None:
    threat, boundary, stops, *_, tests = row
    assert len(row) == 5 and threat and stops
    assert all(one in "123456789" for one in boundary.split(", "))
    named = named_in(tests)
    assert named, "no test is named"
    for file, test in named:
        assert (HERE / file).is_file(), file
        assert functions_of(file), file
        assert not test or test in functions_of(file), f"{file} has no {test}"


@pytest.mark.parametrize("word", ASKED_FOR)
def test_the_page_speaks_of_it(word: str) -> None:
    assert any(word in row[0].lower() for row in ROWS), word


def test_every_file_of_attacks_belongs_to_a_threat() -> None:
    files = {path.name for path in HERE.glob("test_*.py")} - {Path(__file__).name}
    assert files == {file for row in ROWS for file, _ in named_in(row[-1])}


def test_every_boundary_in_the_picture_has_a_threat() -> None:
    picture = PAGE.split("```text")[1].split("```")[0]
    drawn = set(re.findall(r"\((\d)\)", picture))
    assert drawn == {one for row in ROWS for one in row[1].split(", ")}


def test_the_security_page_leads_here_and_names_no_person() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "(docs/threat-model.md)" in page
    assert not re.search(r"[\w.]+@[\w-]+\.\w+", page)
    assert "security advisor" in page.lower() and "## Supported versions" in page
