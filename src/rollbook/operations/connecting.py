"""Which application reads a district: connect it, renew its district token, disconnect it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollbook import sync
from rollbook.domain import shares as share_rules
from rollbook.operations import share_edits
from rollbook.operations.share_edits import ShareEdit, check_schools, read_share
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import sealer
from rollbook.store.records import event_feed


@dataclass(frozen=True, slots=True)
class Connected:
    """An application, a district that it reads, and its district token."""

    application: Application
    district: District
    token: str


def connect(
    database: Database,
    settings: Settings,
    application: str,
    district: str,
    *,
    shared: str | None = None,
    freezes: bool | None = None,
    renews_token: bool = False,
    published: str | None = None,
) -> Connected:
    """Let an application (name or client id) read a district (name or id). If it has events on, its events
    begin now.

    An existing connection keeps its token, unless `renews_token`, and its share, unless `shared` is given:
    everything, nothing or JSON. A new connection shares everything by default. `published` is the published
    token of a demo. Errors: Unknown, also for a school that the district does not have; BadSetting for an
    unreadable share.
    """
    wanted = None if shared is None else read_share(shared)
    reader, owner = applications.find(database, application), districts.find(database, district)
    check_schools(database, owner, wanted)
    # A connection with a partial share begins with an empty one: it must never see the whole roster, not even
    # briefly.
    begin = reader.asks if wanted is None else replace(reader.asks, share=share_rules.Share())
    own = sealer(database, settings)
    if renews_token and owner.number in connections.districts_of(database, reader):
        # The old token is not opened: the key that sealed it may be lost.
        token = connections.renew_token(database, own, reader, owner)
    else:
        view = sync.view_of(database, owner, begin, settings)
        token = connections.connect(
            database, own, reader, owner, view, token=published, is_demo=published is not None
        )
    if shared is not None or freezes is not None:
        now = sync.seen(database, owner, reader).spec
        spec = now if shared is None else replace(now, share=wanted)
        sync.share(database, owner, reader, spec, settings, freezes=freezes)
    if reader.has_events:
        event_feed.switch(database, reader.number, on=True)
    return Connected(reader, owner, token)


def connect_new(
    database: Database, settings: Settings, application: str, district: str, edit: ShareEdit
) -> Connected:
    """Let an application read a district for the first time, with a share.

    Errors: those of `share_edits.share`; Conflict if it is connected already: nothing changes then.
    """
    reader, owner = applications.find(database, application), districts.find(database, district)
    # All that can be wrong with the share is said before anything is written.
    share_edits.edited(database, reader, owner, reader.asks, edit)
    view = sync.view_of(database, owner, replace(reader.asks, share=share_rules.Share()), settings)
    token = connections.connect(database, sealer(database, settings), reader, owner, view, is_first=True)
    share_edits.share(database, settings, reader.client_id, owner.id, replace(edit, seen_as=""))
    if reader.has_events:
        event_feed.switch(database, reader.number, on=True)
    return Connected(reader, owner, token)


def disconnect(database: Database, application: str, district: str) -> tuple[Application, District]:
    """Disconnect an application from a district: its district token and its user tokens there end at once.

    Errors: Unknown, also if they are not connected.
    """
    reader, owner = applications.find(database, application), districts.find(database, district)
    connections.disconnect(database, reader, owner)
    return reader, owner
