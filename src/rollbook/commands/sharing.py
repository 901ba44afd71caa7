"""Which application reads a district, and what it sees: connect, share, list shares, thaw a frozen view."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import orjson

from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.contract.clever import versions
from rollbook.domain import shares as share_rules
from rollbook.errors import BadSetting
from rollbook.operations import connecting, share_edits
from rollbook.operations.share_edits import Edited, ShareEdit
from rollbook.settings import base_url
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.share_history import PastShare
from rollbook.store.district import districts, views
from rollbook.store.engine.opening import opened

# Exit code of an edit that waits for an operator, as for a held sync.
HELD = 3

_freeze = click.option(
    "--freeze/--no-freeze",
    "freezes",
    default=None,
    help="Whether what it sees stays as it is, until `rollbook thaw`, when a run would change 75 % or delete more than 10 % of a"
    " kind; default: no.",
)


@click.command()
@click.argument("application")
@click.argument("district")
@click.option(
    "--share",
    "shared",
    help="What it sees: everything (the default), nothing, or JSON as `rollbook share` takes it.",
)
@_freeze
@click.option("--new-token", is_flag=True, help="End the current district token, and print a new one.")
@database_option
@json_option
def connect(
    application: str,
    district: str,
    shared: str | None,
    freezes: bool | None,
    new_token: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Let an APPLICATION (name or client id) read a DISTRICT (name or id), and print the district token.

    The application sees what its scopes open and the district shares. It sees sensitive fields only if
    `rollbook share --sensitive` opens them, too. Connecting again prints the same token. It changes the share
    only if you give one.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        done = connecting.connect(
            store,
            settings,
            application,
            district,
            shared=shared or None,
            freezes=freezes,
            renews_token=new_token,
        )
    if as_json:
        told = {
            "client_id": done.application.client_id,
            "district": done.district.id,
            "access_token": done.token,
        }
        click.echo(orjson.dumps(told))
        return
    click.echo(f"district token  {done.token}")
    click.echo("\nTry it:\n")
    address = f"{base_url(settings)}/{versions.DEFAULT}"
    click.echo(f'  curl -H "Authorization: Bearer {done.token}" "{address}/users?limit=1"')
    click.echo(f"\nSend to the people of {done.application.name}, by a way that nobody else reads:\n")
    click.echo(f"  API address     {address}")
    click.echo(f"  district        {done.district.name} ({done.district.id})")
    click.echo(f"  district token  {done.token}")


@click.command()
@click.argument("application")
@click.argument("district")
@click.argument("shared", metavar="SHARE", required=False)
@click.option("--history", is_flag=True, help="Only list its shares since it was connected, oldest first.")
@click.option(
    "--revert",
    type=click.IntRange(1),
    help="Share what line N of --history says again; further options still count.",
)
@click.option(
    "--withhold",
    "withheld",
    multiple=True,
    help="A field to leave out, such as student.dob; may be repeated. `none` ends it.",
)
@click.option(
    "--sensitive",
    multiple=True,
    help="A sensitive field to open to it, such as student.ell_status, if its scopes name it, too; may be repeated. `none` ends"
    " it.",
)
@click.option(
    "--keep-ids/--drop-ids",
    "keep_ids",
    default=None,
    help="Whether ids of unshared people stay inside shared records, as some clients expect; default: no.",
)
@_freeze
@click.option("--preview", is_flag=True, help="Only show which records would enter, change and leave.")
@database_option
@json_option
def share(
    application: str,
    district: str,
    shared: str | None,
    history: bool,
    revert: int | None,
    withheld: tuple[str, ...],
    sensitive: tuple[str, ...],
    keep_ids: bool | None,
    freezes: bool | None,
    preview: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Set what a connected APPLICATION sees of a DISTRICT, from now on. Options that are not given keep their
    values.

    SHARE is `everything`, `nothing`, or JSON: {"schools": ["0001", "Pine Elementary"]}, or {"rules":
    [{"kind": "student", "where": [["grade", "equals any of", "9", "10"]], "with": ["sections"]}]}.
    """
    if sum((shared is not None, history, revert is not None)) != 1:
        raise BadSetting("share: expected one of SHARE, --history and --revert N")
    settings = read_settings(database=database)
    edit = ShareEdit(shared, _fields(withheld), _fields(sensitive), keep_ids, freezes)
    with opened(settings) as store:
        if history:
            reader, owner = applications.find(store, application), districts.find(store, district)
            _show_history(connections.past_shares(store, reader, owner), as_json=as_json)
            return
        if revert:
            done = share_edits.revert(store, settings, application, district, revert, edit, is_plan=preview)
        else:
            done = share_edits.share(store, settings, application, district, edit, is_plan=preview)
    _tell(done, as_json=as_json)


