"""What looks like a secret: lint refuses it, and no message repeats it.

Two ways to know one. By its shape: a password in a URL or behind `password=`, a token, a private key. And by its value:
what was read through a reference (`env:`, `file:`), and what this process's environment holds under a secret's name,
is known to the letter, in whatever message of whoever's it turns up.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

SECRET_KEY = re.compile(
    r"(^|[_-])(secret|secrets|password|passwd|passphrase|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key)$",
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


HIDDEN = "…"
KNOWN_LENGTH_MIN = 8
"""A shorter one would be found inside of ordinary words."""
_KNOWN: dict[str, None] = {}
_OF_THE_ENVIRONMENT = re.compile(r"^PG(SSL)?PASSWORD$", re.IGNORECASE)
_WORD = r"(?:secret|passw(?:or)?d|passphrase|pwd|token|(?:api|access|private|signing|account)[_-]?key)"
_VALUE = r"(?:\"(?:[^\"\\]|\\.){0,500}\"|'(?:[^'\\]|\\.){0,500}'|[^\s;,&})\]]{1,2000})"
# Each repetition has a bound, since what is searched may come from somebody who wants the search to take for ever.
_HIDDEN_BY_SHAPE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.S),
        HIDDEN,
    ),
    (re.compile(r"(://[^/\s:@'\"]{0,200}:)[^\s'\"]{1,500}(?=@)"), rf"\1{HIDDEN}"),
    (
        re.compile(rf"(authorization[\"']?\s{{0,4}}[=:]\s{{0,4}}(?:(?:basic|bearer|digest)\s{{1,4}})?){_VALUE}", re.I),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(\bbearer\s{1,4})[A-Za-z0-9._~+/-]{12,4000}=*", re.I), rf"\1{HIDDEN}"),
    (
        re.compile(r"([?&](?:sig|signature|x-amz-signature|x-amz-security-token|key)=)[^&\s\"']{1,2000}", re.I),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(
            rf"({_WORD}[\w-]{{0,40}}[\"']?\s{{0,4}}[=:]\s{{0,4}})(?![\"']?(?:env|file):|{HIDDEN}){_VALUE}", re.I
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"), HIDDEN),
    *((shape, HIDDEN) for what, shape in PLAIN if "password" not in what and "private key" not in what),
)


def remember(value: str) -> str:
    """From now on no message of this process repeats `value`. Returns it."""
    if len(value) >= KNOWN_LENGTH_MIN:
        _KNOWN[value] = None
        _KNOWN[quote(value, safe="")] = None
    return value


@functools.cache
def _remember_the_environment() -> None:
    for name, value in os.environ.items():
        if (SECRET_KEY.search(name) or _OF_THE_ENVIRONMENT.match(name)) and not value.startswith(("/", "~", "file:")):
            remember(value)


def redacted(text: str) -> str:
    """`text` as it may be kept and said: what is known as a secret, or looks like one, is `…`."""
    _remember_the_environment()
    for value in _KNOWN:
        if value in text:
            text = text.replace(value, HIDDEN)
    for shape, instead in _HIDDEN_BY_SHAPE:
        text = shape.sub(instead, text)
    return text


def redacted_all(value: Any) -> Any:
    """The same for every text in a JSON value."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: redacted_all(one) for key, one in value.items()}
    return [redacted_all(one) for one in value] if isinstance(value, list | tuple) else value


def concealed(text: str) -> str:
    """`text` as a message may repeat it."""
    return NOT_SHOWN if secret("", text) or _IN_A_LINE.search(text) else text
