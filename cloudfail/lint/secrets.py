"""Secrets in plain text. The finding says where one stands and never repeats it."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.config.document import scalars
from cloudfail.config.loaded import Loaded
from cloudfail.config.secrecy import secret
from cloudfail.lint.finding import Finding, Severity


def findings(loaded: Loaded) -> Iterator[Finding]:
    """Every secret of every file, the kinds' own keys included."""
    for document in (loaded.topology_file, *loaded.runbook_files.values()):
        for path, scalar in scalars(document.root):
            key = next((part for part in reversed(path) if isinstance(part, str)), "")
            what = secret(key, scalar.value) if isinstance(scalar.value, str) else None
            if what is not None:
                message = f"{what} stands here in plain text"
                cure = "write a reference (env:NAME, file:PATH), and change the secret: this file may have been read"
                place = (document.file, scalar.line, scalar.column)
                yield Finding("plain-secret", Severity.ERROR, *place, message, cure)
