"""The demo's district: generated, synced, and opened with the published test credentials.

`rollbook demo` runs this as a process of its own, so that the engine's memory is given back before the server starts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.auth import published
from rollbook.auth.tokens import basic
from rollbook.commands.options import opened
from rollbook.errors import RollbookError
from rollbook.store import applications, districts, logins, people
from rollbook.store.applications import Application
from rollbook.store.database import Database
from rollbook.store.districts import District
from rollbook.store.keys import Sealer, key_path
from rollbook.store.logins import Grant
from rollbook.store.views import Spec
from rollbook.synthetic import writer

# A published token has no end; a demo that is older than this has been kept too long.
FOREVER_SECONDS = 100 * 365 * 24 * 3600


def prepare(folder: Path, district_name: str, students: int, seed: int) -> None:
    """Make the demo in a folder: SIS files, a synced district, an application that may read it all."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = setting_rows.read({}, database=str(folder / "rollbook.db"), key_file=str(folder / "rollbook.db.key"))
    files = folder / "files"
    writer.write(files, students=students, seed=seed)
    with opened(settings) as database:
        district = districts.create(database, district_name)
        sync.run(database, district, files, settings)
        client_id, secret = basic(f"Basic {published.BASIC}") or ("", "")
        application, _ = applications.create(database, "Demo application", client_id=client_id, secret=secret, is_demo=True)
        view = sync.view_of(database, district, Spec.of(application.scopes), settings)
        sealer = Sealer(key_path(settings))
        applications.connect(database, sealer, application, district, view, token=published.DISTRICT_TOKEN, is_demo=True)
        _mint_user_tokens(database, application, district)


def _mint_user_tokens(database: Database, application: Application, district: District) -> None:
    """The published user tokens, for one person of each role that the district has."""
    with database.write() as connection:
        access = people.whole(connection, district.number)
        for token, role in published.USER_TOKENS:
            for person in people.search(connection, access, text="", role=role, school="", limit=1):
                grant = Grant(application.number, district.number, person.id, role, "district", "", logins.now())
                logins.mint(connection, grant, seconds=FOREVER_SECONDS, token=token, is_demo=True)


if __name__ == "__main__":
    try:
        prepare(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    except RollbookError as error:
        click.echo(f"rollbook: {error}", err=True)
        sys.exit(1)
