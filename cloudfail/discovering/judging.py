"""What lint says of a draft as it stands, so that the draft itself announces it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from cloudfail.actions.catalog import ACTIONS
from cloudfail.config import load
from cloudfail.lint import lint


def unsettled(text: str) -> tuple[str, ...]:
    """Each finding once, without its place. Raises ConfigError for a text that does not load: no such draft is handed
    to anybody. Asks no cloud."""
    with TemporaryDirectory(prefix="cloudfail-discover-") as place:
        path = Path(place) / "cloudfail.yaml"
        path.write_text(text, encoding="utf-8")
        return tuple(dict.fromkeys(one.message for one in lint(load(path, []), ACTIONS)))
