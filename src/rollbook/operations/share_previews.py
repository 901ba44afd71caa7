"""What an application would see with another share, before it is set: counts and names, in about a second."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.domain.guard import DELETED_PERCENT
from rollbook.errors import Unknown
from rollbook.operations import share_edits
from rollbook.operations.share_edits import ShareEdit
from rollbook.roster.clone import clone_roster
from rollbook.roster.views import projection, share_preview
from rollbook.roster.views.share_preview import Count
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections
from rollbook.store.district import districts, views
from rollbook.store.engine.database import Database
from rollbook.store.records import commits
from rollbook.sync.workplace import engine_in, workplace


@dataclass(frozen=True, slots=True)
class Preview:
    """The counts by source; students whom the new share shows in no section; sources that lose too much."""

    counts: tuple[Count, ...]
    in_no_section: int
    losing: tuple[str, ...]

    @property
    def needs_yes(self) -> bool:
        """Whether the application would lose so much that a person must confirm it."""
        return bool(self.losing)


def preview(
    database: Database, settings: Settings, application: str, district: str, edit: ShareEdit
) -> Preview:
    """What an application (name or client id) would see of a district (name or id) after an edit.

    The application need not be connected. Errors: those of `share_edits.share`.
    """
    reader, owner = applications.find(database, application), districts.find(database, district)
    try:
        _, number = connections.connection_of(database, reader, owner)
        with database.read() as transaction:
            today = views.by_number(transaction, number).spec
    except Unknown:
        today = None
    then = share_edits.edited(database, reader, owner, today or reader.asks, edit)
    with workplace(settings) as folder, engine_in(settings, folder) as engine:
        last = commits.snapshot(
            database, owner, folder, ("identity", clone_roster.TABLE, *projection.tables())
        )
        if not last.files:
            return Preview((), 0, ())
        share_preview.load(engine, last.files)
        counts = tuple(share_preview.compare(engine, today, then))
        alone = share_preview.in_no_section(engine)
    losing = tuple(count.source for count in counts if count.leave * 100 > DELETED_PERCENT * count.today > 0)
    return Preview(counts, alone, losing)
