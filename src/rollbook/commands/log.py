"""`rollbook log`: the last requests of applications, with hints for those that failed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime

import click
import orjson

from rollbook.commands.options import database_option, json_option, read_settings
from rollbook.settings import Settings
from rollbook.store.accounts import applications
from rollbook.store.engine.database import Database
from rollbook.store.engine.opening import opened
from rollbook.store.records.request_log import LATE_SECONDS, Batch, Entry, RequestLog, is_there, now_ms
from rollbook.web.log.log_hints import Reading, hints
from rollbook.web.log.log_reading import Wanted, newest_first

POLL_SECONDS = 0.5


@click.command("log")
@click.option("--application", help="Only requests of this application, by its name or client id.")
@click.option(
    "--status", default="", metavar="STATUS", help="Only answers of this status, such as 404 or 4xx."
)
@click.option("--path", default="", metavar="TEXT", help="Only addresses that contain this text.")
@click.option(
    "--last", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many requests."
)
@click.option("--follow", is_flag=True, help="Keep running, and print each request as it comes.")
@database_option
@json_option
def log(
    application: str | None,
    status: str,
    path: str,
    last: int,
    follow: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Show the last requests to the API, OAuth and sign-in, oldest first, with hints for those that failed.

    The log holds no bodies, names, codes or secrets, and only the last four letters of a token. With --json
    each request is one line.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        client_id = applications.find(store, application).client_id if application else ""
        wanted = Wanted.of(client_id, status, path)
        reading = Reading(store, is_operator=True)
        shown: set[int] = set()
        batches = _read(store, settings, since_ms=0, without=shown)
        _show(newest_first(batches, wanted)[:last], reading, as_json=as_json)
        while follow:
            shown |= {batch.number for batch in batches}
            time.sleep(POLL_SECONDS)
            batches = _read(store, settings, since_ms=now_ms() - LATE_SECONDS * 1000, without=shown)
            _show(newest_first(batches, wanted), reading, as_json=as_json)


def _read(store: Database, settings: Settings, *, since_ms: int, without: set[int]) -> list[Batch]:
    if not is_there(settings):
        return []
    with closing(RequestLog(store, settings)) as kept:
        return kept.read(since_ms=since_ms, without=without)


def _show(entries: Iterable[Entry], reading: Reading, *, as_json: bool) -> None:
    for entry in reversed([*entries]):
        if as_json:
            click.echo(orjson.dumps(as_dict(entry, reading)).decode())
        else:
            for line in _lines(entry, reading):
                click.echo(line)


def as_dict(entry: Entry, reading: Reading) -> dict[str, object]:
    """A request as JSON: its entry in the log, its time, the application's name and the hints."""
    told = {name: value for name, value in asdict(entry).items() if name not in ("at", "notes")}
    return {
        **told,
        "at": _moment(entry).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "application": reading.name(entry.client_id),
        "hints": [asdict(hint) for hint in hints(entry, reading)],
    }


def _lines(entry: Entry, reading: Reading) -> Iterator[str]:
    moment = f"{_moment(entry):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    who = "  ".join(filter(None, (reading.name(entry.client_id), entry.token)))
    cost = f"{entry.size / 1000:,.1f} KB  {entry.micros / 1000:,.1f} ms"
    yield f"{moment}  {entry.status}  {entry.method} {entry.address}  {who or 'no token'}  {cost}"
    yield from (f"    ! {hint.text}" for hint in hints(entry, reading))


def _moment(entry: Entry) -> datetime:
    return datetime.fromtimestamp(entry.at / 1000, UTC)
