"""What holds for a PostgreSQL server wherever it runs: bounded sessions, heartbeats, canaries, loss, and the
writes that prove a fence. Providers whose databases are PostgreSQL stand on it; it is no provider itself.

Importing this package imports no vendor library.
"""
