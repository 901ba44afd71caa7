"""Make the demo's districts: generate and sync them, and open them with the published test credentials.

`rollbook demo` runs this in its own process, so that the engine's memory is free before the server starts.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time
from functools import partial
from pathlib import Path

import click

from rollbook import settings as setting_rows
from rollbook.auth.oidc import Signer
from rollbook.demo import demo_folder, published
from rollbook.demo.published import Client
from rollbook.domain.access import Access
from rollbook.errors import RollbookError
from rollbook.operations import connecting, district_setup, registering, run_decisions
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections, logins
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.accounts.logins import Grant
from rollbook.store.district import demo_state, districts
from rollbook.store.district.demo_state import State
from rollbook.store.district.districts import District
from rollbook.store.engine import server_values
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.keys import digest, sealer
from rollbook.store.engine.opening import opened
from rollbook.store.records import people_lookup
from rollbook.store.records.people_lookup import Person
from rollbook.sync import How
from rollbook.synthetic import days, writer

# Published tokens do not expire; this is far longer than any demo lives.
FOREVER_SECONDS = 100 * 365 * 24 * 3600
# The time at which every demo begins: the morning of the first school day, so that its dates and ids are
# always the same.
BEGIN = datetime.combine(days.FIRST_DAY, time(6), UTC).timestamp()
# A small second district, because most applications have more than one. It does not move.
SECOND_DISTRICT = "#DEMO Birch Lake Schools"
SECOND_STUDENTS = 150
# Among how many people to look for the holder of a user token.
CANDIDATES = 50


def make(folder: Path, district_name: str, students: int, seed: int, base: str) -> None:
    """Make the demo, as the whole work of a process."""
    try:
        prepare(folder, district_name, students, seed, base)
    except RollbookError as error:
        click.echo(f"rollbook: {error}", err=True)
        sys.exit(1)


def prepare(folder: Path, district_name: str, students: int, seed: int, base: str) -> None:
    """Make the demo in a folder: SIS files, two synced districts, and an application of each tier. `base` is
    its address."""
    demo_folder.begin(folder)
    settings = setting_rows.read(
        {}, database=str(folder / demo_folder.DATABASE), key_file=str(folder / demo_folder.KEY)
    )
    with opened(settings, may_begin=True) as database:
        districts.fix_ids(database, f"{students} {seed}", BEGIN)
        with database.write() as transaction:
            demo_state.own(transaction, (district_name, SECOND_DISTRICT))
            # The records have the address from the start, so no event must announce it.
            server_values.write(transaction, districts.BASE_ADDRESS, base)
        with ThreadPoolExecutor(1) as beside:
            # Every save then has the key, so an id token from before a restore still verifies. To draw it takes
            # a third of a second, in which the districts are made.
            key = beside.submit(Signer(database, sealer(database, settings)).ensure_key)
            first = _first_district(
                database, settings, folder / demo_folder.FILES, district_name, students, seed
            )
            second = _second_district(database, settings, seed + 1)
            key.result()
        _register(database, settings, first, second)
        with database.read() as transaction:
            access = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
        if access:
            renew_user_tokens(database, access, first)


def _first_district(
    database: Database, settings: Settings, files: Path, name: str, students: int, seed: int
) -> District:
    """The district of the demo's moves; its files stay."""
    district = district_setup.create(database, name).district
    writer.write(files, students=students, seed=seed)
    state = State(students, seed, BEGIN, 0, days.date_of(0).isoformat())
    run_decisions.sync_files(
        database, settings, district.id, files, How(moment=BEGIN, note=partial(demo_state.keep, state))
    )
    with database.read() as transaction:
        whole = people_lookup.whole(transaction, district.number)
        found = people_lookup.search(transaction, whole, text="", role="district_admin", school="", limit=1)
    if found:
        district_setup.name_contact(database, district.id, found[0].id)
    return district


def _second_district(database: Database, settings: Settings, seed: int) -> District:
    district = district_setup.create(database, SECOND_DISTRICT).district
    with tempfile.TemporaryDirectory(prefix="rollbook-demo-") as files:
        writer.write(Path(files), students=SECOND_STUDENTS, seed=seed)
        state = State(SECOND_STUDENTS, seed, BEGIN, 0, days.date_of(0).isoformat())
        run_decisions.sync_files(
            database,
            settings,
            district.id,
            Path(files),
            How(moment=BEGIN, note=partial(demo_state.keep, state)),
        )
    return district


def _register(database: Database, settings: Settings, first: District, second: District) -> None:
    """Register the published applications.

    Teachers allow the Library application themselves, so no district is connected to it.
    """
    for client in published.CLIENTS:
        _create(database, client)
    for client, district, token in (
        (published.APPLICATION, first, published.DISTRICT_TOKEN),
        (published.APPLICATION, second, published.SECOND_TOKEN),
        (published.SSO, first, published.SSO_TOKEN),
    ):
        connecting.connect(database, settings, client.client_id, district.id, published=token)
    # Only now, so that the feed begins empty.
    registering.change(database, settings, published.APPLICATION.client_id, has_events=True)


def _create(database: Database, client: Client) -> None:
    registering.register(
        database,
        NewApplication(
            client.name,
            tier=client.tier,
            client_id=client.client_id,
            secret=client.secret,
            has_oidc=client.has_oidc,
            is_demo=True,
        ),
    )


def renew_user_tokens(database: Database, access: Access, district: District) -> None:
    """Give each published user token to a person of its role, unless its person is still there."""
    application = applications.find(database, access.client_id)
    with database.write() as transaction:
        whole = people_lookup.whole(transaction, district.number)
        for token, role in published.USER_TOKENS:
            known = logins.resolve(transaction, token, in_demo=True)
            holder = people_lookup.get(transaction, whole, known.user) if known else None
            if holder and role in holder.roles:
                continue
            logins.revoke(transaction, digest(token))
            if person := _holder(transaction, whole, role):
                grant = Grant(
                    application.number, district.number, person.id, role, "district", "", logins.now()
                )
                logins.mint(transaction, grant, seconds=FOREVER_SECONDS, token=token, is_demo=True)


def _holder(transaction: Transaction, whole: Access, role: str) -> Person | None:
    """A person of the role, if possible without another role: many clients take a person's first role as the
    only one."""
    found = people_lookup.search(transaction, whole, text="", role=role, school="", limit=CANDIDATES)
    return min(found, key=lambda person: len(person.roles), default=None)
