"""Which application reads a district, and what of it: connect, share, list the shares, thaw what is
frozen."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace

import click
import orjson

from rollbook import sync
from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.contract.clever import view_spec
from rollbook.domain import shares as share_rules
from rollbook.errors import BadSetting, Refused, Unknown
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.share_history import PastShare
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import sealer
from rollbook.store.engine.opening import opened
from rollbook.store.records import event_feed, people_lookup
from rollbook.sync import How, Sync

# Exit code of an edit that waits for a person, as for a sync that is held.
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
@click.option("--new-token", is_flag=True, help="End the district token there is, and print a new one.")
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

    It sees what its scopes open and the district shares; sensitive fields only when `rollbook share
    --sensitive` opens them, too. Connecting again prints the same token, and changes what it sees only when a
    share is given.
    """
    settings = read_settings(database=database)
    share = _share(shared) if shared else None
    with opened(settings) as store:
        own = sealer(store, settings)
        reader, owner = applications.find(store, application), districts.find(store, district)
        _check_schools(store, owner, share)
        # A connection that is to see a part begins with nothing: it never sees the whole, not even for a
        # moment.
        begin = reader.asks if share is None else replace(reader.asks, share=share_rules.Share())
        if new_token and owner.number in connections.districts_of(store, reader):
            # The old token is not opened: the key that it was sealed with may be lost.
            token = connections.renew_token(store, own, reader, owner)
        else:
            token = connections.connect(
                store, own, reader, owner, sync.view_of(store, owner, begin, settings)
            )
        if shared or freezes is not None:
            now = sync.seen(store, owner, reader).spec
            sync.share(
                store,
                owner,
                reader,
                replace(now, share=share if shared else now.share),
                settings,
                freezes=freezes,
            )
        if reader.has_events:
            event_feed.switch(store, reader.number, on=True)
    if as_json:
        click.echo(orjson.dumps({"client_id": reader.client_id, "district": owner.id, "access_token": token}))
        return
    click.echo(f"district token  {token}")


@click.command()
@click.argument("application")
@click.argument("district")
@click.argument("shared", metavar="SHARE", required=False)
@click.option("--history", is_flag=True, help="Only list what it saw since it was connected, oldest first.")
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
@click.option("--preview", is_flag=True, help="Only show what would enter, change and leave.")
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
    """Set what a connected APPLICATION sees of a DISTRICT, at once and at every sync from now on. What no
    option names stays.

    SHARE is `everything`, `nothing`, or JSON: {"schools": ["0001", "Pine Elementary"]}, or {"rules":
    [{"kind": "student", "where": [["grade", "equals any of", "9", "10"]], "with": ["sections"]}]}.
    """
    if sum((shared is not None, history, revert is not None)) != 1:
        raise BadSetting("share: expected one of SHARE, --history and --revert N")
    settings = read_settings(database=database)
    with opened(settings) as store:
        reader, owner = applications.find(store, application), districts.find(store, district)
        if history:
            _show_history(connections.past_shares(store, reader, owner), as_json=as_json)
            return
        now = sync.seen(store, owner, reader).spec
        wanted = (
            _reverted(store, reader, owner, now, revert)
            if revert
            else replace(now, share=_share(shared or ""))
        )
        _check_schools(store, owner, wanted.share)
        spec = replace(
            wanted,
            withheld=_withheld(reader, withheld or wanted.withheld) if withheld or revert else now.withheld,
            keeps_ids=wanted.keeps_ids if keep_ids is None else keep_ids,
            sensitive=_named("sensitive", sensitive, view_spec.SENSITIVE_FIELDS)
            if sensitive
            else wanted.sensitive,
        )
        done = sync.share(store, owner, reader, spec, settings, How(is_plan=preview), freezes=freezes)
    _tell(reader, done, as_json=as_json)


@click.command()
@click.argument("district")
@database_option
@json_option
def shares(district: str, database: str | None, as_json: bool) -> None:
    """List the applications that read a DISTRICT (name or id), with what it shares with each, and whether
    that is frozen."""
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
    """Cut an APPLICATION off from a DISTRICT: its district token and its people's tokens end at once."""
    with opened(read_settings(database=database)) as store:
        reader, owner = applications.find(store, application), districts.find(store, district)
        connections.disconnect(store, reader, owner)
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


def _reverted(store: Database, reader: Application, owner: District, now: Spec, number: int) -> Spec:
    past = connections.past_shares(store, reader, owner)
    if number > len(past):
        raise Unknown(f"share: there is no line {number} in the history; it has {len(past)}")
    return past[number - 1].again(now)


def _tell(reader: Application, done: Sync, *, as_json: bool) -> None:
    """Show what an edit did, and say aloud when it did nothing: held by a freeze, or nobody matches."""
    report.show(done, as_json=as_json)
    left = sum(
        count.existing + count.created - count.deleted
        for kind, count in done.kinds.items()
        if kind != "districts"
    )
    if not as_json and done.kinds and not left:
        click.echo(f"{reader.name} then sees nothing of it but the district's own record")
    if done.state == "held":
        click.echo(f"NOT applied: what {reader.name} sees is frozen; `rollbook thaw` applies it", err=True)
        sys.exit(HELD)


def _check_schools(store: Database, owner: District, share: share_rules.Share | None) -> None:
    """Errors: Unknown for a school that the district does not have; before its first sync, nobody knows."""
    named = share_rules.schools_named(share)
    if not named or not owner.snapshot:
        return
    with store.read() as connection:
        known = people_lookup.school_names(connection, people_lookup.whole(connection, owner.number))
    for school in named:
        if school not in known:
            raise Unknown(f"share: {owner.name!r} has no school with the SIS id, name or id {school!r}")


def _in_words(share: share_rules.Share) -> str:
    return orjson.dumps(share_rules.as_json(share)).decode() if share != share_rules.Share() else "nothing"


@click.command()
@click.argument("application")
@click.argument("district")
@database_option
@json_option
def thaw(application: str, district: str, database: str | None, as_json: bool) -> None:
    """Let an APPLICATION see the present state of a DISTRICT again, after its view has frozen."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        reader = applications.find(store, application)
        done = sync.thaw(store, districts.find(store, district), reader, settings)
    _tell(reader, done, as_json=as_json)


def _share(text: str) -> share_rules.Share | None:
    words = {"everything": None, "nothing": share_rules.Share()}
    if text in words:
        return words[text]
    try:
        return share_rules.parse(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise BadSetting(f"share: expected everything, nothing, or JSON; {error}") from None


def _withheld(reader: Application, fields: tuple[str, ...]) -> tuple[str, ...]:
    """What the district leaves out: only what the application can do without (ingest.md 4.3)."""
    for field in fields:
        if field in reader.requires:
            raise Refused(
                f"{reader.name!r} requires {field}: what it names as required cannot be withheld from it"
            )
    return _named("withhold", fields, view_spec.WITHHOLDABLE)


def _named(option: str, fields: tuple[str, ...], known: Collection[str]) -> tuple[str, ...]:
    if fields in ((), ("none",)):
        return ()
    for field in fields:
        if field not in known:
            raise BadSetting(
                f"{option}: {field!r} is no field for it; expected none, or some of {', '.join(known)}"
            )
    return tuple(sorted(set(fields)))
