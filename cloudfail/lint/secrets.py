"""Secrets in plain text. The finding says where one stands and never repeats it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudfail.config.document import scalars
from cloudfail.config.loaded import Loaded
from cloudfail.lint.finding import Finding, Severity
from cloudfail.secrecy import secret

OPTION = re.compile(r"--?[A-Za-z][\w-]*$")
OPTION_WITH_VALUE = re.compile(r"--?([A-Za-z][\w-]*)=(.+)$")


def findings(loaded: Loaded) -> Iterator[Finding]:
    """Every secret of every file, the kinds' own keys included."""
    for document in (loaded.topology_file, *loaded.runbook_files.values()):
        before = ""
        for path, scalar in scalars(document.root):
            key = next((part for part in reversed(path) if isinstance(part, str)), "")
            if isinstance(path[-1], int) and path[-1] > 0 and OPTION.match(before):
                key = before.lstrip("-")  # [tool, --password, VALUE]
            what = secret(key, scalar.value) if isinstance(scalar.value, str) else None
            if what is None and (option := OPTION_WITH_VALUE.match(scalar.text)):
                what = secret(option[1], option[2])  # [tool, --password=VALUE]
            before = scalar.text
            if what is not None:
                message = f"{what} stands here in plain text"
                cure = "write a reference (env:NAME, file:PATH), and change the secret: this file may have been read"
                place = (document.file, scalar.line, scalar.column)
                yield Finding("plain-secret", Severity.ERROR, *place, message, cure)
