"""Where a resource of Compute Engine is, as its API words it: `projects/P/zones/Z/instanceGroups/N`.

Google gives it as a URL whose host differs from one service to the next (www.googleapis.com, compute.googleapis.com);
what names the resource begins at `projects/`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from cloudfail.config.fields import mistake

PROJECT = r"projects/[a-z][a-z0-9.:-]{2,62}"
_NAME = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"


def pattern(scopes: str, collections: str) -> re.Pattern[str]:
    """Of a resource in one of these scopes ("zones|regions|global") and collections ("instanceGroups")."""
    where = "|".join("global" if scope == "global" else rf"{scope}/[a-z0-9-]+" for scope in scopes.split("|"))
    return re.compile(rf"{PROJECT}/(?:{where})/(?:{collections})/{_NAME}")


def path_of(written: str) -> str:
    """From `projects/` on, whatever stands before it."""
    before, found, after = written.partition("projects/")
    return f"{found}{after}" if found and (not before or before.endswith("/")) else written


def region_of(path: str) -> str:
    """The region that it stands in, "global" where it stands in none."""
    parts = path.split("/")
    where, name = (parts[2], parts[3]) if len(parts) > 3 else ("", "")
    return name if where == "regions" else name.rpartition("-")[0] if where == "zones" else "global"


def scope_of(path: str) -> str:
    """What its operations and siblings stand under: `projects/P/zones/Z`, `projects/P/global`."""
    parts = path.split("/")
    return "/".join(parts[:3] if parts[2] == "global" else parts[:4])


def project_of(path: str) -> str:
    """`projects/P`."""
    return "/".join(path.split("/")[:2])


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def written(accepted: re.Pattern[str], what: str, instead: str) -> Any:
    """A field that takes the path, or a URL that ends in it, and holds the path."""

    def check(value: Any) -> Any:
        path = path_of(value) if isinstance(value, str) else ""
        if not accepted.fullmatch(path):
            raise mistake(f"this is no {what}", f"write {instead}")
        return path

    schema = {"type": "string", "pattern": f"(?:^|/){accepted.pattern}$"}
    return Annotated[str, BeforeValidator(check), WithJsonSchema(schema)]
