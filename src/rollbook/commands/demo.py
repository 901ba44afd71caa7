"""`rollbook demo`: a sandbox with realistic districts and published test credentials."""

from __future__ import annotations

import signal
import sys
from contextlib import AbstractContextManager
from importlib import import_module
from multiprocessing.context import ForkProcess, SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from rollbook.commands.options import json_option, read_settings
from rollbook.contract.clever.versions import HOSTS
from rollbook.demo import demo_folder, original_names, published, saves, turns
from rollbook.demo.original_names import Files
from rollbook.demo.saves import Save
from rollbook.errors import BadSetting, Refused
from rollbook.settings import Settings, base_url
from rollbook.store.accounts import application_checks, applications, connections
from rollbook.store.district import demo_state
from rollbook.store.engine.database import Database
from rollbook.store.engine.opening import opened
from rollbook.web.http import listening
from rollbook.web.http.demo_lines import curl_lines

if TYPE_CHECKING:  # the server is loaded while the districts are made
    from rollbook.demo.access_sheet import Handout

DEFAULT_FOLDER = Path("rollbook-demo")
DISTRICT = "#DEMO Rollbook Unified School District"
STUDENTS, SEED = 1000, 1
# The values of --advance.
# The names are those of `rollbook.synthetic.stories`, which a demo that is served need not load.
STORIES = (
    *("term", "rollover", "student-changes-school", "teacher-becomes-staff", "section-ids-reused"),
    *("half-a-file", "mass-deletion", "person-leaves", "back-after-299-days", "back-after-301-days"),
)
TARGETS = f"a number of days, {', '.join(STORIES)}; or approve or discard, for a held sync"
# Loaded while a new demo's districts are made.
SERVER = "rollbook.demo.serving"
# What `--redirect-uri` calls the page of a demo that shows what an application is sent.
OWN_PAGE = "demo"


@click.command()
@click.option("--host", help="Address to listen on; default 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on; default 8400.")
@click.option(
    "--students", type=int, help=f"How many students a new demo's district has; default {STUDENTS}."
)
@click.option(
    "--seed", type=int, help=f"The same seed gives the same new demo, ids included; default {SEED}."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, readable=False),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder that holds the demo.",
)
@click.option("--fresh", is_flag=True, help="Start over with a new demo.")
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    help=(
        "Where logins return to: an address of your application. May be repeated. New addresses "
        "replace the old ones. The word `demo` removes them, so logins return to the demo's own page."
    ),
)
@click.option(
    "--tls",
    is_flag=True,
    help="Serve it as https://clever.com and https://api.clever.com on this machine; default port 443.",
)
@click.option("--advance", metavar="X", help=f"Move the district on and exit: {TARGETS}.")
@click.option("--save", "save_as", metavar="NAME", help="Save the whole demo under a name, and exit.")
@click.option("--restore", metavar="NAME", help="Restore the whole demo from a save, and exit.")
@json_option
def demo(
    host: str | None,
    port: int | None,
    students: int | None,
    seed: int | None,
    folder: Path,
    fresh: bool,
    redirect_uris: tuple[str, ...],
    tls: bool,
    advance: str | None,
    save_as: str | None,
    restore: str | None,
    as_json: bool,
) -> None:
    """Serve invented districts to try Rollbook with; their state survives a restart.

    With --advance, the first district moves on instead: files of a later day are invented and synced, and
    events are published. A server that runs on the same folder shows the changes at once. With --json, a
    server prints one line when it accepts requests.
    """
    settings = read_settings(
        host=host,
        port=original_names.PORT if tls and port is None else port,
        database=str(folder / demo_folder.DATABASE),
        key_file=str(folder / demo_folder.KEY),
        **(original_names.addresses(port) if tls else {}),
    )
    # The demo's own page is an address of each of its applications anyway, so none is left to register.
    registered = tuple(uri for uri in redirect_uris if uri != OWN_PAGE)
    application_checks.check_redirects(registered)
    asked = [target for target in (advance, save_as, restore) if target is not None]
    if len(asked) > 1:
        raise BadSetting("--advance, --save, --restore: give one of them at a time")
    is_new = fresh or not demo_folder.is_ready(folder)
    if is_new:
        with turns.making(folder):
            is_new = fresh or not demo_folder.is_ready(folder)  # another process may have made it meanwhile
            if is_new:
                turns.check_not_served(folder)
                if not asked:
                    listening.check_port(settings)
                _make_new(folder, settings, students, seed, as_json=as_json)
    with opened(settings) as database:
        _check_size(database, students, seed)
        if not (is_new or asked):
            turns.check_not_served(folder)
            listening.check_port(settings)
        if redirect_uris:
            _register(database, settings, registered)
        shown = import_module("rollbook.demo.access_sheet").read(database, settings, base_url(settings))
    if advance is not None:
        # Loaded only here: the engine's memory is nothing that the server should spend.
        import_module("rollbook.demo.advance").tell(folder, advance, settings, as_json=as_json)
    elif save_as is not None:
        _tell_save(saves.save(folder, save_as, settings), "Saved", as_json=as_json)
    elif restore is not None:
        _tell_save(saves.restore(folder, restore, settings), "Restored", as_json=as_json)
    else:
        with _serving(folder, settings):
            _serve(settings, shown, _certified(folder) if tls else None, as_json=as_json)


