"""How it is said what Google asks of IAM for a method: from the path and the body of a request, which permissions are
held against which resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Need = tuple[str, str]
"""(permission, the resource that it is asked on)"""
Needs = Callable[[str, Any], list[Need]]
"""(the path from `projects/` on, the body) -> all of which must be allowed"""


def on(*permissions: str, less: str = "") -> Needs:
    """On the resource of the path, without that end."""
    return lambda path, _body: [(one, path.removesuffix(less)) for one in permissions]


def project(*permissions: str) -> Needs:
    """On the project that the path begins with."""
    return lambda path, _body: [(one, project_of(path)) for one in permissions]


def project_of(path: str) -> str:
    return "/".join(path.split("/")[:2])


def whole(url: str) -> str:
    """From `projects/` on."""
    return url[url.index("projects/") :]
