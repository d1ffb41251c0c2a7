"""Live progress in a terminal: the run's steps as a table that changes in place. Without a terminal nobody needs it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from cloudfail.execution.state import RunState, StepRecord
    from cloudfail.model.plan import PlannedStep

MARKS = {"done": ("✓", "green"), "owed": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("–", "dim")}


class Screen:
    """`show` draws the run as it stands; the last drawing stays on the screen."""

    def __init__(self) -> None:
        self._live = Live(refresh_per_second=8)

    def show(self, run: RunState) -> None:
        self._live.update(drawn(run))

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def drawn(run: RunState) -> Table:
    """One line a step: mark, name, state, what was seen. The title says phase and time."""
    table = Table(box=None, show_header=False, title_justify="left", pad_edge=False)
    table.title = Text(f"{run.plan.source} → {run.plan.target}  {run.phase}  {run.t:.1f} s", style="bold")
    for column in ("", "step", "at", "detail"):
        table.add_column(column, no_wrap=column != "detail", overflow="fold")
    for step in run.plan.steps:
        mark, style, at, detail = _line(step, run.did(step.name))
        table.add_row(Text(mark, style), Text(step.name, style), Text(at, "dim"), Text(detail))
    if run.halted_because and not run.phase.final:
        table.caption = Text(f"{run.halted_because} {run.to_do}", style="red")
        table.caption_justify = "left"
    return table


def _line(step: PlannedStep, record: StepRecord) -> tuple[str, str, str, str]:
    if record.ended:
        mark, style = MARKS[record.ended]
        return mark, style, f"+{record.ended_t:.1f}s", record.detail
    if record.gate_opened_t is not None:
        return "⏸", "yellow", "", f"waits for a person: cloudfail approve; expires in {step.expires_seconds:.0f} s"
    if record.intent is not None:
        return "▸", "cyan", "", record.intent.effect
    if record.result is not None:
        return "▸", "cyan", "", f"{record.effect}: {record.result.message or 'ordered'}"
    return " ", "dim", "", ""
