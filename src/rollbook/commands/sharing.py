"""Which application reads a district, and what of it: connect, share, list the shares, thaw what is frozen."""

from __future__ import annotations

from dataclasses import replace

import click
import orjson

from rollbook import sync
from rollbook.commands import report
from rollbook.commands.options import database_option, json_option, opened, read_settings
from rollbook.errors import BadSetting
from rollbook.roster import sharing
from rollbook.store import applications, districts, events, views
from rollbook.store.keys import Sealer, key_path
from rollbook.store.views import Spec
from rollbook.sync import How

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
    "--share", "shared", default="everything", help="What it sees: everything, nothing, or JSON as `rollbook share` takes it."
)
@_freeze
@database_option
@json_option
def connect(application: str, district: str, shared: str, freezes: bool | None, database: str | None, as_json: bool) -> None:
    """Let an APPLICATION (name or client id) read a DISTRICT (name or id), and print the district token.

    It sees what its scopes open and the district shares; sensitive fields only as far as its scopes name them. Connecting again
    prints the same token, and changes what it sees only when a share is given.
    """
    settings = read_settings(database=database)
    share = _share(shared)
    with opened(settings) as store:
        reader, owner = applications.find(store, application), districts.find(store, district)
        # A connection that is to see a part begins with nothing: it never sees the whole, not even for a moment.
        begin = Spec.of(reader.scopes) if share is None else replace(Spec.of(reader.scopes), share=sharing.Share())
        view = sync.view_of(store, owner, begin, settings)
        token = applications.connect(store, Sealer(key_path(settings)), reader, owner, view)
        if share is not None or freezes is not None:
            sync.share(store, owner, reader, replace(begin, share=share), settings, freezes=freezes)
        if reader.has_events:
            events.switch(store, reader.number, on=True)
    if as_json:
        click.echo(orjson.dumps({"client_id": reader.client_id, "district": owner.id, "access_token": token}))
        return
    click.echo(f"district token  {token}")


@click.command()
@click.argument("application")
@click.argument("district")
@click.argument("shared", metavar="SHARE")
@click.option("--withhold", "withheld", multiple=True, help="A field to leave out, such as student.dob; may be repeated.")
@click.option("--keep-ids", is_flag=True, help="Leave ids of unshared people inside shared records, as some clients expect.")
@_freeze
@click.option("--preview", is_flag=True, help="Only show what would enter, change and leave.")
@database_option
@json_option
def share(
    application: str,
    district: str,
    shared: str,
    withheld: tuple[str, ...],
    keep_ids: bool,
    freezes: bool | None,
    preview: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Set what a connected APPLICATION sees of a DISTRICT, at once and at every sync from now on.

    SHARE is `everything`, `nothing`, or JSON: {"schools": ["0001", "Pine Elementary"]}, or {"rules": [{"kind": "student",
    "where": [["grade", "equals any of", "9", "10"]], "with": ["sections"]}]}.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        reader, owner = applications.find(store, application), districts.find(store, district)
        spec = replace(Spec.of(reader.scopes), share=_share(shared), withheld=_withheld(withheld), keeps_ids=keep_ids)
        done = sync.share(store, owner, reader, spec, settings, How(is_plan=preview), freezes=freezes)
    report.show(done, as_json=as_json)


@click.command()
@click.argument("district")
@database_option
@json_option
def shares(district: str, database: str | None, as_json: bool) -> None:
    """List the applications that read a DISTRICT (name or id), with what it shares with each, and whether that is frozen."""
    with opened(read_settings(database=database)) as store:
        seen = views.by_application(store, districts.find(store, district).number)
    shown = {
        name: {
            "share": sharing.as_json(view.spec.share) or "everything",
            "withheld": view.spec.withheld,
            "keeps_ids": view.spec.keeps_ids,
            "freezes": view.freezes,
            "frozen": view.frozen,
        }
        for name, view in seen.items()
    }
    if as_json:
        click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
        return
    for name, view in seen.items():
        click.echo(f"{name}: {'everything' if view.spec.share is None else _in_words(view.spec.share)}")
        for label, values in (("without", view.spec.withheld), ("frozen", view.frozen)):
            for value in values:
                click.echo(f"  {label}: {value}")


def _in_words(share: sharing.Share) -> str:
    return orjson.dumps(sharing.as_json(share)).decode() if share != sharing.Share() else "nothing"


@click.command()
@click.argument("application")
@click.argument("district")
@database_option
@json_option
def thaw(application: str, district: str, database: str | None, as_json: bool) -> None:
    """Let an APPLICATION see the present state of a DISTRICT again, after its view has frozen."""
    settings = read_settings(database=database)
    with opened(settings) as store:
        done = sync.thaw(store, districts.find(store, district), applications.find(store, application), settings)
    report.show(done, as_json=as_json)


def _share(text: str) -> sharing.Share | None:
    words = {"everything": None, "nothing": sharing.Share()}
    if text in words:
        return words[text]
    try:
        return sharing.parse(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise BadSetting(f"share: expected everything, nothing, or JSON; {error}") from None


def _withheld(fields: tuple[str, ...]) -> tuple[str, ...]:
    for field in fields:
        if field not in sharing.WITHHOLDABLE:
            raise BadSetting(f"withhold: expected some of {', '.join(sharing.WITHHOLDABLE)}; got {field!r}")
    return tuple(sorted(set(fields)))
