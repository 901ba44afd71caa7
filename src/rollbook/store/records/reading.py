"""The one argument of every read for the API: in which transaction, for whom, in which dialect, as of when.

The reads are in `record_pages`, `related_lists`, `event_feed` and `catchup`. A `Reading` needs an `Access`,
so a read cannot reach beyond the caller's view.
"""

from __future__ import annotations

from typing import NamedTuple

from rollbook.contract.clever import versions
from rollbook.contract.dialect import Dialect
from rollbook.domain.access import Access
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.store.engine.database import Transaction


class Moment(NamedTuple):
    """The state after run `run`, which `later` runs have followed.

    It has current records that are old enough, and the versions that later runs replaced. Without later runs
    it is the present, whose reads are simpler and faster.
    """

    run: int
    later: tuple[int, ...]

    @staticmethod
    def after(run: int, head: int) -> Moment:
        """The state after a run of a district whose last run is `head`."""
        return Moment(run, tuple(range(run + 1, head + 1)))


PRESENT = Moment(0, ())


class Reading(NamedTuple):
    """The argument of a read. Code that writes no addresses reads in the first version of the API."""

    transaction: Transaction
    access: Access
    dialect: Dialect = versions.FIRST
    moment: Moment = PRESENT

    @property
    def is_past(self) -> bool:
        return bool(self.moment.later)


def snapshot_of(reading: Reading, run: int) -> SnapshotName | None:
    """The snapshot's name for a run of the caller's district; None if there is no such run."""
    found = reading.transaction.row(
        "SELECT mark FROM syncs WHERE district = ? AND sync = ?", (reading.access.district, run)
    )
    return SnapshotName(run, found[0]) if found else None
