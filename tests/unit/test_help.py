"""Help: every command has one, says what it does in a sentence, and loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

from cloudfail.entrypoints.cli import app
from tests.unit.test_docs import COMMANDS

HEAVY = (
    "pydantic",
    "yaml",
    "psycopg",
    "dns",
    "tenacity",
    "rich.table",
    "cloudfail.app",
    "cloudfail.engine",
    "cloudfail.config",
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_every_option(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    command = COMMANDS[words]
    assert command.help
    assert command.help.strip().endswith((".", "`."))
    silent = [one.name for one in command.params if one.name != "help" and not getattr(one, "help", None)]
    assert silent == []


def test_a_group_without_a_command_shows_its_help() -> None:
    for words in ([], ["audit"], ["drill"], ["lab"]):
        assert "Commands:" in CliRunner().invoke(app, words).output


def test_a_command_that_does_not_exist_is_told_in_a_line() -> None:
    shown = CliRunner().invoke(app, ["evacaute"])
    assert shown.exit_code == 2
    assert "evacaute" in shown.output


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['cloudfail', '--help']\n"
        "from cloudfail.entrypoints.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', ' '.join(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.rpartition("LOADED ")[2].split())
    assert "cloudfail.entrypoints.cli" in loaded
    assert sorted(loaded.intersection(HEAVY)) == []


def test_the_tree_is_not_deeper_than_two_words() -> None:
    assert max(map(len, COMMANDS)) == 2
    assert typer.main.get_command(app) is not None
