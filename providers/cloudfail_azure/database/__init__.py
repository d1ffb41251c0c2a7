"""Azure's databases behind the Database port. Importing this package imports no vendor library."""

from __future__ import annotations

from cloudfail.ports import Kind
from cloudfail_azure.database.cosmos_kind import COSMOS_DB, COSMOS_DB_MULTI_WRITE
from cloudfail_azure.database.flexible_kind import POSTGRESQL_FLEXIBLE
from cloudfail_azure.database.mysql_kind import MYSQL_FLEXIBLE
from cloudfail_azure.database.sql_kinds import SQL_KINDS

KINDS: tuple[Kind, ...] = (
    POSTGRESQL_FLEXIBLE,
    MYSQL_FLEXIBLE,
    COSMOS_DB,
    COSMOS_DB_MULTI_WRITE,
    *SQL_KINDS,
)
