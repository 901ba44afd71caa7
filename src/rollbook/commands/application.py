"""`rollbook application` and `rollbook connect`: which applications may read, and what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
import orjson

from rollbook.commands.options import database_option, json_option, read_settings, show_json
from rollbook.contract.clever.tiers import TIER
from rollbook.errors import BadSetting
from rollbook.operations import registering
from rollbook.store.accounts import applications
from rollbook.store.accounts.application_checks import REFUSED
from rollbook.store.accounts.applications import Application, Change, NewApplication
from rollbook.store.engine.opening import opened


@click.group("application")
def application() -> None:
    """Register the applications that may read from this server."""


_redirect_uri = click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    help="Where logins return to; may be repeated, the first is primary.",
)
_scopes = click.option(
    "--scopes", default="", help="Scopes, separated by blanks or commas; default: those of the tier."
)
_user_types = click.option(
    "--user-types", default="", help="Roles that may sign in to it; default: those of the tier."
)
_events = click.option(
    "--events/--no-events",
    "has_events",
    default=None,
    help="Whether it receives events; default: no.",
)
_fields_asked = click.option(
    "--field",
    "fields",
    multiple=True,
    help="A field it asks for, as required:student.grade or optional:student.dob, or does not want, as refused:section.ext; may"
    " be repeated. Of a role that has none listed, it asks for all; `all` lists none.",
)
_why = click.option(
    "--why",
    "why",
    multiple=True,
    help="Why it needs a scope or field, such as student.dob='to wish a happy birthday'; districts read this. May be repeated.",
)
_oidc = click.option(
    "--oidc/--no-oidc",
    "has_oidc",
    default=None,
    help=(
        "Whether the application speaks OpenID Connect: logins come with an id token, and "
        "return with `iss`; default: no."
    ),
)


@application.command()
@click.argument("name")
@_redirect_uri
@click.option(
    "--tier",
    type=click.Choice(list(TIER)),
    default="secure_sync",
    show_default=True,
    help="How much it may see.",
)
@_scopes
@_user_types
@_fields_asked
@_why
@_oidc
@click.option("--owner", help="The developer who owns it: a person of the console, by name.")
@database_option
@json_option
def create(
    name: str,
    redirect_uris: tuple[str, ...],
    tier: str,
    scopes: str,
    user_types: str,
    fields: tuple[str, ...],
    has_oidc: bool | None,
    database: str | None,
    as_json: bool,
    **more: Any,
) -> None:
    """Register an application called NAME; its client secret is printed only this once."""
    with opened(read_settings(database=database), may_begin=True) as store:
        wanted = NewApplication(
            name,
            redirect_uris=redirect_uris,
            tier=tier,
            scopes=_words(scopes),
            user_types=_words(user_types),
            has_oidc=has_oidc is True,
            fields=_fields(fields),
            why=_reasons(more["why"]),
        )
        made, secret = registering.register(store, wanted, owner=more["owner"])
    _print_secret(made, secret, as_json=as_json)


@application.command("set")
@click.argument("application")
@_redirect_uri
@_scopes
@_user_types
@_oidc
@_events
@click.option(
    "--live/--development", "is_live", default=None, help="A live application needs https addresses."
)
@_fields_asked
@_why
@database_option
@json_option
def change(
    application: str,
    redirect_uris: tuple[str, ...],
    scopes: str,
    user_types: str,
    has_oidc: bool | None,
    has_events: bool | None,
    is_live: bool | None,
    fields: tuple[str, ...],
    database: str | None,
    as_json: bool,
    **more: Any,
) -> None:
    """Change an APPLICATION (name or client id): each given option replaces the old value; the others stay.

    Its views follow its scopes and fields at once, in all its districts.
    """
    settings = read_settings(database=database)
    with opened(settings) as store:
        given = Change(
            redirect_uris=redirect_uris or None,
            scopes=_words(scopes) or None,
            user_types=_words(user_types) or None,
            has_oidc=has_oidc,
            has_events=has_events,
            is_live=is_live,
            fields=_fields(fields) if fields else None,
            why=_reasons(more["why"]) or None,
        )
        changed = registering.change(store, settings, application, **given)
    _print(changed, as_json=as_json)


@application.command("list")
@database_option
@json_option
def list_applications(database: str | None, as_json: bool) -> None:
    """List the applications, each with its districts."""
    with opened(read_settings(database=database)) as store:
        found = applications.list_all(store)
    if as_json:
        shown = [
            {"name": one.name, "client_id": one.client_id, "tier": one.tier, "districts": names}
            for one, names in found
        ]
        show_json(shown)
        return
    for one, names in found:
        click.echo(f"{one.client_id}  {one.tier:11}  {one.name}: {', '.join(names) or 'no district'}")


@application.command()
@click.argument("application")
@database_option
def remove(application: str, database: str | None) -> None:
    """Remove an APPLICATION (name or client id) that is not connected to a district."""
    with opened(read_settings(database=database)) as store:
        removed = registering.remove(store, application)
    click.echo(f"{removed.name} is removed")


@application.command()
@click.argument("application")
@database_option
@json_option
def show(application: str, database: str | None, as_json: bool) -> None:
    """Show an APPLICATION (name or client id)."""
    with opened(read_settings(database=database)) as store:
        found = applications.find(store, application)
    _print(found, as_json=as_json)


@application.command("rotate-secret")
@click.argument("application")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0),
    default=24,
    show_default=True,
    help="How many hours the old secret stays valid.",
)
@database_option
@json_option
def rotate_secret(application: str, overlap_hours: int, database: str | None, as_json: bool) -> None:
    """Give an APPLICATION (name or client id) a new client secret; the old one stays valid for a while."""
    with opened(read_settings(database=database)) as store:
        found, secret = registering.rotate_secret(store, application, overlap_seconds=overlap_hours * 3600)
    _print_secret(found, secret, as_json=as_json)


@application.command()
@click.argument("application")
@click.option("--add", "added", help="Make this developer, a person of the console, an owner.")
@click.option("--remove", "removed", help="End the ownership of this person.")
@database_option
@json_option
def owners(
    application: str, added: str | None, removed: str | None, database: str | None, as_json: bool
) -> None:
    """List the owners of an APPLICATION (name or client id): the developers who see it in the console."""
    with opened(read_settings(database=database)) as store:
        if added is not None:
            registering.give(store, application, added)
        if removed is not None:
            registering.take(store, application, removed)
        found = registering.owners(store, application)
    if as_json:
        show_json(found)
        return
    click.echo("\n".join(found) or "no owner: only operators see it in the console")


def _reasons(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [reason.partition("=") for reason in given]
    if wrong := [name for name, is_pair, text in pairs if not (is_pair and text)]:
        raise BadSetting(f"why: expected NAME=REASON, got {wrong[0]!r}")
    return {name: text.strip() for name, _, text in pairs}


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _fields(given: tuple[str, ...]) -> dict[str, list[str]]:
    pairs = [field.partition(":") for field in given if field != "all"]
    needs = ("required", "optional", REFUSED)
    wrong = [need for need, _, name in pairs if need not in needs or not name]
    if wrong:
        raise BadSetting(f"field: expected required:NAME, optional:NAME or refused:NAME, got {wrong[0]!r}")
    listed = {need: [name for other, _, name in pairs if other == need] for need in needs}
    return {need: names for need, names in listed.items() if names or need != REFUSED}


def _print_secret(made: Application, secret: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps({"name": made.name, "client_id": made.client_id, "client_secret": secret}))
        return
    click.echo(f"client id      {made.client_id}\nclient secret  {secret}\nThe secret is not shown again.")


def _print(found: Application, *, as_json: bool) -> None:
    shown = {name: value for name, value in asdict(found).items() if name not in ("number", "is_demo")}
    if as_json:
        show_json(shown)
        return
    for name, value in shown.items():
        words = " ".join(value) if isinstance(value, tuple) else value
        click.echo(f"{name:14} {words}")
