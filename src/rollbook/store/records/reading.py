"""What every read for the API takes, as one value: in which transaction, for whom, in which dialect, as of when.

The reads are those of `record_pages`, `related_lists`, `event_feed` and `catchup`. A `Reading` cannot be made
without an `Access`, so a read cannot reach beyond the caller's view.
"""

from __future__ import annotations

from typing import NamedTuple

from rollbook.contract.clever import versions
from rollbook.contract.dialect import Dialect
from rollbook.domain.access import Access
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.store.engine.database import Connection


class Moment(NamedTuple):
    """The state after run `run`, which `later` runs have followed: current records not newer, and the versions
    they replaced. Without later runs it is the present, which is read in a plain and faster way."""

    run: int
    later: tuple[int, ...]

    @staticmethod
    def after(run: int, head: int) -> Moment:
        """The state after a run of a district, whose last run is `head`."""
        return Moment(run, tuple(range(run + 1, head + 1)))


PRESENT = Moment(0, ())


class Reading(NamedTuple):
    """What a read takes. Those who write no addresses read in the first version of the API."""

    transaction: Connection
    access: Access
    dialect: Dialect = versions.FIRST
    moment: Moment = PRESENT

    @property
    def is_past(self) -> bool:
        return bool(self.moment.later)


def snapshot_of(reading: Reading, run: int) -> SnapshotName | None:
    """The name of the snapshot that a run of the caller's district left; None if there is no such run."""
    found = reading.transaction.row(
        "SELECT mark FROM syncs WHERE district = ? AND sync = ?", (reading.access.district, run)
    )
    return SnapshotName(run, found[0]) if found else None
