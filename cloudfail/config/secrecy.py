"""What looks like a secret: lint refuses it, and no message repeats it."""

from __future__ import annotations

import re

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
NOT_SHOWN = "(not shown: it may be a secret)"
_IN_A_LINE = re.compile(
    r"(secrets?|password|passwd|passphrase|token|credentials?|api_?key|access_?key|private_?key)[\"']?\s*:\s*(?!env:|file:)\S",
    re.IGNORECASE,
)


def secret(key: str, text: str) -> str | None:
    """What kind of secret `text` looks like under `key`, None if it looks like none."""
    for what, shape in PLAIN:
        if shape.search(text):
            return what
    if SECRET_KEY.search(key) and text and not REFERENCE.match(text):
        return f'the value of "{key}"'
    return None


def concealed(text: str) -> str:
    """`text` as a message may repeat it."""
    return NOT_SHOWN if secret("", text) or _IN_A_LINE.search(text) else text