@click.command()
@click.argument("district")
@database_option
@json_option
def shares(district: str, database: str | None, as_json: bool) -> None:
    """List the applications that read a DISTRICT (name or id), each with its share, and whether its view is
    frozen."""
    with opened(read_settings(database=database)) as store:
        seen = views.by_application(store, districts.find(store, district).number)
    shown = {
        name: {
            "share": share_rules.as_json(view.spec.share) or "everything",
            "withheld": view.spec.withheld,
            "sensitive": view.spec.sensitive,
            "unasked": view.spec.unasked,
            "keeps_ids": view.spec.keeps_ids,
            "freezes": view.freezes,
            "frozen": view.frozen,
        }
        for name, view in seen.items()
    }
    if as_json:
        show_json(shown)
        return
    for name, view in seen.items():
        click.echo(f"{name}: {'everything' if view.spec.share is None else _in_words(view.spec.share)}")
        labelled = (
            ("without", view.spec.withheld),
            ("without, as it does not ask for it", view.spec.unasked),
            ("with", view.spec.sensitive),
            ("freezes", ("when a run would change too much of it",) if view.freezes else ()),
            ("frozen", view.frozen),
        )
        for label, values in labelled:
            for value in values:
                click.echo(f"  {label}: {value}")


@click.command()
@click.argument("application")
@click.argument("district")
@database_option
def disconnect(application: str, district: str, database: str | None) -> None:
    """Disconnect an APPLICATION from a DISTRICT: its district token and its user tokens there end at once."""
    with opened(read_settings(database=database)) as store:
        reader, owner = connecting.disconnect(store, application, district)
    click.echo(f"{reader.name} reads nothing of {owner.name} any more; what it has copied is still with it")


def _show_history(past: Sequence[PastShare], *, as_json: bool) -> None:
    if as_json:
        shown = [
            {"number": number, "created": one.created, "held": one.is_held, **one.told}
            for number, one in enumerate(past, 1)
        ]
        show_json(shown)
        return
    for number, one in enumerate(past, 1):
        parts = (
            one.told["share"]
            if isinstance(one.told["share"], str)
            else orjson.dumps(one.told["share"]).decode(),
            *(f"without {field}" for field in one.told["withheld"]),
            *(f"with {field}" for field in one.told["sensitive"]),
            *(("with ids of unshared people",) if one.told["keeps_ids"] else ()),
            *(("not applied: frozen",) if one.is_held else ()),
        )
        click.echo(f"{number:>4}  {one.created[:19]}Z  {', '.join(parts)}")


def _fields(given: tuple[str, ...]) -> tuple[str, ...] | None:
    """Fields from an option: without the option the fields stay, `none` clears them."""
    return () if given == ("none",) else given or None


def _tell(done: Edited, *, as_json: bool) -> None:
    """Show what an edit did, and say clearly if it had no effect: a freeze held it back, or the share matches
    nobody."""
    report.show(done.run, as_json=as_json)
    name = done.application.name
    if not as_json and done.is_empty:
        click.echo(f"{name} then sees nothing of it but the district's own record")
    if done.is_held:
        click.echo(f"NOT applied: what {name} sees is frozen; `rollbook thaw` applies it", err=True)
        sys.exit(HELD)


def _in_words(share: share_rules.Share) -> str:
    return orjson.dumps(share_rules.as_json(share)).decode() if share != share_rules.Share() else "nothing"


@click.command()
@click.argument("application")
@click.argument("district")
@database_option
@json_option
def thaw(application: str, district: str, database: str | None, as_json: bool) -> None:
    """Show an APPLICATION the present state of a DISTRICT again, after its view has frozen."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        done = share_edits.thaw(store, settings, application, district)
    _tell(done, as_json=as_json)
