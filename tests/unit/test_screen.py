"""The live table of a run, drawn from real runs on a FakeCloud."""

from __future__ import annotations

import io

from rich.console import Console

from cloudfail.entrypoints.cli.screen import drawn
from tests.kit import Stage, load_local


def text(stage: Stage, run: str) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(drawn(stage.run(run)))
    out = console.file
    assert isinstance(out, io.StringIO)
    return out.getvalue()


def test_each_step_has_a_line_with_what_was_seen() -> None:
    stage = Stage(load_local())
    stage.cloud.kill("east")
    run = stage.open("evacuate-local", "east", "west")
    assert "✓" not in text(stage, run)
    stage.drive()
    lines = text(stage, run)
    assert "east → west" in lines
    assert "prevented" in lines
    assert lines.count("✓") >= 9


def test_a_gate_says_what_to_type() -> None:
    stage = Stage(load_local())
    stage.cloud.kill("east")
    run = stage.open("evacuate-local", "east", "west", preapproved="")
    stage.drive(seconds=10)
    assert "cloudfail approve" in text(stage, run)
