"""Google's databases behind the Database port. Importing this package imports no vendor library."""

from __future__ import annotations

from cloudfail.ports import Kind

KINDS: tuple[Kind, ...] = ()
