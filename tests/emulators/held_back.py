"""What only a primary has when its region is lost: orders that it acknowledged, and that its replica never got."""

from __future__ import annotations

import os
import signal
import time

from tests.emulators.shop import Customers
from tests.local import servers


def held_back(primary: servers.Server, replica: servers.Server, customers: Customers, orders: int) -> None:
    """The primary goes on until so many orders more were acknowledged, none of which its replica gets, and then stands
    still."""
    replica.ask("ALTER SYSTEM SET wal_receiver_timeout = 0")  # it would connect anew, and catch up
    replica.ask("SELECT pg_reload_conf()")
    (sender,) = primary.ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'")
    os.kill(sender[0], signal.SIGSTOP)
    now = time.monotonic()
    servers.until(lambda: len(customers.since(now)) >= orders, 30, "orders that the replica lacks")
    primary.freeze()
    replica.ask("ALTER SYSTEM RESET wal_receiver_timeout")
    replica.ask("SELECT pg_reload_conf()")
