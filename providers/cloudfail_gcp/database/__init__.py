"""Google's databases behind the Database port. Importing this package imports no vendor library."""

from __future__ import annotations

from cloudfail.ports import Kind
from cloudfail_gcp.database.alloydb_kind import ALLOYDB
from cloudfail_gcp.database.spanner_kind import SPANNER

KINDS: tuple[Kind, ...] = (ALLOYDB, SPANNER)
