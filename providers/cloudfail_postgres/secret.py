"""Where a secret is, instead of what it is: `env:NAME` or `file:PATH`, as a field of an options model."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from cloudfail.errors import Permanent
from cloudfail.secrecy import remember

_SECRET = re.compile(r"^(env|file):(.+)$", re.DOTALL)


def _secret_reference(value: str) -> str:
    if _SECRET.match(value) is None:
        raise ValueError("a secret is never written here; write where it is: env:NAME or file:PATH")
    return value


SecretRef = Annotated[str, AfterValidator(_secret_reference)]


def secret_value(reference: str) -> str:
    """What `env:NAME` or `file:PATH` holds now, without the newline at its end. Permanent names the place, never the
    value."""
    match = _SECRET.match(reference)
    if match is None:
        raise Permanent("A secret reference is neither env:NAME nor file:PATH.")
    if match[1] == "env":
        value = os.environ.get(match[2])
        if value is None:
            raise Permanent(f"The environment variable {match[2]} that holds a secret is not set.")
        return remember(value.strip())
    try:
        return remember(Path(match[2]).read_text(encoding="utf-8").strip())
    except OSError as error:
        raise Permanent(f"The file {match[2]} that holds a secret cannot be read: {error.strerror}.") from error