def _make_new(
    folder: Path, settings: Settings, students: int | None, seed: int | None, *, as_json: bool
) -> None:
    demo_folder.clear(folder)
    chosen = STUDENTS if students is None else students
    click.echo(f"Making a district of about {chosen:,} students in {folder} ...", err=as_json)
    _prepare(folder, chosen, SEED if seed is None else seed, base_url(settings))


def _serving(folder: Path, settings: Settings) -> AbstractContextManager[None]:
    reached = original_names.reached_at(settings.host, settings.port)
    return turns.serving(folder, base_url(settings), reached)


def _certified(folder: Path) -> Files:
    # Loaded only here: few demos are served over TLS.
    files: Files = import_module("rollbook.demo.local_authority").ready(folder)
    return files


def _tell_save(about: Save, done: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(about.as_json()))
    else:
        click.echo(f"{done} {about.name}: day {about.day}, {about.date}.")


def _check_size(database: Database, students: int | None, seed: int | None) -> None:
    """Check that the existing demo is the one asked for. Errors: Refused."""
    with database.read() as transaction:
        access = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
        if access is None:
            raise Refused("there is no demo here; start over with --fresh")
        made = demo_state.state(transaction, access.district)
    asked = (made.students if students is None else students, made.seed if seed is None else seed)
    if asked != (made.students, made.seed):
        raise Refused(
            f"this demo has {made.students:,} students and the seed {made.seed};"
            " use --fresh to make another one in its place, or --folder to make one beside it"
        )


def _register(database: Database, settings: Settings, redirect_uris: tuple[str, ...]) -> None:
    """Let the logins of all the demo's applications return to these addresses."""
    with database.read() as transaction:
        found = [
            applications.by_client_id(transaction, client.client_id, in_demo=True)
            for client in published.CLIENTS
        ]
    # Loaded only here, so that the server does not spend memory on the engine.
    registering = import_module("rollbook.operations.registering")
    for application in found:
        if application:
            registering.change(database, settings, application.client_id, redirect_uris=redirect_uris)


def _serve(settings: Settings, shown: Handout, files: Files | None, *, as_json: bool) -> None:
    serving = import_module(SERVER)
    facts = serving.Demo(published.DISTRICT_TOKEN, published.BASIC, DISTRICT)
    tls = (files.certificate, files.key) if files else None
    if as_json:
        told = shown.as_json() | ({"tls": _tls_as_json(settings, files)} if files else {})
        serving.run(settings, facts, when_ready=lambda: click.echo(orjson.dumps(told)), tls=tls)
        return
    _show(shown)
    if files:
        _show_tls(settings, files)
    serving.run(settings, facts, tls=tls)


def _tls_as_json(settings: Settings, files: Files) -> dict[str, object]:
    return {
        "authority": str(files.authority.absolute()),
        "hosts_line": original_names.hosts_line(settings.host),
        "api_base": settings.api_base,
        "trust": dict(original_names.trust(files.authority)),
    }


def _show_tls(settings: Settings, files: Files) -> None:
    """How clients come to reach the demo under the original names, and to trust it."""
    line = original_names.hosts_line(settings.host)
    api, ca = settings.api_base, files.authority.absolute()
    resolve = f"{HOSTS[1]}:{settings.port}:{line.split()[0]}"
    click.echo(f"""
Served over TLS. Add this line to /etc/hosts, so that the names lead here, and remove it afterwards:

  {line}

This curl line works without it:

  curl --cacert {ca} --resolve {resolve} -H "Authorization: Bearer {published.DISTRICT_TOKEN}" {api}/v3.0/districts

The authority can sign for these names only, and its key is deleted. Each client can trust it:
""")
    for client, how in original_names.trust(files.authority).items():
        click.echo(f"  {client:21} {how}")


def _show(shown: Handout) -> None:
    base, main = shown.base, shown.entrances[0]
    width = max(len(key.token) for key in shown.keys)
    click.echo(f"""
Rollbook demo: {shown.district_keys[0].district.name}, served at {base}

  Client id      {main.client.client_id}
  Client secret  {main.client.secret}
  Sign in        {main.sign_in}
  Your callback  {shown.registering}
""")
    for key in shown.keys:
        click.echo(f"  {key.token:{width}}  {key.opens}")
    click.echo("\nTry:")
    for line in curl_lines(base, published.DISTRICT_TOKEN, published.BASIC):
        click.echo(f"  {line}")
    click.echo(f"""
  {base}/           all of this, and two more applications: District SSO, Library
  {base}/explorer   the API, to try out in the browser
  {base}/demo       what happens next: a day, a term, a year, a scenario
  {base}/login      sign in as anybody

All of this is published: keep real data out of a demo. Stop with Ctrl+C.""")


def _prepare(folder: Path, students: int, seed: int, base: str) -> None:
    """Make the districts in a process of its own: its memory is free again before the server starts.

    Where a fork is safe, the process begins with all that this one has loaded.
    """
    begin = ForkProcess if sys.platform == "linux" else SpawnProcess
    making = begin(target=_make, args=(folder, DISTRICT, students, seed, base))
    making.start()
    import_module(SERVER)
    making.join()
    if making.exitcode:
        sys.exit(making.exitcode if making.exitcode > 0 else 128 - making.exitcode)
    (folder / demo_folder.READY).touch()


def _make(*given: object) -> None:
    try:
        import_module("rollbook.demo.build").make(*given)
    except KeyboardInterrupt:  # a terminal interrupts both processes, and the other one says so
        sys.exit(128 + signal.SIGINT)
