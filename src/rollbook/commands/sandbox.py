"""The demo's district: generated, synced, and opened with the published test credentials.

`rollbook demo` runs this as a process of its own, so that the engine's memory is given back before the server starts.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, time
from pathlib import Path

import click

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.auth import published
from rollbook.auth.tokens import basic
from rollbook.commands.options import opened
from rollbook.contract.access import Access
from rollbook.errors import RollbookError
from rollbook.store import applications, districts, events, logins, people
from rollbook.store.database import Database
from rollbook.store.districts import District
from rollbook.store.keys import Sealer, digest, key_path
from rollbook.store.logins import Grant
from rollbook.store.story import State
from rollbook.sync import How
from rollbook.synthetic import days, writer

# A published token has no end; a demo that is older than this has been kept too long.
FOREVER_SECONDS = 100 * 365 * 24 * 3600
# When a demo begins: in the morning of the first school day, whenever it is made, so that its dates and ids are the same.
BEGIN = datetime.combine(days.FIRST_DAY, time(6), UTC).timestamp()


def prepare(folder: Path, district_name: str, students: int, seed: int) -> None:
    """Make the demo in a folder: SIS files, a synced district, an application that may read it all and hears of changes."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = setting_rows.read({}, database=str(folder / "rollbook.db"), key_file=str(folder / "rollbook.db.key"))
    files = folder / "files"
    writer.write(files, students=students, seed=seed)
    with opened(settings) as database:
        districts.fix_ids(database, f"{students} {seed}", BEGIN)
        district = districts.create(database, district_name)
        state = State(students, seed, BEGIN, 0, days.date_of(0).isoformat())
        sync.run(database, district, files, settings, how=How(moment=state.first, note=state.as_note()))
        client_id, secret = basic(f"Basic {published.BASIC}") or ("", "")
        application, _ = applications.create(database, "Demo application", client_id=client_id, secret=secret, is_demo=True)
        view = sync.view_of(database, district, application.asks, settings)
        sealer = Sealer(key_path(settings))
        applications.connect(database, sealer, application, district, view, token=published.DISTRICT_TOKEN, is_demo=True)
        # Only now, so that the feed begins empty.
        events.switch(database, applications.change(database, application, has_events=True).number, on=True)
        with database.read() as connection:
            access = applications.resolve(connection, published.DISTRICT_TOKEN, in_demo=True)
        if access:
            renew_user_tokens(database, access, district)


def renew_user_tokens(database: Database, access: Access, district: District) -> None:
    """Give the published user tokens to one person of each role that the district has, unless they have one who is there."""
    application = applications.find(database, access.client_id)
    with database.write() as connection:
        whole = people.whole(connection, district.number)
        for token, role in published.USER_TOKENS:
            known = logins.resolve(connection, token, in_demo=True)
            holder = people.get(connection, whole, known.user) if known else None
            if holder and role in holder.roles:
                continue
            logins.revoke(connection, digest(token))
            for person in people.search(connection, whole, text="", role=role, school="", limit=1):
                grant = Grant(application.number, district.number, person.id, role, "district", "", logins.now())
                logins.mint(connection, grant, seconds=FOREVER_SECONDS, token=token, is_demo=True)


if __name__ == "__main__":
    try:
        prepare(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    except RollbookError as error:
        click.echo(f"rollbook: {error}", err=True)
        sys.exit(1)
