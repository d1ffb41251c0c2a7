"""`cloudfail import region-switch`: files that never overwrite, a screen that tells what is missing, an exit code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloudfail.entrypoints.cli import app
from cloudfail.errors import CloudfailError, Refused
from cloudfail.importing.blocks import BLOCKS
from tests.kit import ROOT

SAMPLES = ROOT / "tests/fixtures/region-switch"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["import", "region-switch", *map(str, words)])


def test_files_are_written_and_all_was_carried(tmp_path: Path) -> None:
    shown = run(SAMPLES / "shop.json", "--output", tmp_path / "draft")
    assert shown.exit_code == 0, shown.output
    written = sorted(str(path.relative_to(tmp_path / "draft")) for path in (tmp_path / "draft").rglob("*.yaml"))
    assert written == ["cloudfail.yaml", "runbooks/evacuate.yaml", "runbooks/restore.yaml", "runbooks/switchover.yaml"]
    assert "Everything in the plan was carried." in shown.output
    assert f"Wrote 4 files: {tmp_path}/draft/cloudfail.yaml" in shown.output.replace("\n     ", " ")


def test_what_was_not_carried_makes_the_exit_code_three() -> None:
    shown = run(SAMPLES / "every-block.json", "--stdout")
    assert shown.exit_code == 3
    assert re.search(r"^Not carried \(\d+\):$", shown.output, re.MULTILINE)


def test_the_screen_has_every_block_its_step_and_what_lint_thinks() -> None:
    shown = run(SAMPLES / "every-block.json", "--stdout").output
    for name in BLOCKS:
        assert name in shown
    for part in ("Read ", "in the draft", "Carried, and different here:", "Added, since", "Lint, as if", "Next:"):
        assert part in shown
    assert "No installed provider serves these kinds:" in shown
    assert "database: aurora-global" in shown


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks/switchover.yaml").write_text("mine", encoding="utf-8")
    shown = run(SAMPLES / "shop.json", "--output", tmp_path)
    assert isinstance(shown.exception, Refused)
    assert "switchover.yaml is there already" in str(shown.exception)
    assert [path.name for path in tmp_path.rglob("*.yaml")] == ["switchover.yaml"]
    assert (tmp_path / "runbooks/switchover.yaml").read_text(encoding="utf-8") == "mine"


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    shown = run(SAMPLES / "shop.json", "--output", tmp_path / "file")
    assert isinstance(shown.exception, Refused)
    assert "Nothing was written." in str(shown.exception)


def test_printing_writes_nothing_and_keeps_the_files_apart_from_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run(SAMPLES / "shop.json", "--stdout")
    assert shown.exit_code == 0
    assert list(tmp_path.iterdir()) == []
    assert "# ---- runbooks/evacuate.yaml" in shown.stdout
    assert "Nothing was written." not in shown.stdout
    assert "Nothing was written." in shown.stderr


def test_one_plan_of_several_is_chosen_by_its_name() -> None:
    shown = run(SAMPLES / "variables.template.yaml", "--stdout")
    assert isinstance(shown.exception, CloudfailError)
    chosen = run(SAMPLES / "variables.template.yaml", "--stdout", "--resource", "PaymentsPlan")
    assert "application: payments" in chosen.stdout


def test_every_expression_is_listed_once_with_how_it_was_written() -> None:
    shown = run(SAMPLES / "variables.template.yaml", "--stdout", "--resource", "OrdersPlan").stderr
    assert "fill-in-OrdersGlobal = !Ref OrdersGlobal in cloudfail.yaml" in shown
    assert "fill-in-ScaleMinutes = !Ref ScaleMinutes; nothing in the draft uses it" in shown
    assert shown.count("!Ref OrdersGlobal") == 1


def test_nobody_needs_the_clouds_library_to_import_a_plan() -> None:
    code = (
        "import sys; sys.argv = ['cloudfail', 'import', 'region-switch', sys.argv[1], '--stdout']\n"
        "from cloudfail.entrypoints.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', ' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    words = [sys.executable, "-c", code, str(SAMPLES / "shop.json")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert not {"boto3", "botocore"} & set(done.stdout.rpartition("LOADED ")[2].split())


def test_the_page_names_every_block() -> None:
    page = (ROOT / "docs/importing.md").read_text(encoding="utf-8")
    for name, block in BLOCKS.items():
        (row,) = [line for line in page.splitlines() if line.startswith("| `") and f"`{name}`" in line.split("|")[1]]
        for action in filter(None, block.action.replace(",", "").split()):
            assert action in row, name
        assert block.action or "by hand" in row
