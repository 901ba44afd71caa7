"""`rollbook log`: the last requests of applications, with hints for those that failed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
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
    each request is one line. A busy worker keeps the first requests of each half second; a line counts those
    that it left out.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        client_id = applications.find(store, application).client_id if application else ""
        wanted = Wanted.of(client_id, status, path)
        reading = Reading(store, is_operator=True)
        shown: set[int] = set()
        batches = _read(store, settings, since_ms=0, without=shown)
        found = newest_first(batches, wanted)[:last]
        _show(found, batches, reading, as_json=as_json)
        if not found and not as_json:
            is_picked = application or status or path
            click.echo("No request in the log fits." if is_picked else "The log holds no request yet.")
        while follow:
            shown |= {batch.number for batch in batches}
            time.sleep(POLL_SECONDS)
            batches = _read(store, settings, since_ms=now_ms() - LATE_SECONDS * 1000, without=shown)
            _show(newest_first(batches, wanted), batches, reading, as_json=as_json)


def _read(store: Database, settings: Settings, *, since_ms: int, without: set[int]) -> list[Batch]:
    if not is_there(settings):
        return []
    with closing(RequestLog(store, settings)) as kept:
        return kept.read(since_ms=since_ms, without=without)


def _show(entries: Sequence[Entry], batches: Iterable[Batch], reading: Reading, *, as_json: bool) -> None:
    """Print requests, and between them how many a busy worker left out of the log."""
    since = entries[-1].at if entries else 0
    left_out = [batch for batch in batches if batch.dropped and batch.at >= since]
    lines: list[Entry | Batch] = [*entries, *left_out]
    for one in sorted(lines, key=_place):
        if isinstance(one, Batch):
            click.echo(_left_out(one, as_json=as_json))
        elif as_json:
            click.echo(orjson.dumps(as_dict(one, reading)).decode())
        else:
            for line in _lines(one, reading):
                click.echo(line)


def _place(one: Entry | Batch) -> tuple[int, bool, str]:
    return (one.at, True, "") if isinstance(one, Batch) else (one.at, False, one.id)


def _left_out(batch: Batch, *, as_json: bool) -> str:
    moment = datetime.fromtimestamp(batch.at / 1000, UTC)
    if as_json:
        return orjson.dumps({"at": _as_text(moment), "left_out": batch.dropped}).decode()
    return f"{moment:%Y-%m-%d %H:%M:%S}      {batch.dropped:,} more requests until then are not in the log"


def as_dict(entry: Entry, reading: Reading) -> dict[str, object]:
    """A request as JSON: its entry in the log, its time, the application's name and the hints."""
    told = {name: value for name, value in asdict(entry).items() if name not in ("at", "notes")}
    return {
        **told,
        "at": _as_text(_moment(entry)),
        "application": reading.name(entry.client_id),
        "hints": [asdict(hint) for hint in hints(entry, reading)],
    }


def _lines(entry: Entry, reading: Reading) -> Iterator[str]:
    moment = f"{_moment(entry):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    who = "  ".join(filter(None, (reading.name(entry.client_id), entry.token)))
    cost = f"{entry.size / 1000:,.1f} KB  {entry.micros / 1000:,.1f} ms"
    yield f"{moment}  {entry.status}  {entry.method} {entry.address}  {who or 'no token'}  {cost}"
    yield from (f"    ! {hint.text}" for hint in hints(entry, reading))


def _as_text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(entry: Entry) -> datetime:
    return datetime.fromtimestamp(entry.at / 1000, UTC)
