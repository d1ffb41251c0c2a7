"""Secrets in plain text. The finding says where one stands and never repeats it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudfail.config.document import Document, Path, Scalar, scalars
from cloudfail.config.loaded import Loaded
from cloudfail.lint.finding import Finding, Severity

SECRET_KEY = re.compile(
    r"(^|[_-])(secret|secrets|password|passwd|passphrase|token|credentials?|api_?key|access_?key|private_?key)$",
    re.IGNORECASE,
)
REFERENCE = re.compile(r"^(env|file|vault|secretsmanager|ssm|keyvault|gcp-secret|arn|projects/|https://[^/@]*vault):?")
PLAIN = (
    ("a connection string with its password", re.compile(r"\b(password|pwd)\s*=\s*(?!\s|$)[^\s;]", re.IGNORECASE)),
    ("a URL with its password", re.compile(r"://[^/\s:@]+:[^/\s@]+@")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an AWS access key", re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a signed token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.")),
    ("a live payment key", re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}")),
)


def findings(loaded: Loaded) -> Iterator[Finding]:
    """Every secret of every file, the kinds' own keys included."""
    for document in (loaded.topology_file, *loaded.runbook_files.values()):
        for path, scalar in scalars(document.root):
            if isinstance(scalar.value, str) and (what := _secret(path, scalar.value)):
                yield _finding(document, scalar, what)


def _secret(path: Path, text: str) -> str | None:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    for what, shape in PLAIN:
        if shape.search(text):
            return what
    if SECRET_KEY.search(key) and text and not REFERENCE.match(text):
        return f'the value of "{key}"'
    return None


def _finding(document: Document, scalar: Scalar, what: str) -> Finding:
    message = f"{what} stands here in plain text"
    cure = "write a reference (env:NAME, file:PATH), and change the secret: this file may have been read"
    return Finding("plain-secret", Severity.ERROR, document.file, scalar.line, scalar.column, message, cure)
