"""A database as an earlier version left it: with the schema's first steps only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from rollbook.store.engine import migrations
from rollbook.store.engine.database import Connection, Database, open_database
from rollbook.store.engine.migrations import STEPS, migrate


@contextmanager
def opened_before(address: str, step: Callable[[Connection], None]) -> Iterator[Database]:
    """A new database at the address, with all steps before the one given."""
    with closing(open_database(address)) as opened:
        with pytest.MonkeyPatch.context() as earlier:
            earlier.setattr(migrations, "STEPS", STEPS[: STEPS.index(step)])
            migrate(opened)
        yield opened
